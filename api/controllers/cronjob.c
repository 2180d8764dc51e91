/* Cron jobs: a job at each time that the schedule names.
 *
 *     an event of the cron job or of one of its jobs, or its next time --> the cron job's key
 *     run: what became of its jobs --> those that ended and are too many go --> is it due? make the job --> status
 *
 * A job is named after its minute, so that a crash between making it and storing the status makes no second one: the
 * name is taken, and if the job is ours it joins status.active. A cron job older than the status that was stored last
 * is not acted on. A clock that jumps is noticed within minutes. Upstream: pkg/controller/cronjob. */
#include "api/controllers/children.h"
#include "api/controllers/controllers_int.h"
#include "api/controllers/cron_schedule.h"
#include "api/controllers/job_int.h"
#include "base/clock.h"

#include <inttypes.h>
#include <time.h>

#define CRONJOBS "/apis/batch/v1/cronjobs"
#define SCHEDULED_AT "batch.kubernetes.io/cronjob-scheduled-timestamp"

/* A little after the second has come; and never so late that a clock that was set goes unnoticed. */
enum { AFTER_MS = 100, LOOK_AGAIN_MAX_MS = 10 * 60 * 1000, MISSING_MAX = 64 };

struct cron_jobs {
	struct controllers *c;
	struct children children;
	struct work_queue *queue;
	struct recorder *recorder;
	struct map written; /* struct written by key */
};

struct written {
	struct slice key;
	int64_t revision;
};

/* A job of the cron job. */
struct child {
	struct meta meta;
	struct json *job;
};

struct run {
	struct cron_jobs *s;
	struct work *work;
	struct arena *arena;
	struct meta meta;
	struct json *cron_job, *spec, *status;
	struct child *jobs;
	size_t count;
	int64_t now_s, due_s;
	const struct zone *zone;
	const char *job_name;
	bool must_write, has_failed;
	size_t answers;
	void (*then)(struct run *r);
};

static const char api_version[] = "batch/v1", kind[] = "CronJob";

#define TELL(r, type, reason, ...) \
	do { \
		struct recorder_subject about_ = recorder_about(api_version, kind, &(r)->meta); \
		recorder_event((r)->s->recorder, &about_, type, reason, __VA_ARGS__); \
	} while (0)

/* ---- status.active ---- */

static struct json *active_find(const struct run *r, const char *member, struct slice text)
{
	JSON_FOREACH (it, json_get(r->status, "active"))
		if (slice_eq(json_get_str(it, member), text))
			return it;
	return NULL;
}

static bool active_drop(struct run *r, struct slice uid)
{
	struct json *list = json_get(r->status, "active"), *it = active_find(r, "uid", uid);
	if (!it)
		return false;
	json_remove(list, it);
	if (!list->first)
		json_del(r->status, "active");
	r->must_write = true;
	return true;
}

static void active_add(struct run *r, struct slice job)
{
	struct arena *a = r->arena;
	struct json *ref = json_new(a, JSON_OBJECT);
	struct meta m;
	meta_read(job, &m);
	json_set_cstr(a, ref, "kind", "Job");
	json_set_cstr(a, ref, "apiVersion", api_version);
	json_set_str(a, ref, "namespace", m.ns);
	json_set_str(a, ref, "name", m.name);
	json_set_str(a, ref, "uid", m.uid);
	json_set_str(a, ref, "resourceVersion", m.resource_version);
	json_append(json_need(a, r->status, "active", JSON_ARRAY), ref);
	json_set_cstr(a, r->status, "lastScheduleTime", kube_time_text(a, r->due_s));
	r->must_write = true;
}

/* ---- storing the status ---- */

static void stored(struct work_call *call)
{
	struct run *r = call->arg;
	struct written *w = map_get(&r->s->written, call->work->key);
	work_done_ignore_missing(call);
	if (call->request.err.code)
		return;
	if (!w) {
		w = MAP_ENTRY_NEW(struct written, key, call->work->key);
		map_put(&r->s->written, w->key, w);
	}
	slice_to_i64(json_find(work_call_text(call), "metadata", "resourceVersion", NULL), &w->revision);
}

static void finish(struct run *r)
{
	if (r->must_write)
		work_send(r->work, "PUT",
		        kube_path(r->arena, api_version, "cronjobs", r->meta.ns, r->meta.name, "status"), r->cron_job,
		        stored)
		        ->arg = r;
}

/* ---- deleting jobs ---- */

struct victim {
	struct run *run;
	struct slice name, uid;
};

static void deleted(struct work_call *call)
{
	struct victim *v = call->arg;
	struct run *r = v->run;
	const struct err *err = &call->request.err;
	if (err->code && err->code != ERR_NOT_FOUND) {
		TELL(r, "Warning", "FailedDelete", "Deleted job: %s", err->msg);
		work_fail(call->work, err);
		r->has_failed = true;
	} else {
		active_drop(r, v->uid);
		TELL(r, "Normal", "SuccessfulDelete", "Deleted job %.*s", SLICE_FMT(v->name));
	}
	if (--r->answers == 0)
		r->then(r);
}

/* The caller has raised r->answers for it. */
static void delete_job(struct run *r, struct slice name, struct slice uid)
{
	struct arena *a = r->arena;
	struct json *options = json_new(a, JSON_OBJECT);
	struct victim *v = ARENA_NEW(a, struct victim);
	*v = (struct victim){r, name, uid};
	json_set_str(a, json_need(a, options, "preconditions", JSON_OBJECT), "uid", uid);
	json_set_cstr(a, options, "propagationPolicy", "Background");
	work_send(r->work, "DELETE", kube_path(a, api_version, "jobs", r->meta.ns, name, NULL), options, deleted)->arg =
	        v;
}

/* ---- making the job ---- */

static const char *scheduled_text(struct run *r)
{
	int32_t offset_s = r->zone ? zone_offset_s(r->zone, r->due_s) : 0;
	time_t shown = (time_t)(r->due_s + offset_s);
	struct tm tm;
	char text[32];
	gmtime_r(&shown, &tm);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!offset_s)
		return arena_printf(r->arena, "%sZ", text);
	int32_t minutes = abs(offset_s) / 60;
	return arena_printf(
	        r->arena, "%s%c%02d:%02d", text, offset_s < 0 ? '-' : '+', (int)minutes / 60, (int)minutes % 60);
}

static struct json *new_job(struct run *r)
{
	struct arena *a = r->arena;
	const struct json *template = json_get(r->spec, "jobTemplate"), *from = json_get(template, "metadata");
	struct json *job = json_new(a, JSON_OBJECT), *meta = json_need(a, job, "metadata", JSON_OBJECT);
	json_set_cstr(a, job, "apiVersion", api_version);
	json_set_cstr(a, job, "kind", "Job");
	json_set_cstr(a, meta, "name", r->job_name);
	if (json_get(from, "labels"))
		json_set(a, meta, "labels", json_copy(a, json_get(from, "labels")));
	if (json_get(from, "annotations"))
		json_set(a, meta, "annotations", json_copy(a, json_get(from, "annotations")));
	json_set_cstr(a, json_need(a, meta, "annotations", JSON_OBJECT), SCHEDULED_AT, scheduled_text(r));
	json_append(json_need(a, meta, "ownerReferences", JSON_ARRAY),
	        owner_ref_new(a, api_version, kind, r->meta.name, r->meta.uid));
	json_set(a, job, "spec", json_copy(a, json_get(template, "spec")));
	return job;
}

/* The name is taken: by ourselves, before a crash, or by somebody else. */
static void taken_read(struct work_call *call)
{
	struct run *r = call->arg;
	struct slice text = work_call_text(call);
	struct meta m;
	struct owner_ref owner;
	work_done_ignore_missing(call);
	meta_read(text, &m);
	if (!call->request.err.code && owner_ref_controller(m.owners, &owner) && slice_eq(owner.uid, r->meta.uid) &&
	        !active_find(r, "uid", m.uid))
		active_add(r, text);
	finish(r);
}

static void created(struct work_call *call)
{
	struct run *r = call->arg;
	const struct err *err = &call->request.err;
	if (err->code == ERR_EXISTS) {
		const char *path = kube_path(r->arena, api_version, "jobs", r->meta.ns, slice_of(r->job_name), NULL);
		work_send(r->work, "GET", path, NULL, taken_read)->arg = r;
		return;
	}
	if (err->code) {
		if (err->code != ERR_TERMINATING) {
			TELL(r, "Warning", "FailedCreate", "Error creating job: %s", err->msg);
			work_fail(call->work, err);
		}
	} else {
		TELL(r, "Normal", "SuccessfulCreate", "Created job %s", r->job_name);
		active_add(r, work_call_text(call));
	}
	finish(r);
}

static void create_job(struct run *r)
{
	if (r->has_failed) { /* what it should replace is still there */
		finish(r);
		return;
	}
	work_send(r->work, "POST", kube_path(r->arena, api_version, "jobs", r->meta.ns, SLICE_NULL, NULL), new_job(r),
	        created)
	        ->arg = r;
}

static void replace_active(struct run *r)
{
	const struct json *active = json_get(r->status, "active");
	r->answers = active ? active->count : 0;
	r->then = create_job;
	if (!r->answers) {
		create_job(r);
		return;
	}
	JSON_FOREACH (it, active)
		delete_job(r, json_get_str(it, "name"), json_get_str(it, "uid"));
}

/* ---- is it due? ---- */

/* False: it cannot be followed, and an event says why. */
static bool read_schedule(struct run *r, struct cron_schedule *s)
{
	struct slice text = json_get_str(r->spec, "schedule"), zone = json_get_str(r->spec, "timeZone");
	struct err err = ERR_INIT;
	struct zone *z = NULL;
	if (zone.len && zone_load(r->arena, zone, &z, &err) != 0) {
		TELL(r, "Warning", "UnknownTimeZone", "invalid timeZone: \"%.*s\": %s", SLICE_FMT(zone), err.msg);
		return false;
	}
	*s = (struct cron_schedule){.zone = z,
	        .created_s = kube_time_parse(r->meta.creation_timestamp),
	        .last_s = kube_time_parse(json_get_str(r->status, "lastScheduleTime")),
	        .deadline_s = json_get_int(r->spec, "startingDeadlineSeconds", -1)};
	r->zone = z;
	if (cron_parse(text, &s->cron, &err) != 0) {
		TELL(r, "Warning", "UnparseableSchedule", "unparseable schedule: \"%.*s\" : %s", SLICE_FMT(text),
		        err.msg);
		return false;
	}
	return true;
}

static void come_again(struct run *r, int64_t next_s)
{
	int64_t ms = next_s * 1000 - clock_wall_ns() / 1000000 + AFTER_MS;
	if (next_s)
		work_again(r->work, ms < AFTER_MS ? AFTER_MS : ms > LOOK_AGAIN_MAX_MS ? LOOK_AGAIN_MAX_MS : ms);
}

static const char *readable_time(struct run *r, int64_t unix_s)
{
	time_t t = (time_t)unix_s;
	struct tm tm;
	char text[48];
	gmtime_r(&t, &tm);
	strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S UTC", &tm);
	return arena_strdup(r->arena, text);
}

/* The policy and what has been done already say whether a job is made for this time. */
static bool may_start(struct run *r, const struct cron_due *due, int64_t last_s)
{
	if (due->is_too_late) {
		TELL(r, "Warning", "MissSchedule", "Missed scheduled time to start a job: %s",
		        readable_time(r, due->at_s));
		return false;
	}
	if (due->at_s == last_s || active_find(r, "name", slice_of(r->job_name)))
		return false;
	if (slice_is(json_get_str(r->spec, "concurrencyPolicy"), "Forbid") && json_get(r->status, "active")) {
		TELL(r, "Normal", "JobAlreadyActive",
		        "Not starting job because prior execution is running and concurrency policy is Forbid");
		return false;
	}
	return true;
}

static void schedule(struct run *r)
{
	struct cron_schedule s;
	if (r->has_failed || r->meta.deletion_timestamp.len || json_get_bool(r->spec, "suspend", false) ||
	        !read_schedule(r, &s)) {
		finish(r);
		return;
	}
	struct cron_due due = cron_schedule_due(&s, r->now_s);
	if (due.broken)
		TELL(r, "Warning", "InvalidSchedule", "invalid schedule: %.*s : %s",
		        SLICE_FMT(json_get_str(r->spec, "schedule")), due.broken);
	if (due.missed_many)
		TELL(r, "Warning", "TooManyMissedTimes",
		        "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock "
		        "skew");
	come_again(r, due.next_s);
	r->due_s = due.at_s;
	r->job_name = arena_printf(r->arena, "%.*s-%" PRId64, SLICE_FMT(r->meta.name), due.at_s / 60);
	if (!due.at_s || !may_start(r, &due, s.last_s))
		finish(r);
	else if (slice_is(json_get_str(r->spec, "concurrencyPolicy"), "Replace"))
		replace_active(r);
	else
		create_job(r);
}

/* ---- history ---- */

static int oldest_first(const void *x, const void *y)
{
	const struct child *a = *(struct child *const *)x, *b = *(struct child *const *)y;
	struct slice p = json_str(json_path(a->job, "status", "startTime", NULL)),
	             q = json_str(json_path(b->job, "status", "startTime", NULL));
	if (!p.len != !q.len)
		return !p.len - !q.len; /* one that never started is the youngest */
	int d = slice_cmp(p, q);
	return d ? d : slice_cmp(a->meta.name, b->meta.name);
}

/* Those of one outcome that are more than the limit: collected into `out`. */
static size_t too_many(struct run *r, const char *outcome, const char *limit, struct child **out)
{
	struct child **list = ARENA_ARRAY(r->arena, struct child *, r->count + 1);
	const struct json *max = json_get(r->spec, limit);
	size_t n = 0;
	for (size_t i = 0; i < r->count; i++)
		if (job_condition_is(json_get(r->jobs[i].job, "status"), outcome) &&
		        !r->jobs[i].meta.deletion_timestamp.len)
			list[n++] = &r->jobs[i];
	size_t keep = max ? (size_t)json_int(max, 0) : n;
	if (n <= keep)
		return 0;
	qsort(list, n, sizeof *list, oldest_first);
	memcpy(out, list, (n - keep) * sizeof *out);
	return n - keep;
}

static void clean_history(struct run *r)
{
	struct child **victims = ARENA_ARRAY(r->arena, struct child *, 2 * r->count + 1);
	size_t n = too_many(r, "Complete", "successfulJobsHistoryLimit", victims);
	n += too_many(r, "Failed", "failedJobsHistoryLimit", victims + n);
	r->answers = n;
	r->then = schedule;
	if (!n) {
		schedule(r);
		return;
	}
	for (size_t i = 0; i < n; i++)
		delete_job(r, victims[i]->meta.name, victims[i]->meta.uid);
}

/* ---- what became of its jobs ---- */

static void note_success(struct run *r, const struct json *job)
{
	struct slice done = json_str(json_path(job, "status", "completionTime", NULL));
	if (!job_condition_is(json_get(job, "status"), "Complete") || !done.len ||
	        kube_time_parse(done) <= kube_time_parse(json_get_str(r->status, "lastSuccessfulTime")))
		return;
	json_set_str(r->arena, r->status, "lastSuccessfulTime", done);
	r->must_write = true;
}

static void note_job(struct run *r, const struct child *c)
{
	bool is_finished = job_is_finished(c->job);
	if (!is_finished && !active_find(r, "uid", c->meta.uid))
		TELL(r, "Warning", "UnexpectedJob", "Saw a job that the controller did not create or forgot: %.*s",
		        SLICE_FMT(c->meta.name));
	if (is_finished && active_drop(r, c->meta.uid))
		TELL(r, "Normal", "SawCompletedJob", "Saw completed job: %.*s, condition: %s", SLICE_FMT(c->meta.name),
		        job_condition_is(json_get(c->job, "status"), "Complete") ? "Complete" : "Failed");
	note_success(r, c->job);
}

/* The informer may be late: only what the server does not know is missing. */
static void missing_read(struct work_call *call)
{
	struct victim *v = call->arg;
	struct run *r = v->run;
	const struct err *err = &call->request.err;
	bool is_other = !slice_eq(json_find(work_call_text(call), "metadata", "uid", NULL), v->uid);
	if (err->code && err->code != ERR_NOT_FOUND) {
		work_fail(call->work, err);
		r->has_failed = true;
	} else if (err->code || is_other) {
		TELL(r, "Normal", "MissingJob", "Active job went missing: %.*s", SLICE_FMT(v->name));
		active_drop(r, v->uid);
	}
	if (--r->answers == 0)
		clean_history(r);
}

static bool is_known(const struct run *r, struct slice uid)
{
	for (size_t i = 0; i < r->count; i++)
		if (slice_eq(r->jobs[i].meta.uid, uid))
			return true;
	return false;
}

static void check_active(struct run *r)
{
	struct victim *missing[MISSING_MAX];
	size_t n = 0;
	JSON_FOREACH (it, json_get(r->status, "active")) {
		if (is_known(r, json_get_str(it, "uid")) || n == MISSING_MAX)
			continue; /* the rest another time */
		struct victim *v = missing[n++] = ARENA_NEW(r->arena, struct victim);
		*v = (struct victim){r, json_get_str(it, "name"), json_get_str(it, "uid")};
	}
	if (!n) {
		clean_history(r);
		return;
	}
	r->answers = n;
	for (size_t i = 0; i < n; i++)
		work_send(r->work, "GET", kube_path(r->arena, api_version, "jobs", r->meta.ns, missing[i]->name, NULL),
		        NULL, missing_read)
		        ->arg = missing[i];
}

/* ---- the run ---- */

static bool load(struct run *r)
{
	struct informer_object *o = informer_get(shared_informer_base(r->s->children.owners), r->work->key);
	if (!o) {
		free(map_del(&r->s->written, r->work->key));
		return false;
	}
	const struct written *w = map_get(&r->s->written, r->work->key);
	rcbuf_unref_with(r->arena, rcbuf_ref(o->json));
	meta_read(informer_text(o), &r->meta);
	r->cron_job = informer_parse(r->arena, o);
	r->spec = json_get(r->cron_job, "spec");
	r->status = json_need(r->arena, r->cron_job, "status", JSON_OBJECT);
	r->now_s = kube_time_now_s();
	return !w || o->revision >= w->revision;
}

static void load_jobs(struct run *r)
{
	const struct informer_group *g = informer_index_group(r->s->children.by_owner, r->meta.uid);
	r->jobs = ARENA_ARRAY(r->arena, struct child, informer_group_count(g) + 1);
	INFORMER_GROUP_FOREACH(o, g)
	{
		struct child *c = &r->jobs[r->count];
		rcbuf_unref_with(r->arena, rcbuf_ref(o->json));
		meta_read(informer_text(o), &c->meta);
		c->job = informer_parse(r->arena, o);
		r->count += slice_eq(c->meta.ns, r->meta.ns);
	}
}

static void run(struct work *w)
{
	struct run *r = ARENA_NEW(&w->arena, struct run);
	r->s = w->arg;
	r->work = w;
	r->arena = &w->arena;
	if (!load(r))
		return;
	load_jobs(r);
	for (size_t i = 0; i < r->count; i++)
		note_job(r, &r->jobs[i]);
	check_active(r);
}

/* ---- life ---- */

void *cron_job_controller_start(struct controllers *c)
{
	struct cron_jobs *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->recorder = controllers_recorder(c, "cronjob-controller");
	s->queue = controllers_queue(c, "cronjob", 8, run, s);
	s->children = (struct children){.kind = kind, .queue = s->queue};
	children_follow(c, &s->children, CRONJOBS, JOBS);
	return s;
}

void cron_job_controller_release(void *state)
{
	struct cron_jobs *s = state;
	MAP_FOREACH (slot, &s->written)
		free(slot->value);
	map_release(&s->written);
	free(s);
}
