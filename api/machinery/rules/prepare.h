/* What of an object is not the client's to say, whatever it sent: the status of new objects, the half that a write may
 * not touch, generation, and what a kind owns. Upstream keeps this in a strategy per kind; here the common part is one
 * function and the rest hangs on the kind's row (struct kind_ops).
 *
 * Identity, times and names are given by who calls: nothing here knows a clock. Any thread. */
#ifndef K3X_API_MACHINERY_RULES_PREPARE_H
#define K3X_API_MACHINERY_RULES_PREPARE_H

#include "api/machinery/schema/resources.h"

/* metadata has its name, namespace, uid and creationTimestamp. */
void prepare_create(struct arena *a, const struct resource *r, struct json *object);
/* Brings over what the client may not change; sub: "" or the subresource that is written. */
void prepare_update(
        struct arena *a, const struct resource *r, const char *sub, struct json *object, const struct json *old);

#endif
