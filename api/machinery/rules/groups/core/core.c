/* The core group but for pods and services: what its kinds fill in, refuse and own, and their rows. */
#include "api/machinery/rules/groups/core/core_int.h"
#include "api/machinery/rules/groups/core/core_policy_int.h"
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_value.h"
#include "api/machinery/rules/groups/workload.h"
#include "api/machinery/table/printers.h"
#include "base/check.h"

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

/* ---- validation ---- */

/* Names without a domain are those that upstream gives. */
static void check_namespace_finalizer(struct field_errors *e, const char *field, struct slice name)
{
	static const char *const known[] = {"kubernetes", "orphan", "foregroundDeletion"};
	const char *bad = check_qualified_name(name);
	if (bad)
		bad_value(e, field, name, bad);
	if (name.len && !memchr(name.ptr, '/', name.len) && !slice_is_any(name, known, COUNT_OF(known)))
		bad_value(e, field, name, "name is neither a standard finalizer name nor is it fully qualified");
}

/* An update keeps its spec: what is there was looked at when it came. */
static void validate_namespace(struct field_errors *e, const struct json *object, const struct json *old)
{
	if (!old)
		JSON_FOREACH (it, json_path(object, "spec", "finalizers", NULL))
			check_namespace_finalizer(e, "spec.finalizers", json_str(it));
}

/* Of the status and of finalize: each leaves the other's half as it is. */
static void validate_namespace_part(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct slice phase = json_str(json_path(object, "status", "phase", NULL));
	bool is_dying = json_path(object, "metadata", "deletionTimestamp", NULL) != NULL;
	int i = 0;
	if (!slice_is(phase, is_dying ? "Terminating" : "Active"))
		bad_value(e, "status.Phase", phase,
		        is_dying ? "may only be 'Terminating' if `deletionTimestamp` is not empty"
		                 : "may only be 'Active' if `deletionTimestamp` is empty");
	JSON_FOREACH (it, json_path(object, "spec", "finalizers", NULL))
		check_namespace_finalizer(e, at(e, "spec.finalizers[%d]", i++), json_str(it));
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
		field_error_add(e, "FieldValueInvalid", "spec.template.metadata.labels",
		        "Invalid value: %s: `selector` does not match template `labels`",
		        go_map_text(e->arena, labels));
	validate_pod_template(e, "spec.template", template);
	if (policy.len && !slice_is(policy, "Always"))
		bad_choice(e, "spec.template.spec.restartPolicy", policy, "Always");
	if (json_path(template, "spec", "activeDeadlineSeconds", NULL))
		bad_forbidden(e, "spec.template.spec.activeDeadlineSeconds",
		        "activeDeadlineSeconds in ReplicationController is not Supported");
}

static void validate_replication_controller_status(
        struct field_errors *e, const struct json *object, const struct json *old)
{
	static const char *const counts[] = {
	        "replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration"};
	const struct json *status = json_get(object, "status");
	int64_t all = json_get_int(status, "replicas", 0), available = json_get_int(status, "availableReplicas", 0);
	for (size_t i = 0; i < COUNT_OF(counts); i++)
		check_non_negative(e, at(e, "status.%s", counts[i]), json_get(status, counts[i]));
	for (size_t i = 1; i < 4; i++)
		if (json_get_int(status, counts[i], 0) > all)
			bad_number(e, at(e, "status.%s", counts[i]), json_get_int(status, counts[i], 0),
			        "cannot be greater than status.replicas");
	if (available > json_get_int(status, "readyReplicas", 0))
		bad_number(e, "status.availableReplicas", available, "cannot be greater than readyReplicas");
}

static void pod_template_object_defaults(struct arena *a, struct json *o)
{
	struct json *spec = json_path(o, "template", "spec", NULL);
	if (spec)
		pod_spec_defaults(a, spec);
}

static void validate_pod_template_object(struct field_errors *e, const struct json *object, const struct json *old)
{
	validate_pod_template(e, "template", json_get(object, "template"));
}

static void warn_of_pod_template(struct warnings *w, const struct json *object, const struct json *old)
{
	warn_of_template(w, "template.", object, old, json_get(object, "template"));
}

/* Of the secrets of an account their names count. */
static void account_create(struct arena *a, struct json *object)
{
	JSON_FOREACH (it, json_get(object, "secrets"))
		for (struct json *next, *m = it->first; m; m = next) {
			next = m->next;
			if (!slice_is(m->key, "name"))
				json_remove(it, m);
		}
}

static void account_update(struct arena *a, struct json *object, const struct json *old, const char *sub)
{
	account_create(a, object);
}

/* ---- what the server owns ---- */

static void namespace_label(struct arena *a, struct json *object)
{
	struct json *meta = json_need(a, object, "metadata", JSON_OBJECT);
	struct json *labels = json_need(a, meta, "labels", JSON_OBJECT);
	json_set_str(a, labels, "kubernetes.io/metadata.name", json_get_str(meta, "name"));
}

static void namespace_create(struct arena *a, struct json *object)
{
	struct json *finalizers = json_need(a, json_need(a, object, "spec", JSON_OBJECT), "finalizers", JSON_ARRAY);
	bool has_own = false;
	JSON_FOREACH (it, finalizers)
		has_own |= slice_is(json_str(it), "kubernetes");
	if (!has_own)
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

/* ---- the rows ---- */

const struct kind_ops kinds_core[] = {
        {.kind = "ComponentStatus",
                .check_name = check_path_segment,
                .deprecation = "v1 ComponentStatus is deprecated in v1.19+",
                .columns = "Name,Status,Message,Error",
                .cells = table_component},
        {.kind = "ConfigMap",
                .validate = validate_config_map,
                .columns = "Name,Data:integer,Age",
                .cells = table_config_map},
        {.kind = "Endpoints",
                .defaults = endpoints_defaults,
                .validate = validate_endpoints,
                .columns = "Name,Endpoints,Age",
                .cells = table_endpoints},
        {.kind = "Event",
                .traits = KIND_IS_EVENT,
                .validate = validate_event,
                .check_name = check_path_segment,
                .convert = event_convert,
                .columns = "Last Seen,Type,Reason,Object,Subobject::1,Source::1,Message,First Seen::1,Count:integer:1,"
                           "Name::1",
                .cells = table_event},
        {.kind = "LimitRange",
                .defaults = limit_range_defaults,
                .validate = validate_limit_range,
                .columns = "Name,Created At",
                .cells = table_definition},
        {.kind = "Namespace",
                .traits = KIND_IS_NAMESPACE,
                .defaults = namespace_defaults,
                .validate = validate_namespace,
                .validate_part = validate_namespace_part,
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
                .warn = warn_of_claim,
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
                .warn = warn_of_volume,
                .columns = "Name,Capacity,Access Modes,Reclaim Policy,Status,Claim,StorageClass,VolumeAttributesClass,"
                           "Reason,Age,VolumeMode::1",
                .cells = table_volume},
        {.kind = "Pod",
                .traits = KIND_IS_POD,
                .defaults = pod_defaults,
                .validate = validate_pod,
                .warn = warn_of_new_pod,
                .validate_part = validate_pod_part,
                .prepare_create = pod_prepare_create,
                .prepare_update = pod_prepare_update,
                .status_keeps = "ownerReferences",
                .columns = "Name,Ready,Status,Restarts,Age,IP::1,Node::1,Nominated Node::1,Readiness Gates::1",
                .cells = table_pod},
        {.kind = "PodTemplate",
                .traits = KIND_MAKES_PODS,
                .defaults = pod_template_object_defaults,
                .validate = validate_pod_template_object,
                .warn = warn_of_pod_template,
                .columns = "Name,Containers,Images,Pod Labels",
                .cells = table_pod_template},
        {.kind = "ReplicationController",
                .traits = KIND_MAKES_PODS | KIND_ORPHANS,
                .defaults = replication_controller_defaults,
                .validate = validate_replication_controller,
                .warn = warn_of_workload,
                .validate_part = validate_replication_controller_status,
                .columns = "Name,Desired:integer,Current:integer,Ready:integer,Age,Containers::1,Images::1,"
                           "Selector::1",
                .cells = table_replica_set},
        {.kind = "ResourceQuota",
                .validate = validate_resource_quota,
                .validate_part = validate_resource_quota_status,
                .columns = "Name,Age,Request,Limit",
                .cells = table_quota},
        {.kind = "Secret",
                .defaults = secret_defaults,
                .validate = validate_secret,
                .prepare_create = secret_string_data,
                .prepare_update = secret_update,
                .columns = "Name,Type,Data:integer,Age",
                .cells = table_secret},
        {.kind = "ServiceAccount",
                .prepare_create = account_create,
                .prepare_update = account_update,
                .columns = "Name,Secrets:integer,Age",
                .cells = table_service_account},
        {.kind = "Service",
                .traits = KIND_IS_SERVICE,
                .defaults = service_defaults,
                .validate = validate_service,
                .warn = warn_of_service,
                .validate_part = validate_service_status,
                .check_name = check_dns1035_label,
                .prepare_update = service_prepare_update,
                .columns = "Name,Type,Cluster-IP,External-IP,Port(s),Age,Selector::1",
                .cells = table_service},
        {0},
};
