/* See pod_control.h. Upstream: pkg/controller/controller_utils.go. */
#include "api/controllers/pod_control.h"

#include "api/controllers/controllers_int.h"

struct json *pod_control_pod(struct arena *a, const struct json *template, const char *api_version, const char *kind,
        const struct meta *owner, const char *generate_name)
{
	struct json *from = json_get(template, "metadata");
	struct json *pod = json_new(a, JSON_OBJECT), *meta = json_need(a, pod, "metadata", JSON_OBJECT);
	static const char *const copied[] = {"labels", "annotations", "finalizers"};
	json_set_cstr(a, meta, "generateName", generate_name);
	for (size_t i = 0; i < COUNT_OF(copied); i++)
		if (json_get(from, copied[i]))
			json_set(a, meta, copied[i], json_copy(a, json_get(from, copied[i])));
	json_append(json_need(a, meta, "ownerReferences", JSON_ARRAY),
	        owner_ref_new(a, api_version, kind, owner->name, owner->uid));
	json_set(a, pod, "spec", json_copy(a, json_get(template, "spec")));
	return pod;
}

struct slice pod_control_text(struct work *w, const struct json *template, const char *api_version, const char *kind,
        const struct meta *owner)
{
	const char *prefix = arena_printf(&w->arena, "%.*s-", SLICE_FMT(owner->name));
	return work_text(w, pod_control_pod(&w->arena, template, api_version, kind, owner, prefix));
}

static void note_failure(struct pod_batch *b, const char *reason, const struct err *err)
{
	b->failure_reason = reason;
	b->failure_message = arena_strdup(&b->work->arena, err->msg);
}

static struct recorder_subject subject(const struct pod_batch *b)
{
	return recorder_about(b->api_version, b->kind, b->owner);
}

/* ---- creating ---- */

static void create_seen(struct pod_batch *b)
{
	if (b->expectations)
		expectations_create_seen(b->expectations, b->work->key);
}

static void send_round(struct pod_batch *b);

static void round_done(struct pod_batch *b)
{
	slow_start_next(&b->round);
	for (int64_t i = 0; i < b->round.skipped; i++)
		create_seen(b);
	if (b->round.batch)
		send_round(b);
	else
		b->done(b);
}

static void created(struct work_call *call)
{
	struct pod_batch *b = call->arg;
	struct recorder_subject about = subject(b);
	struct err *err = &call->request.err;
	if (err->code) {
		create_seen(b);
		note_failure(b, "FailedCreate", err);
		if (err->code != ERR_TERMINATING) {
			recorder_event(b->recorder, &about, "Warning", "FailedCreate", "Error creating: %s", err->msg);
			work_fail(b->work, err);
		}
	} else {
		struct slice name = json_find(work_call_text(call), "metadata", "name", NULL);
		recorder_event(b->recorder, &about, "Normal", "SuccessfulCreate", "Created pod: %.*s", SLICE_FMT(name));
	}
	if (slow_start_answer(&b->round, err->code != 0))
		round_done(b);
}

static void send_round(struct pod_batch *b)
{
	for (int64_t i = 0, n = b->round.batch; i < n; i++)
		work_send_text(b->work, "POST", b->path, b->text_of(b, b->made++), created)->arg = b;
}

void pod_control_create(struct pod_batch *b, int64_t n)
{
	n = n < POD_BATCH_MAX ? n : POD_BATCH_MAX;
	if (b->expectations)
		expectations_raise_creates(b->expectations, b->work->key, n, b->now_ms);
	b->path = kube_path(&b->work->arena, "v1", "pods", b->owner->ns, SLICE_NULL, NULL);
	slow_start_init(&b->round, n);
	send_round(b);
}

/* ---- deleting ---- */

struct victim {
	struct pod_batch *batch;
	struct slice name, uid;
};

static void deleted(struct work_call *call)
{
	struct victim *v = call->arg;
	struct pod_batch *b = v->batch;
	struct recorder_subject about = subject(b);
	struct err *err = &call->request.err;
	if (err->code && b->expectations)
		expectations_delete_seen(b->expectations, b->work->key, v->uid);
	if (!err->code) {
		recorder_event(
		        b->recorder, &about, "Normal", "SuccessfulDelete", "Deleted pod: %.*s", SLICE_FMT(v->name));
	} else if (err->code != ERR_NOT_FOUND) {
		recorder_event(b->recorder, &about, "Warning", "FailedDelete", "Error deleting: %s", err->msg);
		note_failure(b, "FailedDelete", err);
		work_fail(b->work, err);
	}
	if (--b->round.waiting == 0)
		b->done(b);
}

static struct slice copy(struct arena *a, struct slice s)
{
	return (struct slice){arena_memdup(a, s.ptr, s.len), s.len};
}

void pod_control_delete(struct pod_batch *b, const struct meta *const *victims, int64_t n)
{
	struct arena *a = &b->work->arena;
	n = n < POD_BATCH_MAX ? n : POD_BATCH_MAX;
	b->round.waiting = n;
	for (int64_t i = 0; i < n; i++) {
		const struct meta *m = victims[i];
		struct victim *v = ARENA_NEW(a, struct victim);
		struct json *options = json_new(a, JSON_OBJECT);
		*v = (struct victim){b, copy(a, m->name), copy(a, m->uid)};
		json_set_str(a, json_need(a, options, "preconditions", JSON_OBJECT), "uid", m->uid);
		if (b->expectations)
			expectations_raise_delete(b->expectations, b->work->key, m->uid, b->now_ms);
		work_send(b->work, "DELETE", kube_path(a, "v1", "pods", m->ns, m->name, NULL), options, deleted)->arg =
		        v;
	}
}
