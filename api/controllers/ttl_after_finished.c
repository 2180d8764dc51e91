/* Jobs that have ended are deleted after spec.ttlSecondsAfterFinished seconds, their pods with them.
 *
 * A job that is due is asked for once more before it goes: its time may have been raised meanwhile, and the deletion
 * carries the version that was read, so that a change in between keeps it. Upstream: pkg/controller/ttlafterfinished.
 */
#include "api/controllers/controllers_int.h"
#include "api/controllers/job_int.h"

struct ttl {
	struct controllers *c;
	struct shared_informer *jobs;
	struct work_queue *queue;
};

/* Seconds until it goes, 0: it is due; -1: it stays. */
static int64_t left_s(const struct json *job)
{
	const struct json *ttl = json_path(job, "spec", "ttlSecondsAfterFinished", NULL);
	if (!ttl || !job_is_finished(job) || json_path(job, "metadata", "deletionTimestamp", NULL))
		return -1;
	JSON_FOREACH (c, json_path(job, "status", "conditions", NULL)) {
		struct slice type = json_get_str(c, "type");
		if (!slice_is(json_get_str(c, "status"), "True") ||
		        (!slice_is(type, "Complete") && !slice_is(type, "Failed")))
			continue;
		int64_t since = kube_time_parse(json_get_str(c, "lastTransitionTime"));
		int64_t left = since + json_int(ttl, 0) - kube_time_now_s();
		return left > 0 ? left : 0;
	}
	return -1;
}

static void remove_job(struct work *w, const struct json *job)
{
	struct arena *a = &w->arena;
	struct json *options = json_new(a, JSON_OBJECT), *meta = json_get(job, "metadata");
	struct json *conditions = json_need(a, options, "preconditions", JSON_OBJECT);
	json_set_str(a, conditions, "uid", json_get_str(meta, "uid"));
	json_set_str(a, conditions, "resourceVersion", json_get_str(meta, "resourceVersion"));
	json_set_cstr(a, options, "propagationPolicy", "Foreground");
	work_send(
	        w, "DELETE", kube_path(a, "batch/v1", "jobs", w->ns, w->name, NULL), options, work_done_ignore_missing);
}

static void job_read(struct work_call *call)
{
	struct work *w = call->work;
	if (call->request.err.code) {
		work_done_ignore_missing(call);
		return;
	}
	struct json *job = json_parse(&w->arena, work_call_text(call), NULL, NULL);
	int64_t left = left_s(job);
	if (left > 0)
		work_again(w, left * 1000);
	else if (left == 0)
		remove_job(w, job);
}

static void run(struct work *w)
{
	struct ttl *s = w->arg;
	struct informer_object *o = informer_get(shared_informer_base(s->jobs), w->key);
	int64_t left = o ? left_s(informer_parse(&w->arena, o)) : -1;
	if (left > 0)
		work_again(w, left * 1000);
	else if (left == 0)
		work_send(w, "GET", kube_path(&w->arena, "batch/v1", "jobs", w->ns, w->name, NULL), NULL, job_read);
}

static void job_changed(void *arg, struct informer_object *o)
{
	struct ttl *s = arg;
	if (json_find(informer_text(o), "spec", "ttlSecondsAfterFinished", NULL).len)
		work_queue_add(s->queue, o->key);
}

static void job_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	job_changed(arg, o);
}

void *ttl_after_finished_controller_start(struct controllers *c)
{
	struct ttl *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->queue = controllers_queue(c, "ttl-after-finished", 4, run, s);
	s->jobs = controllers_listen(
	        c, JOBS, &(struct informer_handler){.added = job_changed, .updated = job_updated, .arg = s});
	return s;
}

void ttl_after_finished_controller_release(void *state)
{
	free(state);
}
