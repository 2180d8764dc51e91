/* What can be asked of resources: an entry per verb and subresource, called by dispatch when the caller may. Each
 * answers the call, now or later. API loop. */
#ifndef K3X_API_SERVER_VERBS_VERBS_H
#define K3X_API_SERVER_VERBS_VERBS_H

#include "api/server/call.h"

void api_get(struct call *c);               /* get.c */
void api_list(struct call *c);              /* list.c */
void api_watch(struct call *c);             /* watch.c */
void api_create(struct call *c);            /* create.c */
void api_update(struct call *c);            /* update.c: PUT and PATCH */
void api_apply(struct call *c);             /* apply.c: PATCH with an apply patch */
void api_delete(struct call *c);            /* delete.c */
void api_delete_collection(struct call *c); /* delete_collection.c */
void api_review(struct call *c);            /* review.c: objects that are questions */

void api_component_status(struct call *c); /* component_status.c */

/* Subresources that are more than a plain read or write (subresource.c); false: it is one. */
bool api_subresource(struct call *c);
void api_scale(struct call *c);        /* scale.c */
void api_bind(struct call *c);         /* binding.c */
void api_bind_by_name(struct call *c); /* POST bindings, the older way to say the same */
void api_evict(struct call *c);        /* eviction.c */
void api_token(struct call *c);        /* token.c */
void api_connect(struct call *c);      /* connect.c: log, exec, attach, portforward, proxy */

/* Every second: bookmarks and time limits of watches (watch.c). */
void watches_tick(struct api_server *s);

#endif
