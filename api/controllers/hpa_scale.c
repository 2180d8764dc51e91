/* See hpa.h: how far a change may go, and how fast. Two ways, as upstream:
 *
 *     without spec.behavior: the highest recommendation of the last minutes holds against scaling down; up to double
 *     (at least four) at once
 *     with it: windows for both directions, and policies that count what was changed in their period
 *
 * then the limits min and max. */
#include "api/controllers/hpa.h"

#include <math.h>
#include <stdlib.h>

enum { EVENTS_MAX = 4096 }; /* of a kind: an hour at one a second; the oldest go */

/* ---- what is remembered ---- */

void hpa_memory_release(struct hpa_memory *m)
{
	free(m->recommendations.items);
	free(m->ups.items);
	free(m->downs.items);
	*m = (struct hpa_memory){0};
}

/* Those before `cutoff_s` go. */
static void remember(struct hpa_events *e, int64_t at_s, int64_t count, int64_t cutoff_s)
{
	size_t kept = 0;
	for (size_t i = 0; i < e->n; i++)
		if (e->items[i].at_s > cutoff_s && e->n - i < EVENTS_MAX)
			e->items[kept++] = e->items[i];
	e->items = xrealloc(e->items, (kept + 1) * sizeof *e->items);
	e->items[kept] = (struct hpa_event){at_s, count};
	e->n = kept + 1;
}

void hpa_remember_first(struct hpa_memory *m, int64_t current, int64_t now_s)
{
	if (!m->recommendations.n)
		remember(&m->recommendations, now_s, current, INT64_MIN);
}

static int64_t longest_period(const struct hpa_rules *r)
{
	int64_t longest = 0;
	for (size_t i = 0; i < r->n_policies; i++)
		longest = r->policies[i].period_s > longest ? r->policies[i].period_s : longest;
	return longest;
}

void hpa_remember_change(struct hpa_memory *m, const struct hpa_limits *l, int64_t from, int64_t to, int64_t now_s)
{
	if (!l->has_behavior)
		return;
	if (to > from)
		remember(&m->ups, now_s, to - from, now_s - longest_period(&l->up));
	else
		remember(&m->downs, now_s, from - to, now_s - longest_period(&l->down));
}

/* ---- spec.behavior ---- */

static void read_policies(const struct json *list, struct hpa_rules *ret)
{
	ret->n_policies = 0;
	JSON_FOREACH (it, list)
		ret->policies[ret->n_policies++] =
		        (struct hpa_policy){.is_percent = slice_is(json_get_str(it, "type"), "Percent"),
		                .value = json_get_int(it, "value", 0),
		                .period_s = json_get_int(it, "periodSeconds", 15)};
}

void hpa_rules_read(
        struct arena *a, const struct json *v, bool is_up, const struct hpa_settings *s, struct hpa_rules *ret)
{
	struct slice select = json_get_str(v, "selectPolicy");
	const struct json *policies = json_get(v, "policies");
	*ret = (struct hpa_rules){.window_s = is_up ? 0 : s->downscale_stabilization_s};
	ret->policies = ARENA_ARRAY(a, struct hpa_policy, (policies ? policies->count : 0) + 2);
	ret->window_s = json_get_int(v, "stabilizationWindowSeconds", ret->window_s);
	ret->select = slice_is(select, "Disabled") ? HPA_SELECT_DISABLED
	              : slice_is(select, "Min")    ? HPA_SELECT_MIN
	                                           : HPA_SELECT_MAX;
	ret->policies[ret->n_policies++] = (struct hpa_policy){true, 100, 15};
	if (is_up)
		ret->policies[ret->n_policies++] = (struct hpa_policy){false, 4, 15};
	if (policies && policies->count)
		read_policies(policies, ret);
}

/* ---- stabilization ---- */

static int64_t stabilize_down(struct hpa_memory *m, const struct hpa_settings *s, int64_t proposed, int64_t now_s)
{
	int64_t cutoff = now_s - s->downscale_stabilization_s, highest = proposed;
	for (size_t i = 0; i < m->recommendations.n; i++) {
		const struct hpa_event *e = &m->recommendations.items[i];
		if (e->at_s > cutoff && e->count > highest)
			highest = e->count;
	}
	remember(&m->recommendations, now_s, proposed, cutoff);
	return highest;
}

static int64_t stabilize_both(struct hpa_memory *m, const struct hpa_limits *l, int64_t proposed, int64_t now_s)
{
	int64_t up_cutoff = now_s - l->up.window_s, down_cutoff = now_s - l->down.window_s;
	int64_t lowest = proposed, highest = proposed, result = l->current;
	for (size_t i = 0; i < m->recommendations.n; i++) {
		const struct hpa_event *e = &m->recommendations.items[i];
		if (e->at_s > up_cutoff && e->count < lowest)
			lowest = e->count;
		if (e->at_s > down_cutoff && e->count > highest)
			highest = e->count;
	}
	result = result < lowest ? lowest : result;
	result = result > highest ? highest : result;
	remember(&m->recommendations, now_s, proposed, up_cutoff < down_cutoff ? up_cutoff : down_cutoff);
	return result;
}

/* ---- policies ---- */

static int64_t changed_within(const struct hpa_events *e, int64_t period_s, int64_t now_s)
{
	int64_t sum = 0;
	for (size_t i = 0; i < e->n; i++)
		sum += e->items[i].at_s > now_s - period_s ? e->items[i].count : 0;
	return sum;
}

/* How far one policy lets it go. */
static int64_t policy_limit(
        const struct hpa_memory *m, const struct hpa_policy *p, int64_t current, bool is_up, int64_t now_s)
{
	int64_t start =
	        current - changed_within(&m->ups, p->period_s, now_s) + changed_within(&m->downs, p->period_s, now_s);
	double part = (double)p->value / 100;
	if (!p->is_percent)
		return is_up ? start + p->value : start - p->value;
	/* up is rounded up: else one replica would never become two by 10 percent */
	return is_up ? (int64_t)ceil((double)start * (1 + part)) : (int64_t)((double)start * (1 - part));
}

static int64_t rules_limit(
        const struct hpa_memory *m, const struct hpa_rules *r, int64_t current, bool is_up, int64_t now_s)
{
	bool take_larger = is_up == (r->select == HPA_SELECT_MAX);
	int64_t result = current;
	if (r->select == HPA_SELECT_DISABLED)
		return current;
	for (size_t i = 0; i < r->n_policies; i++) {
		int64_t limit = policy_limit(m, &r->policies[i], current, is_up, now_s);
		if (i == 0 || (take_larger ? limit > result : limit < result))
			result = limit;
	}
	/* what was changed already may have used it up */
	return is_up ? (result < current ? current : result) : (result > current ? current : result);
}

/* ---- limits ---- */

static void limit(struct hpa_verdict *v, int64_t replicas, const char *reason, const char *message)
{
	v->replicas = replicas;
	v->limited_reason = reason;
	v->limited_message = message;
	v->is_limited = true;
}

static void limit_up(struct hpa_verdict *v, int64_t max, int64_t rate)
{
	if (max > rate && v->replicas > rate)
		limit(v, rate, "ScaleUpLimit",
		        "the desired replica count is increasing faster than the maximum scale rate");
	else if (max <= rate && v->replicas > max)
		limit(v, max, "TooManyReplicas", "the desired replica count is more than the maximum replica count");
}

static void limit_down(struct hpa_verdict *v, int64_t min, int64_t rate)
{
	if (min < rate && v->replicas < rate)
		limit(v, rate, "ScaleDownLimit",
		        "the desired replica count is decreasing faster than the maximum scale rate");
	else if (min >= rate && v->replicas < min)
		limit(v, min, "TooFewReplicas", "the desired replica count is less than the minimum replica count");
}

static void normalize_plainly(struct hpa_memory *m, const struct hpa_settings *s, const struct hpa_limits *l,
        struct hpa_verdict *v, int64_t now_s)
{
	int64_t proposed = v->replicas, doubled = l->current * 2 < 4 ? 4 : l->current * 2;
	v->replicas = stabilize_down(m, s, proposed, now_s);
	if (v->replicas != proposed) {
		v->able_reason = "ScaleDownStabilized";
		v->able_message = "recent recommendations were higher than current one, applying the highest recent "
		                  "recommendation";
	}
	if (v->replicas < l->min)
		limit_down(v, l->min, INT64_MIN);
	else
		limit_up(v, l->max, doubled);
}

static void normalize_by_behavior(
        struct hpa_memory *m, const struct hpa_limits *l, struct hpa_verdict *v, int64_t now_s)
{
	int64_t proposed = v->replicas;
	v->replicas = stabilize_both(m, l, proposed, now_s);
	if (v->replicas != proposed) {
		bool is_up = proposed >= l->current;
		v->able_reason = is_up ? "ScaleUpStabilized" : "ScaleDownStabilized";
		v->able_message = is_up ? "recent recommendations were lower than current one, applying the lowest "
		                          "recent recommendation"
		                        : "recent recommendations were higher than current one, applying the highest "
		                          "recent recommendation";
	}
	if (v->replicas > l->current)
		limit_up(v, l->max, rules_limit(m, &l->up, l->current, true, now_s));
	else if (v->replicas < l->current)
		limit_down(v, l->min, rules_limit(m, &l->down, l->current, false, now_s));
}

void hpa_normalize(struct hpa_memory *m, const struct hpa_settings *s, const struct hpa_limits *l, int64_t proposed,
        int64_t now_s, struct hpa_verdict *ret)
{
	*ret = (struct hpa_verdict){.replicas = proposed,
	        .able_reason = "ReadyForNewScale",
	        .able_message = "recommended size matches current size",
	        .limited_reason = "DesiredWithinRange",
	        .limited_message = "the desired count is within the acceptable range"};
	if (l->has_behavior)
		normalize_by_behavior(m, l, ret, now_s);
	else
		normalize_plainly(m, s, l, ret, now_s);
}
