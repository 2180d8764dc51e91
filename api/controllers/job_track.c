/* Counting each pod once. A pod that the controller made has a finalizer, so it stays until it is counted:
 *
 *     a pod ends --> its uid goes into status.uncountedTerminatedPods (stored) --> its finalizer comes off -->
 *     the uid leaves the list and the counter goes up (stored)
 *
 * After a crash at any place the status and the finalizers say together what is counted: a uid in the list whose pod
 * has no finalizer any more is counted now, one whose pod still has it is waited for. For an indexed job
 * completedIndexes does what the list does for pods that succeed. A job ends only when the list is empty and no pod is
 * terminating. Upstream: trackJobStatusAndRemoveFinalizers() of pkg/controller/job/job_controller.go. */
#include "api/controllers/job_int.h"

static struct json *uncounted(struct job_sync *y, const char *list)
{
	struct json *u = json_need(y->arena, y->status, "uncountedTerminatedPods", JSON_OBJECT);
	return json_need(y->arena, u, list, JSON_ARRAY);
}

static void add_int(struct job_sync *y, const char *name, int64_t n)
{
	json_set_int(y->arena, y->status, name, json_get_int(y->status, name, 0) + n);
}

static void drop_if_empty(struct job_sync *y, const char *list)
{
	if (!uncounted(y, list)->first)
		json_del(json_get(y->status, "uncountedTerminatedPods"), list);
}

/* ---- from the list to the counter ---- */

/* Uids whose pod has no finalizer: they have left the list for the counter. */
static int64_t count_stripped(struct job_sync *y, const char *list, const struct map *marked)
{
	struct json *uids = uncounted(y, list);
	int64_t n = 0;
	for (struct json *next, *it = uids->first; it; it = next) {
		next = it->next;
		if (map_get(marked, json_str(it)))
			continue;
		json_remove(uids, it);
		n++;
	}
	drop_if_empty(y, list);
	if (n)
		add_int(y, list, n);
	return n;
}

static bool clean_uncounted(struct job_sync *y)
{
	struct map marked = MAP_INIT;
	for (size_t i = 0; i < y->count; i++)
		if (y->pods[i].is_marked)
			map_put(&marked, y->pods[i].view.meta.uid, &y->pods[i]);
	int64_t n = count_stripped(y, "succeeded", &marked) + count_stripped(y, "failed", &marked);
	map_release(&marked);
	return n > 0;
}

/* ---- who is counted now ---- */

static bool may_strip(const struct job_sync *y, const struct job_pod *p)
{
	if (!p->is_marked)
		return false;
	if (y->meta.deletion_timestamp.len || y->end.type || p->is_succeeded)
		return true;
	return p->is_failed && !p->is_kept;
}

static void note(struct job_sync *y, const char *list, const struct job_pod *p)
{
	json_append(uncounted(y, list), json_new_str(y->arena, p->view.meta.uid));
	y->must_write = true;
}

static bool ends_in_failure(const struct job_sync *y)
{
	return y->end.type && strcmp(y->end.type, "SuccessCriteriaMet") != 0;
}

/* Whether it takes a place among what is counted in this round. */
static bool count_pod(struct job_sync *y, const struct job_pod *p)
{
	bool has_place = !y->is_indexed || p->index != JOB_NO_INDEX;
	if (p->is_succeeded && !p->was_counted_failed) {
		if (y->is_indexed) {
			bool is_first = has_place && !job_indexes_has(&y->succeeded_before, p->index);
			y->must_write |= is_first;
			return is_first;
		}
		if (p->was_counted_succeeded)
			return false;
		note(y, "succeeded", p);
		return true;
	}
	/* When a job fails, what still runs fails with it. */
	if ((!p->is_failed && !ends_in_failure(y)) || p->was_counted_failed || !has_place || p->action == JOB_IGNORE)
		return false;
	note(y, "failed", p);
	return true;
}

static void count_pods(struct job_sync *y)
{
	size_t counted = uncounted(y, "succeeded")->count + uncounted(y, "failed")->count;
	int64_t *indexes = ARENA_ARRAY(y->arena, int64_t, y->count + 1);
	size_t n = 0;
	y->stripped = ARENA_ARRAY(y->arena, struct job_pod *, y->count + 1);
	for (size_t i = 0; i < y->count && !y->has_more; i++) {
		struct job_pod *p = &y->pods[i];
		if (!may_strip(y, p))
			continue;
		y->stripped[y->stripped_count++] = p;
		counted += count_pod(y, p);
		if (p->is_succeeded && p->index != JOB_NO_INDEX)
			indexes[n++] = p->index;
		y->has_more = counted >= JOB_UNCOUNTED_MAX || y->stripped_count >= JOB_UNCOUNTED_MAX;
	}
	struct job_indexes more = job_indexes_of(y->arena, indexes, n);
	y->succeeded_indexes = job_indexes_join(y->arena, &y->succeeded_before, &more);
}

/* ---- the status ---- */

static void put_text(struct job_sync *y, const char *name, const char *text)
{
	if (!slice_is(json_get_str(y->status, name), text) || !json_get(y->status, name))
		y->must_write = true;
	json_set_cstr(y->arena, y->status, name, text);
}

static void put_int(struct job_sync *y, const char *name, int64_t n)
{
	if (json_get_int(y->status, name, -1) != n)
		y->must_write = true;
	json_set_int(y->arena, y->status, name, n);
}

/* Counters that are 0 are absent. */
static void put_count(struct job_sync *y, const char *name, int64_t n)
{
	if (n)
		put_int(y, name, n);
	else
		y->must_write |= json_del(y->status, name);
}

static void put_indexes(struct job_sync *y)
{
	const char *text = job_indexes_text(y->arena, &y->succeeded_indexes);
	if (*text || json_get(y->status, "completedIndexes"))
		put_text(y, "completedIndexes", text);
	put_count(y, "succeeded", job_indexes_total(&y->succeeded_indexes));
	if (y->limit_per_index >= 0)
		put_text(y, "failedIndexes", job_indexes_text(y->arena, &y->failed_indexes));
}

/* The intermediate condition is stored before anything comes off; the final one after. */
static void put_intermediate(struct job_sync *y)
{
	bool succeeds = y->end.type && strcmp(y->end.type, "SuccessCriteriaMet") == 0;
	if (!y->end.type || strcmp(y->end.type, "Failed") == 0)
		return;
	y->must_write |= job_condition_set(y, "True", y->end);
	y->end.type = succeeds ? "Complete" : "Failed";
}

void job_track(struct job_sync *y)
{
	put_count(y, "active", y->active);
	put_int(y, "ready", y->ready);
	put_int(y, "terminating", y->terminating);
	y->must_write |= clean_uncounted(y);
	count_pods(y);
	drop_if_empty(y, "succeeded");
	drop_if_empty(y, "failed");
	if (y->is_indexed)
		put_indexes(y);
	put_intermediate(y);
}

bool job_settle(struct job_sync *y)
{
	y->must_write = clean_uncounted(y);
	const struct json *u = json_get(y->status, "uncountedTerminatedPods");
	if (!y->end.type || y->has_more || json_get(u, "succeeded") || json_get(u, "failed") || y->terminating > 0)
		return false;
	job_condition_set(y, "True", y->end);
	if (strcmp(y->end.type, "Complete") == 0)
		json_set_cstr(y->arena, y->status, "completionTime", kube_time_text(y->arena, y->now_s));
	y->must_write = true;
	return true;
}
