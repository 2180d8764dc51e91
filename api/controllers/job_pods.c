/* What a job asks of its pods, and the pod that it makes. Pods that only run are scanned, not parsed: of a job's many
 * pods most run. Upstream: pkg/controller/job/job_controller.go, indexed_job_utils.go. */
#include "api/controllers/job_int.h"

#include "base/check.h"
#include "base/json/scan.h"

#include <inttypes.h>
#include <stdlib.h>

enum { GENERATED_PREFIX_MAX = 58 }; /* what a generated name leaves of a prefix */

/* ---- the job ---- */

bool job_condition_is(const struct json *status, const char *type)
{
	const struct json *c = condition_find(json_get(status, "conditions"), type);
	return slice_is(json_get_str(c, "status"), "True");
}

bool job_is_finished(const struct json *job)
{
	const struct json *status = json_get(job, "status");
	return job_condition_is(status, "Complete") || job_condition_is(status, "Failed");
}

bool job_is_foreign(const struct json *job)
{
	struct slice manager = json_str(json_path(job, "spec", "managedBy", NULL));
	return manager.len && !slice_is(manager, JOB_CONTROLLER_NAME);
}

bool job_condition_set(struct job_sync *y, const char *status, struct job_condition c)
{
	struct arena *a = y->arena;
	struct json *list = json_need(a, y->status, "conditions", JSON_ARRAY), *it = condition_find(list, c.type);
	if (!it && strcmp(status, "False") == 0)
		return false;
	if (it && slice_is(json_get_str(it, "status"), status) && slice_is(json_get_str(it, "reason"), c.reason) &&
	        slice_is(json_get_str(it, "message"), c.message))
		return false;
	if (!it) {
		it = json_new(a, JSON_OBJECT);
		json_append(list, it);
	}
	const char *now = kube_time_text(a, y->now_s);
	json_set_cstr(a, it, "type", c.type);
	json_set_cstr(a, it, "status", status);
	json_set_cstr(a, it, "lastProbeTime", now);
	json_set_cstr(a, it, "lastTransitionTime", now);
	json_set_cstr(a, it, "reason", c.reason);
	json_set_cstr(a, it, "message", c.message);
	return true;
}

void job_sync_init(struct job_sync *y, struct arena *a, struct json *job, int64_t now_s)
{
	struct json *spec = json_get(job, "spec");
	y->arena = a;
	y->job = job;
	y->spec = spec;
	y->status = json_need(a, job, "status", JSON_OBJECT);
	y->now_s = now_s;
	y->parallelism = json_get_int(spec, "parallelism", 1);
	y->completions = json_get_int(spec, "completions", -1);
	y->backoff_limit = json_get_int(spec, "backoffLimit", 6);
	y->limit_per_index = json_get_int(spec, "backoffLimitPerIndex", -1);
	y->is_indexed = slice_is(json_get_str(spec, "completionMode"), "Indexed");
	y->is_suspended = json_get_bool(spec, "suspend", false);
	y->only_replaces_failed =
	        json_get(spec, "podFailurePolicy") || slice_is(json_get_str(spec, "podReplacementPolicy"), "Failed");
}

/* ---- its pods ---- */

bool job_has_mark(struct slice finalizers)
{
	return finalizers.len &&
	       memmem(finalizers.ptr, finalizers.len, "\"" JOB_FINALIZER "\"", sizeof JOB_FINALIZER + 1) != NULL;
}

static int64_t annotation(const struct pod_view *p, const char *name, int64_t fallback)
{
	int64_t n;
	return slice_to_i64(json_find(p->meta.annotations, name, NULL), &n) ? n : fallback;
}

static int64_t restarts_in(struct slice statuses)
{
	struct json_scan s;
	int64_t sum = 0, n;
	json_scan_init(&s, statuses);
	if (!statuses.len || json_scan_next(&s) != JSON_TOKEN_ARRAY)
		return 0;
	while (json_scan_element(&s))
		if (json_scan_skip(&s) && slice_to_i64(json_find(s.text, "restartCount", NULL), &n))
			sum += n;
	return sum;
}

static bool counts_as_failed(const struct job_sync *y, const struct job_pod *p)
{
	if (slice_is(p->view.phase, "Failed"))
		return true;
	/* One that is deleted before it had a node never comes to an end. */
	return p->is_terminating && (!y->only_replaces_failed || !p->view.node.len);
}

void job_pods_add(struct job_sync *y, struct slice text, bool is_stripping)
{
	struct job_pod *p = &y->pods[y->count++];
	*p = (struct job_pod){.index = JOB_NO_INDEX};
	pod_view_read(text, &p->view);
	p->is_marked = !is_stripping && job_has_mark(p->view.meta.finalizers);
	p->is_succeeded = slice_is(p->view.phase, "Succeeded");
	p->is_active = pod_view_is_active(&p->view);
	p->is_terminating =
	        p->view.meta.deletion_timestamp.len && !p->is_succeeded && !slice_is(p->view.phase, "Failed");
	p->is_failed = counts_as_failed(y, p);
	p->index = annotation(&p->view, JOB_INDEX, JOB_NO_INDEX);
	if (p->index < 0 || p->index >= y->completions)
		p->index = JOB_NO_INDEX;
	if (p->is_active)
		p->restarts = restarts_in(json_find(text, "status", "containerStatuses", NULL)) +
		              restarts_in(json_find(text, "status", "initContainerStatuses", NULL));
	if ((p->is_succeeded || p->is_failed) && p->is_marked)
		p->tree = json_parse(y->arena, text, NULL, NULL);
}

static void note_uncounted(struct job_sync *y, const char *list, size_t flag)
{
	struct map uids = MAP_INIT;
	JSON_FOREACH (it, json_path(y->status, "uncountedTerminatedPods", list, NULL))
		map_put(&uids, json_str(it), it);
	for (size_t i = 0; uids.count && i < y->count; i++)
		if (map_get(&uids, y->pods[i].view.meta.uid))
			*(bool *)((char *)&y->pods[i] + flag) = true;
	map_release(&uids);
}

/* In order of their indexes: so they are counted and stripped. */
static int by_index(const void *x, const void *y)
{
	const struct job_pod *a = x, *b = y;
	if (a->index != b->index)
		return a->index < b->index ? -1 : 1;
	return slice_cmp(a->view.meta.uid, b->view.meta.uid);
}

void job_pods_read(struct job_sync *y)
{
	const struct json *policy = json_get(y->spec, "podFailurePolicy");
	if (y->is_indexed)
		qsort(y->pods, y->count, sizeof *y->pods, by_index);
	note_uncounted(y, "succeeded", offsetof(struct job_pod, was_counted_succeeded));
	note_uncounted(y, "failed", offsetof(struct job_pod, was_counted_failed));
	for (size_t i = 0; i < y->count; i++) {
		struct job_pod *p = &y->pods[i];
		p->failures = annotation(&p->view, JOB_INDEX_FAILURES, 0);
		p->ignored_failures = annotation(&p->view, JOB_INDEX_IGNORED_FAILURES, 0);
		if (!p->tree)
			continue;
		p->finished_s = job_pod_finished_s(p->tree);
		if (p->is_failed)
			p->action = job_failure_action(y->arena, policy, p->tree, &p->fail_message);
	}
}

const struct job_pod *job_kept_pod(const struct job_sync *y, int64_t index)
{
	size_t low = 0, high = y->count;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (y->pods[mid].index < index)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < y->count && y->pods[low].index == index; low++)
		if (y->pods[low].is_kept)
			return &y->pods[low];
	return NULL;
}

/* ---- the pod that is made ---- */

static void add_index_env(struct arena *a, struct json *containers)
{
	JSON_FOREACH (c, containers) {
		struct json *env = json_need(a, c, "env", JSON_ARRAY), *row = NULL;
		JSON_FOREACH (it, env)
			if (slice_is(json_get_str(it, "name"), "JOB_COMPLETION_INDEX"))
				row = it;
		if (row)
			continue;
		row = json_new(a, JSON_OBJECT);
		json_set_cstr(a, row, "name", "JOB_COMPLETION_INDEX");
		struct json *field = json_need(a, json_need(a, row, "valueFrom", JSON_OBJECT), "fieldRef", JSON_OBJECT);
		json_set_cstr(a, field, "fieldPath", "metadata.labels['" JOB_INDEX "']");
		json_append(env, row);
	}
}

/* How often this index has failed goes from pod to pod. */
static void add_failure_counts(struct job_sync *y, struct json *annotations, const struct job_pod *before)
{
	int64_t failures = before ? before->failures : 0, ignored = before ? before->ignored_failures : 0;
	if (before && before->action == JOB_IGNORE)
		ignored++;
	else if (before)
		failures++;
	json_set_cstr(y->arena, annotations, JOB_INDEX_FAILURES, arena_printf(y->arena, "%" PRId64, failures));
	if (ignored)
		json_set_cstr(
		        y->arena, annotations, JOB_INDEX_IGNORED_FAILURES, arena_printf(y->arena, "%" PRId64, ignored));
}

static void add_index(struct job_sync *y, struct json *template, int64_t index)
{
	struct arena *a = y->arena;
	struct json *meta = json_need(a, template, "metadata", JSON_OBJECT), *spec = json_get(template, "spec");
	struct json *annotations = json_need(a, meta, "annotations", JSON_OBJECT);
	const char *text = arena_printf(a, "%" PRId64, index);
	json_set_cstr(a, annotations, JOB_INDEX, text);
	json_set_cstr(a, json_need(a, meta, "labels", JSON_OBJECT), JOB_INDEX, text);
	json_set_cstr(a, spec, "hostname", arena_printf(a, "%.*s-%s", SLICE_FMT(y->meta.name), text));
	add_index_env(a, json_get(spec, "initContainers"));
	add_index_env(a, json_get(spec, "containers"));
	if (y->limit_per_index >= 0)
		add_failure_counts(y, annotations, job_kept_pod(y, index));
}

struct json *job_pod_template(struct job_sync *y, int64_t index, const char **ret_generate_name)
{
	struct arena *a = y->arena;
	struct json *template = json_copy(a, json_get(y->spec, "template"));
	struct json *finalizers =
	        json_need(a, json_need(a, template, "metadata", JSON_OBJECT), "finalizers", JSON_ARRAY);
	bool has_mark = false;
	JSON_FOREACH (it, finalizers)
		has_mark |= slice_is(json_str(it), JOB_FINALIZER);
	if (!has_mark)
		json_append(finalizers, json_new_cstr(a, JOB_FINALIZER));
	const char *behind = "-";
	if (index != JOB_NO_INDEX) {
		add_index(y, template, index);
		behind = arena_printf(a, "-%" PRId64 "-", index);
	}
	size_t room = GENERATED_PREFIX_MAX - strlen(behind);
	struct slice name = y->meta.name;
	name.len = name.len < room ? name.len : room;
	*ret_generate_name = arena_printf(a, "%.*s%s", SLICE_FMT(name), behind);
	return template;
}
