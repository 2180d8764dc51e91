/* Request bodies: JSON, YAML or protobuf to one checked tree, with upstream's errors. API loop. */
#ifndef K3X_API_SERVER_BODY_H
#define K3X_API_SERVER_BODY_H

#include "api/machinery/schema/schema.h"
#include "api/server/call.h"
#include "base/json/json.h"

/* The body as a checked tree of `type` (NULL: any object), in the call's arena. Adds warnings to the call. */
struct json *body_read(
        struct call *c, const struct schema_type *type, const char *kind, const char *api_version, struct err *err);

/* Content-Type is this media type, whatever its parameters. */
bool body_is(const struct call *c, const char *media_type);

/* DeleteOptions from body and query; an empty object when neither has any. */
struct json *body_read_delete_options(struct call *c, struct err *err);

/* Does the query ask for a dry run? ERR_INVAL when dryRun is something else than All. */
int body_dry_run(struct call *c, bool *dry_run, struct err *err);

#endif
