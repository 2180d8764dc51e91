/* Priority: the number behind a pod's priorityClassName. */
#include "api/server/admission/admission_int.h"

int admit_priority(struct admission *adm, struct err *err)
{
	struct arena *a = adm->arena;
	struct json *object = adm->object;
	struct json *spec = json_get(object, "spec");
	struct slice name = json_get_str(spec, "priorityClassName");
	int64_t value = 0;
	if (name.len) {
		struct object *o = admission_lookup(adm, "scheduling.k8s.io", "priorityclasses", name);
		if (!o)
			return err_set(err, ERR_FORBIDDEN,
			        "pods \"%.*s\" is forbidden: no PriorityClass with name %.*s was found",
			        SLICE_FMT(json_str(json_path(object, "metadata", "name", NULL))), SLICE_FMT(name));
		struct json *class = json_parse(a, object_text(o), NULL, NULL);
		value = json_get_int(class, "value", 0);
		if (json_get_str(class, "preemptionPolicy").len && !json_get(spec, "preemptionPolicy"))
			json_set_str(a, spec, "preemptionPolicy", json_get_str(class, "preemptionPolicy"));
	}
	json_set_int(a, spec, "priority", value);
	if (!json_get(spec, "preemptionPolicy"))
		json_set_cstr(a, spec, "preemptionPolicy", "PreemptLowerPriority");
	return 0;
}
