/* The batch group: jobs and cron jobs. */
#include "api/machinery/rules/groups/batch/batch_int.h"
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_value.h"
#include "api/machinery/rules/groups/workload.h"
#include "api/machinery/schema/selector.h"
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

/* An older server's jobs have the older labels alone. */
static bool had_all_labels(const struct json *old)
{
	const struct json *labels = json_path(old, "spec", "template", "metadata", "labels", NULL);
	return json_get(labels, uid_labels[1]) && json_get(labels, name_labels[1]);
}

static bool selects_by_uid(struct field_errors *e, const struct json *object, bool has_all)
{
	const struct json *meta = json_get(object, "metadata");
	struct json *expected = json_new(e->arena, JSON_OBJECT);
	struct label_selector selector;
	bool nothing;
	for (size_t i = 0; i < (has_all ? COUNT_OF(uid_labels) : 1); i++) {
		json_set_str(e->arena, expected, uid_labels[i], json_get_str(meta, "uid"));
		json_set_str(e->arena, expected, name_labels[i], json_get_str(meta, "name"));
	}
	if (label_selector_from_json(
	            e->arena, json_path(object, "spec", "selector", NULL), &selector, &nothing, NULL) != 0)
		return true; /* which check_selector() says more of */
	return !nothing && label_selector_matches_tree(&selector, expected);
}

/* A selector that the server made matches this job's pods alone. */
static void check_generated_selector(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json *meta = json_get(object, "metadata"), *spec = json_get(object, "spec");
	struct json *labels = json_path(spec, "template", "metadata", "labels", NULL);
	bool has_all = !old || had_all_labels(old);
	if (json_get_bool(spec, "manualSelector", false) || !json_get(spec, "selector"))
		return;
	for (size_t i = 0; i < (has_all ? COUNT_OF(uid_labels) : 1); i++) {
		check_has_label(e, labels, uid_labels[i], json_get_str(meta, "uid"));
		check_has_label(e, labels, name_labels[i], json_get_str(meta, "name"));
	}
	if (!selects_by_uid(e, object, has_all))
		field_error_add(e, "FieldValueInvalid", "spec.selector",
		        "Invalid value: %s: `selector` not auto-generated",
		        go_selector_text(e->arena, json_get(spec, "selector")));
}

/* While a job is suspended and has not begun, what its pods need of a node may still change. */
static bool template_differs(const struct json *now, const struct json *before, bool may_be_placed_anew)
{
	const struct json *spec = json_get(now, "spec"), *had = json_get(before, "spec");
	if (!may_be_placed_anew)
		return !json_equal(now, before);
	return differs_beyond(now, before, "metadata,spec") ||
	       differs_beyond(json_get(now, "metadata"), json_get(before, "metadata"), "labels,annotations") ||
	       differs_beyond(spec, had, "nodeSelector,affinity,tolerations,schedulingGates") ||
	       differs_beyond(json_get(spec, "affinity"), json_get(had, "affinity"), "nodeAffinity");
}

/* Completions of an indexed job change with its parallelism; of any other they stay. */
static void check_completions_change(struct field_errors *e, const struct json *spec, const struct json *before)
{
	struct json *now = json_get(spec, "completions"), *had = json_get(before, "completions");
	if (json_equal(now, had))
		return;
	if (!slice_is(json_get_str(spec, "completionMode"), "Indexed"))
		check_immutable(e, "spec.completions", now, had);
	else if (now && json_int(now, -1) != json_get_int(spec, "parallelism", -2))
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
	check_same_selector(e, "spec.selector", json_get(spec, "selector"), json_get(before, "selector"));
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
	check_generated_selector(e, object, old);
	check_selector_matches(e, spec);
	validate_job_spec(e, "spec", spec);
	check_index_names(e, object);
	if (old)
		check_job_update(e, spec, old);
}

/* ---- cron jobs ---- */

/* A job's name is the cron job's with the minute behind it, and has 63 bytes. */
enum { CRON_JOB_NAME_MAX = 52 };

static bool has_zone(struct slice schedule)
{
	return schedule.len && memmem(schedule.ptr, schedule.len, "TZ", 2);
}

/* "CRON_TZ=Europe/Berlin 0 5 * * *" without its first word. */
static struct slice without_zone(struct slice schedule)
{
	struct slice rest = schedule;
	if (slice_starts(schedule, "TZ=") || slice_starts(schedule, "CRON_TZ="))
		slice_cut(&rest, ' ');
	return rest;
}

/* A zone in the schedule's text stays where an older server let it in. */
static void check_schedule(struct field_errors *e, const struct json *spec, const struct json *before)
{
	struct slice text = json_get_str(spec, "schedule");
	struct cron unused;
	struct err err = ERR_INIT;
	if (!text.len) {
		bad_required(e, "spec.schedule", "");
		return;
	}
	if (cron_parse(without_zone(text), &unused, &err) != 0)
		bad_value(e, "spec.schedule", text, err.msg);
	if (has_zone(text) && !has_zone(json_get_str(before, "schedule")))
		bad_value(e, "spec.schedule", text, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
	else if (has_zone(text) && json_get(spec, "timeZone"))
		bad_value(e, "spec.schedule", text, "cannot use both timeZone field and TZ or CRON_TZ in schedule");
}

/* Parts of up to 14 characters, none a folder's own name: https://data.iana.org/time-zones/theory.html#naming */
static bool is_zone_name(struct slice name)
{
	enum { PART_MAX = 14 };
	while (name.ptr) {
		struct slice part = slice_cut(&name, '/');
		if (!part.len || part.len > PART_MAX || *part.ptr == '-' || slice_is(part, ".") || slice_is(part, ".."))
			return false;
		for (size_t i = 0; i < part.len; i++) {
			char c = part.ptr[i];
			bool is_alnum = ((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9');
			if (!is_alnum && (!c || !strchr("._-+", c)))
				return false;
		}
	}
	return true;
}

static void check_time_zone(struct field_errors *e, const struct json *v)
{
	struct err err = ERR_INIT;
	struct zone *unused;
	struct slice name = json_str(v);
	const char *unknown = at(e, "unknown time zone %.*s", SLICE_FMT(name));
	if (!v)
		return;
	if (!name.len)
		bad_value(e, "spec.timeZone", name, "timeZone must be nil or non-empty string");
	else if (!is_zone_name(name))
		bad_value(e, "spec.timeZone", name, unknown);
	else if (slice_caseis(name, "Local"))
		bad_value(e, "spec.timeZone", name,
		        "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
	else if (zone_load(e->arena, name, &unused, &err) != 0)
		bad_value(e, "spec.timeZone", name, err.code == ERR_NOT_FOUND ? unknown : err.msg);
}

static void check_job_template(struct field_errors *e, const struct json *spec)
{
	validate_job_spec(e, "spec.jobTemplate.spec", spec);
	if (json_get(spec, "selector"))
		field_error_add(e, "FieldValueInvalid", "spec.jobTemplate.spec.selector",
		        "Invalid value: %s: `selector` will be auto-generated",
		        go_selector_text(e->arena, json_get(spec, "selector")));
	if (json_get_bool(spec, "manualSelector", false))
		field_error_add(e, "FieldValueNotSupported", "spec.jobTemplate.spec.manualSelector",
		        "Unsupported value: true: supported values: \"nil\", \"false\"");
}

static void validate_cron_job(struct field_errors *e, const struct json *object, const struct json *old)
{
	static const char *const counts[] = {
	        "startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"};
	struct json *spec = json_get(object, "spec"), *before = json_get(old, "spec");
	struct slice name = json_str(json_path(object, "metadata", "name", NULL));
	if (!old && name.len > CRON_JOB_NAME_MAX)
		bad_value(e, "metadata.name", name, "must be no more than 52 characters");
	check_schedule(e, spec, before);
	if (!old || !json_equal(json_get(spec, "timeZone"), json_get(before, "timeZone")))
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

/* ---- warnings ---- */

static void warn_of_job_spec(struct warnings *w, const char *base, const struct json *spec)
{
	enum { COMPLETIONS_MAX = 100000, PARALLELISM_MAX = 10000 };
	if (slice_is(json_get_str(spec, "completionMode"), "Indexed") &&
	        json_get_int(spec, "completions", 0) > COMPLETIONS_MAX &&
	        json_get_int(spec, "parallelism", 0) > PARALLELISM_MAX)
		warning_add(w,
		        "%s: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher "
		        "than "
		        "10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes "
		        "fail",
		        base);
}

static void warn_of_job(struct warnings *w, const struct json *object, const struct json *old)
{
	warn_of_pods_name(w, object, old);
	if (is_new_spec(object, old))
		warn_of_job_spec(w, "spec", json_get(object, "spec"));
	warn_of_template(w, "spec.template.", object, old, json_path(object, "spec", "template", NULL));
}

static void warn_of_cron_job(struct warnings *w, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *job = json_path(spec, "jobTemplate", "spec", NULL);
	warn_of_pods_name(w, object, old);
	if (is_new_spec(object, old))
		warn_of_job_spec(w, "spec.jobTemplate.spec", job);
	warn_of_template(w, "spec.jobTemplate.spec.template.", object, old, json_get(job, "template"));
	if (has_zone(json_get_str(spec, "schedule"))) /* upstream's field, too */
		warning_add(w, "CRON_TZ or TZ used in spec.spec.schedule is not officially supported, see "
		               "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details");
}

/* ---- the rows ---- */

const struct kind_ops kinds_batch[] = {
        {.kind = "Job",
                .traits = KIND_MAKES_PODS | KIND_ORPHANS,
                .defaults = job_defaults,
                .validate = validate_job,
                .validate_part = validate_job_status,
                .warn = warn_of_job,
                .prepare_create = job_prepare_create,
                .immutable = "spec.completionMode,spec.podFailurePolicy,spec.backoffLimitPerIndex,"
                             "spec.managedBy,spec.successPolicy",
                .columns = "Name,Status,Completions,Duration,Age,Containers::1,Images::1,Selector::1",
                .cells = table_job},
        {.kind = "CronJob",
                .traits = KIND_MAKES_PODS,
                .defaults = cron_job_defaults,
                .validate = validate_cron_job,
                .warn = warn_of_cron_job,
                .columns = "Name,Schedule,Timezone,Suspend,Active:integer,Last Schedule,Age,Containers::1,Images::1,"
                           "Selector::1",
                .cells = table_cron_job},
        {0},
};
