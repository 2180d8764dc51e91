/* The apps group: workloads. */
#include "api/machinery/rules/groups/core_int.h"
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/groups/workload_int.h"
#include "api/machinery/table/printers.h"
#include "base/check.h"

#include <stdlib.h>

/* ---- defaults ---- */

static void rolling(struct arena *a, struct json *strategy, const char *surge, const char *unavailable)
{
	struct json *r = json_need(a, strategy, "rollingUpdate", JSON_OBJECT);
	if (surge && !json_get(r, "maxSurge"))
		json_set(a, r, "maxSurge", *surge == '0' ? json_new_int(a, 0) : json_new_cstr(a, surge));
	if (unavailable && !json_get(r, "maxUnavailable"))
		json_set(a, r, "maxUnavailable",
		        strchr(unavailable, '%') ? json_new_cstr(a, unavailable) : json_new_int(a, atoi(unavailable)));
}

static void deployment_defaults(struct arena *a, struct json *o)
{
	struct json *spec = json_need(a, o, "spec", JSON_OBJECT),
	            *strategy = json_need(a, spec, "strategy", JSON_OBJECT);
	default_int(a, spec, "replicas", 1);
	default_int(a, spec, "revisionHistoryLimit", 10);
	default_int(a, spec, "progressDeadlineSeconds", 600);
	default_str(a, strategy, "type", "RollingUpdate");
	if (slice_is(json_get_str(strategy, "type"), "RollingUpdate"))
		rolling(a, strategy, "25%", "25%");
	pod_template_defaults(a, o);
}

static void replica_set_defaults(struct arena *a, struct json *o)
{
	default_int(a, json_need(a, o, "spec", JSON_OBJECT), "replicas", 1);
	pod_template_defaults(a, o);
}

static void daemon_set_defaults(struct arena *a, struct json *o)
{
	struct json *spec = json_need(a, o, "spec", JSON_OBJECT),
	            *strategy = json_need(a, spec, "updateStrategy", JSON_OBJECT);
	default_int(a, spec, "revisionHistoryLimit", 10);
	default_str(a, strategy, "type", "RollingUpdate");
	if (slice_is(json_get_str(strategy, "type"), "RollingUpdate"))
		rolling(a, strategy, "0", "1");
	pod_template_defaults(a, o);
}

static void stateful_set_defaults(struct arena *a, struct json *o)
{
	struct json *spec = json_need(a, o, "spec", JSON_OBJECT),
	            *strategy = json_need(a, spec, "updateStrategy", JSON_OBJECT);
	default_int(a, spec, "replicas", 1);
	default_int(a, spec, "revisionHistoryLimit", 10);
	default_str(a, spec, "podManagementPolicy", "OrderedReady");
	default_str(a, strategy, "type", "RollingUpdate");
	if (slice_is(json_get_str(strategy, "type"), "RollingUpdate"))
		default_int(a, json_need(a, strategy, "rollingUpdate", JSON_OBJECT), "partition", 0);
	struct json *retention = json_need(a, spec, "persistentVolumeClaimRetentionPolicy", JSON_OBJECT);
	default_str(a, retention, "whenDeleted", "Retain");
	default_str(a, retention, "whenScaled", "Retain");
	JSON_FOREACH (c, json_get(spec, "volumeClaimTemplates")) {
		volume_claim_defaults(a, c);
		default_str(a, c, "kind", "PersistentVolumeClaim");
		default_str(a, c, "apiVersion", "v1");
		default_str(a, json_need(a, c, "status", JSON_OBJECT), "phase", "Pending");
	}
	pod_template_defaults(a, o);
}

/* ---- validation ---- */

static void check_always_restarts(struct field_errors *e, const struct json *spec)
{
	struct slice policy = json_str(json_path(spec, "template", "spec", "restartPolicy", NULL));
	if (policy.len && !slice_is(policy, "Always"))
		bad_choice(e, "spec.template.spec.restartPolicy", policy, "Always");
}

static void validate_workload(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json *spec = json_get(object, "spec");
	check_non_negative(e, "spec.replicas", json_get(spec, "replicas"));
	check_non_negative(e, "spec.minReadySeconds", json_get(spec, "minReadySeconds"));
	check_non_negative(e, "spec.revisionHistoryLimit", json_get(spec, "revisionHistoryLimit"));
	check_selector_fits(e, spec);
	validate_pod_template(e, "spec.template", json_get(spec, "template"), json_get(spec, "volumeClaimTemplates"));
	check_always_restarts(e, spec);
}

/* Whole numbers and percentages; -1 when it is neither. */
static int64_t int_or_percent(const struct json *v, bool *is_percent)
{
	uint64_t n;
	struct slice s = json_str(v);
	*is_percent = s.ptr != NULL;
	if (!s.ptr)
		return json_int(v, -1);
	if (s.len < 2 || s.ptr[s.len - 1] != '%' || !slice_to_u64((struct slice){s.ptr, s.len - 1}, &n))
		return -1;
	return (int64_t)n;
}

static void check_rolling(struct field_errors *e, const struct json *rolling)
{
	bool percent;
	struct json *unavailable = json_get(rolling, "maxUnavailable"), *surge = json_get(rolling, "maxSurge");
	int64_t u = int_or_percent(unavailable, &percent);
	if (u < 0 || (percent && u > 100))
		bad_value(e, "spec.strategy.rollingUpdate.maxUnavailable", unavailable ? unavailable->text : SLICE(""),
		        "must be a non-negative integer or a percentage of at most 100%");
	int64_t s = int_or_percent(surge, &percent);
	if (s < 0)
		bad_value(e, "spec.strategy.rollingUpdate.maxSurge", surge ? surge->text : SLICE(""),
		        "must be a non-negative integer or a percentage");
	if (u == 0 && s == 0)
		field_error_add(e, "FieldValueInvalid", "spec.strategy.rollingUpdate.maxUnavailable",
		        "Invalid value: 0: may not be 0 when `maxSurge` is 0");
}

static void validate_deployment(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json *spec = json_get(object, "spec"), *strategy = json_get(spec, "strategy");
	struct slice type = json_get_str(strategy, "type");
	validate_workload(e, object, old);
	check_choice(e, "spec.strategy.type", type, "Recreate,RollingUpdate", false);
	if (slice_is(type, "Recreate") && json_get(strategy, "rollingUpdate"))
		bad_forbidden(
		        e, "spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'");
	if (slice_is(type, "RollingUpdate"))
		check_rolling(e, json_get(strategy, "rollingUpdate"));
	struct json *deadline = json_get(spec, "progressDeadlineSeconds");
	if (deadline && json_int(deadline, 0) <= json_get_int(spec, "minReadySeconds", 0))
		bad_number(e, "spec.progressDeadlineSeconds", json_int(deadline, 0),
		        "must be greater than minReadySeconds");
}

/* Of maxSurge and maxUnavailable of a daemon set exactly one is more than 0. */
static void check_daemon_rolling(struct field_errors *e, const struct json *rolling)
{
	static const char *const names[] = {"maxUnavailable", "maxSurge"};
	const char *base = "spec.updateStrategy.rollingUpdate";
	int64_t n[2];
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		bool percent;
		struct json *v = json_get(rolling, names[i]);
		n[i] = int_or_percent(v, &percent);
		if (n[i] < 0 || (percent && n[i] > 100))
			bad_value(e, at(e, "%s.%s", base, names[i]), v ? v->text : SLICE(""),
			        "must be a non-negative integer or a percentage of at most 100%");
	}
	if (n[0] > 0 && n[1] > 0)
		bad_value(e, at(e, "%s.maxSurge", base), json_get(rolling, "maxSurge")->text,
		        "may not be set when maxUnavailable is non-zero");
	if (n[0] == 0 && n[1] == 0)
		bad_required(e, at(e, "%s.maxUnavailable", base), "cannot be 0 when maxSurge is 0");
}

static void validate_daemon_set(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json *spec = json_get(object, "spec"), *strategy = json_get(spec, "updateStrategy");
	struct slice type = json_get_str(strategy, "type");
	validate_workload(e, object, old);
	check_choice(e, "spec.updateStrategy.type", type, "OnDelete,RollingUpdate", true);
	if (json_path(spec, "template", "spec", "activeDeadlineSeconds", NULL))
		bad_forbidden(e, "spec.template.spec.activeDeadlineSeconds",
		        "activeDeadlineSeconds in DaemonSet is not Supported");
	if (slice_is(type, "RollingUpdate"))
		check_daemon_rolling(e, json_get(strategy, "rollingUpdate"));
}

static void validate_stateful_set(struct field_errors *e, const struct json *object, const struct json *old)
{
	static const char may_change[] = "replicas,ordinals,template,updateStrategy,revisionHistoryLimit,"
	                                 "persistentVolumeClaimRetentionPolicy,minReadySeconds";
	struct json *spec = json_get(object, "spec"), *strategy = json_get(spec, "updateStrategy");
	struct json *retention = json_get(spec, "persistentVolumeClaimRetentionPolicy");
	struct slice type = json_get_str(strategy, "type");
	validate_workload(e, object, old);
	check_choice(e, "spec.podManagementPolicy", json_get_str(spec, "podManagementPolicy"), "OrderedReady,Parallel",
	        true);
	check_choice(e, "spec.updateStrategy.type", type, "OnDelete,RollingUpdate", true);
	if (slice_is(type, "OnDelete") && json_get(strategy, "rollingUpdate"))
		bad_value(e, "spec.updateStrategy.rollingUpdate", SLICE("{}"),
		        "only allowed for updateStrategy 'RollingUpdate'");
	check_non_negative(e, "spec.updateStrategy.rollingUpdate.partition",
	        json_path(strategy, "rollingUpdate", "partition", NULL));
	check_non_negative(e, "spec.ordinals.start", json_path(spec, "ordinals", "start", NULL));
	check_choice(e, "spec.persistentVolumeClaimRetentionPolicy.whenDeleted", json_get_str(retention, "whenDeleted"),
	        "Retain,Delete", true);
	check_choice(e, "spec.persistentVolumeClaimRetentionPolicy.whenScaled", json_get_str(retention, "whenScaled"),
	        "Retain,Delete", true);
	if (json_path(spec, "template", "spec", "activeDeadlineSeconds", NULL))
		bad_forbidden(e, "spec.template.spec.activeDeadlineSeconds",
		        "activeDeadlineSeconds in StatefulSet is not Supported");
	if (old && differs_beyond(json_get(object, "spec"), json_get(old, "spec"), may_change))
		bad_forbidden(e, "spec",
		        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
		        "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
		        "'minReadySeconds' are forbidden");
}

/* ---- strategy ---- */

/* Its annotations are part of what a rollout depends on, so they count as a new generation. */
static void deployment_prepare_update(struct arena *a, struct json *object, const struct json *old, const char *sub)
{
	struct json *meta = json_get(object, "metadata"), *before = json_get(old, "metadata");
	struct json *now = json_get(meta, "annotations"), *had = json_get(before, "annotations");
	bool same = (!(now && now->first) && !(had && had->first)) || json_equal(now, had);
	if (!*sub && !same && json_equal(json_get(object, "spec"), json_get(old, "spec")))
		json_set_int(a, meta, "generation", json_get_int(before, "generation", 0) + 1);
}

#define TEMPLATE_GENERATION "deprecated.daemonset.template.generation"

static void set_template_generation(struct arena *a, struct json *object, int64_t n)
{
	struct json *annotations =
	        json_need(a, json_need(a, object, "metadata", JSON_OBJECT), "annotations", JSON_OBJECT);
	json_set_cstr(a, annotations, TEMPLATE_GENERATION, arena_printf(a, "%lld", (long long)n));
}

static void daemon_set_prepare_create(struct arena *a, struct json *object)
{
	set_template_generation(a, object, 1);
}

/* Counts the templates, whatever the client sent; daemon pods have it as the label pod-template-generation. */
static void daemon_set_prepare_update(struct arena *a, struct json *object, const struct json *old, const char *sub)
{
	int64_t n = 1;
	if (*sub)
		return;
	slice_to_i64(json_get_str(json_path(old, "metadata", "annotations", NULL), TEMPLATE_GENERATION), &n);
	bool same = json_equal(json_path(object, "spec", "template", NULL), json_path(old, "spec", "template", NULL));
	set_template_generation(a, object, same ? n : n + 1);
}

/* ---- the rows ---- */

const struct kind_ops kinds_apps[] = {
        {.kind = "ControllerRevision",
                .immutable = "data",
                .columns = "Name,Controller,Revision,Age",
                .cells = table_revision},
        {.kind = "Deployment",
                .traits = KIND_MAKES_PODS,
                .defaults = deployment_defaults,
                .validate = validate_deployment,
                .prepare_update = deployment_prepare_update,
                .immutable = "spec.selector",
                .status_keeps = "labels",
                .columns = "Name,Ready,Up-to-date:integer,Available:integer,Age,Containers::1,Images::1,Selector::1",
                .cells = table_deployment},
        {.kind = "ReplicaSet",
                .traits = KIND_MAKES_PODS,
                .defaults = replica_set_defaults,
                .validate = validate_workload,
                .immutable = "spec.selector",
                .columns = "Name,Desired:integer,Current:integer,Ready:integer,Age,Containers::1,Images::1,Selector::1",
                .cells = table_replica_set},
        {.kind = "DaemonSet",
                .traits = KIND_MAKES_PODS,
                .defaults = daemon_set_defaults,
                .validate = validate_daemon_set,
                .prepare_create = daemon_set_prepare_create,
                .prepare_update = daemon_set_prepare_update,
                .immutable = "spec.selector",
                .columns = "Name,Desired:integer,Current:integer,Ready:integer,Up-to-date:integer,Available:integer,"
                           "Node Selector,Age,Containers::1,Images::1,Selector::1",
                .cells = table_daemon_set},
        {.kind = "StatefulSet",
                .traits = KIND_MAKES_PODS,
                .defaults = stateful_set_defaults,
                .validate = validate_stateful_set,
                .columns = "Name,Ready,Age,Containers::1,Images::1",
                .cells = table_stateful_set},
        {0},
};
