/* API Priority and Fairness: every call passes here between knowing who asks and asking whether he may.
 *
 * What "in flight" means in this server: a call holds its seats from here until its answer is handed over (of a watch:
 * until it has begun, as upstream), that is, while it waits for the store, for admission or for a node. Calls of one
 * loop are never carried out at the same time; but a flood of them keeps the store and the loop from others, and that
 * is what seats bound.
 *
 * Calls from inside the house (controllers, scheduler) have their level and flow like any other and wait in their turn,
 * but are not turned away: each has only so many under way. Long ones (exec, logs, proxies) are not counted, as
 * upstream. API loop. */
#ifndef K3X_API_SERVER_FAIRNESS_FAIRNESS_H
#define K3X_API_SERVER_FAIRNESS_FAIRNESS_H

#include "api/server/auth/rights/authorize.h"
#include "api/server/call.h"

struct fairness;
struct flow;

/* seats: of all levels together. The server's cache is there; its objects may come later. */
struct fairness *fairness_new(struct api_server *s, unsigned seats);
/* No call comes any more: lets go of the cache, before it closes. */
void fairness_stop(struct fairness *f);
/* When all calls are over. */
void fairness_free(struct fairness *f); /* NULL is allowed */
void fairness_tick(struct fairness *f); /* every second */

/* The call goes on: now (true), or later by then(c, err): err.code 0, or ERR_BUSY: it was turned away. then() is not
 * called for a call whose client went away. False with err->code: it is turned away at once. */
bool fairness_enter(struct call *c, const struct attributes *a, void (*then)(struct call *c, const struct err *err),
        struct err *err);
/* It is answered, or over: once or more often. */
void fairness_leave(struct call *c);

/* For the headers X-Kubernetes-PF-FlowSchema-UID and -PriorityLevel-UID; empty when it passed none. */
struct slice fairness_schema_uid(const struct call *c);
struct slice fairness_level_uid(const struct call *c);

void fairness_metrics(const struct fairness *f, struct strbuf *out);

#endif
