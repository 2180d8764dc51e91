/* Horizontal pod autoscalers: as many replicas as the metrics ask for, looked at every 15 seconds.
 *
 *     run: the scale of what is scaled --> its selector and pods --> each metric proposes (hpa_metrics.c), the largest
 *     counts --> windows, policies, limits (hpa_scale.c) --> the scale is written --> status and conditions
 *
 * What may go wrong has a condition and an event in upstream's words, and is looked at again after the period; a metric
 * that can't be read keeps it from scaling down. What is remembered (recommendations, changes) is lost with the
 * process, as upstream's: the present size is then the first recommendation. Upstream: pkg/controller/podautoscaler. */
#include "api/controllers/hpa_run_int.h"

#include "api/machinery/schema/resources.h"

#include <inttypes.h>
#include <stdarg.h>

#define AUTOSCALERS "/apis/autoscaling/v2/horizontalpodautoscalers"

enum { DEFAULT_CPU_PERCENT = 80 };

static const char able[] = "AbleToScale", active[] = "ScalingActive", limited[] = "ScalingLimited";

__attribute__((format(printf, 5, 6))) static void set_condition(
        struct hpa_run *r, const char *type, bool is_true, const char *reason, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	condition_set(r->arena, r->conditions, type, is_true ? "True" : "False", reason, text, NULL);
}

/* ---- status ---- */

static void status_written(struct work_call *call)
{
	const struct err *err = &call->request.err;
	/* whoever changed it meanwhile brings another run, and time does */
	if (err->code && err->code != ERR_CONFLICT && err->code != ERR_NOT_FOUND)
		work_fail(call->work, err);
}

static void write_status(struct hpa_run *r)
{
	if (json_equal(r->status, r->old_status))
		return;
	json_set(r->arena, r->object, "status", r->status);
	work_send(r->work, "PUT",
	        kube_path(r->arena, "autoscaling/v2", "horizontalpodautoscalers", r->meta.ns, r->meta.name, "status"),
	        r->object, status_written);
}

static void set_sizes(struct hpa_run *r, int64_t desired)
{
	json_set_int(r->arena, r->status, "currentReplicas", r->current);
	json_set_int(r->arena, r->status, "desiredReplicas", desired);
	if (r->metric_statuses && r->metric_statuses->count)
		json_set(r->arena, r->status, "currentMetrics", r->metric_statuses);
	else
		json_del(r->status, "currentMetrics");
}

/* ---- the scale is written ---- */

struct rescale {
	struct hpa_run *r;
	int64_t desired;
	const char *reason;
	struct hpa_limits limits;
};

static void rescaled(struct work_call *call)
{
	struct rescale *x = call->arg;
	struct hpa_run *r = x->r;
	const struct err *err = &call->request.err;
	if (err->code) {
		HPA_TELL(r, "Warning", "FailedRescale", "New size: %" PRId64 "; reason: %s; error: %s", x->desired,
		        x->reason, err->msg);
		set_condition(r, able, false, "FailedUpdateScale",
		        "the HPA controller was unable to update the target scale: %s", err->msg);
		set_sizes(r, json_get_int(r->old_status, "desiredReplicas", 0));
		write_status(r);
		return;
	}
	set_condition(r, able, true, "SucceededRescale",
	        "the HPA controller was able to update the target scale to %" PRId64, x->desired);
	HPA_TELL(r, "Normal", "SuccessfulRescale", "New size: %" PRId64 "; reason: %s", x->desired, x->reason);
	hpa_remember_change(&r->known->memory, &x->limits, r->current, x->desired, r->now_s);
	set_sizes(r, x->desired);
	json_set_cstr(r->arena, r->status, "lastScaleTime", kube_time_text(r->arena, 0));
	write_status(r);
}

static void rescale(struct hpa_run *r, int64_t desired, const char *reason, const struct hpa_limits *l)
{
	struct rescale *x = ARENA_NEW(r->arena, struct rescale);
	*x = (struct rescale){r, desired, reason, *l};
	json_set_int(r->arena, json_need(r->arena, r->scale, "spec", JSON_OBJECT), "replicas", desired);
	work_send(r->work, "PUT", r->scale_path, r->scale, rescaled)->arg = x;
}

static void stay(struct hpa_run *r)
{
	set_sizes(r, r->current);
	write_status(r);
}

/* ---- what the metrics say ---- */

static struct hpa_limits limits_of(struct hpa_run *r)
{
	const struct json *behavior = json_get(r->spec, "behavior");
	struct hpa_limits l = {.min = r->min, .max = r->max, .current = r->current};
	l.has_behavior = json_is(behavior, JSON_OBJECT);
	if (l.has_behavior) {
		hpa_rules_read(r->arena, json_get(behavior, "scaleUp"), true, &r->s->c->hpa, &l.up);
		hpa_rules_read(r->arena, json_get(behavior, "scaleDown"), false, &r->s->c->hpa, &l.down);
	}
	return l;
}

static void follow_metrics(struct hpa_run *r)
{
	struct hpa_limits l = limits_of(r);
	struct hpa_verdict v;
	const char *reason = "";
	int64_t proposed = r->proposed > 0 ? r->proposed : 0;
	if (proposed > r->current)
		reason = arena_printf(r->arena, "%s above target", r->proposed_by);
	else if (proposed < r->current)
		reason = "All metrics below target";
	hpa_normalize(&r->known->memory, &r->s->c->hpa, &l, proposed, r->now_s, &v);
	set_condition(r, able, true, v.able_reason, "%s", v.able_message);
	set_condition(r, limited, v.is_limited, v.limited_reason, "%s", v.limited_message);
	if (v.replicas != r->current)
		rescale(r, v.replicas, reason, &l);
	else
		stay(r);
}

/* Nothing is known well enough. */
static void give_up(struct hpa_run *r, const char *message)
{
	HPA_TELL(r, "Warning", "FailedComputeMetricsReplicas", "%s", message);
	set_sizes(r, json_get_int(r->old_status, "desiredReplicas", 0));
	write_status(r);
}

static void metrics_known(struct hpa_run *r)
{
	if (r->invalid >= r->n_metrics || (r->invalid && r->proposed < r->current)) {
		set_condition(r, active, false, r->first_reason, "the HPA was unable to compute the replica count: %s",
		        r->first_err.msg);
		give_up(r, arena_printf(r->arena, "invalid metrics (%zu invalid out of %zu), first error is: %s",
		                   r->invalid, r->n_metrics, r->first_err.msg));
		return;
	}
	set_condition(r, active, true, "ValidMetricFound",
	        "the HPA was able to successfully calculate a replica count from %s", r->proposed_by);
	follow_metrics(r);
}

static void next_metric(struct hpa_run *r);

static void metric_known(struct hpa_run *r)
{
	struct hpa_metric *m = &r->metric;
	if (m->err.code) {
		HPA_TELL(r, "Warning", m->reason, "%s", m->err.msg);
		if (!r->invalid++) {
			r->first_err = m->err;
			r->first_reason = m->reason;
		}
		/* what is said of a metric stands in its place, as upstream's */
		m->status = json_new(r->arena, JSON_OBJECT);
		json_set_cstr(r->arena, m->status, "type", "");
	} else {
		if (!r->proposed_by || m->proposal.replicas > r->proposed) {
			r->proposed = m->proposal.replicas;
			r->proposed_by = m->name;
		}
	}
	json_append(r->metric_statuses, m->status);
	r->index++;
	next_metric(r);
}

static void next_metric(struct hpa_run *r)
{
	if (r->index == r->n_metrics)
		metrics_known(r);
	else
		hpa_metric_look(r, metric_known);
}

/* ---- whose pods ---- */

static bool selects_any(const struct hpa_run *r, const char *selector)
{
	struct arena a = ARENA_INIT;
	struct label_selector s;
	struct err err = ERR_INIT;
	bool any = false;
	if (label_selector_parse(&a, slice_of(selector), &s, &err) == 0)
		for (size_t i = 0; i < r->n_pods && !any; i++)
			any = label_selector_matches_tree(&s, json_path(r->pods[i], "metadata", "labels", NULL));
	arena_release(&a);
	return any;
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* NULL: no other autoscaler has these pods. Else all of them, as upstream names them. */
static const char *rivals(struct hpa_run *r)
{
	const char **names = ARENA_ARRAY(r->arena, const char *, r->s->known.count + 1), *text = "";
	size_t n = 0;
	MAP_FOREACH (it, &r->s->known) {
		const struct autoscaler *k = it->value;
		struct slice name = k->key, ns = slice_cut(&name, '/');
		if (!k->selector || !slice_eq(ns, r->meta.ns) || (k != r->known && !selects_any(r, k->selector)))
			continue;
		names[n++] = arena_printf(r->arena, "{%.*s %.*s}", SLICE_FMT(name), SLICE_FMT(ns));
	}
	if (n < 2)
		return NULL;
	qsort(names, n, sizeof *names, by_text);
	for (size_t i = 0; i < n; i++)
		text = arena_printf(r->arena, "%s%s%s", text, i ? " " : "", names[i]);
	return arena_printf(r->arena, "[%s]", text);
}

static void load_pods(struct hpa_run *r)
{
	const struct informer_group *g = informer_index_group(r->s->pods_by_namespace, r->meta.ns);
	r->pods = ARENA_ARRAY(r->arena, struct json *, informer_group_count(g) + 1);
	INFORMER_GROUP_FOREACH(o, g)
	{
		struct meta m;
		meta_read(informer_text(o), &m);
		if (label_selector_matches(&r->labels, m.labels) && (r->pods[r->n_pods] = informer_parse(r->arena, o)))
			r->n_pods++;
	}
}

static void unselectable(
        struct hpa_run *r, const char *event, const char *reason, const char *message, const char *condition)
{
	HPA_TELL(r, "Warning", event, "%s", message);
	set_condition(r, active, false, reason, "%s", condition);
	give_up(r, message);
}

/* False: it ended here. */
static bool find_pods(struct hpa_run *r)
{
	struct err err = ERR_INIT;
	if (!r->selector.len) {
		unselectable(r, "SelectorRequired", "InvalidSelector", "selector is required",
		        "the HPA target's scale is missing a selector");
		return false;
	}
	if (label_selector_parse(r->arena, r->selector, &r->labels, &err) != 0) {
		const char *text = arena_printf(r->arena,
		        "couldn't convert selector into a corresponding internal selector object: %s", err.msg);
		unselectable(r, "InvalidSelector", "InvalidSelector", text, text);
		return false;
	}
	free(r->known->selector);
	r->known->selector = xmemdup(r->selector.ptr, r->selector.len);
	load_pods(r);
	const char *all = rivals(r);
	if (all) {
		const char *text = arena_printf(r->arena, "pods by selector %.*s are controlled by multiple HPAs: %s",
		        SLICE_FMT(r->selector), all);
		unselectable(r, "AmbiguousSelector", "AmbiguousSelector", text, text);
	}
	return !all;
}

/* ---- what is scaled ---- */

static void decide(struct hpa_run *r)
{
	struct hpa_limits l = limits_of(r);
	if (r->current == 0 && r->min != 0) {
		set_condition(r, active, false, "ScalingDisabled",
		        "scaling is disabled since the replica count of the target is zero");
		stay(r);
	} else if (r->current > r->max) {
		rescale(r, r->max, "Current number of replicas above Spec.MaxReplicas", &l);
	} else if (r->current < r->min) {
		rescale(r, r->min, "Current number of replicas below Spec.MinReplicas", &l);
	} else if (find_pods(r)) {
		next_metric(r);
	}
}

static void no_scale(struct hpa_run *r, const char *message)
{
	HPA_TELL(r, "Warning", "FailedGetScale", "%s", message);
	set_condition(r, able, false, "FailedGetScale",
	        "the HPA controller was unable to get the target's current scale: %s", message);
	write_status(r);
}

static void scale_read(struct work_call *call)
{
	struct hpa_run *r = call->arg;
	struct err err = call->request.err;
	if (!err.code)
		r->scale = json_parse(r->arena, work_call_text(call), NULL, &err);
	if (err.code) {
		no_scale(r, err.msg);
		return;
	}
	set_condition(
	        r, able, true, "SucceededGetScale", "the HPA controller was able to get the target's current scale");
	r->current = json_get_int(json_get(r->scale, "spec"), "replicas", 0);
	r->status_replicas = json_get_int(json_get(r->scale, "status"), "replicas", 0);
	r->selector = json_str(json_path(r->scale, "status", "selector", NULL));
	hpa_remember_first(&r->known->memory, r->current, r->now_s);
	decide(r);
}

struct search {
	struct slice group, kind;
	const struct resource *found;
};

static bool is_searched(void *arg, const struct resource *x)
{
	struct search *s = arg;
	if (slice_is(s->group, x->group) && slice_is(s->kind, x->kind))
		s->found = x;
	return s->found == NULL;
}

/* The path of the scale, in the version that is named, else in whichever is served first. NULL: there is none. */
static const char *find_scale(struct hpa_run *r, const struct json *ref)
{
	struct slice version = json_get_str(ref, "apiVersion"), kind = json_get_str(ref, "kind"), rest = version;
	struct slice group =
	        memchr(version.ptr ? version.ptr : "", '/', version.len) ? slice_cut(&rest, '/') : SLICE("");
	struct resource_snapshot *all = resources_snapshot();
	struct search s = {group, kind, resources_snapshot_find_kind(all, version, kind)};
	size_t n;
	const struct resource *const *rows = resources_snapshot_rows(all, &n);
	for (size_t i = 0; i < n && !s.found; i++)
		is_searched(&s, rows[i]);
	const char *path = s.found ? kube_path(r->arena, s.found->api_version, s.found->plural, r->meta.ns,
	                                     json_get_str(ref, "name"), "scale")
	                           : NULL;
	resources_snapshot_unref(all);
	return path;
}

/* ---- a run ---- */

static struct autoscaler *need_known(struct hpa_controller *s, struct slice key)
{
	struct autoscaler *k = map_get(&s->known, key);
	if (!k) {
		k = MAP_ENTRY_NEW(struct autoscaler, key, key);
		map_put(&s->known, k->key, k);
	}
	return k;
}

static void forget(struct autoscaler *k)
{
	if (!k)
		return;
	hpa_memory_release(&k->memory);
	free(k->selector);
	free(k);
}

/* What upstream's defaults say where the object says nothing (stored before there were defaults, or as v1). */
static void default_metrics(struct hpa_run *r)
{
	struct json *list = json_need(r->arena, r->spec, "metrics", JSON_ARRAY), *m;
	if (list->count)
		return;
	json_append(list, m = json_new(r->arena, JSON_OBJECT));
	json_set_cstr(r->arena, m, "type", "Resource");
	m = json_need(r->arena, m, "resource", JSON_OBJECT);
	json_set_cstr(r->arena, m, "name", "cpu");
	m = json_need(r->arena, m, "target", JSON_OBJECT);
	json_set_cstr(r->arena, m, "type", "Utilization");
	json_set_int(r->arena, m, "averageUtilization", DEFAULT_CPU_PERCENT);
}

static void load(struct hpa_run *r, struct informer_object *o)
{
	rcbuf_unref_with(r->arena, rcbuf_ref(o->json));
	meta_read(informer_text(o), &r->meta);
	r->object = informer_parse(r->arena, o);
	r->spec = json_get(r->object, "spec");
	r->old_status = json_get(r->object, "status");
	r->status = r->old_status ? json_copy(r->arena, r->old_status) : json_new(r->arena, JSON_OBJECT);
	r->conditions = json_need(r->arena, r->status, "conditions", JSON_ARRAY);
	r->min = json_get_int(r->spec, "minReplicas", 1);
	r->max = json_get_int(r->spec, "maxReplicas", 1);
	r->now_s = kube_time_now_s();
	default_metrics(r);
	r->n_metrics = json_get(r->spec, "metrics")->count;
	r->metric_statuses = json_new(r->arena, JSON_ARRAY);
	r->known = need_known(r->s, r->work->key);
}

static void run(struct work *w)
{
	struct hpa_run *r = ARENA_NEW(&w->arena, struct hpa_run);
	r->s = w->arg;
	r->work = w;
	r->arena = &w->arena;
	struct informer_object *o = informer_get(shared_informer_base(r->s->autoscalers), w->key);
	if (!o) {
		forget(map_del(&r->s->known, w->key));
		return;
	}
	load(r, o);
	work_again(w, r->s->c->hpa_period_s * 1000);
	const struct json *ref = json_get(r->spec, "scaleTargetRef");
	r->scale_path = find_scale(r, ref);
	if (!r->scale_path)
		no_scale(r, arena_printf(r->arena,
		                    "unable to determine resource for scale target reference: no matches for kind "
		                    "\"%.*s\" in "
		                    "version \"%.*s\"",
		                    SLICE_FMT(json_get_str(ref, "kind")), SLICE_FMT(json_get_str(ref, "apiVersion"))));
	else
		work_send(w, "GET", r->scale_path, NULL, scale_read)->arg = r;
}

/* ---- life ---- */

static void added(void *arg, struct informer_object *o)
{
	work_queue_add(((struct hpa_controller *)arg)->queue, o->key);
}

/* Its status is our own doing. */
static void updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct slice old = {before->data, before->len};
	if (!slice_eq(json_find(old, "spec", NULL), json_find(informer_text(o), "spec", NULL)))
		added(arg, o);
}

static void deleted(void *arg, struct informer_object *o)
{
	added(arg, o);
}

void *hpa_controller_start(struct controllers *c)
{
	struct hpa_controller *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->recorder = controllers_recorder(c, "horizontal-pod-autoscaler");
	s->queue = controllers_queue(c, "horizontalpodautoscaler", 5, run, s);
	s->autoscalers = controllers_listen(c, AUTOSCALERS,
	        &(struct informer_handler){.added = added, .updated = updated, .deleted = deleted, .arg = s});
	s->pods = informer_set_get(c->informers, PODS);
	s->pods_by_namespace = informer_index_get(s->pods, "namespace", informer_index_namespace);
	return s;
}

void hpa_controller_release(void *state)
{
	struct hpa_controller *s = state;
	MAP_FOREACH (it, &s->known)
		forget(it->value);
	map_release(&s->known);
	free(s);
}
