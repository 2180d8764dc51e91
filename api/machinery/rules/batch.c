/* The batch group: jobs and cron jobs. */
#include "api/machinery/rules/core_pod_int.h"
#include "api/machinery/rules/defaults_int.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/validate_int.h"
#include "api/machinery/rules/workload_int.h"
#include "api/machinery/table/printers.h"
#include "base/check.h"

/* ---- defaults ---- */

static void job_spec_defaults(struct arena *a, struct json *spec)
{
	if (!spec)
		return;
	if (!json_get(spec, "completions") && !json_get(spec, "parallelism")) {
		json_set_int(a, spec, "completions", 1);
		json_set_int(a, spec, "parallelism", 1);
	}
	default_int(a, spec, "parallelism", 1);
	default_int(a, spec, "backoffLimit", json_get(spec, "backoffLimitPerIndex") ? 2147483647 : 6);
	default_str(a, spec, "completionMode", "NonIndexed");
	default_bool(a, spec, "suspend", false);
	default_bool(a, spec, "manualSelector", false);
	default_str(
	        a, spec, "podReplacementPolicy", json_get(spec, "podFailurePolicy") ? "Failed" : "TerminatingOrFailed");
	pod_spec_defaults(a, json_path(spec, "template", "spec", NULL));
}

static void job_defaults(struct arena *a, struct json *o)
{
	job_spec_defaults(a, json_get(o, "spec"));
}

static void cron_job_defaults(struct arena *a, struct json *o)
{
	struct json *spec = json_need(a, o, "spec", JSON_OBJECT);
	default_str(a, spec, "concurrencyPolicy", "Allow");
	default_bool(a, spec, "suspend", false);
	default_int(a, spec, "successfulJobsHistoryLimit", 3);
	default_int(a, spec, "failedJobsHistoryLimit", 1);
	job_spec_defaults(a, json_path(spec, "jobTemplate", "spec", NULL));
}

/* ---- validation ---- */

/* Labels that name a job, as the server writes them into its template: today's name and the one before it. */
static const char *const uid_labels[] = {"controller-uid", "batch.kubernetes.io/controller-uid"};
static const char *const name_labels[] = {"job-name", "batch.kubernetes.io/job-name"};

static void check_has_label(struct field_errors *e, const struct json *labels, const char *key, struct slice want)
{
	const char *field = at(e, "spec.template.metadata.labels[%s]", key),
	           *detail = at(e, "must be '%.*s'", SLICE_FMT(want));
	if (!json_get(labels, key))
		bad_required(e, field, detail);
	else if (!slice_eq(json_get_str(labels, key), want))
		bad_value(e, field, json_get_str(labels, key), detail);
}

/* A selector that the server made matches this job's pods alone. */
static void check_generated_selector(struct field_errors *e, const struct json *object)
{
	struct json *meta = json_get(object, "metadata"), *spec = json_get(object, "spec");
	struct json *labels = json_path(spec, "template", "metadata", "labels", NULL);
	if (json_get_bool(spec, "manualSelector", false) || !json_get(spec, "selector"))
		return;
	for (size_t i = 0; i < COUNT_OF(uid_labels); i++) {
		check_has_label(e, labels, uid_labels[i], json_get_str(meta, "uid"));
		check_has_label(e, labels, name_labels[i], json_get_str(meta, "name"));
	}
	struct json *match = json_path(spec, "selector", "matchLabels", NULL);
	if (!slice_eq(json_get_str(match, uid_labels[1]), json_get_str(meta, "uid")) &&
	        !slice_eq(json_get_str(match, uid_labels[0]), json_get_str(meta, "uid")))
		bad_value(e, "spec.selector", SLICE(""), "`selector` not auto-generated");
}

/* While a job is suspended and has not begun, what its pods need of a node may still change. */
static bool template_differs(const struct json *now, const struct json *before, bool may_be_placed_anew)
{
	if (!may_be_placed_anew)
		return !json_equal(now, before);
	return differs_beyond(now, before, "metadata,spec") ||
	       differs_beyond(json_get(now, "metadata"), json_get(before, "metadata"), "labels,annotations") ||
	       differs_beyond(json_get(now, "spec"), json_get(before, "spec"),
	               "nodeSelector,affinity,tolerations,schedulingGates");
}

/* Completions of an indexed job change with its parallelism; of any other they stay. */
static void check_completions_change(struct field_errors *e, const struct json *spec, const struct json *before)
{
	struct json *now = json_get(spec, "completions"), *had = json_get(before, "completions");
	if (json_equal(now, had))
		return;
	if (!slice_is(json_get_str(spec, "completionMode"), "Indexed"))
		check_immutable(e, "spec.completions", now, had);
	else if (!now || !had || json_int(now, -1) != json_get_int(spec, "parallelism", -2))
		bad_number(e, "spec.completions", json_int(now, 0),
		        "can only be modified in tandem with spec.parallelism");
}

static void check_job_update(struct field_errors *e, const struct json *spec, const struct json *old)
{
	struct json *before = json_get(old, "spec"), *now = json_get(spec, "template");
	bool waits = json_get_bool(before, "suspend", false) && !json_path(old, "status", "startTime", NULL);
	check_completions_change(e, spec, before);
	if (template_differs(now, json_get(before, "template"), waits))
		check_immutable(e, "spec.template", now, json_get(before, "template"));
}

static void validate_job(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json *spec = json_get(object, "spec");
	struct slice policy = json_str(json_path(spec, "template", "spec", "restartPolicy", NULL));
	check_generated_selector(e, object);
	check_selector_fits(e, spec);
	check_non_negative(e, "spec.parallelism", json_get(spec, "parallelism"));
	check_non_negative(e, "spec.completions", json_get(spec, "completions"));
	check_non_negative(e, "spec.backoffLimit", json_get(spec, "backoffLimit"));
	validate_pod_template(e, "spec.template", json_get(spec, "template"), NULL);
	if (policy.len && slice_is(policy, "Always"))
		bad_choice(e, "spec.template.spec.restartPolicy", policy, "OnFailure,Never");
	if (old)
		check_job_update(e, spec, old);
}

/* ---- strategy ---- */

static void label(struct arena *a, struct json *labels, const char *key, struct slice value)
{
	if (!json_get(labels, key))
		json_set_str(a, labels, key, value);
}

/* Unless the client answers for it itself, a job's selector is its uid, and its pods carry uid and name. Labels that
 * the client has set stay, and are refused when they are others. Upstream: generateSelector. */
static void job_prepare_create(struct arena *a, struct json *object)
{
	struct json *meta = json_get(object, "metadata"), *spec = json_need(a, object, "spec", JSON_OBJECT);
	if (json_get_bool(spec, "manualSelector", false))
		return;
	struct json *template = json_need(a, spec, "template", JSON_OBJECT);
	struct json *labels = json_need(a, json_need(a, template, "metadata", JSON_OBJECT), "labels", JSON_OBJECT);
	for (size_t i = 0; i < COUNT_OF(uid_labels); i++) {
		label(a, labels, name_labels[i], json_get_str(meta, "name"));
		label(a, labels, uid_labels[i], json_get_str(meta, "uid"));
	}
	struct json *selector = json_need(a, spec, "selector", JSON_OBJECT);
	label(a, json_need(a, selector, "matchLabels", JSON_OBJECT), uid_labels[1], json_get_str(meta, "uid"));
}

/* ---- the rows ---- */

const struct kind_ops kinds_batch[] = {
        {.kind = "Job",
                .traits = KIND_MAKES_PODS | KIND_LEAVES_ORPHANS,
                .defaults = job_defaults,
                .validate = validate_job,
                .prepare_create = job_prepare_create,
                .immutable = "spec.selector,spec.completionMode,spec.podFailurePolicy,spec.backoffLimitPerIndex,"
                             "spec.managedBy,spec.successPolicy",
                .columns = "Name,Status,Completions,Duration,Age,Containers::1,Images::1,Selector::1",
                .cells = table_job},
        {.kind = "CronJob",
                .traits = KIND_MAKES_PODS,
                .defaults = cron_job_defaults,
                .columns = "Name,Schedule,Timezone,Suspend,Active:integer,Last Schedule,Age,Containers::1,Images::1,"
                           "Selector::1",
                .cells = table_cron_job},
        {0},
};
