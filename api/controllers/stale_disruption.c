/* Pods that were to be disrupted and were not: condition DisruptionTarget=True says of a pod that it is about to be
 * deleted (by an eviction, a taint, preemption). When it is still there two minutes later, and nothing deletes it, the
 * deletion came to nothing and the condition becomes False, so that nobody takes a later failure of the pod for a
 * disruption. Upstream: pkg/controller/disruption/disruption.go, its second queue. */
#include "api/controllers/budget.h"
#include "api/controllers/controllers_int.h"

static const char type[] = "DisruptionTarget";

struct stale_disruptions {
	struct shared_informer *pods;
	struct work_queue *queue;
};

static void pod_changed(void *arg, struct informer_object *o)
{
	struct stale_disruptions *s = arg;
	struct slice conditions = json_find(informer_text(o), "status", "conditions", NULL);
	if (conditions.len && memmem(conditions.ptr, conditions.len, type, strlen(type)))
		work_queue_add(s->queue, o->key);
}

static void pod_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	pod_changed(arg, o);
}

static void clear(struct work *w, const struct meta *pod)
{
	struct arena *a = &w->arena;
	struct json *patch = json_new(a, JSON_OBJECT), *condition = json_new(a, JSON_OBJECT);
	json_set_str(a, json_need(a, patch, "metadata", JSON_OBJECT), "uid", pod->uid);
	json_set_cstr(a, condition, "type", type);
	json_set_cstr(a, condition, "status", "False");
	json_set_cstr(a, condition, "lastTransitionTime", kube_time_text(a, 0));
	struct json *status = json_need(a, patch, "status", JSON_OBJECT);
	json_append(json_need(a, status, "conditions", JSON_ARRAY), condition);
	work_patch(w, kube_path(a, "v1", "pods", pod->ns, pod->name, "status"), strategic_patch, patch,
	        work_done_ignore_missing);
}

static void run(struct work *w)
{
	struct stale_disruptions *s = w->arg;
	struct informer_object *o = informer_get(shared_informer_base(s->pods), w->key);
	struct pod_view p;
	if (!o)
		return;
	rcbuf_unref_with(&w->arena, rcbuf_ref(o->json));
	pod_view_read(informer_text(o), &p);
	struct json *pod = informer_parse(&w->arena, o);
	struct json *condition = condition_find(json_path(pod, "status", "conditions", NULL), type);
	if (!pod_view_is_active(&p) || !slice_is(json_get_str(condition, "status"), "True"))
		return;
	int64_t since_s = kube_time_parse(json_get_str(condition, "lastTransitionTime"));
	int64_t left_s = budget_disrupted_s_left(since_s, kube_time_now_s());
	if (left_s)
		work_again(w, left_s * 1000);
	else
		clear(w, &p.meta);
}

void *stale_disruption_controller_start(struct controllers *c)
{
	struct stale_disruptions *s = xcalloc(1, sizeof *s);
	s->queue = controllers_queue(c, "stale-disruption", 4, run, s);
	s->pods = controllers_listen(
	        c, PODS, &(struct informer_handler){.added = pod_changed, .updated = pod_updated, .arg = s});
	return s;
}

void stale_disruption_controller_release(void *state)
{
	free(state);
}
