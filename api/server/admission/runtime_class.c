/* RuntimeClass: a pod that names one gets its overhead and where it may be scheduled; the class must exist. */
#include "api/server/admission/admission_int.h"

static int refuse(const struct admission *a, const char *why, struct slice name, struct err *err)
{
	return err_set(err, ERR_FORBIDDEN, "pods \"%.*s\" is forbidden: %s \"%.*s\"", SLICE_FMT(a->name), why,
	        SLICE_FMT(name));
}

/* Members of the class's nodeSelector must not say otherwise than the pod's own. */
static int merge_node_selector(struct admission *a, struct json *spec, const struct json *wanted, struct err *err)
{
	struct json *own = json_need(a->arena, spec, "nodeSelector", JSON_OBJECT);
	JSON_FOREACH (it, wanted) {
		struct json *there = json_get_slice(own, it->key);
		if (there && !json_equal(there, it))
			return refuse(a, "conflict: runtimeClass.scheduling.nodeSelector and the pod's differ in",
			        it->key, err);
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

int admit_runtime_class(struct admission *a, struct err *err)
{
	struct json *spec = json_get(a->object, "spec");
	struct slice name = json_get_str(spec, "runtimeClassName");
	if (!name.len)
		return 0;
	struct object *o = admission_lookup(a, "node.k8s.io", "runtimeclasses", name);
	if (!o)
		return refuse(a, "pod rejected: RuntimeClass not found:", name, err);
	struct json *class = json_parse(a->arena, object_text(o), NULL, err);
	struct json *overhead = json_path(class, "overhead", "podFixed", NULL),
	            *scheduling = json_get(class, "scheduling");
	if (!class)
		return err->code;
	if (overhead && !json_get(spec, "overhead"))
		json_set(a->arena, spec, "overhead", json_copy(a->arena, overhead));
	struct json *selector = json_get(scheduling, "nodeSelector");
	if (selector && merge_node_selector(a, spec, selector, err) != 0)
		return err->code;
	merge_tolerations(a, spec, json_get(scheduling, "tolerations"));
	return 0;
}
