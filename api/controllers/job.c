/* Jobs: pods that run to their end, as often as the spec says.
 *
 *     an event of the job or of one of its pods --> the job's key
 *     run: claim pods --> judge --> pods go or come --> store the status --> marks come off --> store the counters
 *
 * What to do is decided by pure functions (job_int.h); here it is done. How each pod is counted just once is told in
 * job_track.c.
 *
 * What can go wrong: informers lag. Pods that were asked for and pods whose mark comes off are remembered until they
 * have been seen (expectations, `stripping`), and a job older than what was stored last is not acted on: its event is
 * on the way. A crash between two writes loses nothing, but the back-off of a job begins anew. Pods whose job is gone
 * keep their mark: they have a queue of their own. Upstream: pkg/controller/job/job_controller.go. */
#include "api/controllers/job_int.h"

#include "api/controllers/children.h"
#include "api/controllers/claim.h"
#include "api/controllers/controllers_int.h"
#include "api/controllers/pod_control.h"

struct jobs {
	struct controllers *c;
	struct children children;
	struct work_queue *queue, *orphans;
	struct recorder *recorder;
	struct expectations expectations;
	struct map stripping; /* uids of pods whose mark is being taken off, until that was seen */
	struct map memories;  /* by key */
};

/* What is known of a job beside its status. */
struct memory {
	struct slice key;
	char uid[48];    /* another job of the name begins anew */
	int64_t written; /* revision of the status that was stored last */
	struct job_backoff backoff;
};

struct uid {
	struct slice text;
};

/* One run. */
struct run {
	struct jobs *s;
	struct work *work;
	struct memory *memory;
	struct job_sync y;
	struct job_wants wants;
	struct pod_batch batch;
	const char *path; /* of the status */
	/* a round of stripping */
	struct job_pod **stripped;
	size_t stripped_count, answers;
	void (*then)(struct run *r);
	bool has_failed, has_ended;
};

static const char api_version[] = "batch/v1", kind[] = "Job";

static struct recorder_subject subject(const struct run *r)
{
	return recorder_about(api_version, kind, &r->y.meta);
}

/* ---- taking marks off ---- */

static void strip_call(
        struct jobs *s, struct work *w, const struct meta *pod, void (*done)(struct work_call *), void *arg)
{
	struct arena *a = &w->arena;
	struct json *patch = json_new(a, JSON_OBJECT), *meta = json_need(a, patch, "metadata", JSON_OBJECT);
	if (!map_get(&s->stripping, pod->uid)) {
		struct uid *u = MAP_ENTRY_NEW(struct uid, text, pod->uid);
		map_put(&s->stripping, u->text, u);
	}
	json_set_str(a, meta, "uid", pod->uid);
	json_append(
	        json_need(a, meta, "$deleteFromPrimitiveList/finalizers", JSON_ARRAY), json_new_cstr(a, JOB_FINALIZER));
	work_patch(w, kube_path(a, "v1", "pods", pod->ns, pod->name, NULL), strategic_patch, patch, done)->arg = arg;
}

/* A pod that is gone has no mark of ours either. A conflict may mean that another one has its name by now, which the
 * informer will show, or that the mark is still there. */
static bool strip_failed(struct jobs *s, struct work_call *call, struct slice uid)
{
	int code = call->request.err.code;
	if (code)
		free(map_del(&s->stripping, uid));
	if (!code || code == ERR_NOT_FOUND)
		return false;
	work_fail(call->work, &call->request.err);
	return true;
}

struct strip {
	struct run *run;
	struct job_pod *pod;
};

static void pod_stripped(struct work_call *call)
{
	struct strip *x = call->arg;
	struct run *r = x->run;
	bool failed = strip_failed(r->s, call, x->pod->view.meta.uid);
	r->has_failed |= failed;
	x->pod->is_marked = failed;
	if (--r->answers == 0)
		r->then(r);
}

static void strip(struct run *r, struct job_pod **pods, size_t n, void (*then)(struct run *r))
{
	r->then = then;
	r->answers = 0;
	for (size_t i = 0; i < n; i++)
		r->answers += pods[i]->is_marked;
	if (!r->answers) {
		then(r);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct strip *x = ARENA_NEW(&r->work->arena, struct strip);
		*x = (struct strip){r, pods[i]};
		if (pods[i]->is_marked)
			strip_call(r->s, r->work, &pods[i]->view.meta, pod_stripped, x);
	}
}

/* ---- storing the status ---- */

static void store(struct run *r, void (*stored)(struct work_call *call))
{
	work_send(r->work, "PUT", r->path, r->y.job, stored)->arg = r;
}

/* False: it was not stored, and this run is over. */
static bool was_stored(struct work_call *call)
{
	struct run *r = call->arg;
	struct slice version = json_find(work_call_text(call), "metadata", "resourceVersion", NULL);
	if (call->request.err.code) {
		work_done_ignore_missing(call);
		return false;
	}
	json_set_str(r->y.arena, json_get(r->y.job, "metadata"), "resourceVersion", version);
	slice_to_i64(version, &r->memory->written);
	r->memory->backoff = r->y.new_backoff;
	return true;
}

static void tell_end(struct run *r)
{
	const struct job_sync *y = &r->y;
	struct recorder_subject about = subject(r);
	if (strcmp(y->end.type, "Failed") == 0) {
		recorder_event(r->s->recorder, &about, "Warning", y->end.reason, "%s", y->end.message);
		return;
	}
	if (y->completions >= 0 && json_get_int(y->status, "succeeded", 0) > y->completions)
		recorder_event(r->s->recorder, &about, "Warning", "TooManySucceededPods",
		        "Too many succeeded pods running after completion count reached");
	recorder_event(r->s->recorder, &about, "Normal", "Completed", "Job completed");
}

static void counters_stored(struct work_call *call)
{
	struct run *r = call->arg;
	if (was_stored(call) && r->has_ended)
		tell_end(r);
}

static void settle(struct run *r)
{
	r->has_ended = job_settle(&r->y);
	if (r->y.must_write)
		store(r, counters_stored);
	if (r->y.has_more)
		work_again(r->work, 1);
}

static void take_marks_off(struct run *r)
{
	strip(r, r->y.stripped, r->y.stripped_count, settle);
}

static void uncounted_stored(struct work_call *call)
{
	if (was_stored(call))
		take_marks_off(call->arg);
}

static void track(struct run *r)
{
	if (r->y.again_s)
		work_again(r->work, r->y.again_s * 1000);
	job_track(&r->y);
	if (r->y.must_write)
		store(r, uncounted_stored);
	else
		take_marks_off(r);
}

static void conclude(struct run *r, bool has_managed)
{
	struct recorder_subject about = subject(r);
	const char *reason = job_conclude(&r->y, has_managed);
	if (reason)
		recorder_event(r->s->recorder, &about, "Normal", reason, "Job %s",
		        strcmp(reason, "Resumed") == 0 ? "resumed" : "suspended");
	track(r);
}

/* ---- pods that go and come ---- */

/* All went: they are terminating now. What did not go brings the job again. */
static bool note_deleted(struct run *r)
{
	struct job_sync *y = &r->y;
	if (r->batch.failure_reason)
		return false;
	for (size_t i = 0; i < r->wants.victim_count; i++)
		y->ready -= r->wants.victims[i]->view.is_ready;
	y->active -= (int64_t)r->wants.victim_count;
	y->terminating += (int64_t)r->wants.victim_count;
	return true;
}

static struct slice pod_text(struct pod_batch *b, int64_t i)
{
	struct run *r = b->arg;
	const char *prefix;
	struct json *template = job_pod_template(&r->y, r->wants.indexes ? r->wants.indexes[i] : JOB_NO_INDEX, &prefix);
	return work_text(r->work, pod_control_pod(r->y.arena, template, api_version, kind, &r->y.meta, prefix));
}

static struct pod_batch *batch(struct run *r, void (*done)(struct pod_batch *b))
{
	r->batch = (struct pod_batch){.work = r->work,
	        .recorder = r->s->recorder,
	        .expectations = &r->s->expectations,
	        .api_version = api_version,
	        .kind = kind,
	        .owner = &r->y.meta,
	        .now_ms = controllers_now_ms(r->s->c),
	        .text_of = pod_text,
	        .done = done,
	        .arg = r};
	return &r->batch;
}

static void delete_victims(struct run *r, void (*done)(struct pod_batch *b))
{
	const struct meta **list = ARENA_ARRAY(r->y.arena, const struct meta *, r->wants.victim_count + 1);
	for (size_t i = 0; i < r->wants.victim_count; i++)
		list[i] = &r->wants.victims[i]->view.meta;
	pod_control_delete(batch(r, done), list, (int64_t)r->wants.victim_count);
}

static void surplus_deleted(struct pod_batch *b)
{
	note_deleted(b->arg);
	conclude(b->arg, true);
}

/* Without its mark a pod that goes is not taken for one that failed. */
static void surplus_stripped(struct run *r)
{
	if (!r->has_failed)
		delete_victims(r, surplus_deleted);
}

static void pods_created(struct pod_batch *b)
{
	struct run *r = b->arg;
	if (!b->failure_reason)
		r->y.active += r->wants.create;
	conclude(r, true);
}

static void manage(struct run *r)
{
	job_wants(&r->y, &r->wants);
	if (r->wants.victim_count)
		strip(r, r->wants.victims, r->wants.victim_count, surplus_stripped);
	else if (r->wants.create)
		pod_control_create(batch(r, pods_created), r->wants.create);
	else
		conclude(r, true);
}

/* ---- the end ---- */

static void end_if_all_went(struct run *r, bool all)
{
	if (!all || !r->y.is_satisfied)
		r->y.end.type = NULL; /* there may be pods that were not seen yet */
	track(r);
}

static void actives_deleted(struct pod_batch *b)
{
	struct run *r = b->arg;
	bool all = note_deleted(r) && r->y.active == 0;
	end_if_all_went(r, all);
}

static void delete_actives(struct run *r)
{
	r->wants.victims = ARENA_ARRAY(r->y.arena, struct job_pod *, r->y.count + 1);
	for (size_t i = 0; i < r->y.count && r->wants.victim_count < POD_BATCH_MAX; i++)
		if (r->y.pods[i].is_active)
			r->wants.victims[r->wants.victim_count++] = &r->y.pods[i];
	if (r->wants.victim_count)
		delete_victims(r, actives_deleted);
	else
		end_if_all_went(r, true);
}

/* ---- the run ---- */

static struct memory *memory_of(struct jobs *s, struct slice key, struct slice uid)
{
	struct memory *m = map_get(&s->memories, key);
	if (!m) {
		m = MAP_ENTRY_NEW(struct memory, key, key);
		map_put(&s->memories, m->key, m);
	}
	if (!slice_is(uid, m->uid)) {
		m->written = 0;
		m->backoff = (struct job_backoff){0};
		snprintf(m->uid, sizeof m->uid, "%.*s", SLICE_FMT(uid));
	}
	return m;
}

/* Pods that still have their mark though their job has ended or is gone. */
static void wake_orphans(struct jobs *s, struct slice uid)
{
	INFORMER_GROUP_FOREACH(o, informer_index_group(s->children.by_owner, uid))
	if (job_has_mark(json_find(informer_text(o), "metadata", "finalizers", NULL)))
		work_queue_add(s->orphans, o->key);
}

static bool load(struct run *r)
{
	struct jobs *s = r->s;
	struct arena *a = &r->work->arena;
	struct informer_object *o = informer_get(shared_informer_base(s->children.owners), r->work->key);
	struct json *job = o ? informer_parse(a, o) : NULL;
	if (!job) {
		free(map_del(&s->memories, r->work->key));
		return false;
	}
	rcbuf_unref_with(a, rcbuf_ref(o->json));
	meta_read(informer_text(o), &r->y.meta);
	if (job_is_foreign(job))
		return false;
	r->memory = memory_of(s, r->work->key, r->y.meta.uid);
	if (job_is_finished(job)) {
		r->memory->backoff = (struct job_backoff){0};
		wake_orphans(s, r->y.meta.uid);
		return false;
	}
	job_sync_init(&r->y, a, job, kube_time_now_s());
	r->y.backoff = r->memory->backoff;
	r->path = kube_path(a, api_version, "jobs", r->y.meta.ns, r->y.meta.name, "status");
	return o->revision >= r->memory->written;
}

static bool claim(struct run *r)
{
	struct job_sync *y = &r->y;
	struct label_selector selector;
	bool nothing, changes;
	size_t n;
	if (label_selector_from_json(y->arena, json_get(y->spec, "selector"), &selector, &nothing, NULL) != 0 ||
	        nothing)
		return false;
	struct claim c = {.work = r->work,
	        .api_version = api_version,
	        .kind = kind,
	        .child_api_version = "v1",
	        .child_plural = "pods",
	        .owner = y->meta,
	        .selector = &selector,
	        .by_owner = r->s->children.by_owner,
	        .finalizer = JOB_FINALIZER,
	        .adopts_inactive = true};
	struct informer_object **objects = claim_children(&c, &n, &changes);
	y->pods = ARENA_ARRAY(y->arena, struct job_pod, n + 1);
	for (size_t i = 0; i < n; i++) {
		struct slice uid = json_find(informer_text(objects[i]), "metadata", "uid", NULL);
		rcbuf_unref_with(y->arena, rcbuf_ref(objects[i]->json));
		job_pods_add(y, informer_text(objects[i]), map_get(&r->s->stripping, uid) != NULL);
	}
	job_pods_read(y);
	return !changes; /* else they are about to change */
}

static void run(struct work *w)
{
	struct run *r = ARENA_NEW(&w->arena, struct run);
	int64_t wait_ms;
	r->s = w->arg;
	r->work = w;
	if (!load(r) || !claim(r))
		return;
	struct job_sync *y = &r->y;
	y->is_satisfied = expectations_fulfilled(&r->s->expectations, w->key, controllers_now_ms(r->s->c), &wait_ms);
	if (!y->is_satisfied)
		work_again(w, wait_ms);
	job_judge(y);
	if (y->end.type)
		delete_actives(r);
	else if (y->is_satisfied && !y->meta.deletion_timestamp.len)
		manage(r);
	else
		conclude(r, false);
}

/* ---- pods without a job ---- */

static void orphan_stripped(struct work_call *call)
{
	struct slice *uid = call->arg;
	strip_failed(call->work->arg, call, *uid);
}

static bool may_be_adopted(struct jobs *s, struct arena *a, const struct meta *pod)
{
	INFORMER_GROUP_FOREACH(o, informer_index_group(s->children.owners_by_namespace, pod->ns))
	{
		struct label_selector selector;
		bool nothing = true;
		struct meta m;
		meta_read(informer_text(o), &m);
		struct slice text = json_find(informer_text(o), "spec", "selector", NULL);
		struct json *tree = text.len ? json_parse(a, text, NULL, NULL) : NULL;
		if (!m.deletion_timestamp.len && label_selector_from_json(a, tree, &selector, &nothing, NULL) == 0 &&
		        !nothing && label_selector_matches(&selector, pod->labels))
			return true;
	}
	return false;
}

/* A pod of a job that lives and has not ended is that job's own matter. */
static bool has_job(struct jobs *s, struct arena *a, const struct meta *pod)
{
	struct owner_ref ref;
	if (!owner_ref_controller(pod->owners, &ref))
		return may_be_adopted(s, a, pod);
	if (!slice_is(ref.kind, kind) || !slice_is(ref.api_version, api_version))
		return true;
	struct informer_object *o = children_owner(&s->children, pod->ns, &ref);
	struct json *job = o ? informer_parse(a, o) : NULL;
	return job && (job_is_foreign(job) || !job_is_finished(job));
}

static void run_orphan(struct work *w)
{
	struct jobs *s = w->arg;
	struct informer_object *o = informer_get(shared_informer_base(s->children.children), w->key);
	struct meta m;
	if (!o)
		return;
	rcbuf_unref_with(&w->arena, rcbuf_ref(o->json));
	meta_read(informer_text(o), &m);
	if (!job_has_mark(m.finalizers) || has_job(s, &w->arena, &m))
		return;
	struct slice *uid = ARENA_NEW(&w->arena, struct slice);
	*uid = m.uid;
	strip_call(s, w, &m, orphan_stripped, uid);
}

static void job_deleted(void *arg, struct informer_object *o)
{
	wake_orphans(arg, json_find(informer_text(o), "metadata", "uid", NULL));
}

static void pod_changed(void *arg, struct informer_object *o)
{
	struct jobs *s = arg;
	struct meta m;
	struct owner_ref ref;
	meta_read(informer_text(o), &m);
	if (!job_has_mark(m.finalizers))
		free(map_del(&s->stripping, m.uid));
	else if (!owner_ref_controller(m.owners, &ref) || !children_owner(&s->children, m.ns, &ref))
		work_queue_add(s->orphans, o->key);
}

static void pod_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	pod_changed(arg, o);
}

static void pod_deleted(void *arg, struct informer_object *o)
{
	struct jobs *s = arg;
	free(map_del(&s->stripping, json_find(informer_text(o), "metadata", "uid", NULL)));
}

/* ---- life ---- */

void *job_controller_start(struct controllers *c)
{
	struct jobs *s = xcalloc(1, sizeof *s);
	s->c = c;
	expectations_init(&s->expectations);
	s->recorder = controllers_recorder(c, "job-controller");
	s->queue = controllers_queue(c, "job", 16, run, s);
	s->orphans = controllers_queue(c, "job-orphan", 4, run_orphan, s);
	s->children = (struct children){.kind = kind, .queue = s->queue, .expectations = &s->expectations};
	controllers_listen(c, PODS,
	        &(struct informer_handler){
	                .added = pod_changed, .updated = pod_updated, .deleted = pod_deleted, .arg = s});
	controllers_listen(c, JOBS, &(struct informer_handler){.deleted = job_deleted, .arg = s});
	children_follow(c, &s->children, JOBS, PODS);
	return s;
}

static void free_values(struct map *m)
{
	MAP_FOREACH (slot, m)
		free(slot->value);
	map_release(m);
}

void job_controller_release(void *state)
{
	struct jobs *s = state;
	free_values(&s->stripping);
	free_values(&s->memories);
	expectations_release(&s->expectations);
	free(s);
}
