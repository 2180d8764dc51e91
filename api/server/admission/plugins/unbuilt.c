/* Unbuilt: what is stored and nothing here acts on yet comes with a warning, so that nobody waits for what nobody
 * provides. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/server/call.h"
#include "base/check.h"

static bool is_built_volume(const struct json *volume)
{
	static const char *const built[] = {"emptyDir", "hostPath", "configMap", "secret", "downwardAPI", "projected",
	        "persistentVolumeClaim", "ephemeral", "csi", "nfs"};
	for (size_t i = 0; i < COUNT_OF(built); i++)
		if (json_get(volume, built[i]))
			return true;
	return false;
}

static void warn_of_volumes(struct admission *a)
{
	JSON_FOREACH (it, json_path(a->object, "spec", "volumes", NULL))
		if (!is_built_volume(it))
			call_warn(a->call, arena_printf(a->arena,
			                           "volume \"%.*s\" is of a kind that is not built yet: the pod "
			                           "will wait for it",
			                           SLICE_FMT(json_get_str(it, "name"))));
}

int warn_of_unbuilt(struct admission *a, struct err *err)
{
	const struct resource *r = a->resource;
	if (resource_has(r, KIND_IS_POD) && a->operation == ADMISSION_CREATE)
		warn_of_volumes(a);
	if (strcmp(r->plural, "statefulsets") == 0 &&
	        json_path(a->object, "spec", "updateStrategy", "rollingUpdate", "maxUnavailable", NULL))
		call_warn(a->call,
		        "spec.updateStrategy.rollingUpdate.maxUnavailable has no effect, as upstream's feature "
		        "MaxUnavailableStatefulSet is off: pods are updated one at a time");
	return 0;
}
