/* What a job's status may become, whoever writes it: a job that is managed by another controller (spec.managedBy) shall
 * look as any other to who waits for it. Upstream: ValidateJobUpdateStatus of pkg/apis/batch/validation, and which of
 * its rules apply to a write in pkg/registry/batch/job: most look only at what changes, so that a status that was let
 * in otherwise can be mended piece by piece. */
#include "api/machinery/rules/groups/batch/batch_int.h"
#include "api/machinery/rules/groups/batch/job_indexes.h"
#include "base/check.h"

/* ---- what was, and what is to be ---- */

struct job_state {
	const struct json *spec, *status;
	bool is_complete, is_failed, is_finished, is_to_fail, is_met;
};

struct job_change {
	struct field_errors *e;
	struct job_state now, old;
};

static bool is_true(const struct json *status, const char *type)
{
	JSON_FOREACH (it, json_get(status, "conditions"))
		if (slice_is(json_get_str(it, "type"), type) && slice_is(json_get_str(it, "status"), "True"))
			return true;
	return false;
}

static struct job_state state_of(const struct json *job)
{
	const struct json *status = json_get(job, "status");
	struct job_state s = {.spec = json_get(job, "spec"), .status = status};
	s.is_complete = is_true(status, "Complete");
	s.is_failed = is_true(status, "Failed");
	s.is_finished = s.is_complete || s.is_failed;
	s.is_to_fail = is_true(status, "FailureTarget");
	s.is_met = is_true(status, "SuccessCriteriaMet");
	return s;
}

/* A text or a number; absent, "" and 0 are one. */
static bool differs(const struct job_change *c, const char *member)
{
	const struct json *now = json_get(c->now.status, member), *old = json_get(c->old.status, member);
	if (!json_str(now).len && !json_str(old).len && json_int(now, 0) == 0 && json_int(old, 0) == 0)
		return false;
	return !json_equal(now, old);
}

/* ---- conditions ---- */

static void refuse_conditions(const struct job_change *c, bool is_wrong, const char *detail)
{
	if (is_wrong)
		field_error_add(c->e, "FieldValueInvalid", "status.conditions", "Invalid value: %s", detail);
}

static void check_verdicts(const struct job_change *c)
{
	const struct job_state *now = &c->now, *old = &c->old;
	bool completes = now->is_complete != old->is_complete, fails = now->is_failed != old->is_failed;
	refuse_conditions(c, (completes || fails) && now->is_complete && now->is_failed,
	        "cannot set Complete=True and Failed=true conditions");
	refuse_conditions(c, (completes || now->is_to_fail != old->is_to_fail) && now->is_complete && now->is_to_fail,
	        "cannot set Complete=True and FailureTarget=true conditions");
	refuse_conditions(c, (fails || now->is_to_fail != old->is_to_fail) && now->is_failed && !now->is_to_fail,
	        "cannot set Failed=True condition without the FailureTarget=true condition");
	refuse_conditions(c, (completes || now->is_met != old->is_met) && now->is_complete && !now->is_met,
	        "cannot set Complete=True condition without the SuccessCriteriaMet=true condition");
	refuse_conditions(
	        c, now->is_met && now->is_failed, "cannot set SuccessCriteriaMet=True and Failed=true conditions");
	refuse_conditions(c, now->is_met && now->is_to_fail,
	        "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions");
	refuse_conditions(c, json_get(now->spec, "successPolicy") && !now->is_met && now->is_complete,
	        "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True");
}

/* What was decided stays decided. */
static void check_lasting(const struct job_change *c)
{
	const struct job_state *now = &c->now, *old = &c->old;
	refuse_conditions(c, old->is_failed && !now->is_failed, "cannot disable the terminal Failed=True condition");
	refuse_conditions(
	        c, old->is_complete && !now->is_complete, "cannot disable the terminal Complete=True condition");
	refuse_conditions(
	        c, old->is_to_fail && !now->is_to_fail, "cannot disable the terminal FailureTarget=True condition");
	refuse_conditions(c, old->is_met && !now->is_met, "cannot disable the SuccessCriteriaMet=True condition");
	refuse_conditions(c, old->is_complete && !old->is_met && now->is_met,
	        "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions");
}

/* ---- times ---- */

/* As Go prints a time: "2026-01-02 03:04:05 +0000 UTC". */
static void bad_time(struct field_errors *e, const char *field, struct slice time, const char *detail)
{
	struct slice clock = time, day = slice_cut(&clock, 'T');
	if (slice_ends(clock, "Z"))
		clock.len--;
	field_error_add(e, "FieldValueInvalid", field, "Invalid value: %.*s %.*s +0000 UTC: %s", SLICE_FMT(day),
	        SLICE_FMT(clock), detail);
}

static void check_times(const struct job_change *c)
{
	const struct job_state *now = &c->now, *old = &c->old;
	struct slice began = json_get_str(now->status, "startTime"), had = json_get_str(old->status, "startTime"),
	             done = json_get_str(now->status, "completionTime"),
	             was_done = json_get_str(old->status, "completionTime");
	bool begins = !slice_eq(began, had), ends = !slice_eq(done, was_done);
	bool completes = now->is_complete != old->is_complete || ends;
	if (completes && done.len && !now->is_complete)
		bad_time(c->e, "status.completionTime", done,
		        "cannot set completionTime when there is no Complete=True condition");
	if (completes && !done.len && now->is_complete)
		bad_required(c->e, "status.completionTime", "completionTime is required for Complete jobs");
	if ((begins || ends) && began.len && done.len && slice_cmp(done, began) < 0)
		bad_time(c->e, "status.completionTime", done, "must be equal to or after `startTime`");
	if ((now->is_finished != old->is_finished || begins) && !began.len && now->is_finished)
		bad_required(c->e, "status.startTime", "startTime is required for finished job");
	if (ends && done.len && was_done.len)
		bad_time(c->e, "status.completionTime", done, "field is immutable");
	if (begins && had.len && !json_get_bool(now->spec, "suspend", false))
		bad_required(c->e, "status.startTime", "startTime cannot be removed for unsuspended job");
}

/* ---- counters ---- */

static void check_counters(const struct job_change *c)
{
	static const char *const counters[] = {"active", "succeeded", "failed", "ready", "terminating"};
	const struct json *now = c->now.status, *old = c->old.status;
	bool finishes = c->now.is_finished != c->old.is_finished, is_finished = c->now.is_finished;
	int64_t active = json_get_int(now, "active", 0), ready = json_get_int(now, "ready", 0),
	        terminating = json_get_int(now, "terminating", 0);
	for (size_t i = 0; i < COUNT_OF(counters); i++)
		check_non_negative(c->e, at(c->e, "status.%s", counters[i]), json_get(now, counters[i]));
	if ((finishes || differs(c, "active")) && is_finished && active > 0)
		bad_number(c->e, "status.active", active, "active>0 is invalid for finished job");
	if ((finishes || differs(c, "terminating")) && is_finished && terminating > 0)
		bad_number(c->e, "status.terminating", terminating, "terminating>0 is invalid for finished job");
	if ((differs(c, "ready") || differs(c, "active")) && json_get(now, "ready") && ready > active)
		bad_number(c->e, "status.ready", ready, "cannot set more ready pods than active");
	if (json_get_int(now, "failed", 0) < json_get_int(old, "failed", 0))
		bad_number(c->e, "status.failed", json_get_int(now, "failed", 0), "cannot decrease the failed counter");
}

/* An indexed job whose completions follow its parallelism may shrink. */
static void check_succeeded(const struct job_change *c)
{
	const struct json *spec = c->now.spec;
	int64_t now = json_get_int(c->now.status, "succeeded", 0);
	bool is_elastic = slice_is(json_get_str(spec, "completionMode"), "Indexed") &&
	                  json_equal(json_get(spec, "completions"), json_get(spec, "parallelism"));
	if (!is_elastic && now < json_get_int(c->old.status, "succeeded", 0))
		bad_number(c->e, "status.succeeded", now, "cannot decrease the succeeded counter");
}

static const char *uids_text(const struct job_change *c, const struct json *uids)
{
	return uids ? go_list_text(c->e->arena, "[]types.UID", uids) : "[]types.UID(nil)";
}

static void check_uncounted(const struct job_change *c)
{
	static const char *const lists[] = {"succeeded", "failed"};
	const struct json *u = json_get(c->now.status, "uncountedTerminatedPods");
	struct name_set seen = {MAP_INIT};
	bool any = false;
	for (size_t k = 0; k < COUNT_OF(lists); k++) {
		int i = 0;
		JSON_FOREACH (it, json_get(u, lists[k])) {
			const char *field = at(c->e, "status.uncountedTerminatedPods.%s[%d]", lists[k], i++);
			any = true;
			if (!json_str(it).len)
				bad_value(c->e, field, json_str(it), "must not be empty");
			else if (!name_set_add(&seen, json_str(it)))
				bad_duplicate(c->e, field, json_str(it));
		}
	}
	name_set_release(&seen);
	if (any && c->now.is_finished)
		field_error_add(c->e, "FieldValueInvalid", "status.uncountedTerminatedPods",
		        "Invalid value: batch.UncountedTerminatedPods{Succeeded:%s, Failed:%s}: must be empty for "
		        "finished job",
		        uids_text(c, json_get(u, "succeeded")), uids_text(c, json_get(u, "failed")));
}

/* ---- indexes ---- */

static void check_text(const struct job_change *c, const char *member, int64_t completions)
{
	struct slice text = json_get_str(c->now.status, member);
	int64_t unused;
	const char *bad = job_indexes_check(c->e->arena, text, completions, &unused);
	if (bad)
		bad_value(c->e, at(c->e, "status.%s", member), text, at(c->e, "error parsing %s: %s", member, bad));
}

static void check_overlap(const struct job_change *c, int64_t completions)
{
	struct slice failed_text = json_get_str(c->now.status, "failedIndexes");
	struct job_indexes done = job_indexes_parse(
	                           c->e->arena, json_get_str(c->now.status, "completedIndexes"), completions),
	                   failed = job_indexes_parse(c->e->arena, failed_text, completions);
	int64_t index = job_indexes_first_common(&done, &failed);
	if (index >= 0)
		bad_value(c->e, "status.failedIndexes", failed_text,
		        at(c->e, "failedIndexes and completedIndexes overlap at index: %lld", (long long)index));
}

static void check_indexes(const struct job_change *c)
{
	const struct json *spec = c->now.spec, *completions = json_get(spec, "completions"),
	                  *failed = json_get(c->now.status, "failedIndexes");
	struct slice done = json_get_str(c->now.status, "completedIndexes");
	bool per_index = json_get(spec, "backoffLimitPerIndex") != NULL;
	bool done_differs = differs(c, "completedIndexes"), failed_differs = differs(c, "failedIndexes");
	if (done_differs && completions)
		check_text(c, "completedIndexes", json_int(completions, 0));
	if (failed_differs && completions && per_index)
		check_text(c, "failedIndexes", json_int(completions, 0));
	if (done_differs && done.len && !slice_is(json_get_str(spec, "completionMode"), "Indexed"))
		bad_value(c->e, "status.completedIndexes", done,
		        "cannot set non-empty completedIndexes when non-indexed completion mode");
	if (failed_differs && failed && !per_index)
		bad_value(c->e, "status.failedIndexes", json_str(failed),
		        "cannot set non-null failedIndexes when backoffLimitPerIndex is null");
	if ((done_differs || failed_differs) && completions && failed)
		check_overlap(c, json_int(completions, 0));
}

void validate_job_status(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct job_change c = {.e = e, .now = state_of(object), .old = state_of(old)};
	check_counters(&c);
	check_succeeded(&c);
	check_uncounted(&c);
	check_verdicts(&c);
	check_lasting(&c);
	check_times(&c);
	check_indexes(&c);
}
