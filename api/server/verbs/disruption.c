/* See disruption.h. */
#include "api/server/verbs/disruption.h"

#include "api/machinery/schema/selector.h"
#include "api/server/strategy.h"
#include "base/check.h"
#include "base/clock.h"

enum { DISRUPTED_S_MAX = 120, OWNERS_MAX = 64 };

struct owners {
	struct slice uids[OWNERS_MAX];
	size_t count;
};

bool disruption_is_ready(const struct json *pod)
{
	JSON_FOREACH (it, json_path(pod, "status", "conditions", NULL))
		if (slice_is(json_get_str(it, "type"), "Ready"))
			return slice_is(json_get_str(it, "status"), "True");
	return false;
}

static struct json *controller_ref(const struct json *object)
{
	JSON_FOREACH (it, json_path(object, "metadata", "ownerReferences", NULL))
		if (json_get_bool(it, "controller", false))
			return it;
	return NULL;
}

/* ---- how many there should be ---- */

static struct json *find_owner(struct cache *cache, struct arena *a, struct slice ns, const struct json *ref)
{
	static const struct {
		const char *kind, *group, *plural;
	} kinds[] = {
	        {"ReplicaSet", "apps", "replicasets"},
	        {"StatefulSet", "apps", "statefulsets"},
	        {"Deployment", "apps", "deployments"},
	        {"ReplicationController", "", "replicationcontrollers"},
	};
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (!slice_is(json_get_str(ref, "kind"), kinds[i].kind))
			continue;
		const struct resource *r =
		        resource_find(slice_of(kinds[i].group), SLICE("v1"), slice_of(kinds[i].plural));
		struct slice key =
		        slice_of(arena_printf(a, "%.*s/%.*s", SLICE_FMT(ns), SLICE_FMT(json_get_str(ref, "name"))));
		struct object *o = cache_get(cache_resource(cache, r), key);
		if (o && slice_eq(object_span(o, o->uid), json_get_str(ref, "uid")))
			return json_parse(a, object_text(o), NULL, NULL);
	}
	return NULL;
}

static bool is_new_owner(struct owners *seen, struct slice uid)
{
	for (size_t i = 0; i < seen->count; i++)
		if (slice_eq(seen->uids[i], uid))
			return false;
	if (seen->count < OWNERS_MAX)
		seen->uids[seen->count++] = uid;
	return true;
}

/* Adds the replicas of a pod's controller: of the Deployment that a ReplicaSet belongs to. */
static int add_scale(struct cache *cache, struct arena *a, struct slice ns, const struct json *pod, struct owners *seen,
        int64_t *expected, struct err *err)
{
	struct json *ref = controller_ref(pod);
	if (!ref)
		return 0;
	struct json *owner = find_owner(cache, a, ns, ref), *above = owner ? controller_ref(owner) : NULL;
	if (above && slice_is(json_get_str(ref, "kind"), "ReplicaSet") &&
	        slice_is(json_get_str(above, "kind"), "Deployment"))
		owner = find_owner(cache, a, ns, ref = above);
	if (!owner)
		return err_set(err, ERR_NOT_FOUND, "%.*s \"%.*s\", which controls pods of the budget, has no scale",
		        SLICE_FMT(json_get_str(ref, "kind")), SLICE_FMT(json_get_str(ref, "name")));
	if (is_new_owner(seen, json_str(json_path(owner, "metadata", "uid", NULL))))
		*expected += json_int(json_path(owner, "spec", "replicas", NULL), 1);
	return 0;
}

/* "25%" of the total rounded up, or a number. */
static int64_t scaled(const struct json *value, int64_t total)
{
	struct slice text = json_str(value);
	int64_t percent;
	if (!text.len || text.ptr[text.len - 1] != '%')
		return json_int(value, 0);
	text.len--;
	return slice_to_i64(text, &percent) ? (percent * total + 99) / 100 : 0;
}

static void set_desired(const struct json *spec, struct disruption *d)
{
	struct json *unavailable = json_get(spec, "maxUnavailable"), *available = json_get(spec, "minAvailable");
	d->desired = 0;
	if (unavailable)
		d->desired = d->expected - scaled(unavailable, d->expected);
	else if (available)
		d->desired = scaled(available, d->expected);
	if (d->desired < 0)
		d->desired = 0;
}

/* ---- how many there are ---- */

/* Seconds since 1970 of "2026-01-02T03:04:05Z"; 0: it is no such text. */
static int64_t seconds_of(struct slice text)
{
	struct tm tm = {0};
	char copy[32];
	if (text.len >= sizeof copy)
		return 0;
	memcpy(copy, text.ptr ? text.ptr : "", text.len);
	copy[text.len] = 0;
	return strptime(copy, "%Y-%m-%dT%H:%M:%SZ", &tm) ? (int64_t)timegm(&tm) : 0;
}

static bool is_disrupted(const struct json *budget, struct slice pod)
{
	struct json *at = json_get_slice(json_path(budget, "status", "disruptedPods", NULL), pod);
	return at && seconds_of(json_str(at)) + DISRUPTED_S_MAX > clock_wall_s();
}

static bool is_healthy(const struct json *budget, const struct json *pod)
{
	return disruption_is_ready(pod) && !json_path(pod, "metadata", "deletionTimestamp", NULL) &&
	       !is_disrupted(budget, json_str(json_path(pod, "metadata", "name", NULL)));
}

int disruption_compute(
        struct cache *cache, struct arena *a, const struct json *budget, struct disruption *ret, struct err *err)
{
	struct json *spec = json_get(budget, "spec"), *unavailable = json_get(spec, "maxUnavailable");
	struct slice ns = json_str(json_path(budget, "metadata", "namespace", NULL));
	bool by_scale = unavailable || json_str(json_get(spec, "minAvailable")).len;
	struct cache_resource *pods = cache_resource(cache, resource_find(SLICE(""), SLICE("v1"), SLICE("pods")));
	struct slice prefix = slice_of(arena_printf(a, "%.*s/", SLICE_FMT(ns)));
	struct object_filter filter = {.ns = ns};
	struct owners seen = {.count = 0};
	bool nothing = false;
	*ret = (struct disruption){0};
	if (label_selector_from_json(a, json_get(spec, "selector"), &filter.labels, &nothing, err) != 0)
		return err->code;
	for (struct omap_node *n = omap_seek(&pods->objects, prefix); n && !nothing; n = omap_next(n)) {
		struct object *o = n->value;
		if (!slice_eq(object_namespace(o), ns))
			break;
		if (!object_matches(o, &filter, pods->resource))
			continue;
		struct json *pod = json_parse(a, object_text(o), NULL, NULL);
		ret->healthy += is_healthy(budget, pod);
		ret->expected += !by_scale;
		if (by_scale && add_scale(cache, a, ns, pod, &seen, &ret->expected, err) != 0)
			return err->code;
	}
	set_desired(spec, ret);
	ret->allowed = ret->expected > 0 && ret->healthy > ret->desired ? ret->healthy - ret->desired : 0;
	return 0;
}

/* ---- drawing on it ---- */

void disruption_draw(struct arena *a, struct json *budget, const struct disruption *d, struct slice pod)
{
	struct json *status = json_need(a, budget, "status", JSON_OBJECT);
	struct json *disrupted = json_need(a, status, "disruptedPods", JSON_OBJECT);
	for (struct json *it = disrupted->first, *next; it; it = next) {
		next = it->next;
		if (!is_disrupted(budget, it->key))
			json_remove(disrupted, it);
	}
	json_set_slice(a, disrupted, pod, json_new_cstr(a, strategy_time(a, 0)));
	json_set_int(a, status, "disruptionsAllowed", d->allowed - 1);
	json_set_int(a, status, "currentHealthy", d->healthy);
	json_set_int(a, status, "desiredHealthy", d->desired);
	json_set_int(a, status, "expectedPods", d->expected);
	json_set_int(a, status, "observedGeneration", json_int(json_path(budget, "metadata", "generation", NULL), 0));
}
