/* The arithmetic of pod disruption budgets: how many pods must be healthy, and how many may go. Pure: no API, no clock.
 * Upstream: pkg/controller/disruption/disruption.go. */
#ifndef K3X_API_CONTROLLERS_BUDGET_H
#define K3X_API_CONTROLLERS_BUDGET_H

#include "base/json/json.h"

/* An eviction whose pod has not begun to die by then has come to nothing. */
enum { BUDGET_DISRUPTED_S_MAX = 120 };

struct budget_counts {
	int64_t expected; /* pods there should be */
	int64_t desired;  /* of them that must be healthy */
	int64_t healthy;
	int64_t allowed; /* to be disrupted now */
};

/* maxUnavailable and percentages ask how many pods their owners want; else those that are there are counted. */
bool budget_asks_owners(const struct json *spec);
/* Fills in `desired` and `allowed` of `expected` and `healthy`. */
void budget_compute(const struct json *spec, struct budget_counts *k);
/* How long a pod evicted at `since_s` still counts as gone, in seconds; 0: no longer. */
int64_t budget_disrupted_s_left(int64_t since_s, int64_t now_s);

#endif
