/* RuntimeClass: a pod that names one gets its overhead, and no other, and where it may be scheduled; the class must
 * exist. Upstream: plugin/pkg/admission/runtimeclass; the words are its. */
#include "api/machinery/codec/quantity.h"
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

/* Members of the class's nodeSelector must not say otherwise than the pod's own. */
static int merge_node_selector(struct admission *a, struct json *spec, const struct json *wanted, struct err *err)
{
	struct json *own = json_need(a->arena, spec, "nodeSelector", JSON_OBJECT);
	JSON_FOREACH (it, wanted) {
		struct json *there = json_get_slice(own, it->key);
		if (there && !json_equal(there, it))
			return admission_forbid(a, err,
			        arena_printf(a->arena,
			                "conflict: runtimeClass.scheduling.nodeSelector[%.*s] = %.*s; "
			                "pod.spec.nodeSelector[%.*s] = %.*s",
			                SLICE_FMT(it->key), SLICE_FMT(json_str(it)), SLICE_FMT(it->key),
			                SLICE_FMT(json_str(there))));
		if (!there)
			json_set_slice(a->arena, own, it->key, json_copy(a->arena, it));
	}
	return 0;
}

static void merge_tolerations(struct admission *a, struct json *spec, const struct json *wanted)
{
	JSON_FOREACH (it, wanted)
		json_append(json_need(a->arena, spec, "tolerations", JSON_ARRAY), json_copy(a->arena, it));
}

static bool is_amount(const struct json *x, const struct json *y)
{
	struct quantity p, q;
	struct err err = ERR_INIT;
	return y && quantity_parse(json_str(x), &p, &err) == 0 && quantity_parse(json_str(y), &q, &err) == 0 &&
	       quantity_cmp(&p, &q) == 0;
}

static bool are_amounts(const struct json *x, const struct json *y)
{
	if ((x ? x->count : 0) != (y ? y->count : 0))
		return false;
	JSON_FOREACH (it, x)
		if (!is_amount(it, json_get_slice(y, it->key)))
			return false;
	return true;
}

/* The class's, or none; whether a pod brought another. */
static int check_overhead(struct admission *a, const struct json *own, const struct json *wanted, struct err *err)
{
	if (!own || !own->first || are_amounts(own, wanted))
		return 0;
	return admission_forbid(a, err,
	        wanted ? "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
	               : "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
}

int admit_runtime_class(struct admission *a, struct err *err)
{
	struct json *spec = json_get(a->object, "spec"), *own = json_get(spec, "overhead");
	struct slice name = json_get_str(spec, "runtimeClassName");
	if (!name.len)
		return check_overhead(a, own, NULL, err);
	struct object *o = admission_lookup(a, "node.k8s.io", "runtimeclasses", name);
	if (!o)
		return admission_forbid(a, err,
		        arena_printf(a->arena, "pod rejected: RuntimeClass \"%.*s\" not found", SLICE_FMT(name)));
	struct json *class = json_parse(a->arena, object_text(o), NULL, err);
	struct json *overhead = json_path(class, "overhead", "podFixed", NULL),
	            *scheduling = json_get(class, "scheduling");
	if (!class || check_overhead(a, own, overhead, err) != 0)
		return err->code;
	if (overhead)
		json_set(a->arena, spec, "overhead", json_copy(a->arena, overhead));
	struct json *selector = json_get(scheduling, "nodeSelector");
	if (selector && merge_node_selector(a, spec, selector, err) != 0)
		return err->code;
	merge_tolerations(a, spec, json_get(scheduling, "tolerations"));
	return 0;
}
