/* The core group but for pods and services: what its kinds fill in, refuse and own, and their rows. */
#include "api/machinery/rules/groups/core_int.h"
#include "api/machinery/rules/groups/core_policy_int.h"
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/table/printers.h"
#include "base/base64.h"

enum { OBJECT_DATA_BYTES_MAX = 1024 * 1024 };

/* ---- defaults ---- */

/* Selector and labels of a replication controller come from its template. */
static void replication_controller_defaults(struct arena *a, struct json *o)
{
	struct json *spec = json_need(a, o, "spec", JSON_OBJECT);
	struct json *labels = json_path(spec, "template", "metadata", "labels", NULL), *meta = json_get(o, "metadata");
	default_int(a, spec, "replicas", 1);
	if (labels && !json_get(spec, "selector"))
		json_set(a, spec, "selector", json_copy(a, labels));
	if (labels && meta && !json_get(meta, "labels"))
		json_set(a, meta, "labels", json_copy(a, labels));
	pod_template_defaults(a, o);
}

static void secret_defaults(struct arena *a, struct json *o)
{
	default_str(a, o, "type", "Opaque");
}

static void persistent_volume_defaults(struct arena *a, struct json *o)
{
	struct json *spec = json_get(o, "spec");
	if (!spec)
		return;
	default_str(a, spec, "persistentVolumeReclaimPolicy", "Retain");
	default_str(a, spec, "volumeMode", "Filesystem");
	if (json_get(spec, "hostPath") && !json_path(spec, "hostPath", "type", NULL))
		json_set_cstr(a, json_get(spec, "hostPath"), "type", "");
	default_str(a, json_need(a, o, "status", JSON_OBJECT), "phase", "Pending");
}

static void namespace_defaults(struct arena *a, struct json *o)
{
	json_need(a, o, "spec", JSON_OBJECT);
}

static void limit_range_defaults(struct arena *a, struct json *o)
{
	JSON_FOREACH (l, json_path(o, "spec", "limits", NULL)) {
		struct json *max = json_get(l, "max"), *fallback, *request;
		if (!slice_is(json_get_str(l, "type"), "Container"))
			continue;
		fallback = json_need(a, l, "default", JSON_OBJECT);
		request = json_need(a, l, "defaultRequest", JSON_OBJECT);
		default_members(a, fallback, max);
		default_members(a, request, fallback);
		default_members(a, request, json_get(l, "min"));
	}
}

static void endpoints_defaults(struct arena *a, struct json *o)
{
	JSON_FOREACH (s, json_get(o, "subsets"))
		JSON_FOREACH (p, json_get(s, "ports"))
			default_str(a, p, "protocol", "TCP");
}

/* ---- validation ---- */

static void check_data(struct field_errors *e, const char *field, const struct json *data, size_t *total)
{
	JSON_FOREACH (it, data) {
		const char *bad = check_config_key(it->key);
		if (bad)
			bad_value(e, at(e, "%s[%.*s]", field, SLICE_FMT(it->key)), it->key, bad);
		*total += it->key.len + json_str(it).len;
	}
}

static bool same(const struct json *x, const struct json *y)
{
	bool x_empty = !x || !x->first, y_empty = !y || !y->first;
	return (x_empty && y_empty) || json_equal(x, y);
}

static void check_frozen(struct field_errors *e, const struct json *object, const struct json *old)
{
	if (!json_get_bool(old, "immutable", false))
		return;
	if (!json_get_bool(object, "immutable", false))
		bad_forbidden(e, "immutable", "field is immutable when `immutable` is set");
	if (!same(json_get(object, "data"), json_get(old, "data")) ||
	        !same(json_get(object, "binaryData"), json_get(old, "binaryData")))
		bad_forbidden(e, "data", "field is immutable when `immutable` is set");
}

static void validate_config_map(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json_index members;
	size_t total = 0;
	check_data(e, "data", json_get(object, "data"), &total);
	check_data(e, "binaryData", json_get(object, "binaryData"), &total);
	json_index_init(&members, json_get(object, "data"));
	JSON_FOREACH (it, json_get(object, "binaryData"))
		if (json_index_get(&members, it->key))
			bad_value(e, at(e, "binaryData[%.*s]", SLICE_FMT(it->key)), it->key,
			        "duplicate of key present in data");
	json_index_release(&members);
	if (total > OBJECT_DATA_BYTES_MAX)
		field_error_add(e, "FieldValueTooLong", "", "Too long: may not be more than 1048576 bytes");
	if (old)
		check_frozen(e, object, old);
}

static void validate_secret(struct field_errors *e, const struct json *object, const struct json *old)
{
	size_t total = 0;
	struct slice type = json_get_str(object, "type");
	struct json *data = json_get(object, "data");
	check_data(e, "data", data, &total);
	if (total / 4 * 3 > OBJECT_DATA_BYTES_MAX)
		field_error_add(e, "FieldValueTooLong", "data", "Too long: may not be more than 1048576 bytes");
	if (slice_is(type, "kubernetes.io/tls")) {
		if (!json_get(data, "tls.crt"))
			bad_required(e, "data[tls.crt]", "");
		if (!json_get(data, "tls.key"))
			bad_required(e, "data[tls.key]", "");
	}
	if (slice_is(type, "kubernetes.io/dockerconfigjson") && !json_get(data, ".dockerconfigjson"))
		bad_required(e, "data[.dockerconfigjson]", "");
	if (slice_is(type, "kubernetes.io/service-account-token") &&
	        !json_get(json_path(object, "metadata", "annotations", NULL), "kubernetes.io/service-account.name"))
		bad_required(e, "metadata.annotations[kubernetes.io/service-account.name]", "");
	if (!old)
		return;
	if (!slice_eq(type, json_get_str(old, "type")))
		field_error_add(
		        e, "FieldValueInvalid", "type", "Invalid value: \"%.*s\": field is immutable", SLICE_FMT(type));
	check_frozen(e, object, old);
}

static void validate_namespace(struct field_errors *e, const struct json *object, const struct json *old)
{
	JSON_FOREACH (it, json_path(object, "spec", "finalizers", NULL)) {
		const char *bad = check_qualified_name(json_str(it));
		if (bad)
			bad_value(e, "spec.finalizers", json_str(it), bad);
	}
}

/* Its selector is a map of labels, which the template's labels must have. */
static void validate_replication_controller(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json *spec = json_get(object, "spec"), *template = json_get(spec, "template");
	struct json *selector = json_get(spec, "selector"), *labels = json_path(template, "metadata", "labels", NULL);
	struct slice policy = json_str(json_path(template, "spec", "restartPolicy", NULL));
	bool fits = true;
	check_non_negative(e, "spec.replicas", json_get(spec, "replicas"));
	check_non_negative(e, "spec.minReadySeconds", json_get(spec, "minReadySeconds"));
	if (!selector || !selector->first)
		bad_required(e, "spec.selector", "");
	check_labels(e, "spec.selector", selector);
	if (!template) {
		bad_required(e, "spec.template", "");
		return;
	}
	JSON_FOREACH (it, selector)
		fits = fits && slice_eq(json_str(json_get_slice(labels, it->key)), json_str(it));
	if (!fits)
		bad_value(
		        e, "spec.template.metadata.labels", SLICE("{}"), "`selector` does not match template `labels`");
	validate_pod_template(e, "spec.template", template, NULL);
	if (policy.len && !slice_is(policy, "Always"))
		bad_choice(e, "spec.template.spec.restartPolicy", policy, "Always");
}

/* ---- what the server owns ---- */

/* stringData is written only: its values move into data. */
static void secret_string_data(struct arena *a, struct json *object)
{
	struct json *plain = json_get(object, "stringData");
	if (!json_is(plain, JSON_OBJECT))
		return;
	struct json *data = json_need(a, object, "data", JSON_OBJECT);
	JSON_FOREACH (it, plain)
		json_set_slice(a, data, it->key, json_new_str(a, base64_encode(a, json_str(it))));
	json_del(object, "stringData");
}

static void namespace_label(struct arena *a, struct json *object)
{
	struct json *meta = json_need(a, object, "metadata", JSON_OBJECT);
	struct json *labels = json_need(a, meta, "labels", JSON_OBJECT);
	json_set_str(a, labels, "kubernetes.io/metadata.name", json_get_str(meta, "name"));
}

static void namespace_create(struct arena *a, struct json *object)
{
	struct json *spec = json_need(a, object, "spec", JSON_OBJECT);
	struct json *finalizers = json_set(a, spec, "finalizers", json_new(a, JSON_ARRAY));
	json_append(finalizers, json_new_cstr(a, "kubernetes"));
	struct json *status = json_set(a, object, "status", json_new(a, JSON_OBJECT));
	json_set_cstr(a, status, "phase", "Active");
	namespace_label(a, object);
}

/* spec holds the finalizers alone, and those have a subresource of their own. */
static void namespace_update(struct arena *a, struct json *object, const struct json *old, const char *sub)
{
	struct json *spec = json_get(old, "spec");
	if (strcmp(sub, "finalize") != 0) {
		json_del(object, "spec");
		if (spec)
			json_set(a, object, "spec", json_copy(a, spec));
	}
	namespace_label(a, object);
}

static void secret_update(struct arena *a, struct json *object, const struct json *old, const char *sub)
{
	secret_string_data(a, object);
}

/* ---- the rows ---- */

const struct kind_ops kinds_core[] = {
        {.kind = "ComponentStatus", .check_name = check_path_segment},
        {.kind = "ConfigMap",
                .validate = validate_config_map,
                .columns = "Name,Data:integer,Age",
                .cells = table_config_map},
        {.kind = "Endpoints",
                .defaults = endpoints_defaults,
                .columns = "Name,Endpoints,Age",
                .cells = table_endpoints},
        {.kind = "Event",
                .traits = KIND_IS_EVENT,
                .convert = event_convert,
                .columns = "Last Seen,Type,Reason,Object,Subobject::1,Source::1,Message,First Seen::1,Count:integer:1,"
                           "Name::1",
                .cells = table_event},
        {.kind = "LimitRange", .defaults = limit_range_defaults, .validate = validate_limit_range},
        {.kind = "Namespace",
                .traits = KIND_IS_NAMESPACE,
                .defaults = namespace_defaults,
                .validate = validate_namespace,
                .check_name = validate_dns1123_label,
                .prepare_create = namespace_create,
                .prepare_update = namespace_update,
                .columns = "Name,Status,Age",
                .cells = table_namespace},
        {.kind = "Node",
                .traits = KIND_IS_NODE | KIND_STATUS_AT_CREATE,
                .defaults = node_defaults,
                .validate = validate_node,
                .validate_part = validate_node_status,
                .columns = "Name,Status,Roles,Age,Version,Internal-IP::1,External-IP::1,OS-Image::1,Kernel-Version::1,"
                           "Container-Runtime::1",
                .cells = table_node},
        {.kind = "PersistentVolumeClaim",
                .traits = KIND_IS_CLAIM,
                .defaults = persistent_volume_claim_defaults,
                .validate = validate_claim,
                .validate_part = validate_claim_status,
                .prepare_create = claim_prepare_create,
                .prepare_update = claim_prepare_update,
                .columns = "Name,Status,Volume,Capacity,Access Modes,StorageClass,VolumeAttributesClass,Age,"
                           "VolumeMode::1",
                .cells = table_claim},
        {.kind = "PersistentVolume",
                .traits = KIND_STATUS_AT_CREATE | KIND_IS_VOLUME,
                .defaults = persistent_volume_defaults,
                .validate = validate_volume,
                .columns = "Name,Capacity,Access Modes,Reclaim Policy,Status,Claim,StorageClass,VolumeAttributesClass,"
                           "Reason,Age,VolumeMode::1",
                .cells = table_volume},
        {.kind = "Pod",
                .traits = KIND_IS_POD,
                .defaults = pod_defaults,
                .validate = validate_pod,
                .validate_part = validate_pod_part,
                .prepare_create = pod_prepare_create,
                .prepare_update = pod_prepare_update,
                .status_keeps = "ownerReferences",
                .columns = "Name,Ready,Status,Restarts,Age,IP::1,Node::1,Nominated Node::1,Readiness Gates::1",
                .cells = table_pod},
        {.kind = "PodTemplate", .traits = KIND_MAKES_PODS},
        {.kind = "ReplicationController",
                .traits = KIND_MAKES_PODS | KIND_ORPHANS,
                .defaults = replication_controller_defaults,
                .validate = validate_replication_controller,
                .columns = "Name,Desired:integer,Current:integer,Ready:integer,Age,Containers::1,Images::1,"
                           "Selector::1",
                .cells = table_replica_set},
        {.kind = "ResourceQuota", .validate = validate_resource_quota},
        {.kind = "Secret",
                .defaults = secret_defaults,
                .validate = validate_secret,
                .prepare_create = secret_string_data,
                .prepare_update = secret_update,
                .columns = "Name,Type,Data:integer,Age",
                .cells = table_secret},
        {.kind = "ServiceAccount", .columns = "Name,Secrets:integer,Age", .cells = table_service_account},
        {.kind = "Service",
                .traits = KIND_IS_SERVICE,
                .defaults = service_defaults,
                .validate = validate_service,
                .validate_part = validate_service_status,
                .check_name = check_dns1035_label,
                .prepare_update = service_prepare_update,
                .columns = "Name,Type,Cluster-IP,External-IP,Port(s),Age,Selector::1",
                .cells = table_service},
        {0},
};
