/* See hpa_run_int.h: what one metric of an autoscaler proposes. Where values come from:
 *
 *     Resource, ContainerResource   metrics.k8s.io/v1beta1: pods
 *     Pods, Object                  custom.metrics.k8s.io, v1beta2 or else v1beta1
 *     External                      external.metrics.k8s.io/v1beta1
 *
 * all through the API server, which passes them on to whoever serves them. Paths, messages and rules are upstream's
 * (pkg/controller/podautoscaler/metrics, k8s.io/metrics/pkg/client). */
#include "api/controllers/hpa_run_int.h"

#include "api/machinery/codec/quantity.h"
#include "api/machinery/schema/resources.h"
#include "base/time/duration.h"
#include "base/wire/http.h"

#include <inttypes.h>
#include <stdarg.h>

enum { WINDOW_S = 60 }; /* of custom metrics that say none */

static const char not_served[] = "the server could not find the requested resource";

struct look {
	struct hpa_run *r;
	void (*then)(struct hpa_run *r);
};

/* ---- small parts ---- */

static int64_t milli_of(const struct json *v, const char *key)
{
	return quantity_json_milli(json_get(v, key));
}

static void set_milli(struct arena *a, struct json *o, const char *key, int64_t milli)
{
	char text[QUANTITY_TEXT_MAX];
	struct quantity q = quantity_from_milli(milli, QUANTITY_DECIMAL_SI);
	quantity_format(&q, text);
	json_set_cstr(a, o, key, text);
}

__attribute__((format(printf, 3, 4))) static void prefix(struct hpa_metric *m, struct arena *a, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	err_set(&m->err, m->err.code, "%s: %s", text, arena_strdup(a, m->err.msg));
}

static const struct json *target_of(const struct hpa_metric *m)
{
	return json_get(m->spec, "target");
}

static const char *text_of(struct hpa_run *r, const struct json *v, const char *key)
{
	return json_cstr(r->arena, json_get(v, key));
}

/* A LabelSelector in a query; "": none. */
static const char *selector_text(struct hpa_run *r, const struct json *selector)
{
	static const char *const ops[] = {"In", " in ", "NotIn", " notin ", "Exists", "", "DoesNotExist", "!"};
	struct strbuf b = STRBUF_INIT;
	JSON_FOREACH (it, json_get(selector, "matchLabels"))
		strbuf_addf(&b, "%s%.*s=%.*s", b.len ? "," : "", SLICE_FMT(it->key), SLICE_FMT(it->text));
	JSON_FOREACH (it, json_get(selector, "matchExpressions")) {
		const char *op = "";
		for (size_t i = 0; i < COUNT_OF(ops); i += 2)
			if (slice_is(json_get_str(it, "operator"), ops[i]))
				op = ops[i + 1];
		bool absent = *op == '!', first = true;
		strbuf_addf(&b, "%s%s%.*s", b.len ? "," : "", absent ? "!" : "", SLICE_FMT(json_get_str(it, "key")));
		if (!*op || absent)
			continue;
		strbuf_addf(&b, "%s(", op);
		JSON_FOREACH (v, json_get(it, "values")) {
			strbuf_addf(&b, "%s%.*s", first ? "" : ",", SLICE_FMT(v->text));
			first = false;
		}
		strbuf_adds(&b, ")");
	}
	const char *text = arena_strdup(r->arena, strbuf_cstr(&b));
	strbuf_release(&b);
	return text;
}

static const char *escaped(struct hpa_run *r, struct slice s)
{
	struct strbuf b = STRBUF_INIT;
	http_encode(&b, s);
	const char *text = arena_strdup(r->arena, strbuf_cstr(&b));
	strbuf_release(&b);
	return text;
}

/* ---- the answers ---- */

static void finish(struct look *l)
{
	l->then(l->r);
}

static void fail(struct look *l, const struct err *err)
{
	l->r->metric.err = *err;
	finish(l);
}

/* Items of the list that came; NULL: it failed, and the metric's error says how. */
static const struct json *items_of(struct look *l, struct work_call *call, const char *api)
{
	struct hpa_run *r = l->r;
	struct hpa_metric *m = &r->metric;
	const struct json *list = NULL;
	if (call->request.err.code)
		m->err = call->request.err;
	else if ((list = json_parse(r->arena, work_call_text(call), NULL, &m->err)) && !json_get(list, "items"))
		list = NULL;
	if (m->err.code) {
		prefix(m, r->arena, "unable to fetch metrics from %s metrics API", api);
		return NULL;
	}
	const struct json *items = json_get(list, "items");
	if (!items || !items->count) {
		err_set(&m->err, ERR_NOT_FOUND, "no metrics returned from %s metrics API", api);
		return NULL;
	}
	return items;
}

static int64_t window_of(const struct json *item)
{
	uint64_t ms;
	struct slice text = json_get_str(item, "window");
	char copy[64] = "";
	if (text.len < sizeof copy)
		snprintf(copy, sizeof copy, "%.*s", SLICE_FMT(text));
	return duration_parse_ms(copy, &ms) ? (int64_t)(ms + 999) / 1000 : WINDOW_S;
}

/* False: a container of it, or the one that is asked for, has no value. */
static bool sum_containers(const struct json *item, const char *resource, struct slice only, int64_t *ret)
{
	bool found = false;
	*ret = 0;
	JSON_FOREACH (it, json_get(item, "containers")) {
		const struct json *v = json_path(it, "usage", resource, NULL);
		if (only.len && !slice_eq(only, json_get_str(it, "name")))
			continue;
		if (!v)
			return false;
		*ret += quantity_json_milli(v);
		found = true;
	}
	return found;
}

static struct hpa_sample sample_of(struct hpa_run *r)
{
	return (struct hpa_sample){
	        .pods = ARENA_ARRAY(r->arena, struct hpa_pod, r->n_pods + 1), .n_pods = r->n_pods, .now_s = r->now_s};
}

static int read_pods(struct hpa_run *r, struct hpa_sample *x, const char *resource, struct slice container)
{
	for (size_t i = 0; i < r->n_pods; i++)
		if (hpa_pod_read(r->pods[i], resource, container, (struct hpa_pod *)&x->pods[i], &r->metric.err) != 0)
			return r->metric.err.code;
	return 0;
}

/* ---- Resource and ContainerResource ---- */

static int take_usages(
        struct hpa_run *r, const struct json *items, const char *resource, struct slice container, struct hpa_sample *x)
{
	struct hpa_value *values = ARENA_ARRAY(r->arena, struct hpa_value, items->count);
	JSON_FOREACH (it, items) {
		struct hpa_value *v = &values[x->n_values];
		struct slice name = json_str(json_path(it, "metadata", "name", NULL));
		if (sum_containers(it, resource, container, &v->milli)) {
			v->pod = name;
			v->at_s = kube_time_parse(json_get_str(it, "timestamp"));
			v->window_s = window_of(it);
			x->n_values++;
		} else if (container.len) {
			return err_set(&r->metric.err, ERR_NOT_FOUND,
			        "container %.*s not present in metrics for pod %.*s/%.*s", SLICE_FMT(container),
			        SLICE_FMT(r->meta.ns), SLICE_FMT(name));
		}
	}
	x->values = values;
	return 0;
}

static int propose_by_resource(
        struct hpa_run *r, const struct json *items, const char *resource, struct slice container)
{
	struct hpa_metric *m = &r->metric;
	struct hpa_sample x = sample_of(r);
	const struct json *target = target_of(m);
	bool by_average = json_get(target, "averageValue");
	x.is_cpu = strcmp(resource, "cpu") == 0;
	if (take_usages(r, items, resource, container, &x) != 0) {
		prefix(m, r->arena, "unable to get metrics for resource %s", resource);
		return m->err.code;
	}
	if (read_pods(r, &x, by_average ? NULL : resource, container) != 0)
		return m->err.code;
	if (by_average)
		return hpa_by_average(r->arena, &r->s->c->hpa, &x, r->current, milli_of(target, "averageValue"),
		        &m->proposal, &m->err);
	return hpa_by_utilization(r->arena, &r->s->c->hpa, &x, r->current,
	        json_get_int(target, "averageUtilization", 0), &m->proposal, &m->err);
}

static void resource_status(struct hpa_run *r, const char *resource, struct slice container, bool by_average)
{
	struct hpa_metric *m = &r->metric;
	struct arena *a = r->arena;
	m->status = json_new(a, JSON_OBJECT);
	json_set_cstr(a, m->status, "type", m->type);
	struct json *o = json_need(a, m->status, container.len ? "containerResource" : "resource", JSON_OBJECT);
	json_set_cstr(a, o, "name", resource);
	if (container.len)
		json_set_str(a, o, "container", container);
	struct json *now = json_need(a, o, "current", JSON_OBJECT);
	if (!by_average)
		json_set_int(a, now, "averageUtilization", m->proposal.utilization);
	set_milli(a, now, "averageValue", m->proposal.average);
}

static void resource_answered(struct work_call *call)
{
	struct look *l = call->arg;
	struct hpa_run *r = l->r;
	struct hpa_metric *m = &r->metric;
	const char *resource = text_of(r, m->spec, "name");
	struct slice container = json_get_str(m->spec, "container");
	bool by_average = json_get(target_of(m), "averageValue");
	const struct json *items = items_of(l, call, "resource");
	if (!items)
		prefix(m, r->arena, "unable to get metrics for resource %s", resource);
	else
		propose_by_resource(r, items, resource, container);
	if (m->err.code) {
		prefix(m, r->arena, "failed to get %s %s", resource, by_average ? "usage" : "utilization");
	} else {
		m->name = arena_printf(r->arena,
		        by_average ? "%s resource" : "%s resource utilization (percentage of request)", resource);
		resource_status(r, resource, container, by_average);
	}
	finish(l);
}

static void look_at_resource(struct look *l)
{
	struct hpa_run *r = l->r;
	const struct json *target = target_of(&r->metric);
	struct err err = ERR_INIT;
	if (!json_get(target, "averageValue") && json_get_int(target, "averageUtilization", 0) <= 0) {
		err_set(&err, ERR_INVAL,
		        "invalid resource metric source: neither an average utilization target nor an average value "
		        "(usage) target was set");
		fail(l, &err);
		return;
	}
	work_send(r->work, "GET",
	        arena_printf(r->arena, "/apis/metrics.k8s.io/v1beta1/namespaces/%.*s/pods?labelSelector=%s",
	                SLICE_FMT(r->meta.ns), escaped(r, r->selector)),
	        NULL, resource_answered)
	        ->arg = l;
}

/* ---- Pods and Object: custom metrics ---- */

static const char *object_resource(struct hpa_run *r, const struct json *object, bool *ret_namespaced)
{
	struct resource_snapshot *all = resources_snapshot();
	struct slice version = json_get_str(object, "apiVersion");
	const struct resource *x =
	        resources_snapshot_find_kind(all, version.len ? version : SLICE("v1"), json_get_str(object, "kind"));
	const char *text = x ? arena_printf(r->arena, "%s%s%s", x->plural, *x->group ? "." : "", x->group) : NULL;
	*ret_namespaced = !x || x->namespaced;
	resources_snapshot_unref(all);
	return text;
}

/* NULL: the kind is not known, and the metric's error says so. */
static const char *custom_path(struct hpa_run *r)
{
	struct hpa_metric *m = &r->metric;
	const struct json *metric = json_get(m->spec, "metric"), *object = json_get(m->spec, "describedObject");
	const char *selector = selector_text(r, json_get(metric, "selector"));
	const char *name = escaped(r, json_get_str(metric, "name"));
	const char *base = arena_printf(r->arena, "/apis/custom.metrics.k8s.io/%s", m->api_version);
	const char *query = *selector ? arena_printf(r->arena, "%smetricLabelSelector=%s", object ? "?" : "&",
	                                        escaped(r, slice_of(selector)))
	                              : "";
	bool is_namespaced;
	if (!object)
		return arena_printf(r->arena, "%s/namespaces/%.*s/pods/*/%s?labelSelector=%s%s", base,
		        SLICE_FMT(r->meta.ns), name, escaped(r, r->selector), query);
	const char *resource = object_resource(r, object, &is_namespaced),
	           *which = escaped(r, json_get_str(object, "name"));
	if (!resource) {
		err_set(&m->err, ERR_NOT_FOUND, "no matches for kind \"%.*s\" in version \"%.*s\"",
		        SLICE_FMT(json_get_str(object, "kind")), SLICE_FMT(json_get_str(object, "apiVersion")));
		return NULL;
	}
	if (strcmp(resource, "namespaces") == 0)
		return arena_printf(r->arena, "%s/namespaces/%s/metrics/%s%s", base, which, name, query);
	if (!is_namespaced)
		return arena_printf(r->arena, "%s/%s/%s/%s%s", base, resource, which, name, query);
	return arena_printf(
	        r->arena, "%s/namespaces/%.*s/%s/%s/%s%s", base, SLICE_FMT(r->meta.ns), resource, which, name, query);
}

static int propose_by_pods(struct hpa_run *r, const struct json *items)
{
	struct hpa_metric *m = &r->metric;
	struct hpa_sample x = sample_of(r);
	struct hpa_value *values = ARENA_ARRAY(r->arena, struct hpa_value, items->count);
	JSON_FOREACH (it, items)
		values[x.n_values++] =
		        (struct hpa_value){.pod = json_str(json_path(it, "describedObject", "name", NULL)),
		                .milli = milli_of(it, "value"),
		                .at_s = kube_time_parse(json_get_str(it, "timestamp")),
		                .window_s = json_get_int(it, "windowSeconds", WINDOW_S)};
	x.values = values;
	if (read_pods(r, &x, NULL, SLICE_NULL) != 0)
		return m->err.code;
	return hpa_by_average(
	        r->arena, &r->s->c->hpa, &x, r->current, milli_of(target_of(m), "averageValue"), &m->proposal, &m->err);
}

/* Of Object and External: by a value, or by a share for each pod. */
static int propose_by_one(struct hpa_run *r, int64_t usage, bool *ret_is_share)
{
	struct hpa_metric *m = &r->metric;
	struct hpa_sample x = sample_of(r);
	const struct json *target = target_of(m);
	*ret_is_share = json_get(target, "averageValue");
	if (*ret_is_share) {
		hpa_by_share(&r->s->c->hpa, r->status_replicas, usage, milli_of(target, "averageValue"), &m->proposal);
		return 0;
	}
	if (read_pods(r, &x, NULL, SLICE_NULL) != 0)
		return m->err.code;
	return hpa_by_value(&r->s->c->hpa, &x, r->current, usage, milli_of(target, "value"), &m->proposal, &m->err);
}

static struct json *begin_status(struct hpa_run *r, const char *member)
{
	struct hpa_metric *m = &r->metric;
	m->status = json_new(r->arena, JSON_OBJECT);
	json_set_cstr(r->arena, m->status, "type", m->type);
	struct json *o = json_need(r->arena, m->status, member, JSON_OBJECT);
	if (json_get(m->spec, "metric"))
		json_set(r->arena, o, "metric", json_copy(r->arena, json_get(m->spec, "metric")));
	if (json_get(m->spec, "describedObject"))
		json_set(r->arena, o, "describedObject", json_copy(r->arena, json_get(m->spec, "describedObject")));
	return o;
}

static void pods_done(struct look *l, const struct json *items, const char *name)
{
	struct hpa_run *r = l->r;
	struct hpa_metric *m = &r->metric;
	if (items && propose_by_pods(r, items) == 0) {
		struct json *o = begin_status(r, "pods");
		m->name = arena_printf(r->arena, "pods metric %s", name);
		set_milli(
		        r->arena, json_need(r->arena, o, "current", JSON_OBJECT), "averageValue", m->proposal.average);
	} else {
		prefix(m, r->arena, "failed to get pods metric value%s%s", items ? "" : ": unable to get metric ",
		        items ? "" : name);
	}
	finish(l);
}

static const char *external_name(struct hpa_run *r, const char *name)
{
	const struct json *selector = json_path(r->metric.spec, "metric", "selector", NULL);
	return arena_printf(r->arena, "external metric %s(%s)", name, selector ? selector_text(r, selector) : "nil");
}

static void object_done(struct look *l, const struct json *items, const char *name)
{
	struct hpa_run *r = l->r;
	struct hpa_metric *m = &r->metric;
	const char *kind = json_cstr(r->arena, json_path(m->spec, "describedObject", "kind", NULL));
	bool is_share = false;
	int64_t usage = items ? milli_of(items->first, "value") : 0;
	if (!items)
		prefix(m, r->arena, "failed to get object metric value: unable to get metric %s: %s on %.*s", name,
		        kind, SLICE_FMT(r->meta.ns));
	else if (propose_by_one(r, usage, &is_share) != 0)
		prefix(m, r->arena, "failed to get object metric value");
	if (!m->err.code) {
		struct json *now = json_need(r->arena, begin_status(r, "object"), "current", JSON_OBJECT);
		m->name = is_share ? external_name(r, name) : arena_printf(r->arena, "%s metric %s", kind, name);
		set_milli(r->arena, now, is_share ? "averageValue" : "value", m->proposal.average);
	}
	finish(l);
}

static void ask_custom(struct look *l);

static void custom_answered(struct work_call *call)
{
	struct look *l = call->arg;
	struct hpa_run *r = l->r;
	struct hpa_metric *m = &r->metric;
	const struct err *err = &call->request.err;
	bool is_first = strcmp(m->api_version, "v1beta2") == 0;
	const char *name = json_cstr(r->arena, json_path(m->spec, "metric", "name", NULL));
	if (err->code == ERR_NOT_FOUND && is_first) { /* it may speak the older version only */
		m->first_err = *err;
		m->api_version = "v1beta1";
		ask_custom(l);
		return;
	}
	if (err->code == ERR_NOT_FOUND && strcmp(err->msg, not_served) == 0)
		call->request.err = m->first_err;
	const struct json *items = items_of(l, call, "custom");
	if (strcmp(m->type, "Pods") == 0)
		pods_done(l, items, name);
	else
		object_done(l, items, name);
}

static void ask_custom(struct look *l)
{
	const char *path = custom_path(l->r);
	if (!path) {
		finish(l);
		return;
	}
	work_send(l->r->work, "GET", path, NULL, custom_answered)->arg = l;
}

/* ---- External ---- */

static void external_answered(struct work_call *call)
{
	struct look *l = call->arg;
	struct hpa_run *r = l->r;
	struct hpa_metric *m = &r->metric;
	const char *name = json_cstr(r->arena, json_path(m->spec, "metric", "name", NULL));
	const struct json *items = items_of(l, call, "external");
	bool is_share = false;
	int64_t usage = 0;
	JSON_FOREACH (it, items)
		usage += milli_of(it, "value");
	if (!items)
		prefix(m, r->arena, "failed to get %s external metric value: unable to get external metric %.*s/%s",
		        name, SLICE_FMT(r->meta.ns), name);
	else if (propose_by_one(r, usage, &is_share) != 0)
		prefix(m, r->arena, "failed to get %s external metric value", name);
	if (!m->err.code) {
		struct json *now = json_need(r->arena, begin_status(r, "external"), "current", JSON_OBJECT);
		m->name = external_name(r, name);
		set_milli(r->arena, now, is_share ? "averageValue" : "value", m->proposal.average);
	}
	finish(l);
}

static void look_at_external(struct look *l)
{
	struct hpa_run *r = l->r;
	const struct json *metric = json_get(r->metric.spec, "metric");
	const char *selector = selector_text(r, json_get(metric, "selector"));
	work_send(r->work, "GET",
	        arena_printf(r->arena, "/apis/external.metrics.k8s.io/v1beta1/namespaces/%.*s/%s%s%s",
	                SLICE_FMT(r->meta.ns), escaped(r, json_get_str(metric, "name")),
	                *selector ? "?labelSelector=" : "", escaped(r, slice_of(selector))),
	        NULL, external_answered)
	        ->arg = l;
}

/* ---- the door ---- */

static void look_at_custom(struct look *l)
{
	l->r->metric.api_version = "v1beta2";
	ask_custom(l);
}

/* A target that divides by zero proposes nothing; validation lets none in, older objects may have one. */
static bool has_target(const struct hpa_metric *m)
{
	const struct json *t = target_of(m);
	return milli_of(t, "averageValue") > 0 || milli_of(t, "value") > 0 ||
	       json_get_int(t, "averageUtilization", 0) > 0;
}

void hpa_metric_look(struct hpa_run *r, void (*then)(struct hpa_run *r))
{
	static const struct {
		const char *type, *member, *reason;
		void (*look)(struct look *l);
	} rows[] = {
	        {"Resource", "resource", "FailedGetResourceMetric", look_at_resource},
	        {"ContainerResource", "containerResource", "FailedGetContainerResourceMetric", look_at_resource},
	        {"Pods", "pods", "FailedGetPodsMetric", look_at_custom},
	        {"Object", "object", "FailedGetObjectMetric", look_at_custom},
	        {"External", "external", "FailedGetExternalMetric", look_at_external},
	};
	const struct json *spec = json_at(json_get(r->spec, "metrics"), r->index);
	struct look *l = ARENA_NEW(r->arena, struct look);
	struct err err = ERR_INIT;
	*l = (struct look){r, then};
	r->metric = (struct hpa_metric){.type = "", .reason = "InvalidMetricSourceType"};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (!slice_is(json_get_str(spec, "type"), rows[i].type))
			continue;
		r->metric.type = rows[i].type;
		r->metric.reason = rows[i].reason;
		r->metric.spec = json_get(spec, rows[i].member);
		if (has_target(&r->metric)) {
			rows[i].look(l);
			return;
		}
		err_set(&err, ERR_INVAL, "the metric %s has no target above zero", rows[i].type);
		fail(l, &err);
		return;
	}
	err_set(&err, ERR_INVAL, "unknown metric source type \"%.*s\"", SLICE_FMT(json_get_str(spec, "type")));
	fail(l, &err);
}
