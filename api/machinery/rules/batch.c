/* The batch group: jobs and cron jobs. */
#include "api/machinery/rules/core_pod_int.h"
#include "api/machinery/rules/defaults_int.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/validate_int.h"
#include "api/machinery/table/printers.h"

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

static void validate_job(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json *spec = json_get(object, "spec");
	struct slice policy = json_str(json_path(spec, "template", "spec", "restartPolicy", NULL));
	check_non_negative(e, "spec.parallelism", json_get(spec, "parallelism"));
	check_non_negative(e, "spec.completions", json_get(spec, "completions"));
	check_non_negative(e, "spec.backoffLimit", json_get(spec, "backoffLimit"));
	validate_pod_template(e, "spec.template", json_get(spec, "template"));
	if (policy.len && slice_is(policy, "Always"))
		bad_choice(e, "spec.template.spec.restartPolicy", policy, "OnFailure,Never");
	if (old && json_get(spec, "completions") && !slice_is(json_get_str(spec, "completionMode"), "Indexed"))
		check_immutable(e, "spec.completions", json_get(spec, "completions"),
		        json_path(old, "spec", "completions", NULL));
}

/* ---- the rows ---- */

const struct kind_ops kinds_batch[] = {
        {.kind = "Job",
                .defaults = job_defaults,
                .validate = validate_job,
                .columns = "Name,Status,Completions,Duration,Age,Containers::1,Images::1,Selector::1",
                .cells = table_job},
        {.kind = "CronJob",
                .defaults = cron_job_defaults,
                .columns = "Name,Schedule,Timezone,Suspend,Active:integer,Last Schedule,Age,Containers::1,Images::1,"
                           "Selector::1",
                .cells = table_cron_job},
        {0},
};
