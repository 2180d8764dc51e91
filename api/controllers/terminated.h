/* Which of the pods that have ended go first when there are too many of them. Pure.
 * Upstream: pkg/controller/podgc/gc_controller.go, gcTerminated. */
#ifndef K3X_API_CONTROLLERS_TERMINATED_H
#define K3X_API_CONTROLLERS_TERMINATED_H

#include "base/mem/str.h"

struct terminated_pod {
	struct slice key;
	int64_t created_s;
	bool is_evicted; /* by the kubelet, to get resources back */
	void *object;    /* the caller's */
};

/* How many are to go so that `max` stay. max 0: none ever goes. */
size_t terminated_excess(size_t count, size_t max);
/* Puts those that go first at the beginning: evicted ones, then the oldest. */
void terminated_sort(struct terminated_pod *pods, size_t count);

#endif
