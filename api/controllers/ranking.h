/* Which pods of a replica set go first when there are too many. Pure: no API, no clock. */
#ifndef K3X_API_CONTROLLERS_RANKING_H
#define K3X_API_CONTROLLERS_RANKING_H

#include "api/client/meta.h"

struct ranked_pod {
	struct pod_view pod;
	int64_t deletion_cost; /* annotation controller.kubernetes.io/pod-deletion-cost */
	int64_t neighbours;    /* active pods of the same family on its node */
};

int64_t ranking_deletion_cost(struct slice annotations); /* 0 when absent or not a number */
/* Sorts the first to be deleted to the front, as upstream's ActivePodsWithRanks: unassigned, pending, not ready, cheap
 * to delete, crowded, ready for a shorter time, restarted often, young. Ages are compared by their logarithm, so that
 * pods of about the same age are chosen at random (by uid). */
void ranking_sort(struct ranked_pod *pods, size_t n, int64_t now_s);

#endif
