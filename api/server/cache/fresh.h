/* Calls that wait until the watch cache is fresh enough for them. API loop. */
#ifndef K3X_API_SERVER_CACHE_FRESH_H
#define K3X_API_SERVER_CACHE_FRESH_H

#include "api/server/cache/object.h"
#include "api/server/call.h"

/* Runs fn(c), never from inside this call, when the cache holds everything that was acknowledged before now; drops the
 * call when its client is gone by then, and answers it when the store does not. `consistent` false: only what this
 * process knows of, which is enough before a compare-and-swap.
 *
 * While no server of the cluster leads nobody can say what was acknowledged last. Then reads (GET) are answered from
 * what is here, with a warning to the client that it may be old: at once when it has been so for some time, else when
 * the store gives up asking. */
void fresh_wait(struct call *c, bool consistent, void (*fn)(struct call *c));

/* The same for an explicit revision; one that the store has not reached yet is answered 504. */
void fresh_wait_at(struct call *c, int64_t revision, void (*fn)(struct call *c));

/* "namespace/name" of the route, in the call's arena. */
struct slice fresh_route_key(struct call *c);
/* The object of the route in the cache, NULL when absent. Borrowed. */
struct object *fresh_route_object(struct call *c);

#endif
