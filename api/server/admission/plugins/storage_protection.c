/* StorageObjectInUseProtection: new claims and volumes get the finalizer that holds them while they are in use; the
 * controllers of api/controllers/volume_protection.c take it off again. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

int admit_storage_protection(struct admission *a, struct err *err)
{
	const char *finalizer = resource_has(a->resource, KIND_IS_CLAIM) ? "kubernetes.io/pvc-protection"
	                                                                 : "kubernetes.io/pv-protection";
	struct json *meta = json_need(a->arena, a->object, "metadata", JSON_OBJECT);
	struct json *list = json_need(a->arena, meta, "finalizers", JSON_ARRAY);
	JSON_FOREACH (it, list)
		if (slice_is(json_str(it), finalizer))
			return 0;
	json_append(list, json_new_cstr(a->arena, finalizer));
	return 0;
}
