/* A job's policies against facts: which rule of podFailurePolicy a failed pod meets, whether successPolicy is met, and
 * how long to wait before a failed pod is made again. Pure: no API, no clock. */
#ifndef K3X_API_CONTROLLERS_JOB_POLICY_H
#define K3X_API_CONTROLLERS_JOB_POLICY_H

#include "api/machinery/rules/groups/batch/job_indexes.h"
#include "base/json/json.h"

enum job_action { JOB_NO_RULE, JOB_IGNORE, JOB_COUNT, JOB_FAIL_INDEX, JOB_FAIL_JOB };

/* The first rule that the failed pod meets decides. `policy`: spec.podFailurePolicy, NULL: none. *ret_message (may be
 * NULL) is set, in the arena, when it fails the job. */
enum job_action job_failure_action(
        struct arena *a, const struct json *policy, const struct json *pod, const char **ret_message);

/* "Matched rules at index 0" when a rule of spec.successPolicy is met, else NULL. */
const char *job_success_message(
        struct arena *a, const struct json *policy, int64_t completions, const struct job_indexes *succeeded);

/* When the pod's last container ended; by its conditions or its deletion where they don't say. Unix time. */
int64_t job_pod_finished_s(const struct json *pod);

/* Failures since the last success, and when the newest of them was. */
struct job_backoff {
	int64_t failures, last_failure_s;
};

/* Of pods that are counted now for the first time: times of those that succeeded and of those that failed. */
struct job_backoff job_backoff_after(struct job_backoff before, const int64_t *succeeded_s, size_t succeeded,
        const int64_t *failed_s, size_t failed);
/* Seconds until the next pod may be made: 10 s after the first failure, doubling to 10 minutes. */
int64_t job_backoff_left_s(struct job_backoff b, int64_t now_s);

#endif
