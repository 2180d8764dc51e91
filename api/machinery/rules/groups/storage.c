/* The storage.k8s.io group: classes, and attachments; what CSI drivers say of themselves is storage_csi.c's (upstream:
 * pkg/apis/storage/validation). */
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/groups/storage_int.h"
#include "api/machinery/rules/warnings.h"
#include "api/machinery/table/printers.h"
#include "base/check.h"

enum {
	PARAMETERS_MAX = 512,
	PARAMETERS_BYTES_MAX = 256 * 1024,
	ATTACHMENT_METADATA_BYTES_MAX = 256 * 1024,
	VOLUME_ERROR_BYTES_MAX = 1024,
};

static void bad_length(struct field_errors *e, const char *field, int bytes_max)
{
	field_error_add(e, "FieldValueTooLong", field, "Too long: may not be more than %d bytes", bytes_max);
}

static size_t map_bytes(const struct json *map)
{
	size_t bytes = 0;
	JSON_FOREACH (it, map)
		bytes += it->key.len + json_str(it).len;
	return bytes;
}

/* ---- classes ---- */

static void storage_class_defaults(struct arena *a, struct json *o)
{
	default_str(a, o, "reclaimPolicy", "Delete");
	default_str(a, o, "volumeBindingMode", "Immediate");
}

static void check_provisioner(struct field_errors *e, struct slice name)
{
	const char *bad = name.len ? check_qualified_name(slice_lower(e->arena, name)) : NULL;
	if (!name.len)
		bad_required(e, "provisioner", "");
	else if (bad)
		bad_value(e, "provisioner", slice_lower(e->arena, name), bad);
}

static void check_parameters(struct field_errors *e, const struct json *parameters)
{
	if (parameters && parameters->count > PARAMETERS_MAX) {
		bad_length(e, "parameters", PARAMETERS_MAX);
		return;
	}
	if (json_get(parameters, ""))
		bad_value(e, "parameters", SLICE(""), "field can not be empty.");
	if (map_bytes(parameters) > PARAMETERS_BYTES_MAX)
		bad_length(e, "parameters", PARAMETERS_BYTES_MAX);
}

static void check_topology_values(struct field_errors *e, const char *base, const struct json *values)
{
	struct name_set seen = {MAP_INIT};
	int i = 0;
	if (!values || !values->first)
		bad_required(e, base, "");
	JSON_FOREACH (it, values) {
		if (!name_set_add(&seen, json_str(it)))
			bad_duplicate(e, at(e, "%s[%d]", base, i), json_str(it));
		i++;
	}
	name_set_release(&seen);
}

static void check_topology(struct field_errors *e, const char *base, const struct json *term)
{
	struct name_set keys = {MAP_INIT};
	int i = 0;
	JSON_FOREACH (it, json_get(term, "matchLabelExpressions")) {
		const char *here = at(e, "%s.matchLabelExpressions[%d]", base, i++), *field = at(e, "%s.key", here);
		struct slice key = json_get_str(it, "key");
		const char *bad = check_qualified_name(key);
		check_topology_values(e, at(e, "%s.values", here), json_get(it, "values"));
		if (bad)
			bad_value(e, field, key, bad);
		if (!name_set_add(&keys, key))
			bad_duplicate(e, field, key);
	}
	name_set_release(&keys);
}

static void validate_storage_class(struct field_errors *e, const struct json *object, const struct json *old)
{
	static const char *const frozen[] = {"parameters", "provisioner", "reclaimPolicy"};
	int k = 0;
	for (size_t i = 0; old && i < COUNT_OF(frozen); i++)
		if (!json_equal(json_get(object, frozen[i]), json_get(old, frozen[i])))
			bad_forbidden(e, frozen[i], at(e, "updates to %s are forbidden.", frozen[i]));
	if (old)
		return; /* upstream looks at no more of an update */
	check_provisioner(e, json_get_str(object, "provisioner"));
	check_parameters(e, json_get(object, "parameters"));
	check_choice(e, "reclaimPolicy", json_get_str(object, "reclaimPolicy"), "Delete,Retain", false);
	check_choice(e, "volumeBindingMode", json_get_str(object, "volumeBindingMode"),
	        "Immediate,WaitForFirstConsumer", true);
	JSON_FOREACH (it, json_get(object, "allowedTopologies"))
		check_topology(e, at(e, "allowedTopologies[%d]", k++), it);
}

static void warn_of_storage_class(struct warnings *w, const struct json *object, const struct json *old)
{
	int i = 0;
	JSON_FOREACH (term, json_get(object, "allowedTopologies")) {
		int j = 0;
		JSON_FOREACH (it, json_get(term, "matchLabelExpressions")) {
			const char *before = old_node_label(json_get_str(it, "key"));
			if (before)
				warning_add(w, "allowedTopologies[%d].matchLabelExpressions[%d].key: %s", i, j, before);
			j++;
		}
		i++;
	}
}

/* ---- attachments ---- */

static void check_source(struct field_errors *e, const struct json *source)
{
	const struct json *name = json_get(source, "persistentVolumeName"),
	                  *spec = json_get(source, "inlineVolumeSpec");
	const char *one = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
	if (!name && !spec)
		bad_required(e, "spec.source", one);
	else if (name && spec)
		bad_forbidden(e, "spec.source", one);
	else if (name && !json_str(name).len)
		bad_required(e, "spec.source.persistentVolumeName", "must specify non empty persistentVolumeName");
}

static void check_subdomain(struct field_errors *e, const char *field, const struct json *v)
{
	struct slice name = json_str(v);
	const char *bad = validate_dns1123_subdomain(name);
	if (bad)
		bad_value(e, field, name, bad);
}

static void check_volume_error(struct field_errors *e, const char *field, const struct json *error)
{
	if (json_get_str(error, "message").len > VOLUME_ERROR_BYTES_MAX) /* upstream tells the other limit, too */
		bad_length(e, at(e, "status.%s.message", field), ATTACHMENT_METADATA_BYTES_MAX);
}

static void validate_attachment_status(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *status = json_get(object, "status");
	if (map_bytes(json_get(status, "attachmentMetadata")) > ATTACHMENT_METADATA_BYTES_MAX)
		bad_length(e, "status.attachmentMetadata", ATTACHMENT_METADATA_BYTES_MAX);
	check_volume_error(e, "attachError", json_get(status, "attachError"));
	check_volume_error(e, "detachError", json_get(status, "detachError"));
}

static void validate_attachment(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *source = json_get(spec, "source");
	if (!json_get_str(spec, "attacher").len)
		bad_required(e, "spec.attacher", "");
	check_source(e, source);
	check_subdomain(e, "spec.nodeName", json_get(spec, "nodeName"));
	validate_attachment_status(e, object, old);
	if (old)
		return; /* the spec is what it was */
	check_subdomain(e, "spec.attacher", json_get(spec, "attacher"));
	if (json_get(source, "persistentVolumeName"))
		check_subdomain(e, "spec.source.persistentVolumeName", json_get(source, "persistentVolumeName"));
}

const struct kind_ops kinds_storage[] = {
        {.kind = "StorageClass",
                .defaults = storage_class_defaults,
                .validate = validate_storage_class,
                .warn = warn_of_storage_class,
                .immutable = "volumeBindingMode",
                .columns = "Name,Provisioner,ReclaimPolicy,VolumeBindingMode,AllowVolumeExpansion:boolean,Age",
                .cells = table_storage_class},
        {.kind = "CSIDriver",
                .defaults = csi_driver_defaults,
                .validate = validate_csi_driver,
                .columns = "Name,AttachRequired:boolean,PodInfoOnMount:boolean,StorageCapacity:boolean,TokenRequests,"
                           "RequiresRepublish:boolean,Modes,Age",
                .cells = table_csi_driver},
        {.kind = "CSINode",
                .validate = validate_csi_node,
                .columns = "Name,Drivers:integer,Age",
                .cells = table_csi_node},
        {.kind = "CSIStorageCapacity",
                .validate = validate_storage_capacity,
                .immutable = "nodeTopology,storageClassName",
                .columns = "Name,StorageClassName,Capacity",
                .cells = table_csi_capacity},
        {.kind = "VolumeAttachment",
                .validate = validate_attachment,
                .validate_part = validate_attachment_status,
                .immutable = "spec",
                .status_keeps = STATUS_KEEPS_ALL,
                .columns = "Name,Attacher,PV,Node,Attached,Age",
                .cells = table_attachment},
        {0},
};
