/* Unbuilt: objects that are stored and that nothing here acts on yet come with a warning, so that nobody takes a policy
 * for enforced or waits for what nobody provides. A row goes when its part is built. */
#include "api/server/admission/admission_int.h"

#include "api/server/call.h"
#include "base/check.h"

static const char not_acted_on[] = "nothing acts on it yet";

static const struct {
	const char *group, *plural, *what;
} rows[] = {
        {"storage.k8s.io", "volumeattachments", not_acted_on},
};

static bool is_built_volume(const struct json *volume)
{
	static const char *const built[] = {"emptyDir", "hostPath", "configMap", "secret", "downwardAPI", "projected",
	        "persistentVolumeClaim", "ephemeral"};
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
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (strcmp(r->plural, rows[i].plural) == 0 && strcmp(r->group, rows[i].group) == 0)
			call_warn(a->call, arena_printf(a->arena, "%s%s%s \"%.*s\" is stored, but %s", r->plural,
			                           *r->group ? "." : "", r->group, SLICE_FMT(a->name), rows[i].what));
	if (resource_has(r, KIND_IS_POD) && a->operation == ADMISSION_CREATE)
		warn_of_volumes(a);
	if (strcmp(r->plural, "statefulsets") == 0 &&
	        json_path(a->object, "spec", "updateStrategy", "rollingUpdate", "maxUnavailable", NULL))
		call_warn(a->call,
		        "spec.updateStrategy.rollingUpdate.maxUnavailable has no effect, as upstream's feature "
		        "MaxUnavailableStatefulSet is off: pods are updated one at a time");
	return 0;
}
