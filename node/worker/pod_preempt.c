/* See pod_preempt_int.h. As upstream (pkg/kubelet/preemption/preemption.go): of guaranteed pods only as many go as are
 * needed when all others go, of burstable ones as many as are needed when all of best effort and those go, and so on.
 * Within a class the pod goes first that fills most of what is missing (the least sum of squares of the parts that
 * stay missing), of equal ones the one that asks for less memory, then for less CPU. */
#include "node/worker/pod_preempt_int.h"

#include "base/check.h"
#include "node/cgroup/resources.h"

static const int64_t SYSTEM_CRITICAL_PRIORITY = 2000000000;

/* One that may go. */
struct victim {
	size_t index;
	enum qos qos;
	struct resource_list asks;
	bool is_chosen;
};

struct choice {
	struct arena *a;
	const struct shortage *shortages;
	size_t shortages_count;
	int64_t *left; /* of each shortage, in the round that is on */
	struct victim *victims;
	size_t count;
};

bool pod_is_critical(const struct json *spec, bool is_static)
{
	return is_static || json_get_int(spec, "priority", 0) >= SYSTEM_CRITICAL_PRIORITY;
}

struct resource_list pod_asks(struct arena *a, const struct json *spec)
{
	struct resource_list list = resource_list_of_pod(a, spec, "requests"),
	                     overhead = resource_list_read(a, json_get(spec, "overhead"));
	resource_list_add(&list, &overhead);
	return list;
}

int64_t pod_asks_of(const struct resource_list *asks, struct slice resource)
{
	if (slice_is(resource, "pods"))
		return 1;
	const struct quantity *v = resource_list_get(asks, resource);
	return !v ? 0 : slice_is(resource, "cpu") ? quantity_milli_value(v) : quantity_value(v);
}

static bool may_go(const struct json *spec, bool is_static, const struct admit_other *other)
{
	const struct json *mine = json_get(spec, "priority"), *its = json_get(other->spec, "priority");
	if (other->is_ending)
		return false;
	if (pod_is_critical(spec, is_static) && !pod_is_critical(other->spec, other->is_static))
		return true;
	return mine && its && json_int(mine, 0) > json_int(its, 0);
}

static void take_from(struct choice *c, const struct resource_list *asks)
{
	for (size_t i = 0; i < c->shortages_count; i++)
		c->left[i] -= pod_asks_of(asks, c->shortages[i].resource);
}

static bool is_enough(const struct choice *c)
{
	for (size_t i = 0; i < c->shortages_count; i++)
		if (c->left[i] > 0)
			return false;
	return true;
}

/* ---- one class ---- */

static double distance(const struct choice *c, const struct victim *v)
{
	double sum = 0;
	for (size_t i = 0; i < c->shortages_count; i++) {
		double left = (double)(c->left[i] - pod_asks_of(&v->asks, c->shortages[i].resource));
		if (c->left[i] > 0 && left > 0)
			sum += left / (double)c->left[i] * (left / (double)c->left[i]);
	}
	return sum;
}

static bool asks_for_less(const struct victim *x, const struct victim *y)
{
	static const char *const names[] = {"memory", "cpu"};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		int64_t a = pod_asks_of(&x->asks, slice_of(names[i])), b = pod_asks_of(&y->asks, slice_of(names[i]));
		if (a != b)
			return a < b;
	}
	return true;
}

static struct victim *nearest(struct choice *c, enum qos class)
{
	struct victim *best = NULL;
	double best_distance = 0;
	for (size_t i = 0; i < c->count; i++) {
		struct victim *v = &c->victims[i];
		if (v->qos != class || v->is_chosen)
			continue;
		double d = distance(c, v);
		if (!best || d < best_distance || (d == best_distance && asks_for_less(v, best))) {
			best = v;
			best_distance = d;
		}
	}
	return best;
}

/* Those of the class that are needed when all of the classes below go, and of those above the chosen ones. */
static void choose_of(struct choice *c, enum qos class)
{
	DCHECK(class >= QOS_GUARANTEED && class <= QOS_BESTEFFORT);
	for (size_t i = 0; i < c->shortages_count; i++)
		c->left[i] = c->shortages[i].amount;
	for (size_t i = 0; i < c->count; i++) {
		const struct victim *v = &c->victims[i];
		if (v->is_chosen || v->qos > class)
			take_from(c, &v->asks);
	}
	for (struct victim *v; !is_enough(c) && (v = nearest(c, class));) {
		v->is_chosen = true;
		take_from(c, &v->asks);
	}
}

/* ---- the whole ---- */

static const char *missing(const struct choice *c)
{
	const char *text = "";
	DCHECK(!is_enough(c));
	for (size_t i = 0; i < c->shortages_count; i++)
		if (c->left[i] > 0)
			text = arena_printf(c->a, "%s%s(res: %.*s, q: %lld)", text, *text ? ", " : "",
			        SLICE_FMT(c->shortages[i].resource), (long long)c->left[i]);
	return arena_printf(c->a, "no set of running pods found to reclaim resources: [%s]", text);
}

bool pod_preempt_choose(struct arena *a, const struct json *spec, bool is_static, const struct admit_other *others,
        size_t others_count, const struct shortage *shortages, size_t shortages_count, const size_t **ret,
        size_t *ret_count, const char **ret_missing)
{
	struct shortage *rest = ARENA_ARRAY(a, struct shortage, shortages_count + 1);
	struct choice c = {.a = a,
	        .shortages = rest,
	        .left = ARENA_ARRAY(a, int64_t, shortages_count + 1),
	        .victims = ARENA_ARRAY(a, struct victim, others_count + 1)};
	size_t *chosen = ARENA_ARRAY(a, size_t, others_count + 1), n = 0;
	for (size_t i = 0; i < shortages_count; i++) {
		int64_t amount = shortages[i].amount;
		for (size_t k = 0; k < others_count; k++) {
			struct resource_list asks = pod_asks(a, others[k].spec);
			amount -= others[k].is_ending ? pod_asks_of(&asks, shortages[i].resource) : 0;
		}
		if (amount > 0)
			rest[c.shortages_count++] = (struct shortage){shortages[i].resource, amount};
	}
	for (size_t i = 0; i < c.shortages_count; i++)
		c.left[i] = rest[i].amount;
	for (size_t i = 0; i < others_count; i++)
		if (may_go(spec, is_static, &others[i])) {
			c.victims[c.count] =
			        (struct victim){i, pod_qos(others[i].spec), pod_asks(a, others[i].spec), false};
			take_from(&c, &c.victims[c.count++].asks);
		}
	CHECK(c.count <= others_count && c.shortages_count <= shortages_count);
	if (!is_enough(&c)) {
		*ret_missing = missing(&c);
		return false;
	}
	for (enum qos class = QOS_GUARANTEED; class <= QOS_BESTEFFORT; class ++)
		choose_of(&c, class);
	for (enum qos class = QOS_GUARANTEED; class <= QOS_BESTEFFORT; class ++)
		for (size_t i = 0; i < c.count; i++)
			if (c.victims[i].is_chosen && c.victims[i].qos == QOS_BESTEFFORT - class)
				chosen[n++] = c.victims[i].index;
	CHECK(n <= others_count);
	*ret = chosen;
	*ret_count = n;
	return true;
}
