/* See plan_int.h. As upstream (pkg/kubelet/nodeshutdown): shutdownGracePeriod is for all pods together, its last part
 * (shutdownGracePeriodCriticalPods) for those of a system's priority; shutdownGracePeriodByPodPriority names the groups
 * itself. A pod below the lowest group belongs to it. What can go wrong: groups that are no numbers, two of one
 * priority, too many. */
#include "node/shutdown/plan_int.h"

#include "base/check.h"
#include "base/time/duration.h"

#include <stdio.h>
#include <stdlib.h>

static const int64_t SYSTEM_CRITICAL_PRIORITY = 2000000000, DEFAULT_GRACE_S = 30, GRACE_S_MAX = 24 * 3600;

static int by_priority(const void *a, const void *b)
{
	const struct shutdown_group *x = a, *y = b;
	return x->priority < y->priority ? -1 : x->priority > y->priority;
}

static int64_t seconds(const struct json *tree, const char *field)
{
	char text[64];
	uint64_t ms = 0;
	snprintf(text, sizeof text, "%.*s", SLICE_FMT(json_get_str(tree, field)));
	return duration_parse_ms(text, &ms) ? (int64_t)(ms / 1000) : 0;
}

static int read_groups(const struct json *list, struct shutdown_plan *ret, struct err *err)
{
	JSON_FOREACH (it, list) {
		int64_t grace = json_get_int(it, "shutdownGracePeriodSeconds", -1),
		        priority = json_get_int(it, "priority", INT64_MIN);
		if (grace < 0 || grace > GRACE_S_MAX || priority < INT32_MIN || priority > INT32_MAX)
			return err_set(err, ERR_INVAL,
			        "shutdownGracePeriodByPodPriority: each needs a priority and "
			        "shutdownGracePeriodSeconds, a number of seconds up to a day");
		if (ret->count == SHUTDOWN_GROUPS_MAX)
			return err_set(err, ERR_INVAL, "shutdownGracePeriodByPodPriority: more than %d groups",
			        SHUTDOWN_GROUPS_MAX);
		ret->groups[ret->count++] = (struct shutdown_group){priority, grace};
	}
	qsort(ret->groups, ret->count, sizeof *ret->groups, by_priority);
	for (size_t i = 1; i < ret->count; i++)
		if (ret->groups[i].priority == ret->groups[i - 1].priority)
			return err_set(err, ERR_INVAL, "shutdownGracePeriodByPodPriority: priority %lld is there twice",
			        (long long)ret->groups[i].priority);
	return 0;
}

int shutdown_plan_read(const struct json *tree, struct shutdown_plan *ret, struct err *err)
{
	const struct json *list = json_get(tree, "shutdownGracePeriodByPodPriority");
	int64_t all = seconds(tree, "shutdownGracePeriod"), critical = seconds(tree, "shutdownGracePeriodCriticalPods");
	*ret = (struct shutdown_plan){.count = 0};
	if (list && list->count)
		return read_groups(list, ret, err);
	if (!all)
		return 0;
	ret->groups[0] = (struct shutdown_group){0, all - critical};
	ret->groups[1] = (struct shutdown_group){SYSTEM_CRITICAL_PRIORITY, critical};
	ret->count = 2;
	return 0;
}

int64_t shutdown_plan_total_s(const struct shutdown_plan *p)
{
	int64_t sum = 0;
	for (size_t i = 0; i < p->count; i++)
		sum += p->groups[i].grace_s;
	return sum;
}

size_t shutdown_plan_group(const struct shutdown_plan *p, int64_t priority)
{
	size_t group = 0;
	CHECK(p->count);
	for (size_t i = 1; i < p->count; i++)
		if (p->groups[i].priority <= priority)
			group = i;
	return group;
}

int64_t shutdown_plan_grace_s(const struct shutdown_group *g, const struct json *pod_spec)
{
	int64_t own = json_get_int(pod_spec, "terminationGracePeriodSeconds", DEFAULT_GRACE_S),
	        grace = own < g->grace_s ? own : g->grace_s;
	return grace < 1 ? 1 : grace;
}
