/* See hpa.h: from what pods use to how many there should be. Pods fall into groups:
 *
 *     ignored   going or failed: as if they were not there
 *     unready   pending; or for CPU: not ready (yet), or measured while they started
 *     missing   without a value
 *     ready     all others
 *
 * The ratio of use to target is taken over the ready ones. Where it would scale up, unready ones count as using
 * nothing; missing ones count against the direction: as using nothing when it goes up, all when it goes down. If that
 * turns the direction round, or brings it near enough to 1, nothing changes. Upstream's words and rules. */
#include "api/controllers/hpa.h"

#include "api/client/meta.h"
#include "api/machinery/codec/quantity.h"
#include "base/check.h"

#include <math.h>

/* ---- a pod ---- */

static const struct json *ready_condition(const struct json *pod)
{
	JSON_FOREACH (it, json_path(pod, "status", "conditions", NULL))
		if (slice_is(json_get_str(it, "type"), "Ready"))
			return it;
	return NULL;
}

static int add_request(const struct json *pod, const struct json *containers, bool sidecars, const char *resource,
        struct slice only, int64_t *sum, struct err *err)
{
	JSON_FOREACH (it, containers) {
		struct slice name = json_get_str(it, "name");
		const struct json *request = json_path(it, "resources", "requests", resource, NULL);
		if ((sidecars && !slice_is(json_get_str(it, "restartPolicy"), "Always")) ||
		        (only.len && !slice_eq(only, name)))
			continue;
		if (!request)
			return err_set(err, ERR_INVAL, "missing request for %s in container %.*s of Pod %.*s", resource,
			        SLICE_FMT(name), SLICE_FMT(json_str(json_path(pod, "metadata", "name", NULL))));
		*sum += quantity_json_milli(request);
	}
	return 0;
}

int hpa_pod_read(
        const struct json *pod, const char *resource, struct slice container, struct hpa_pod *ret, struct err *err)
{
	const struct json *spec = json_get(pod, "spec"), *ready = ready_condition(pod);
	struct slice phase = json_str(json_path(pod, "status", "phase", NULL));
	*ret = (struct hpa_pod){.name = json_str(json_path(pod, "metadata", "name", NULL)),
	        .is_ignored = json_path(pod, "metadata", "deletionTimestamp", NULL) || slice_is(phase, "Failed"),
	        .is_pending = slice_is(phase, "Pending"),
	        .is_running_ready = slice_is(phase, "Running") && slice_is(json_get_str(ready, "status"), "True"),
	        .has_ready = ready != NULL,
	        .is_false = slice_is(json_get_str(ready, "status"), "False"),
	        .ready_since_s = kube_time_parse(json_get_str(ready, "lastTransitionTime")),
	        .start_s = kube_time_parse(json_str(json_path(pod, "status", "startTime", NULL)))};
	if (!resource)
		return 0;
	if (add_request(pod, json_get(spec, "containers"), false, resource, container, &ret->request, err) != 0)
		return err->code;
	return add_request(pod, json_get(spec, "initContainers"), true, resource, container, &ret->request, err);
}

/* ---- groups ---- */

enum group { GROUP_IGNORED, GROUP_UNREADY, GROUP_MISSING, GROUP_READY };

struct member {
	const struct hpa_pod *pod;
	enum group group;
	bool counts;   /* has a value now, measured or made up */
	int64_t milli; /* the value */
};

struct groups {
	struct member *members;
	size_t n, ready, unready, missing, counting;
};

static bool is_unready_by_cpu(
        const struct hpa_settings *s, const struct hpa_pod *p, const struct hpa_value *v, int64_t now_s)
{
	if (!p->has_ready || !p->start_s)
		return true;
	if (p->start_s + s->cpu_initialization_s > now_s)
		return p->is_false || v->at_s < p->ready_since_s + v->window_s;
	return p->is_false && p->start_s + s->initial_readiness_delay_s > p->ready_since_s;
}

static enum group group_of(
        const struct hpa_settings *s, const struct hpa_sample *x, const struct hpa_pod *p, const struct hpa_value *v)
{
	if (p->is_ignored)
		return GROUP_IGNORED;
	if (p->is_pending)
		return GROUP_UNREADY;
	if (!v)
		return GROUP_MISSING;
	return x->is_cpu && is_unready_by_cpu(s, p, v, x->now_s) ? GROUP_UNREADY : GROUP_READY;
}

static int make_groups(
        struct arena *a, const struct hpa_settings *s, const struct hpa_sample *x, struct groups *ret, struct err *err)
{
	struct map values = MAP_INIT;
	*ret = (struct groups){.members = ARENA_ARRAY(a, struct member, x->n_pods + 1)};
	if (!x->n_pods)
		return err_set(err, ERR_NOT_FOUND, "no pods returned by selector while calculating replica count");
	for (size_t i = 0; i < x->n_values; i++)
		map_put(&values, x->values[i].pod, (void *)&x->values[i]);
	for (size_t i = 0; i < x->n_pods; i++) {
		const struct hpa_value *v = map_get(&values, x->pods[i].name);
		struct member *m = &ret->members[ret->n++];
		*m = (struct member){.pod = &x->pods[i], .group = group_of(s, x, &x->pods[i], v)};
		ret->ready += m->group == GROUP_READY;
		ret->unready += m->group == GROUP_UNREADY;
		ret->missing += m->group == GROUP_MISSING;
		m->counts = m->group == GROUP_READY;
		m->milli = m->counts ? v->milli : 0;
	}
	map_release(&values);
	ret->counting = ret->ready;
	if (!ret->ready)
		return err_set(err, ERR_NOT_FOUND, "did not receive metrics for targeted pods (pods might be unready)");
	return 0;
}

/* ---- ratios ---- */

struct target {
	bool is_percent;
	int64_t value; /* percent, or thousandths */
};

/* Sums stop at the greatest number: what pods use and ask for are no such amounts, but what others say of them may be.
 */
static int64_t plus(int64_t a, int64_t b)
{
	int64_t sum;
	return !__builtin_add_overflow(a, b, &sum) ? sum : b < 0 ? INT64_MIN : INT64_MAX;
}

/* used * 100 / requested, exact as long as it can be. */
static int64_t of_hundred(int64_t used, int64_t requested)
{
	int64_t product;
	if (!__builtin_mul_overflow(used, 100, &product))
		return product / requested;
	double v = (double)used * 100 / (double)requested;
	return v >= 9.2e18 ? INT64_MAX : v <= -9.2e18 ? INT64_MIN : (int64_t)v;
}

static int64_t percent_of(int64_t request, int64_t percent)
{
	int64_t product;
	if (!__builtin_mul_overflow(request, percent, &product))
		return product / 100;
	double v = (double)request * (double)percent / 100;
	return v >= 9.2e18 ? INT64_MAX : v <= -9.2e18 ? INT64_MIN : (int64_t)v;
}

static int ratio_of(
        const struct groups *g, const struct target *t, double *ret_ratio, struct hpa_proposal *ret, struct err *err)
{
	int64_t used = 0, requested = 0;
	CHECK(g->counting > 0); /* without one that is ready there are no groups */
	for (size_t i = 0; i < g->n; i++)
		if (g->members[i].counts) {
			used = plus(used, g->members[i].milli);
			requested = plus(requested, g->members[i].pod->request);
		}
	ret->average = used / (int64_t)g->counting;
	if (!t->is_percent) {
		*ret_ratio = (double)ret->average / (double)t->value;
		return 0;
	}
	if (requested == 0)
		return err_set(err, ERR_NOT_FOUND, "no metrics returned matched known pods");
	ret->utilization = of_hundred(used, requested);
	*ret_ratio = (double)ret->utilization / (double)t->value;
	return 0;
}

/* Gives a value to those that have none. */
static void make_up(struct groups *g, const struct target *t, double ratio, bool with_unready)
{
	int64_t percent = t->is_percent && t->value > 100 ? t->value : 100;
	for (size_t i = 0; i < g->n; i++) {
		struct member *m = &g->members[i];
		bool is_missing = m->group == GROUP_MISSING && ratio != 1.0;
		if (!is_missing && !(m->group == GROUP_UNREADY && with_unready))
			continue;
		m->counts = true;
		g->counting++;
		if (is_missing && ratio < 1.0)
			m->milli = t->is_percent ? percent_of(m->pod->request, percent) : t->value;
	}
}

static bool is_near(const struct hpa_settings *s, double ratio)
{
	return fabs(1.0 - ratio) <= s->tolerance;
}

static int64_t times(double ratio, size_t n)
{
	double v = ceil(ratio * (double)n);
	return v >= INT32_MAX ? INT32_MAX : (int64_t)v;
}

static int propose(struct arena *a, const struct hpa_settings *s, const struct hpa_sample *x, int64_t current,
        struct target t, struct hpa_proposal *ret, struct err *err)
{
	struct groups g;
	struct hpa_proposal again = {0};
	double ratio, then;
	*ret = (struct hpa_proposal){.replicas = current};
	if (make_groups(a, s, x, &g, err) != 0 || ratio_of(&g, &t, &ratio, ret, err) != 0)
		return err->code;
	bool up_with_unready = g.unready && ratio > 1.0;
	if (!up_with_unready && !g.missing) {
		if (!is_near(s, ratio))
			ret->replicas = times(ratio, g.ready);
		return 0;
	}
	make_up(&g, &t, ratio, up_with_unready);
	if (ratio_of(&g, &t, &then, &again, err) != 0)
		return err->code;
	if (is_near(s, then) || (ratio < 1.0 && then > 1.0) || (ratio > 1.0 && then < 1.0))
		return 0;
	int64_t replicas = times(then, g.counting);
	bool turns = (then < 1.0 && replicas > current) || (then > 1.0 && replicas < current);
	ret->replicas = turns ? current : replicas;
	return 0;
}

int hpa_by_utilization(struct arena *a, const struct hpa_settings *s, const struct hpa_sample *x, int64_t current,
        int64_t target_percent, struct hpa_proposal *ret, struct err *err)
{
	return propose(a, s, x, current, (struct target){true, target_percent}, ret, err);
}

int hpa_by_average(struct arena *a, const struct hpa_settings *s, const struct hpa_sample *x, int64_t current,
        int64_t target_milli, struct hpa_proposal *ret, struct err *err)
{
	return propose(a, s, x, current, (struct target){false, target_milli}, ret, err);
}

int hpa_by_value(const struct hpa_settings *s, const struct hpa_sample *x, int64_t current, int64_t usage_milli,
        int64_t target_milli, struct hpa_proposal *ret, struct err *err)
{
	double ratio = (double)usage_milli / (double)target_milli;
	size_t ready = 0;
	*ret = (struct hpa_proposal){.replicas = current, .average = usage_milli};
	if (current == 0) { /* from nothing to as many as it takes */
		ret->replicas = times(ratio, 1);
		return 0;
	}
	if (is_near(s, ratio))
		return 0;
	if (!x->n_pods)
		return err_set(err, ERR_NOT_FOUND,
		        "unable to calculate ready pods: no pods returned by selector while calculating replica "
		        "count");
	for (size_t i = 0; i < x->n_pods; i++)
		ready += x->pods[i].is_running_ready;
	ret->replicas = times(ratio, ready);
	return 0;
}

void hpa_by_share(const struct hpa_settings *s, int64_t status_replicas, int64_t usage_milli, int64_t target_milli,
        struct hpa_proposal *ret)
{
	double share = (double)usage_milli / (double)target_milli, n = (double)status_replicas;
	*ret = (struct hpa_proposal){.replicas = status_replicas};
	if (!is_near(s, share / n)) /* of none it is infinite, which is not near */
		ret->replicas = times(share, 1);
	ret->average = status_replicas ? (int64_t)ceil((double)usage_milli / n) : usage_milli;
}
