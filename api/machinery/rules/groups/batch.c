/* The batch group: jobs and cron jobs. */
#include "api/machinery/rules/groups/batch_int.h"
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/groups/workload_int.h"
#include "api/machinery/table/printers.h"
#include "base/check.h"
#include "base/time/cron.h"

#include <inttypes.h>

/* ---- defaults ---- */

static void condition_defaults(struct arena *a, struct json *spec)
{
	JSON_FOREACH (rule, json_path(spec, "podFailurePolicy", "rules", NULL))
		JSON_FOREACH (it, json_get(rule, "onPodConditions"))
			default_str(a, it, "status", "True");
}

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
	condition_defaults(a, spec);
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

/* The pods of an indexed job are called after it and their index, and that is a label of DNS. */
static void check_index_names(struct field_errors *e, const struct json *object)
{
	const struct json *spec = json_get(object, "spec");
	struct slice name = json_str(json_path(object, "metadata", "name", NULL));
	int64_t completions = json_get_int(spec, "completions", 0);
	if (!slice_is(json_get_str(spec, "completionMode"), "Indexed") || completions < 1)
		return;
	const char *last = at(e, "%.*s-%" PRId64, SLICE_FMT(name), completions - 1);
	if (validate_dns1123_label(slice_of(last)))
		bad_value(e, "metadata.name", name,
		        at(e, "will not able to create pod with invalid DNS label: %s", last));
}

static void validate_job(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json *spec = json_get(object, "spec");
	check_generated_selector(e, object);
	check_selector_fits(e, spec);
	validate_job_spec(e, "spec", spec);
	if (old)
		check_job_update(e, spec, old);
	else
		check_index_names(e, object);
}

/* ---- cron jobs ---- */

/* A job's name is the cron job's with the minute behind it, and has 63 bytes. */
enum { CRON_JOB_NAME_MAX = 52 };

static void check_schedule(struct field_errors *e, struct slice text)
{
	struct cron unused;
	struct err err = ERR_INIT;
	if (!text.len)
		bad_required(e, "spec.schedule", "");
	else if (memmem(text.ptr, text.len, "TZ", 2))
		bad_value(e, "spec.schedule", text, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
	else if (cron_parse(text, &unused, &err) != 0)
		bad_value(e, "spec.schedule", text, err.msg);
}

static void check_time_zone(struct field_errors *e, const struct json *v)
{
	struct err err = ERR_INIT;
	struct zone *unused;
	struct slice name = json_str(v);
	if (v && !name.len)
		bad_value(e, "spec.timeZone", name, "timeZone must be nil or non-empty string");
	else if (slice_caseis(name, "Local"))
		bad_value(e, "spec.timeZone", name,
		        "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
	else if (v && zone_load(e->arena, name, &unused, &err) != 0)
		bad_value(e, "spec.timeZone", name, err.msg);
}

static void check_job_template(struct field_errors *e, const struct json *spec)
{
	if (json_get(spec, "selector"))
		bad_value(e, "spec.jobTemplate.spec.selector", SLICE("{}"), "`selector` will be auto-generated");
	if (json_get_bool(spec, "manualSelector", false))
		field_error_add(e, "FieldValueNotSupported", "spec.jobTemplate.spec.manualSelector",
		        "Unsupported value: true: supported values: \"nil\", \"false\"");
	validate_job_spec(e, "spec.jobTemplate.spec", spec);
}

static void validate_cron_job(struct field_errors *e, const struct json *object, const struct json *old)
{
	static const char *const counts[] = {
	        "startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"};
	struct json *spec = json_get(object, "spec");
	struct slice name = json_str(json_path(object, "metadata", "name", NULL));
	if (!old && name.len > CRON_JOB_NAME_MAX)
		bad_value(e, "metadata.name", name, "must be no more than 52 characters");
	check_schedule(e, json_get_str(spec, "schedule"));
	check_time_zone(e, json_get(spec, "timeZone"));
	check_choice(
	        e, "spec.concurrencyPolicy", json_get_str(spec, "concurrencyPolicy"), "Allow,Forbid,Replace", true);
	for (size_t i = 0; i < COUNT_OF(counts); i++)
		check_non_negative(e, at(e, "spec.%s", counts[i]), json_get(spec, counts[i]));
	check_job_template(e, json_path(spec, "jobTemplate", "spec", NULL));
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
                .traits = KIND_MAKES_PODS | KIND_ORPHANS,
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
                .validate = validate_cron_job,
                .columns = "Name,Schedule,Timezone,Suspend,Active:integer,Last Schedule,Age,Containers::1,Images::1,"
                           "Selector::1",
                .cells = table_cron_job},
        {0},
};
