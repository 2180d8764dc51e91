/* Priority: the number behind a pod's priorityClassName, or of the class that is everybody's when it names none; a pod
 * says nothing else than its class does. Of classes, one alone is everybody's, and the two of the system stay.
 * Upstream: plugin/pkg/admission/priority; the words are its. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/server/call.h"
#include "api/server/state.h"
#include "base/json/scan.h"

#include <inttypes.h>

static int64_t value_of(struct object *o)
{
	int64_t value = 0;
	slice_to_i64(json_find(object_text(o), "value", NULL), &value);
	return value;
}

/* The class of pods that name none; of several the lowest, and of those the first by name. NULL: there is none. */
static struct object *default_class(struct admission *a)
{
	const struct resource *r = resource_find_preferred(SLICE("scheduling.k8s.io"), SLICE("priorityclasses"));
	struct object *best = NULL;
	struct omap_node *n = omap_seek(&cache_resource(a->call->server->cache, r)->objects, SLICE(""));
	for (; n; n = omap_next(n))
		if (slice_is(json_find(object_text(n->value), "globalDefault", NULL), "true") &&
		        (!best || value_of(n->value) < value_of(best)))
			best = n->value;
	return best;
}

/* An update that says nothing of them leaves them. */
static int keep(struct admission *a, struct json *spec)
{
	static const char *const members[] = {"priority", "preemptionPolicy"};
	for (size_t i = 0; i < 2; i++) {
		struct json *was = json_path(a->old, "spec", members[i], NULL);
		if (was && !json_get(spec, members[i]))
			json_set(a->arena, spec, members[i], json_copy(a->arena, was));
	}
	return 0;
}

static int set_policy(struct admission *a, struct json *spec, struct slice policy, struct err *err)
{
	struct slice own = json_get_str(spec, "preemptionPolicy");
	if (own.len && !slice_eq(own, policy))
		return admission_forbid(a, err,
		        arena_printf(a->arena,
		                "the string value of PreemptionPolicy (%.*s) must not be provided in pod spec; "
		                "priority "
		                "admission controller computed %.*s from the given PriorityClass name",
		                SLICE_FMT(own), SLICE_FMT(policy)));
	json_set_str(a->arena, spec, "preemptionPolicy", policy);
	return 0;
}

static int set_priority(struct admission *a, struct json *spec, int64_t value, struct err *err)
{
	const struct json *own = json_get(spec, "priority");
	if (json_is(own, JSON_NUMBER) && json_int(own, 0) != value)
		return admission_forbid(a, err,
		        arena_printf(a->arena,
		                "the integer value of priority (%" PRId64
		                ") must not be provided in pod spec; priority "
		                "admission controller computed %" PRId64 " from the given PriorityClass name",
		                json_int(own, 0), value));
	json_set_int(a->arena, spec, "priority", value);
	return 0;
}

int admit_priority(struct admission *a, struct err *err)
{
	struct json *spec = json_need(a->arena, a->object, "spec", JSON_OBJECT);
	struct slice name = json_get_str(spec, "priorityClassName"), policy = SLICE("PreemptLowerPriority");
	struct object *class;
	if (a->operation == ADMISSION_UPDATE)
		return keep(a, spec);
	class = name.len ? admission_lookup(a, "scheduling.k8s.io", "priorityclasses", name) : default_class(a);
	if (name.len && !class)
		return admission_forbid(
		        a, err, arena_printf(a->arena, "no PriorityClass with name %.*s was found", SLICE_FMT(name)));
	if (class) {
		struct slice own = json_find(object_text(class), "preemptionPolicy", NULL);
		json_set_str(a->arena, spec, "priorityClassName", object_name(class));
		policy = own.len ? own : policy;
	}
	int rc = set_priority(a, spec, class ? value_of(class) : 0, err);
	return rc ? rc : set_policy(a, spec, policy, err);
}

int admit_priority_class(struct admission *a, struct err *err)
{
	if (a->operation == ADMISSION_DELETE)
		return slice_is(a->name, "system-node-critical") || slice_is(a->name, "system-cluster-critical")
		               ? admission_forbid(a, err, "this is a system priority class and cannot be deleted")
		               : 0;
	struct object *other = json_get_bool(a->object, "globalDefault", false) ? default_class(a) : NULL;
	if (!other || (a->operation == ADMISSION_UPDATE && slice_eq(object_name(other), a->name)))
		return 0;
	return admission_forbid(a, err,
	        arena_printf(a->arena, "PriorityClass %.*s is already marked as default. Only one default can exist",
	                SLICE_FMT(object_name(other))));
}
