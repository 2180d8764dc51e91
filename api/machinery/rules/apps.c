/* The apps group: workloads. */
#include "api/machinery/rules/core_int.h"
#include "api/machinery/rules/core_pod_int.h"
#include "api/machinery/rules/defaults_int.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/validate_int.h"
#include "api/machinery/schema/selector.h"
#include "api/machinery/table/printers.h"

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

static void check_selector_fits(struct field_errors *e, const struct json *spec)
{
	struct json *selector = json_get(spec, "selector"),
	            *labels = json_path(spec, "template", "metadata", "labels", NULL);
	struct label_selector parsed;
	bool nothing;
	if (!selector) {
		bad_required(e, "spec.selector", "");
		return;
	}
	check_selector(e, "spec.selector", selector);
	if (label_selector_from_json(e->arena, selector, &parsed, &nothing, NULL) != 0)
		return;
	if (!parsed.count) {
		bad_value(e, "spec.selector", SLICE("{}"), "empty selector is invalid for deployment");
		return;
	}
	if (!label_selector_matches_tree(&parsed, labels)) {
		struct strbuf text = STRBUF_INIT;
		if (labels)
			json_write(&text, labels);
		field_error_add(e, "FieldValueInvalid", "spec.template.metadata.labels",
		        "Invalid value: %s: `selector` does not match template `labels`", strbuf_cstr(&text));
		strbuf_release(&text);
	}
}

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
	validate_pod_template(e, "spec.template", json_get(spec, "template"));
	check_always_restarts(e, spec);
	if (old)
		check_immutable(
		        e, "spec.selector", json_get(spec, "selector"), json_path(old, "spec", "selector", NULL));
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

/* ---- the rows ---- */

const struct kind_ops kinds_apps[] = {
        {.kind = "Deployment",
                .defaults = deployment_defaults,
                .validate = validate_deployment,
                .columns = "Name,Ready,Up-to-date:integer,Available:integer,Age,Containers::1,Images::1,Selector::1",
                .cells = table_deployment},
        {.kind = "ReplicaSet",
                .defaults = replica_set_defaults,
                .validate = validate_workload,
                .columns = "Name,Desired:integer,Current:integer,Ready:integer,Age,Containers::1,Images::1,Selector::1",
                .cells = table_replica_set},
        {.kind = "DaemonSet",
                .defaults = daemon_set_defaults,
                .validate = validate_workload,
                .columns = "Name,Desired:integer,Current:integer,Ready:integer,Up-to-date:integer,Available:integer,"
                           "Node Selector,Age,Containers::1,Images::1,Selector::1",
                .cells = table_daemon_set},
        {.kind = "StatefulSet",
                .defaults = stateful_set_defaults,
                .validate = validate_workload,
                .columns = "Name,Ready,Age,Containers::1,Images::1",
                .cells = table_stateful_set},
        {0},
};
