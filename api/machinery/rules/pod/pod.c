/* Defaults of pods and pod templates (upstream: pkg/apis/core/v1/defaults.go), and what a new pod's status says. */
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/pod/pod_parts_int.h"
#include "api/machinery/rules/fill.h"

#include "base/check.h"

/* ---- defaults ---- */

/* Upstream's default pull policy: Always for :latest and untagged images. */
static bool is_latest(struct slice image)
{
	if (memchr(image.ptr ? image.ptr : "", '@', image.len))
		return false;
	const char *slash = image.len ? memrchr(image.ptr, '/', image.len) : NULL;
	struct slice last = slash ? (struct slice){slash + 1, image.len - (size_t)(slash + 1 - image.ptr)} : image;
	const char *colon = last.len ? memchr(last.ptr, ':', last.len) : NULL;
	if (!colon)
		return true;
	return slice_is((struct slice){colon + 1, last.len - (size_t)(colon + 1 - last.ptr)}, "latest");
}

static void http_get(struct arena *a, struct json *handler)
{
	struct json *h = json_get(handler, "httpGet"), *g = json_get(handler, "grpc");
	if (h) {
		default_str(a, h, "path", "/");
		default_str(a, h, "scheme", "HTTP");
	}
	if (g && !json_get(g, "service"))
		json_set_cstr(a, g, "service", "");
}

static void probe(struct arena *a, struct json *container, const char *name)
{
	struct json *p = json_get(container, name);
	if (!json_is(p, JSON_OBJECT))
		return;
	http_get(a, p);
	default_int_zero(a, p, "timeoutSeconds", 1);
	default_int_zero(a, p, "periodSeconds", 10);
	default_int_zero(a, p, "successThreshold", 1);
	default_int_zero(a, p, "failureThreshold", 3);
}

static void copy_limits(struct arena *a, struct json *container)
{
	struct json *r = json_get(container, "resources"), *limits = json_get(r, "limits");
	if (limits && limits->first)
		default_members(a, json_need(a, r, "requests", JSON_OBJECT), limits);
}

static void container(struct arena *a, struct json *c)
{
	default_str(a, c, "imagePullPolicy", is_latest(json_get_str(c, "image")) ? "Always" : "IfNotPresent");
	default_str(a, c, "terminationMessagePath", "/dev/termination-log");
	default_str(a, c, "terminationMessagePolicy", "File");
	if (!json_get(c, "resources"))
		json_set(a, c, "resources", json_new(a, JSON_OBJECT));
	JSON_FOREACH (p, json_get(c, "ports"))
		default_str(a, p, "protocol", "TCP");
	probe(a, c, "livenessProbe");
	probe(a, c, "readinessProbe");
	probe(a, c, "startupProbe");
	http_get(a, json_path(c, "lifecycle", "postStart", NULL));
	http_get(a, json_path(c, "lifecycle", "preStop", NULL));
	JSON_FOREACH (e, json_get(c, "env")) {
		struct json *ref = json_path(e, "valueFrom", "fieldRef", NULL);
		if (ref)
			default_str(a, ref, "apiVersion", "v1");
	}
	copy_limits(a, c);
}

static void field_refs(struct arena *a, struct json *items)
{
	JSON_FOREACH (it, items)
		if (json_get(it, "fieldRef"))
			default_str(a, json_get(it, "fieldRef"), "apiVersion", "v1");
}

static void projected(struct arena *a, struct json *v)
{
	default_int(a, v, "defaultMode", 0644);
	JSON_FOREACH (s, json_get(v, "sources")) {
		field_refs(a, json_path(s, "downwardAPI", "items", NULL));
		if (json_get(s, "serviceAccountToken"))
			default_int(a, json_get(s, "serviceAccountToken"), "expirationSeconds", 3600);
	}
}

static void volume(struct arena *a, struct json *v)
{
	static const char *const with_mode[] = {"secret", "configMap", "downwardAPI"};
	for (size_t i = 0; i < 3; i++)
		if (json_get(v, with_mode[i]))
			default_int(a, json_get(v, with_mode[i]), "defaultMode", 0644);
	field_refs(a, json_path(v, "downwardAPI", "items", NULL));
	if (json_get(v, "projected"))
		projected(a, json_get(v, "projected"));
	if (json_get(v, "hostPath") && !json_path(v, "hostPath", "type", NULL))
		json_set_cstr(a, json_get(v, "hostPath"), "type", "");
	/* A volume without a source is an emptyDir. */
	if (json_is(v, JSON_OBJECT) && v->count == 1 && json_get(v, "name"))
		json_set(a, v, "emptyDir", json_new(a, JSON_OBJECT));
}

static void host_ports(struct arena *a, struct json *spec)
{
	if (!json_get_bool(spec, "hostNetwork", false))
		return;
	JSON_FOREACH (c, json_get(spec, "containers"))
		JSON_FOREACH (p, json_get(c, "ports"))
			if (json_get_int(p, "hostPort", 0) == 0)
				json_set_int(a, p, "hostPort", json_get_int(p, "containerPort", 0));
}

void pod_spec_defaults(struct arena *a, struct json *spec)
{
	if (!json_is(spec, JSON_OBJECT))
		return;
	static const char *const lists[] = {"initContainers", "containers", "ephemeralContainers"};
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (c, json_get(spec, lists[i]))
			container(a, c);
	JSON_FOREACH (v, json_get(spec, "volumes"))
		volume(a, v);
	default_str(a, spec, "restartPolicy", "Always");
	default_int(a, spec, "terminationGracePeriodSeconds", 30);
	default_str(a, spec, "dnsPolicy", "ClusterFirst");
	if (!json_get(spec, "securityContext"))
		json_set(a, spec, "securityContext", json_new(a, JSON_OBJECT));
	default_str(a, spec, "schedulerName", "default-scheduler");
	if (json_get_str(spec, "serviceAccountName").len)
		json_set_str(a, spec, "serviceAccount", json_get_str(spec, "serviceAccountName"));
	else if (json_get_str(spec, "serviceAccount").len)
		json_set_str(a, spec, "serviceAccountName", json_get_str(spec, "serviceAccount"));
	host_ports(a, spec);
}

void pod_defaults(struct arena *a, struct json *o)
{
	struct json *spec = json_get(o, "spec");
	pod_spec_defaults(a, spec);
	if (spec)
		default_bool(a, spec, "enableServiceLinks", true);
}

void pod_template_defaults(struct arena *a, struct json *o)
{
	pod_spec_defaults(a, json_path(o, "spec", "template", "spec", NULL));
}

/* ---- new pods ---- */

static bool has_any(const struct json *resources, const char *list)
{
	struct json *l = json_get(resources, list);
	return json_get(l, "cpu") || json_get(l, "memory");
}

static bool is_guaranteed(const struct json *container)
{
	struct json *r = json_get(container, "resources");
	struct json *limits = json_get(r, "limits"), *requests = json_get(r, "requests");
	static const char *const names[] = {"cpu", "memory"};
	for (size_t i = 0; i < 2; i++) {
		struct json *limit = json_get(limits, names[i]), *request = json_get(requests, names[i]);
		if (!limit || (request && !json_equal(limit, request)))
			return false;
	}
	return true;
}

/* Upstream's GetPodQOS. */
const char *pod_qos_class(const struct json *spec)
{
	bool any = false, guaranteed = true;
	static const char *const lists[] = {"containers", "initContainers"};
	for (size_t i = 0; i < 2; i++)
		JSON_FOREACH (it, json_get(spec, lists[i])) {
			struct json *r = json_get(it, "resources");
			any = any || has_any(r, "requests") || has_any(r, "limits");
			guaranteed = guaranteed && is_guaranteed(it);
		}
	return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

/* What a term's matchLabelKeys name becomes a part of its selector, with the pod's own values; of mismatchLabelKeys
 * what must differ. Keys that the pod lacks are left out. Upstream: applyMatchLabelKeysAndMismatchLabelKeys. */
static void add_label_keys(
        struct arena *a, struct json *term, const struct json *labels, const char *list, const char *op)
{
	struct json *selector = json_get(term, "labelSelector");
	JSON_FOREACH (key, json_get(term, list)) {
		struct json *value = json_get_slice(labels, json_str(key)), *one = json_new(a, JSON_OBJECT);
		if (!value || !selector)
			continue;
		json_set_str(a, one, "key", json_str(key));
		json_set_cstr(a, one, "operator", op);
		json_append(json_need(a, one, "values", JSON_ARRAY), json_new_str(a, json_str(value)));
		json_append(json_need(a, selector, "matchExpressions", JSON_ARRAY), one);
	}
}

static void match_label_keys(struct arena *a, struct json *object)
{
	static const char *const kinds[] = {"podAffinity", "podAntiAffinity"};
	struct json *affinity = json_path(object, "spec", "affinity", NULL),
	            *labels = json_path(object, "metadata", "labels", NULL);
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct json *kind = json_get(affinity, kinds[i]);
		JSON_FOREACH (it, json_get(kind, "requiredDuringSchedulingIgnoredDuringExecution")) {
			add_label_keys(a, it, labels, "matchLabelKeys", "In");
			add_label_keys(a, it, labels, "mismatchLabelKeys", "NotIn");
		}
		JSON_FOREACH (it, json_get(kind, "preferredDuringSchedulingIgnoredDuringExecution")) {
			add_label_keys(a, json_get(it, "podAffinityTerm"), labels, "matchLabelKeys", "In");
			add_label_keys(a, json_get(it, "podAffinityTerm"), labels, "mismatchLabelKeys", "NotIn");
		}
	}
}

static void tell_gated(struct arena *a, struct json *status)
{
	struct json *c = json_new(a, JSON_OBJECT);
	json_set_cstr(a, c, "type", "PodScheduled");
	json_set_cstr(a, c, "status", "False");
	json_set_cstr(a, c, "reason", "SchedulingGated");
	json_set_cstr(a, c, "message", "Scheduling is blocked due to non-empty scheduling gates");
	json_append(json_need(a, status, "conditions", JSON_ARRAY), c);
}

void pod_prepare_create(struct arena *a, struct json *object)
{
	match_label_keys(a, object);
	pod_annotations_sync(a, object);
	struct json *status = json_set(a, object, "status", json_new(a, JSON_OBJECT));
	json_set_cstr(a, status, "phase", "Pending");
	json_set_cstr(a, status, "qosClass", pod_qos_class(json_get(object, "spec")));
	const struct json *gates = json_path(object, "spec", "schedulingGates", NULL);
	if (gates && gates->first)
		tell_gated(a, status);
}

/* ---- updates of a part ---- */

/* All is as it was but one list of the spec. */
static void keep_all_but_list(struct arena *a, struct json *object, const struct json *old, const char *list)
{
	struct json *sent = json_path(object, "spec", list, NULL), *spec = json_copy(a, json_get(old, "spec")),
	            *meta = json_copy(a, json_get(old, "metadata"));
	if (sent)
		json_set(a, spec, list, json_copy(a, sent));
	else
		json_del(spec, list);
	json_del(meta, "resourceVersion"); /* these two are written anew */
	json_del(meta, "managedFields");
	json_set(a, object, "spec", spec);
	json_set(a, object, "metadata", meta);
}

/* Who writes a status without it does not mean that it is gone. */
static void keep_class(struct arena *a, struct json *object, const struct json *old)
{
	struct slice class = json_str(json_path(old, "status", "qosClass", NULL));
	struct json *status = json_get(object, "status");
	if (class.len && json_is(status, JSON_OBJECT) && !json_get_str(status, "qosClass").len)
		json_set_str(a, status, "qosClass", class);
}

void pod_prepare_update(struct arena *a, struct json *object, const struct json *old, const char *sub)
{
	if (strcmp(sub, "status") == 0)
		keep_class(a, object, old);
	if (strcmp(sub, "resize") == 0)
		pod_prepare_resize(a, object, old);
	if (strcmp(sub, "ephemeralcontainers") != 0)
		return;
	keep_all_but_list(a, object, old, "ephemeralContainers");
	pod_spec_defaults(a, json_get(object, "spec"));
}
