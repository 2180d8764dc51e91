/* The apps group: workloads. */
#include "api/machinery/rules/groups/core/claim.h"
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_value.h"
#include "api/machinery/rules/groups/workload.h"
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

/* What is made of the template lives until it is told not to. `kind`: as upstream calls it. */
static void check_lasts(struct field_errors *e, const struct json *spec, const char *kind)
{
	const struct json *pod = json_path(spec, "template", "spec", NULL);
	struct slice policy = json_get_str(pod, "restartPolicy");
	if (!slice_is(policy, "Always"))
		bad_choice(e, "spec.template.spec.restartPolicy", policy, "Always");
	if (json_get(pod, "activeDeadlineSeconds"))
		bad_forbidden(e, "spec.template.spec.activeDeadlineSeconds",
		        at(e, "activeDeadlineSeconds in %s is not Supported", kind));
}

static void check_template(struct field_errors *e, const struct json *spec, const char *kind)
{
	validate_pod_template(e, "spec.template", json_get(spec, "template"));
	check_lasts(e, spec, kind);
}

static void need_selector(struct field_errors *e, const struct json *spec)
{
	if (!json_get(spec, "selector"))
		bad_required(e, "spec.selector", "");
}

static void keep_selector(struct field_errors *e, const struct json *spec, const struct json *old)
{
	if (old)
		check_same_selector(
		        e, "spec.selector", json_get(spec, "selector"), json_path(old, "spec", "selector", NULL));
}

/* A strategy as Go shows it. */
static const char *strategy_text(
        struct field_errors *e, const struct json *strategy, const char *go_type, const char *go_rolling)
{
	return at(e, "%s{Type:\"%.*s\", RollingUpdate:(*%s)(%s)}", go_type, SLICE_FMT(json_get_str(strategy, "type")),
	        go_rolling, json_get(strategy, "rollingUpdate") ? "..." : "nil");
}

/* Of one that is a number, as Go shows it. */
static void bad_amount(struct field_errors *e, const char *field, const struct json *v, const char *detail)
{
	if (json_is(v, JSON_STRING))
		field_error_add(e, "FieldValueInvalid", field,
		        "Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:\"%.*s\"}: %s",
		        SLICE_FMT(json_str(v)), detail);
	else
		field_error_add(e, "FieldValueInvalid", field,
		        "Invalid value: intstr.IntOrString{Type:0, IntVal:%lld, StrVal:\"\"}: %s",
		        (long long)json_int(v, 0), detail);
}

/* ---- ReplicaSets ---- */

static void validate_replica_set(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json *spec = json_get(object, "spec");
	check_non_negative(e, "spec.replicas", json_get(spec, "replicas"));
	check_non_negative(e, "spec.minReadySeconds", json_get(spec, "minReadySeconds"));
	need_selector(e, spec);
	check_selector_chooses(e, spec, "deployment"); /* as upstream has it */
	check_template(e, spec, "ReplicaSet");
	keep_selector(e, spec, old);
}

static void validate_replica_set_status(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *status = json_get(object, "status");
	check_counters(e, status, "replicas,fullyLabeledReplicas,readyReplicas,availableReplicas,observedGeneration");
	check_not_above(e, status, "fullyLabeledReplicas,readyReplicas,availableReplicas", "replicas",
	        "cannot be greater than status.replicas");
	check_not_above(e, status, "availableReplicas", "readyReplicas", "cannot be greater than readyReplicas");
}

/* ---- Deployments ---- */

static void check_rolling(struct field_errors *e, const struct json *rolling)
{
	const struct json *unavailable = json_get(rolling, "maxUnavailable"), *surge = json_get(rolling, "maxSurge");
	const char *field = "spec.strategy.rollingUpdate.maxUnavailable";
	check_count_or_part(e, field, unavailable);
	check_count_or_percent(e, "spec.strategy.rollingUpdate.maxSurge", surge);
	if (count_or_percent(unavailable) == 0 && count_or_percent(surge) == 0)
		bad_amount(e, field, unavailable, "may not be 0 when `maxSurge` is 0");
}

static void check_strategy(struct field_errors *e, const struct json *strategy)
{
	struct slice type = json_get_str(strategy, "type");
	const struct json *rolling = json_get(strategy, "rollingUpdate");
	if (slice_is(type, "Recreate") && rolling)
		bad_forbidden(
		        e, "spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'");
	else if (slice_is(type, "RollingUpdate"))
		check_rolling(e, rolling);
	else if (!slice_is(type, "Recreate"))
		field_error_add(e, "FieldValueNotSupported", "spec.strategy",
		        "Unsupported value: %s: supported values: \"Recreate\", \"RollingUpdate\"",
		        strategy_text(e, strategy, "apps.DeploymentStrategy", "apps.RollingUpdateDeployment"));
}

static void validate_deployment(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *deadline = json_get(spec, "progressDeadlineSeconds");
	check_non_negative(e, "spec.replicas", json_get(spec, "replicas"));
	need_selector(e, spec);
	check_selector_chooses(e, spec, "deployment");
	check_template(e, spec, "ReplicaSet"); /* as upstream has it */
	check_strategy(e, json_get(spec, "strategy"));
	check_non_negative(e, "spec.minReadySeconds", json_get(spec, "minReadySeconds"));
	check_non_negative(e, "spec.revisionHistoryLimit", json_get(spec, "revisionHistoryLimit"));
	check_non_negative(e, "spec.progressDeadlineSeconds", deadline);
	if (deadline && json_int(deadline, 0) <= json_get_int(spec, "minReadySeconds", 0))
		bad_number(e, "spec.progressDeadlineSeconds", json_int(deadline, 0),
		        "must be greater than minReadySeconds");
	keep_selector(e, spec, old);
}

static void validate_deployment_status(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *status = json_get(object, "status");
	check_counters(e, status,
	        "observedGeneration,replicas,updatedReplicas,readyReplicas,availableReplicas,unavailableReplicas,"
	        "collisionCount");
	check_not_above(e, status, "updatedReplicas,readyReplicas,availableReplicas", "replicas",
	        "cannot be greater than status.replicas");
	check_not_above(e, status, "availableReplicas", "readyReplicas", "cannot be greater than readyReplicas");
	check_collisions(e, status, json_get(old, "status"));
}

/* ---- DaemonSets ---- */

/* Of maxSurge and maxUnavailable exactly one is more than 0. */
static void check_daemon_rolling(struct field_errors *e, const struct json *rolling)
{
	const struct json *unavailable = json_get(rolling, "maxUnavailable"), *surge = json_get(rolling, "maxSurge");
	check_count_or_part(e, "spec.updateStrategy.rollingUpdate.maxUnavailable", unavailable);
	check_count_or_part(e, "spec.updateStrategy.rollingUpdate.maxSurge", surge);
	if (count_or_percent(unavailable) != 0 && count_or_percent(surge) != 0)
		bad_amount(e, "spec.updateStrategy.rollingUpdate.maxSurge", surge,
		        "may not be set when maxUnavailable is non-zero");
	else if (count_or_percent(unavailable) == 0 && count_or_percent(surge) == 0)
		bad_required(e, "spec.updateStrategy.rollingUpdate.maxUnavailable", "cannot be 0 when maxSurge is 0");
}

static void check_daemon_strategy(struct field_errors *e, const struct json *strategy)
{
	struct slice type = json_get_str(strategy, "type");
	if (slice_is(type, "RollingUpdate"))
		check_daemon_rolling(e, json_get(strategy, "rollingUpdate"));
	else if (!slice_is(type, "OnDelete"))
		field_error_add(e, "FieldValueNotSupported", "spec.updateStrategy",
		        "Unsupported value: %s: supported values: \"RollingUpdate\", \"OnDelete\"",
		        strategy_text(e, strategy, "apps.DaemonSetUpdateStrategy", "apps.RollingUpdateDaemonSet"));
}

static void validate_daemon_set(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec");
	check_selector_chooses(e, spec, "daemonset");
	check_template(e, spec, "DaemonSet");
	check_non_negative(e, "spec.minReadySeconds", json_get(spec, "minReadySeconds"));
	check_daemon_strategy(e, json_get(spec, "updateStrategy"));
	check_non_negative(e, "spec.revisionHistoryLimit", json_get(spec, "revisionHistoryLimit"));
	keep_selector(e, spec, old);
}

static void validate_daemon_set_status(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *status = json_get(object, "status");
	check_counters(e, status,
	        "currentNumberScheduled,numberMisscheduled,desiredNumberScheduled,numberReady,observedGeneration,"
	        "updatedNumberScheduled,numberAvailable,numberUnavailable,collisionCount");
	check_collisions(e, status, json_get(old, "status"));
}

/* ---- StatefulSets ---- */

static void check_stateful_rolling(struct field_errors *e, const struct json *rolling)
{
	const struct json *unavailable = json_get(rolling, "maxUnavailable");
	check_non_negative(e, "spec.updateStrategy.rollingUpdate.partition", json_get(rolling, "partition"));
	check_count_or_part(e, "spec.updateStrategy.rollingUpdate.maxUnavailable", unavailable);
	if (unavailable && count_or_percent(unavailable) == 0)
		bad_amount(e, "spec.updateStrategy.rollingUpdate.maxUnavailable", unavailable, "cannot be 0");
}

static void check_stateful_strategy(struct field_errors *e, const struct json *strategy)
{
	struct slice type = json_get_str(strategy, "type");
	const struct json *rolling = json_get(strategy, "rollingUpdate");
	if (!type.len)
		bad_required(e, "spec.updateStrategy", "");
	else if (slice_is(type, "OnDelete") && rolling)
		field_error_add(e, "FieldValueInvalid", "spec.updateStrategy.rollingUpdate",
		        "Invalid value: apps.RollingUpdateStatefulSetStrategy{Partition:%lld, "
		        "MaxUnavailable:(*intstr.IntOrString)(%s)}: only allowed for updateStrategy 'RollingUpdate'",
		        (long long)json_get_int(rolling, "partition", 0),
		        json_get(rolling, "maxUnavailable") ? "..." : "nil");
	else if (slice_is(type, "RollingUpdate"))
		check_stateful_rolling(e, rolling);
	else if (!slice_is(type, "OnDelete"))
		field_error_add(e, "FieldValueInvalid", "spec.updateStrategy",
		        "Invalid value: %s: must be 'RollingUpdate' or 'OnDelete'",
		        strategy_text(e, strategy, "apps.StatefulSetUpdateStrategy",
		                "apps.RollingUpdateStatefulSetStrategy"));
}

static void check_retention(struct field_errors *e, const struct json *retention)
{
	static const char *const members[] = {"whenDeleted", "whenScaled"};
	for (size_t i = 0; retention && i < COUNT_OF(members); i++)
		check_supported(e, at(e, "spec.persistentVolumeClaimRetentionPolicy.%s", members[i]),
		        json_get_str(retention, members[i]), "Retain,Delete");
}

/* The pods' own rules hold where a pod is made: upstream looks no further either, for the volumes of claims are not in
 * the template. */
static void check_stateful_template(struct field_errors *e, const struct json *spec)
{
	const struct json *meta = json_path(spec, "template", "metadata", NULL);
	check_labels(e, "spec.template.labels", json_get(meta, "labels"));
	check_annotations(e, "spec.template.annotations", json_get(meta, "annotations"));
	check_lasts(e, spec, "StatefulSet");
}

static void validate_stateful_set(struct field_errors *e, const struct json *object, const struct json *old)
{
	static const char may_change[] = "replicas,ordinals,template,updateStrategy,revisionHistoryLimit,"
	                                 "persistentVolumeClaimRetentionPolicy,minReadySeconds";
	const struct json *spec = json_get(object, "spec");
	struct slice order = json_get_str(spec, "podManagementPolicy");
	if (!order.len)
		bad_required(e, "spec.podManagementPolicy", "");
	else if (!slice_is(order, "OrderedReady") && !slice_is(order, "Parallel"))
		bad_value(e, "spec.podManagementPolicy", order, "must be 'OrderedReady' or 'Parallel'");
	check_stateful_strategy(e, json_get(spec, "updateStrategy"));
	check_retention(e, json_get(spec, "persistentVolumeClaimRetentionPolicy"));
	check_non_negative(e, "spec.replicas", json_get(spec, "replicas"));
	check_non_negative(e, "spec.minReadySeconds", json_get(spec, "minReadySeconds"));
	check_non_negative(e, "spec.ordinals.start", json_path(spec, "ordinals", "start", NULL));
	need_selector(e, spec);
	check_selector_chooses(e, spec, "statefulset");
	check_stateful_template(e, spec);
	if (old && differs_beyond(spec, json_get(old, "spec"), may_change))
		bad_forbidden(e, "spec",
		        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
		        "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
		        "'minReadySeconds' are forbidden");
}

static void validate_stateful_set_status(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *status = json_get(object, "status");
	check_counters(e, status,
	        "replicas,readyReplicas,currentReplicas,updatedReplicas,availableReplicas,observedGeneration,"
	        "collisionCount");
	check_not_above(e, status, "readyReplicas,currentReplicas,updatedReplicas,availableReplicas", "replicas",
	        "cannot be greater than status.replicas");
	check_not_above(e, status, "availableReplicas", "readyReplicas", "cannot be greater than status.readyReplicas");
	check_collisions(e, status, json_get(old, "status"));
}

/* ---- ControllerRevisions ---- */

static void validate_revision(struct field_errors *e, const struct json *object, const struct json *old)
{
	if (!json_get(object, "data"))
		bad_required(e, "data", "data is mandatory");
	check_non_negative(e, "revision", json_get(object, "revision"));
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

/* ---- warnings ---- */

static void warn_of_daemon_set(struct warnings *w, const struct json *object, const struct json *old)
{
	warn_of_template(w, "spec.template.", object, old, json_path(object, "spec", "template", NULL));
}

static void warn_of_stateful_set(struct warnings *w, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *claims = json_get(spec, "volumeClaimTemplates");
	int i = 0;
	warn_of_template(w, "spec.template.", object, old, json_get(spec, "template"));
	JSON_FOREACH (it, claims)
		warn_of_claim_spec(
		        w, arena_printf(w->arena, "spec.volumeClaimTemplates[%d]", i++), json_get(it, "spec"));
	if (json_get_int(spec, "revisionHistoryLimit", 0) < 0)
		warning_add(w,
		        "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is "
		        "recommended");
}

/* ---- the rows ---- */

const struct kind_ops kinds_apps[] = {
        {.kind = "ControllerRevision",
                .validate = validate_revision,
                .immutable = "data",
                .columns = "Name,Controller,Revision,Age",
                .cells = table_revision},
        {.kind = "Deployment",
                .traits = KIND_MAKES_PODS,
                .defaults = deployment_defaults,
                .validate = validate_deployment,
                .validate_part = validate_deployment_status,
                .warn = warn_of_workload,
                .prepare_update = deployment_prepare_update,
                .status_keeps = "labels",
                .columns = "Name,Ready,Up-to-date:integer,Available:integer,Age,Containers::1,Images::1,Selector::1",
                .cells = table_deployment},
        {.kind = "ReplicaSet",
                .traits = KIND_MAKES_PODS,
                .defaults = replica_set_defaults,
                .validate = validate_replica_set,
                .validate_part = validate_replica_set_status,
                .warn = warn_of_workload,
                .columns = "Name,Desired:integer,Current:integer,Ready:integer,Age,Containers::1,Images::1,Selector::1",
                .cells = table_replica_set},
        {.kind = "DaemonSet",
                .traits = KIND_MAKES_PODS,
                .defaults = daemon_set_defaults,
                .validate = validate_daemon_set,
                .validate_part = validate_daemon_set_status,
                .warn = warn_of_daemon_set,
                .prepare_create = daemon_set_prepare_create,
                .prepare_update = daemon_set_prepare_update,
                .columns = "Name,Desired:integer,Current:integer,Ready:integer,Up-to-date:integer,Available:integer,"
                           "Node Selector,Age,Containers::1,Images::1,Selector::1",
                .cells = table_daemon_set},
        {.kind = "StatefulSet",
                .traits = KIND_MAKES_PODS,
                .defaults = stateful_set_defaults,
                .check_name = validate_dns1123_label,
                .validate = validate_stateful_set,
                .validate_part = validate_stateful_set_status,
                .warn = warn_of_stateful_set,
                .columns = "Name,Ready,Age,Containers::1,Images::1",
                .cells = table_stateful_set},
        {0},
};
