/* See ranking.h. */
#include "api/controllers/ranking.h"

#include "base/json/scan.h"

#include <stdlib.h>

int64_t ranking_deletion_cost(struct slice annotations)
{
	int64_t cost = 0;
	struct slice text = json_find(annotations, "controller.kubernetes.io/pod-deletion-cost", NULL);
	return slice_to_i64(text, &cost) ? cost : 0;
}

static int phase_rank(struct slice phase)
{
	return slice_is(phase, "Pending") || !phase.len ? 0 : slice_is(phase, "Unknown") ? 1 : 2;
}

/* Floor of the logarithm to base 2 of an age: 0 for what is new. */
static int age_class(int64_t since_s, int64_t now_s)
{
	int n = 0;
	for (int64_t age = now_s - since_s; age > 1; age >>= 1)
		n++;
	return n;
}

static int cmp(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int compare(const void *x, const void *y, void *arg)
{
	const struct ranked_pod *a = x, *b = y;
	int64_t now_s = *(int64_t *)arg;
	int d;
	if ((d = cmp(a->pod.node.len > 0, b->pod.node.len > 0)) != 0)
		return d;
	if ((d = cmp(phase_rank(a->pod.phase), phase_rank(b->pod.phase))) != 0)
		return d;
	if ((d = cmp(a->pod.is_ready, b->pod.is_ready)) != 0)
		return d;
	if ((d = cmp(a->deletion_cost, b->deletion_cost)) != 0)
		return d;
	if ((d = cmp(b->neighbours, a->neighbours)) != 0)
		return d;
	if (a->pod.is_ready &&
	        (d = cmp(age_class(a->pod.ready_since_s, now_s), age_class(b->pod.ready_since_s, now_s))) != 0)
		return d;
	if ((d = cmp(b->pod.restarts, a->pod.restarts)) != 0)
		return d;
	int64_t made_a = kube_time_parse(a->pod.meta.creation_timestamp),
	        made_b = kube_time_parse(b->pod.meta.creation_timestamp);
	if ((d = cmp(age_class(made_a, now_s), age_class(made_b, now_s))) != 0)
		return d;
	return slice_cmp(a->pod.meta.uid, b->pod.meta.uid);
}

void ranking_sort(struct ranked_pod *pods, size_t n, int64_t now_s)
{
	qsort_r(pods, n, sizeof *pods, compare, &now_s);
}
