/* What the server owns in an object, whatever the client sent: identity, times, generation, and which half of an object
 * a write may touch. API loop. */
#ifndef K3X_API_SERVER_STRATEGY_H
#define K3X_API_SERVER_STRATEGY_H

#include "api/machinery/schema/resources.h"
#include "base/json/json.h"

struct call;
struct object;

/* Identity, times, generation, status of a new object. */
void strategy_prepare_create(struct call *c, const struct resource *r, struct json *object);
/* Brings over what the client may not change; sub: "" or the subresource. */
void strategy_prepare_update(
        struct call *c, const struct resource *r, const char *sub, struct json *object, const struct json *old);
/* Compact text in the stored form. The resourceVersion is left out. Returns where metadata's closing brace is. */
size_t strategy_write(struct strbuf *out, struct json *object);
/* The same for what the server changes in `before` by the way (a budget that is drawn on): that is no manager's write,
 * so its managedFields stay as they are. */
void strategy_write_changed(struct strbuf *out, struct json *object, const struct object *before);
/* "2026-01-02T03:04:05Z", now plus some seconds. */
const char *strategy_time(struct arena *a, int64_t plus_s);
const char *strategy_uid(struct arena *a);
/* Five characters that make a generated name unique. */
const char *strategy_random_suffix(struct arena *a);

#endif
