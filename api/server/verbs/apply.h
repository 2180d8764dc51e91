/* What apply shares with the subresources that are applied to (scale). API loop. */
#ifndef K3X_API_SERVER_VERBS_APPLY_H
#define K3X_API_SERVER_VERBS_APPLY_H

#include "api/server/verbs/mutation.h"

/* A PATCH of type application/apply-patch+yaml. */
bool apply_is(const struct call *c);
/* The body as a checked tree of the kind, in the shape it was sent. NULL with ERR_INVAL in upstream's words. */
struct json *apply_read(
        struct mutation *m, const struct schema_type *type, const char *kind, const char *api_version, struct err *err);

#endif
