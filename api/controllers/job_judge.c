/* What a job needs: how many of its pods succeeded and failed, whether it ends and why, which pods go and how many
 * come. Nothing is asked and nothing is written here. The order of the questions is upstream's (syncJob, manageJob of
 * pkg/controller/job/job_controller.go), for it decides the reason that users see. */
#include "api/controllers/job_int.h"

#include "api/controllers/pod_control.h"
#include "api/controllers/ranking.h"

/* ---- counting ---- */

/* A pod that the status does not hold yet. */
static bool is_new(const struct job_sync *y, const struct job_pod *p, bool was_counted)
{
	return p->is_marked && !was_counted && (!y->is_indexed || p->index != JOB_NO_INDEX);
}

static int64_t uncounted(const struct job_sync *y, const char *list)
{
	const struct json *v = json_path(y->status, "uncountedTerminatedPods", list, NULL);
	return v ? v->count : 0;
}

static void count_finished(struct job_sync *y)
{
	int64_t *succeeded_s = ARENA_ARRAY(y->arena, int64_t, y->count + 1),
	        *failed_s = ARENA_ARRAY(y->arena, int64_t, y->count + 1);
	size_t succeeded = 0, failed = 0, ignored = 0;
	for (size_t i = 0; i < y->count; i++) {
		const struct job_pod *p = &y->pods[i];
		if (p->is_succeeded && is_new(y, p, p->was_counted_succeeded))
			succeeded_s[succeeded++] = p->finished_s;
		if (!p->is_failed || !is_new(y, p, p->was_counted_failed))
			continue;
		failed_s[failed++] = p->finished_s;
		ignored += p->action == JOB_IGNORE;
	}
	y->succeeded = json_get_int(y->status, "succeeded", 0) + (int64_t)succeeded + uncounted(y, "succeeded");
	y->failed = json_get_int(y->status, "failed", 0) + (int64_t)(failed - ignored) + uncounted(y, "failed");
	y->new_backoff = job_backoff_after(y->backoff, succeeded_s, succeeded, failed_s, failed);
}

static void count_running(struct job_sync *y)
{
	for (size_t i = 0; i < y->count; i++) {
		const struct job_pod *p = &y->pods[i];
		y->active += p->is_active;
		y->ready += p->is_active && p->view.is_ready;
		y->terminating += p->is_terminating;
	}
}

/* ---- indexes ---- */

static bool has_spent_its_index(const struct job_sync *y, const struct job_pod *p)
{
	if (!p->is_failed || !p->is_marked)
		return false;
	return p->action == JOB_FAIL_INDEX || (p->action != JOB_IGNORE && p->failures >= y->limit_per_index);
}

/* The indexes of pods that `wanted` is true for, joined with those of a text. Pods are in order of them. */
static struct job_indexes indexes_with(struct job_sync *y, const struct job_indexes *before,
        bool (*wanted)(const struct job_sync *y, const struct job_pod *p))
{
	int64_t *list = ARENA_ARRAY(y->arena, int64_t, y->count + 1);
	size_t n = 0;
	for (size_t i = 0; i < y->count; i++)
		if (y->pods[i].index != JOB_NO_INDEX && wanted(y, &y->pods[i]))
			list[n++] = y->pods[i].index;
	struct job_indexes more = job_indexes_of(y->arena, list, n);
	return job_indexes_join(y->arena, before, &more);
}

static bool succeeds(const struct job_sync *y, const struct job_pod *p)
{
	return p->is_succeeded && p->is_marked;
}

static bool is_running(const struct job_sync *y, const struct job_pod *p)
{
	return p->is_active;
}

static bool holds_its_index(const struct job_sync *y, const struct job_pod *p)
{
	return p->is_active || (y->only_replaces_failed && p->is_terminating);
}

/* While no new pod carries the counts of an index on, its newest failed pod stays. */
static void keep_last_failed(struct job_sync *y)
{
	struct job_indexes none = {0}, running = indexes_with(y, &none, is_running);
	struct job_pod *kept = NULL;
	for (size_t i = 0; i < y->count; i++) {
		struct job_pod *p = &y->pods[i];
		if (!p->is_failed || !p->is_marked || p->index == JOB_NO_INDEX || job_indexes_has(&running, p->index) ||
		        job_indexes_has(&y->succeeded_indexes, p->index) ||
		        job_indexes_has(&y->failed_indexes, p->index))
			continue;
		bool same = kept && kept->index == p->index;
		if (same && p->failures + p->ignored_failures < kept->failures + kept->ignored_failures)
			continue;
		if (same)
			kept->is_kept = false;
		p->is_kept = true;
		kept = p;
	}
}

/* ---- the end ---- */

static void end_with(struct job_sync *y, const char *type, const char *reason, const char *message)
{
	y->end = (struct job_condition){type, reason, message};
}

static void fail_with(struct job_sync *y, const char *reason, const char *message)
{
	end_with(y, "FailureTarget", reason, message);
}

/* What an earlier look has decided stays. */
static void end_as_decided(struct job_sync *y)
{
	static const char *const types[][2] = {
	        {"SuccessCriteriaMet", "SuccessCriteriaMet"}, {"FailureTarget", "Failed"}};
	for (size_t i = 0; i < 2 && !y->end.type; i++) {
		const struct json *c = condition_find(json_get(y->status, "conditions"), types[i][0]);
		if (slice_is(json_get_str(c, "status"), "True"))
			end_with(y, types[i][1], json_cstr(y->arena, json_get(c, "reason")),
			        json_cstr(y->arena, json_get(c, "message")));
	}
}

static void end_by_policy(struct job_sync *y)
{
	for (size_t i = 0; i < y->count && !y->end.type; i++)
		if (y->pods[i].action == JOB_FAIL_JOB)
			fail_with(y, "PodFailurePolicy", y->pods[i].fail_message);
}

/* Containers that restart in their pods are failures too. */
static bool restarts_spent(const struct job_sync *y)
{
	int64_t restarts = 0;
	if (!slice_is(json_str(json_path(y->spec, "template", "spec", "restartPolicy", NULL)), "OnFailure"))
		return false;
	for (size_t i = 0; i < y->count; i++)
		restarts += y->pods[i].restarts;
	return y->backoff_limit ? restarts >= y->backoff_limit : restarts > 0;
}

static void come_again(struct job_sync *y, int64_t s)
{
	if (s > 0 && (!y->again_s || s < y->again_s))
		y->again_s = s;
}

static void end_by_limits(struct job_sync *y)
{
	const struct json *deadline = json_get(y->spec, "activeDeadlineSeconds");
	int64_t left_s = kube_time_parse(json_get_str(y->status, "startTime")) + json_int(deadline, 0) - y->now_s;
	if (y->failed > y->backoff_limit || restarts_spent(y)) {
		fail_with(y, "BackoffLimitExceeded", "Job has reached the specified backoff limit");
	} else if (deadline && !y->is_suspended) {
		if (left_s <= 0)
			fail_with(y, "DeadlineExceeded", "Job was active longer than specified deadline");
		come_again(y, left_s);
	}
}

static void judge_indexes(struct job_sync *y)
{
	struct job_indexes before;
	y->succeeded_before = job_indexes_parse(y->arena, json_get_str(y->status, "completedIndexes"), y->completions);
	y->succeeded_indexes = indexes_with(y, &y->succeeded_before, succeeds);
	y->succeeded = job_indexes_total(&y->succeeded_indexes);
	if (y->limit_per_index >= 0) {
		before = job_indexes_parse(y->arena, json_get_str(y->status, "failedIndexes"), y->completions);
		y->failed_indexes = indexes_with(y, &before, has_spent_its_index);
		int64_t failed = job_indexes_total(&y->failed_indexes);
		const struct json *limit = json_get(y->spec, "maxFailedIndexes");
		if (!y->end.type && limit && failed > json_int(limit, 0))
			fail_with(y, "MaxFailedIndexesExceeded",
			        "Job has exceeded the specified maximal number of failed indexes");
		else if (!y->end.type && failed > 0 && failed + y->succeeded >= y->completions)
			fail_with(y, "FailedIndexes", "Job has failed indexes");
		keep_last_failed(y);
	}
	const char *met = job_success_message(
	        y->arena, json_get(y->spec, "successPolicy"), y->completions, &y->succeeded_indexes);
	if (!y->end.type && met)
		end_with(y, "SuccessCriteriaMet", "SuccessPolicy", met);
}

void job_judge(struct job_sync *y)
{
	json_need(y->arena, y->status, "uncountedTerminatedPods", JSON_OBJECT);
	count_running(y);
	count_finished(y);
	if (!json_get(y->status, "startTime") && !y->is_suspended) {
		json_set_cstr(y->arena, y->status, "startTime", kube_time_text(y->arena, y->now_s));
		y->must_write = true;
	}
	end_as_decided(y);
	if (!y->end.type)
		end_by_policy(y);
	if (!y->end.type)
		end_by_limits(y);
	if (y->is_indexed)
		judge_indexes(y);
}

/* ---- pods that go ---- */

static void add_victim(struct job_wants *w, struct job_pod *p)
{
	w->victims[w->victim_count++] = p;
}

/* The first to go at the front. */
static void rank(struct arena *a, struct job_pod **pods, size_t n, int64_t now_s)
{
	struct ranked_pod *ranked = ARENA_ARRAY(a, struct ranked_pod, n + 1);
	struct map by_uid = MAP_INIT;
	for (size_t i = 0; i < n; i++) {
		ranked[i].pod = pods[i]->view;
		map_put(&by_uid, pods[i]->view.meta.uid, pods[i]);
	}
	ranking_sort(ranked, n, now_s);
	for (size_t i = 0; i < n; i++)
		pods[i] = map_get(&by_uid, ranked[i].pod.meta.uid);
	map_release(&by_uid);
}

/* Of several pods of one index one stays; those of none go. What stays is collected in `left`. */
static size_t drop_duplicates(
        struct job_sync *y, struct job_wants *w, struct job_pod **active, size_t n, struct job_pod **left)
{
	size_t kept = 0;
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && active[end]->index == active[i]->index; end++)
			;
		bool is_one = active[i]->index != JOB_NO_INDEX;
		if (is_one && end - i > 1)
			rank(y->arena, active + i, end - i, y->now_s);
		for (size_t k = i; k < end - is_one; k++)
			add_victim(w, active[k]);
		if (is_one)
			left[kept++] = active[end - 1];
	}
	return kept;
}

static void choose_victims(struct job_sync *y, struct job_wants *w, size_t at_least)
{
	struct job_pod **active = ARENA_ARRAY(y->arena, struct job_pod *, y->count + 1),
	               **left = ARENA_ARRAY(y->arena, struct job_pod *, y->count + 1);
	size_t n = 0;
	w->victims = ARENA_ARRAY(y->arena, struct job_pod *, y->count + 1);
	for (size_t i = 0; i < y->count; i++)
		if (y->pods[i].is_active)
			active[n++] = &y->pods[i];
	if (y->is_indexed)
		n = drop_duplicates(y, w, active, n, left);
	else
		left = active;
	if (w->victim_count < at_least && n + w->victim_count > at_least)
		rank(y->arena, left, n, y->now_s);
	for (size_t i = 0; w->victim_count < at_least && i < n; i++)
		add_victim(w, left[i]);
	if (w->victim_count > POD_BATCH_MAX)
		w->victim_count = POD_BATCH_MAX;
}

/* ---- pods that come ---- */

/* Indexes whose last failure is long enough ago; if none is, the job comes again when the first will be. */
static int64_t drop_waiting(struct job_sync *y, int64_t *indexes, int64_t n)
{
	int64_t now = 0;
	for (int64_t i = 0; i < n; i++) {
		const struct job_pod *before = job_kept_pod(y, indexes[i]);
		struct job_backoff b = {0};
		if (before)
			b = (struct job_backoff){before->failures + before->ignored_failures + 1, before->finished_s};
		int64_t left_s = job_backoff_left_s(b, y->now_s);
		if (left_s)
			come_again(y, left_s);
		else
			indexes[now++] = indexes[i];
	}
	return now;
}

static void choose_indexes(struct job_sync *y, struct job_wants *w)
{
	struct job_indexes taken = indexes_with(y, &y->succeeded_indexes, holds_its_index);
	taken = job_indexes_join(y->arena, &taken, &y->failed_indexes);
	w->indexes = ARENA_ARRAY(y->arena, int64_t, w->create + 1);
	w->create = (int64_t)job_indexes_free(&taken, y->completions, (size_t)w->create, w->indexes);
	if (y->limit_per_index >= 0)
		w->create = drop_waiting(y, w->indexes, w->create);
}

/* How many should run. */
static int64_t wanted(const struct job_sync *y)
{
	if (y->is_suspended)
		return 0;
	if (y->completions < 0) /* once one has succeeded the others may end, and none comes */
		return y->succeeded > 0 ? y->active : y->parallelism;
	int64_t open = y->completions - y->succeeded;
	open = open > 0 ? open : 0;
	return open < y->parallelism ? open : y->parallelism;
}

void job_wants(struct job_sync *y, struct job_wants *ret)
{
	int64_t want = wanted(y);
	*ret = (struct job_wants){0};
	choose_victims(y, ret, y->active > want ? (size_t)(y->active - want) : 0);
	if (ret->victim_count || y->is_suspended)
		return;
	ret->create = want - y->active - (y->only_replaces_failed ? y->terminating : 0);
	int64_t left_s = y->limit_per_index >= 0 ? 0 : job_backoff_left_s(y->new_backoff, y->now_s);
	if (ret->create > 0 && left_s)
		come_again(y, left_s);
	ret->create = ret->create < 0 || left_s ? 0 : ret->create;
	if (ret->create > POD_BATCH_MAX)
		ret->create = POD_BATCH_MAX;
	if (ret->create && y->is_indexed)
		choose_indexes(y, ret);
}

/* ---- what follows from it ---- */

static const char *conclude_suspension(struct job_sync *y)
{
	static const struct job_condition suspended = {"Suspended", "JobSuspended", "Job suspended"},
	                                  resumed = {"Suspended", "JobResumed", "Job resumed"};
	if (!job_condition_set(y, y->is_suspended ? "True" : "False", y->is_suspended ? suspended : resumed))
		return NULL;
	y->must_write = true;
	if (y->is_suspended)
		return "Suspended";
	/* the deadline counts from here */
	json_set_cstr(y->arena, y->status, "startTime", kube_time_text(y->arena, y->now_s));
	return "Resumed";
}

const char *job_conclude(struct job_sync *y, bool has_managed)
{
	bool is_enough = y->completions < 0 ? y->succeeded > 0 : y->succeeded >= y->completions;
	if (is_enough && y->active == 0)
		end_with(y, "SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods");
	else if (has_managed)
		return conclude_suspension(y);
	return NULL;
}
