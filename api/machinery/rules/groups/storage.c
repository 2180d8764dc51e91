/* The storage.k8s.io group. */
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/table/printers.h"
#include "base/check.h"

static void storage_class_defaults(struct arena *a, struct json *o)
{
	default_str(a, o, "reclaimPolicy", "Delete");
	default_str(a, o, "volumeBindingMode", "Immediate");
}

static void csi_driver_defaults(struct arena *a, struct json *o)
{
	struct json *spec = json_need(a, o, "spec", JSON_OBJECT);
	default_bool(a, spec, "attachRequired", true);
	default_bool(a, spec, "podInfoOnMount", false);
	default_bool(a, spec, "storageCapacity", false);
	default_str(a, spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
	default_bool(a, spec, "requiresRepublish", false);
	default_bool(a, spec, "seLinuxMount", false);
	if (!json_get(spec, "volumeLifecycleModes"))
		json_append(json_need(a, spec, "volumeLifecycleModes", JSON_ARRAY), json_new_cstr(a, "Persistent"));
}

static void validate_storage_class(struct field_errors *e, const struct json *object, const struct json *old)
{
	static const char *const frozen[] = {"parameters", "provisioner", "reclaimPolicy"};
	for (size_t i = 0; old && i < COUNT_OF(frozen); i++)
		if (!json_equal(json_get(object, frozen[i]), json_get(old, frozen[i])))
			bad_forbidden(e, frozen[i], at(e, "updates to %s are forbidden.", frozen[i]));
}

const struct kind_ops kinds_storage[] = {
        {.kind = "StorageClass",
                .defaults = storage_class_defaults,
                .validate = validate_storage_class,
                .immutable = "volumeBindingMode",
                .columns = "Name,Provisioner,ReclaimPolicy,VolumeBindingMode,AllowVolumeExpansion:boolean,Age",
                .cells = table_storage_class},
        {.kind = "CSIDriver", .defaults = csi_driver_defaults},
        {.kind = "VolumeAttachment", .immutable = "spec", .status_keeps = STATUS_KEEPS_ALL},
        {0},
};
