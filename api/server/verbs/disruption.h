/* Disruption budgets: how many pods may be evicted now (KEP-85, upstream's disruption controller). The numbers are
 * computed of what the watch cache holds when they are asked for. API loop. */
#ifndef K3X_API_SERVER_VERBS_DISRUPTION_H
#define K3X_API_SERVER_VERBS_DISRUPTION_H

#include "api/server/cache/cache.h"
#include "base/json/json.h"

struct disruption {
	int64_t expected; /* pods there should be */
	int64_t desired;  /* healthy ones the budget asks for */
	int64_t healthy;
	int64_t allowed; /* to be disrupted now */
};

/* Of a budget's object. Pods that were evicted in the last two minutes and are not marked as dying yet
 * (status.disruptedPods) count as gone. ERR_NOT_FOUND when a pod's controller is not known: nothing is allowed then. */
int disruption_compute(
        struct cache *cache, struct arena *a, const struct json *budget, struct disruption *ret, struct err *err);

/* condition Ready is True. */
bool disruption_is_ready(const struct json *pod);

/* Writes the numbers into the budget's status, and that this pod is disrupted now: one less is allowed. */
void disruption_draw(struct arena *a, struct json *budget, const struct disruption *d, struct slice pod);

#endif
