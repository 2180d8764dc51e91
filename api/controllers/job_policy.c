/* See job_policy.h. Upstream: pkg/controller/job/pod_failure_policy.go, success_policy.go, backoff_utils.go. */
#include "api/controllers/job_policy.h"

#include "api/client/meta.h"

#include <inttypes.h>

/* As upstream's code has it; its documentation speaks of six minutes. */
enum { BACKOFF_FIRST_S = 10, BACKOFF_MAX_S = 600 };

/* ---- pod failure policy ---- */

static bool has_number(const struct json *values, int64_t n)
{
	JSON_FOREACH (it, values)
		if (json_int(it, -1) == n)
			return true;
	return false;
}

static const struct json *match_exit(const struct json *statuses, const struct json *rule)
{
	struct slice name = json_get_str(rule, "containerName");
	bool is_in = slice_is(json_get_str(rule, "operator"), "In");
	JSON_FOREACH (it, statuses) {
		const struct json *code = json_path(it, "state", "terminated", "exitCode", NULL);
		if ((name.len && !slice_eq(name, json_get_str(it, "name"))) || json_int(code, 0) == 0)
			continue;
		if (has_number(json_get(rule, "values"), json_int(code, 0)) == is_in)
			return it;
	}
	return NULL;
}

static const struct json *match_condition(const struct json *conditions, const struct json *patterns)
{
	JSON_FOREACH (it, conditions)
		JSON_FOREACH (p, patterns) {
			struct slice status = json_get_str(p, "status");
			if (slice_eq(json_get_str(it, "type"), json_get_str(p, "type")) &&
			        slice_eq(json_get_str(it, "status"), status.len ? status : SLICE("True")))
				return it;
		}
	return NULL;
}

static enum job_action action_of(struct slice name)
{
	static const char *const names[] = {[JOB_IGNORE] = "Ignore",
	        [JOB_COUNT] = "Count",
	        [JOB_FAIL_INDEX] = "FailIndex",
	        [JOB_FAIL_JOB] = "FailJob"};
	for (enum job_action k = JOB_IGNORE; k <= JOB_FAIL_JOB; k++)
		if (slice_is(name, names[k]))
			return k;
	return JOB_NO_RULE;
}

/* What is told when the rule fails the job; NULL when the pod does not meet it. */
static const char *match_rule(struct arena *a, const struct json *rule, const struct json *pod, int index)
{
	const struct json *meta = json_get(pod, "metadata"), *status = json_get(pod, "status"), *hit;
	struct slice ns = json_get_str(meta, "namespace"), name = json_get_str(meta, "name"),
	             action = json_get_str(rule, "action");
	const struct json *codes = json_get(rule, "onExitCodes"), *conditions = json_get(rule, "onPodConditions");
	if (codes) {
		if (!(hit = match_exit(json_get(status, "containerStatuses"), codes)) &&
		        !(hit = match_exit(json_get(status, "initContainerStatuses"), codes)))
			return NULL;
		return arena_printf(a,
		        "Container %.*s for pod %.*s/%.*s failed with exit code %" PRId64
		        " matching %.*s rule at index %d",
		        SLICE_FMT(json_get_str(hit, "name")), SLICE_FMT(ns), SLICE_FMT(name),
		        json_int(json_path(hit, "state", "terminated", "exitCode", NULL), 0), SLICE_FMT(action), index);
	}
	if (!(hit = match_condition(json_get(status, "conditions"), conditions)))
		return NULL;
	return arena_printf(a, "Pod %.*s/%.*s has condition %.*s matching %.*s rule at index %d", SLICE_FMT(ns),
	        SLICE_FMT(name), SLICE_FMT(json_get_str(hit, "type")), SLICE_FMT(action), index);
}

enum job_action job_failure_action(
        struct arena *a, const struct json *policy, const struct json *pod, const char **ret_message)
{
	int index = 0;
	JSON_FOREACH (rule, json_get(policy, "rules")) {
		const char *message = match_rule(a, rule, pod, index++);
		enum job_action action = message ? action_of(json_get_str(rule, "action")) : JOB_NO_RULE;
		if (action == JOB_NO_RULE)
			continue; /* an action that a later version knows */
		if (action == JOB_FAIL_JOB && ret_message)
			*ret_message = message;
		return action;
	}
	return JOB_NO_RULE;
}

/* ---- success policy ---- */

static bool success_rule_met(
        struct arena *a, const struct json *rule, int64_t completions, const struct job_indexes *succeeded)
{
	const struct json *indexes = json_get(rule, "succeededIndexes"), *count = json_get(rule, "succeededCount");
	if (!indexes)
		return count && job_indexes_total(succeeded) >= json_int(count, 0);
	struct job_indexes wanted = job_indexes_parse(a, json_str(indexes), completions);
	int64_t have = job_indexes_common(&wanted, succeeded);
	return have >= (count ? json_int(count, 0) : job_indexes_total(&wanted));
}

const char *job_success_message(
        struct arena *a, const struct json *policy, int64_t completions, const struct job_indexes *succeeded)
{
	int index = 0;
	if (!succeeded->n)
		return NULL;
	JSON_FOREACH (rule, json_get(policy, "rules")) {
		if (success_rule_met(a, rule, completions, succeeded))
			return arena_printf(a, "Matched rules at index %d", index);
		index++;
	}
	return NULL;
}

/* ---- back-off ---- */

static int64_t max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* 0 unless every container has ended. */
static int64_t containers_finished_s(const struct json *pod)
{
	int64_t last = 0;
	JSON_FOREACH (it, json_path(pod, "status", "containerStatuses", NULL)) {
		int64_t t = kube_time_parse(json_str(json_path(it, "state", "terminated", "finishedAt", NULL)));
		if (!t)
			return 0;
		last = max(last, t);
	}
	return last;
}

int64_t job_pod_finished_s(const struct json *pod)
{
	const struct json *meta = json_get(pod, "metadata");
	const struct json *ready = condition_find(json_path(pod, "status", "conditions", NULL), "Ready");
	int64_t t = containers_finished_s(pod);
	if (!t && slice_is(json_get_str(ready, "status"), "False"))
		t = kube_time_parse(json_get_str(ready, "lastTransitionTime"));
	if (!t && json_get(meta, "deletionTimestamp"))
		t = kube_time_parse(json_get_str(meta, "deletionTimestamp")) -
		    json_get_int(meta, "deletionGracePeriodSeconds", 0);
	return t ? t : kube_time_parse(json_get_str(meta, "creationTimestamp"));
}

struct job_backoff job_backoff_after(
        struct job_backoff before, const int64_t *succeeded_s, size_t succeeded, const int64_t *failed_s, size_t failed)
{
	struct job_backoff b = before;
	int64_t success_s = 0;
	for (size_t i = 0; i < succeeded; i++)
		success_s = max(success_s, succeeded_s[i]);
	/* Times are whole seconds: what failed in the second of a success is taken to have failed after it. */
	if (succeeded && success_s > b.last_failure_s)
		b = (struct job_backoff){0};
	for (size_t i = 0; i < failed; i++) {
		if (succeeded && failed_s[i] < success_s)
			continue;
		b.failures++;
		b.last_failure_s = max(b.last_failure_s, failed_s[i]);
	}
	return b;
}

int64_t job_backoff_left_s(struct job_backoff b, int64_t now_s)
{
	int64_t wait_s = BACKOFF_FIRST_S;
	if (!b.failures)
		return 0;
	for (int64_t i = 1; i < b.failures && wait_s < BACKOFF_MAX_S; i++)
		wait_s *= 2;
	if (wait_s > BACKOFF_MAX_S)
		wait_s = BACKOFF_MAX_S;
	return max(0, b.last_failure_s + wait_s - now_s);
}
