/* What the files of the job controller share: one look at a job and its pods.
 *
 *     job_pods_read()   facts of the pods                              job_pods.c
 *     job_judge()       counts; does it end, and why                   job_judge.c
 *     job_wants()       which pods go and how many come                job_judge.c
 *     job_track()       who is counted, into a new status              job_track.c
 *     job_settle()      after the marks are off: counters, the end     job_track.c
 *
 * All of these are pure: the job, its pods and the time go in, a status and lists of pods come out. job.c does what
 * they say, one call to the API after the other. */
#ifndef K3X_API_CONTROLLERS_JOB_INT_H
#define K3X_API_CONTROLLERS_JOB_INT_H

#include "api/client/meta.h"
#include "api/controllers/job_policy.h"

#define JOB_FINALIZER "batch.kubernetes.io/job-tracking"
#define JOB_INDEX "batch.kubernetes.io/job-completion-index" /* annotation and label */
#define JOB_INDEX_FAILURES "batch.kubernetes.io/job-index-failure-count"
#define JOB_INDEX_IGNORED_FAILURES "batch.kubernetes.io/job-index-ignored-failure-count"
#define JOB_CONTROLLER_NAME "kubernetes.io/job-controller" /* spec.managedBy */

enum { JOB_UNCOUNTED_MAX = 500, JOB_NO_INDEX = -1 };

/* A pod of the job. */
struct job_pod {
	struct pod_view view;
	const struct json *tree; /* NULL for what only runs: nothing more is asked of it */
	int64_t index;           /* JOB_NO_INDEX: none, or beyond the completions */
	bool is_marked;          /* it has the finalizer, and nobody has asked yet to take it off */
	bool is_active, is_terminating, is_succeeded;
	bool is_failed; /* as the job counts: a terminating one too, unless only failed pods are replaced */
	bool was_counted_succeeded, was_counted_failed; /* in the status, as uncounted */
	enum job_action action;                         /* of the failure policy, when failed */
	const char *fail_message;                       /* JOB_FAIL_JOB */
	int64_t failures, ignored_failures;             /* of its index, before this one: backoffLimitPerIndex */
	int64_t finished_s, restarts;
	bool is_kept; /* the newest failure of an index that has no pod now: its counts are still needed */
};

struct job_condition {
	const char *type, *reason, *message; /* type NULL: none */
};

/* One look. The first part is set by job_sync_init(), what follows by the functions above. */
struct job_sync {
	struct arena *arena;
	struct meta meta;
	struct json *job; /* its status is changed on the way */
	struct json *spec, *status;
	int64_t now_s;
	bool is_satisfied; /* all that was asked for has been seen */
	struct job_backoff backoff;
	/* of the spec */
	int64_t parallelism, completions, backoff_limit; /* completions -1: none */
	int64_t limit_per_index;                         /* -1: none */
	bool is_indexed, is_suspended, only_replaces_failed;
	/* pods */
	struct job_pod *pods;
	size_t count;
	/* job_judge() */
	int64_t active, ready, terminating, succeeded, failed;
	struct job_indexes succeeded_before, succeeded_indexes, failed_indexes;
	struct job_backoff new_backoff;
	struct job_condition end;
	bool must_write;
	int64_t again_s; /* 0: no time is waited for */
	/* job_track() */
	struct job_pod **stripped; /* whose mark comes off */
	size_t stripped_count;
	bool has_more; /* the rest is counted another time */
};

/* What is to be done about pods: either some go or some come. */
struct job_wants {
	struct job_pod **victims;
	size_t victim_count;
	int64_t create;
	int64_t *indexes; /* of those that come; NULL: none have */
};

void job_sync_init(struct job_sync *y, struct arena *a, struct json *job, int64_t now_s);
bool job_is_finished(const struct json *job);
bool job_condition_is(const struct json *status, const char *type); /* "True" */
/* As upstream's ensureJobConditionStatus(): what is absent and "False" stays absent. True when anything changed. */
bool job_condition_set(struct job_sync *y, const char *status, struct job_condition c);
/* spec.managedBy names somebody else. */
bool job_is_foreign(const struct json *job);

bool job_has_mark(struct slice finalizers);
/* Adds a pod; `text` lives as long as the arena. `is_stripping`: its mark is being taken off. */
void job_pods_add(struct job_sync *y, struct slice text, bool is_stripping);
/* After the last: the facts that need the whole job. */
void job_pods_read(struct job_sync *y);
/* The pod of the index that is_kept; NULL when it has none. */
const struct job_pod *job_kept_pod(const struct job_sync *y, int64_t index);

void job_judge(struct job_sync *y);
/* Only when the job does not end, is_satisfied, and it is not being deleted. */
void job_wants(struct job_sync *y, struct job_wants *ret);
/* After that, with y->active as it will be: completion, suspension. `has_managed`: job_wants() was asked. Returns the
 * reason of an event ("Suspended", "Resumed"), NULL when there is none to tell. */
const char *job_conclude(struct job_sync *y, bool has_managed);
/* Fills y->status and the list of pods to strip. y->must_write says whether it has to be stored first. */
void job_track(struct job_sync *y);
/* After the stripping; a pod whose is_marked is true still has its mark. True when the job has ended just now. */
bool job_settle(struct job_sync *y);
/* The pod for one index, or for none. In the arena. */
struct json *job_pod_template(struct job_sync *y, int64_t index, const char **ret_generate_name);

#endif
