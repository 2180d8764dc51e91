/* See defaults.h. Upstream writes these as SetDefaults_TYPE functions per API group (pkg/apis/GROUP/v1/defaults.go);
 * here each kind has one function, and pod specs and pod templates share theirs. */
#include "api/machinery/rules/defaults.h"

#include <stdlib.h>

static void str(struct arena *a, struct json *o, const char *key, const char *value)
{
	struct json *v = json_get(o, key);
	if (o && (!v || v->type == JSON_NULL || (v->type == JSON_STRING && !v->text.len)))
		json_set_cstr(a, o, key, value);
}

static void num(struct arena *a, struct json *o, const char *key, int64_t value)
{
	struct json *v = json_get(o, key);
	if (o && (!v || v->type == JSON_NULL))
		json_set_int(a, o, key, value);
}

/* For ints that are not pointers in Go: zero means unset too. */
static void num_zero(struct arena *a, struct json *o, const char *key, int64_t value)
{
	if (o && json_get_int(o, key, 0) == 0)
		json_set_int(a, o, key, value);
}

static void boolean(struct arena *a, struct json *o, const char *key, bool value)
{
	struct json *v = json_get(o, key);
	if (o && (!v || v->type == JSON_NULL))
		json_set_bool(a, o, key, value);
}

/* ---- pods ---- */

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
		str(a, h, "path", "/");
		str(a, h, "scheme", "HTTP");
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
	num_zero(a, p, "timeoutSeconds", 1);
	num_zero(a, p, "periodSeconds", 10);
	num_zero(a, p, "successThreshold", 1);
	num_zero(a, p, "failureThreshold", 3);
}

static void copy_limits(struct arena *a, struct json *container)
{
	struct json *r = json_get(container, "resources");
	JSON_FOREACH (it, json_get(r, "limits")) {
		struct json *requests = json_need(a, r, "requests", JSON_OBJECT);
		if (!json_get_slice(requests, it->key))
			json_set_slice(a, requests, it->key, json_copy(a, it));
	}
}

static void container(struct arena *a, struct json *c)
{
	str(a, c, "imagePullPolicy", is_latest(json_get_str(c, "image")) ? "Always" : "IfNotPresent");
	str(a, c, "terminationMessagePath", "/dev/termination-log");
	str(a, c, "terminationMessagePolicy", "File");
	if (!json_get(c, "resources"))
		json_set(a, c, "resources", json_new(a, JSON_OBJECT));
	JSON_FOREACH (p, json_get(c, "ports"))
		str(a, p, "protocol", "TCP");
	probe(a, c, "livenessProbe");
	probe(a, c, "readinessProbe");
	probe(a, c, "startupProbe");
	http_get(a, json_path(c, "lifecycle", "postStart", NULL));
	http_get(a, json_path(c, "lifecycle", "preStop", NULL));
	JSON_FOREACH (e, json_get(c, "env")) {
		struct json *ref = json_path(e, "valueFrom", "fieldRef", NULL);
		if (ref)
			str(a, ref, "apiVersion", "v1");
	}
	copy_limits(a, c);
}

static void field_refs(struct arena *a, struct json *items)
{
	JSON_FOREACH (it, items)
		if (json_get(it, "fieldRef"))
			str(a, json_get(it, "fieldRef"), "apiVersion", "v1");
}

static void projected(struct arena *a, struct json *v)
{
	num(a, v, "defaultMode", 0644);
	JSON_FOREACH (s, json_get(v, "sources")) {
		field_refs(a, json_path(s, "downwardAPI", "items", NULL));
		if (json_get(s, "serviceAccountToken"))
			num(a, json_get(s, "serviceAccountToken"), "expirationSeconds", 3600);
	}
}

static void volume(struct arena *a, struct json *v)
{
	static const char *const with_mode[] = {"secret", "configMap", "downwardAPI"};
	for (size_t i = 0; i < 3; i++)
		if (json_get(v, with_mode[i]))
			num(a, json_get(v, with_mode[i]), "defaultMode", 0644);
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

static void pod_spec(struct arena *a, struct json *spec)
{
	if (!json_is(spec, JSON_OBJECT))
		return;
	static const char *const lists[] = {"initContainers", "containers"};
	for (size_t i = 0; i < 2; i++)
		JSON_FOREACH (c, json_get(spec, lists[i]))
			container(a, c);
	JSON_FOREACH (v, json_get(spec, "volumes"))
		volume(a, v);
	str(a, spec, "restartPolicy", "Always");
	num(a, spec, "terminationGracePeriodSeconds", 30);
	str(a, spec, "dnsPolicy", "ClusterFirst");
	if (!json_get(spec, "securityContext"))
		json_set(a, spec, "securityContext", json_new(a, JSON_OBJECT));
	str(a, spec, "schedulerName", "default-scheduler");
	if (json_get_str(spec, "serviceAccountName").len)
		json_set_str(a, spec, "serviceAccount", json_get_str(spec, "serviceAccountName"));
	else if (json_get_str(spec, "serviceAccount").len)
		json_set_str(a, spec, "serviceAccountName", json_get_str(spec, "serviceAccount"));
	host_ports(a, spec);
}

static void pod(struct arena *a, struct json *o)
{
	struct json *spec = json_get(o, "spec");
	pod_spec(a, spec);
	if (spec)
		boolean(a, spec, "enableServiceLinks", true);
}

static void template(struct arena *a, struct json *o)
{
	pod_spec(a, json_path(o, "spec", "template", "spec", NULL));
}

/* ---- workloads ---- */

static void rolling(struct arena *a, struct json *strategy, const char *surge, const char *unavailable)
{
	struct json *r = json_need(a, strategy, "rollingUpdate", JSON_OBJECT);
	if (surge && !json_get(r, "maxSurge"))
		json_set(a, r, "maxSurge", *surge == '0' ? json_new_int(a, 0) : json_new_cstr(a, surge));
	if (unavailable && !json_get(r, "maxUnavailable"))
		json_set(a, r, "maxUnavailable",
		        strchr(unavailable, '%') ? json_new_cstr(a, unavailable) : json_new_int(a, atoi(unavailable)));
}

static void deployment(struct arena *a, struct json *o)
{
	struct json *spec = json_need(a, o, "spec", JSON_OBJECT),
	            *strategy = json_need(a, spec, "strategy", JSON_OBJECT);
	num(a, spec, "replicas", 1);
	num(a, spec, "revisionHistoryLimit", 10);
	num(a, spec, "progressDeadlineSeconds", 600);
	str(a, strategy, "type", "RollingUpdate");
	if (slice_is(json_get_str(strategy, "type"), "RollingUpdate"))
		rolling(a, strategy, "25%", "25%");
	template(a, o);
}

static void replica_set(struct arena *a, struct json *o)
{
	num(a, json_need(a, o, "spec", JSON_OBJECT), "replicas", 1);
	template(a, o);
}

/* Selector and labels of a replication controller come from its template. */
static void replication_controller(struct arena *a, struct json *o)
{
	struct json *spec = json_need(a, o, "spec", JSON_OBJECT);
	struct json *labels = json_path(spec, "template", "metadata", "labels", NULL), *meta = json_get(o, "metadata");
	num(a, spec, "replicas", 1);
	if (labels && !json_get(spec, "selector"))
		json_set(a, spec, "selector", json_copy(a, labels));
	if (labels && meta && !json_get(meta, "labels"))
		json_set(a, meta, "labels", json_copy(a, labels));
	template(a, o);
}

static void daemon_set(struct arena *a, struct json *o)
{
	struct json *spec = json_need(a, o, "spec", JSON_OBJECT),
	            *strategy = json_need(a, spec, "updateStrategy", JSON_OBJECT);
	num(a, spec, "revisionHistoryLimit", 10);
	str(a, strategy, "type", "RollingUpdate");
	if (slice_is(json_get_str(strategy, "type"), "RollingUpdate"))
		rolling(a, strategy, "0", "1");
	template(a, o);
}

static void volume_claim(struct arena *a, struct json *o)
{
	struct json *spec = json_get(o, "spec");
	if (spec)
		str(a, spec, "volumeMode", "Filesystem");
}

static void stateful_set(struct arena *a, struct json *o)
{
	struct json *spec = json_need(a, o, "spec", JSON_OBJECT),
	            *strategy = json_need(a, spec, "updateStrategy", JSON_OBJECT);
	num(a, spec, "replicas", 1);
	num(a, spec, "revisionHistoryLimit", 10);
	str(a, spec, "podManagementPolicy", "OrderedReady");
	str(a, strategy, "type", "RollingUpdate");
	if (slice_is(json_get_str(strategy, "type"), "RollingUpdate"))
		num(a, json_need(a, strategy, "rollingUpdate", JSON_OBJECT), "partition", 0);
	struct json *retention = json_need(a, spec, "persistentVolumeClaimRetentionPolicy", JSON_OBJECT);
	str(a, retention, "whenDeleted", "Retain");
	str(a, retention, "whenScaled", "Retain");
	JSON_FOREACH (c, json_get(spec, "volumeClaimTemplates")) {
		volume_claim(a, c);
		str(a, c, "kind", "PersistentVolumeClaim");
		str(a, c, "apiVersion", "v1");
		str(a, json_need(a, c, "status", JSON_OBJECT), "phase", "Pending");
	}
	template(a, o);
}

static void job_spec(struct arena *a, struct json *spec)
{
	if (!spec)
		return;
	if (!json_get(spec, "completions") && !json_get(spec, "parallelism")) {
		json_set_int(a, spec, "completions", 1);
		json_set_int(a, spec, "parallelism", 1);
	}
	num(a, spec, "parallelism", 1);
	num(a, spec, "backoffLimit", json_get(spec, "backoffLimitPerIndex") ? 2147483647 : 6);
	str(a, spec, "completionMode", "NonIndexed");
	boolean(a, spec, "suspend", false);
	boolean(a, spec, "manualSelector", false);
	str(a, spec, "podReplacementPolicy", json_get(spec, "podFailurePolicy") ? "Failed" : "TerminatingOrFailed");
	pod_spec(a, json_path(spec, "template", "spec", NULL));
}

static void job(struct arena *a, struct json *o)
{
	job_spec(a, json_get(o, "spec"));
}

static void cron_job(struct arena *a, struct json *o)
{
	struct json *spec = json_need(a, o, "spec", JSON_OBJECT);
	str(a, spec, "concurrencyPolicy", "Allow");
	boolean(a, spec, "suspend", false);
	num(a, spec, "successfulJobsHistoryLimit", 3);
	num(a, spec, "failedJobsHistoryLimit", 1);
	job_spec(a, json_path(spec, "jobTemplate", "spec", NULL));
}

/* ---- services and networking ---- */

static void service(struct arena *a, struct json *o)
{
	struct json *spec = json_need(a, o, "spec", JSON_OBJECT);
	str(a, spec, "sessionAffinity", "None");
	if (slice_is(json_get_str(spec, "sessionAffinity"), "ClientIP")) {
		struct json *config = json_need(a, spec, "sessionAffinityConfig", JSON_OBJECT);
		num(a, json_need(a, config, "clientIP", JSON_OBJECT), "timeoutSeconds", 10800);
	}
	str(a, spec, "type", "ClusterIP");
	struct slice type = json_get_str(spec, "type");
	bool external = slice_is(type, "ExternalName");
	JSON_FOREACH (p, json_get(spec, "ports")) {
		str(a, p, "protocol", "TCP");
		struct json *target = json_get(p, "targetPort");
		if (!target || (target->type == JSON_STRING && !target->text.len) ||
		        (target->type == JSON_NUMBER && json_int(target, 0) == 0))
			json_set_int(a, p, "targetPort", json_get_int(p, "port", 0));
	}
	if (external)
		return;
	str(a, spec, "internalTrafficPolicy", "Cluster");
	if (slice_is(type, "NodePort") || slice_is(type, "LoadBalancer"))
		str(a, spec, "externalTrafficPolicy", "Cluster");
	if (slice_is(type, "LoadBalancer"))
		boolean(a, spec, "allocateLoadBalancerNodePorts", true);
	str(a, spec, "ipFamilyPolicy", "SingleStack");
	struct json *families = json_need(a, spec, "ipFamilies", JSON_ARRAY);
	if (!families->first)
		json_append(families, json_new_cstr(a, "IPv4"));
}

static void endpoints(struct arena *a, struct json *o)
{
	JSON_FOREACH (s, json_get(o, "subsets"))
		JSON_FOREACH (p, json_get(s, "ports"))
			str(a, p, "protocol", "TCP");
}

static void endpoint_slice(struct arena *a, struct json *o)
{
	JSON_FOREACH (p, json_get(o, "ports")) {
		str(a, p, "protocol", "TCP");
		if (!json_get(p, "name"))
			json_set_cstr(a, p, "name", "");
	}
}

static void network_policy(struct arena *a, struct json *o)
{
	struct json *spec = json_get(o, "spec");
	static const char *const lists[] = {"ingress", "egress"};
	for (size_t i = 0; spec && i < 2; i++)
		JSON_FOREACH (rule, json_get(spec, lists[i]))
			JSON_FOREACH (p, json_get(rule, "ports"))
				str(a, p, "protocol", "TCP");
	if (!spec || (json_get(spec, "policyTypes") && json_get(spec, "policyTypes")->first))
		return;
	struct json *types = json_set(a, spec, "policyTypes", json_new(a, JSON_ARRAY));
	json_append(types, json_new_cstr(a, "Ingress"));
	if (json_get(spec, "egress"))
		json_append(types, json_new_cstr(a, "Egress"));
}

/* ---- the rest ---- */

static void secret(struct arena *a, struct json *o)
{
	str(a, o, "type", "Opaque");
}

static void persistent_volume(struct arena *a, struct json *o)
{
	struct json *spec = json_get(o, "spec");
	if (!spec)
		return;
	str(a, spec, "persistentVolumeReclaimPolicy", "Retain");
	str(a, spec, "volumeMode", "Filesystem");
	if (json_get(spec, "hostPath") && !json_path(spec, "hostPath", "type", NULL))
		json_set_cstr(a, json_get(spec, "hostPath"), "type", "");
	str(a, json_need(a, o, "status", JSON_OBJECT), "phase", "Pending");
}

static void persistent_volume_claim(struct arena *a, struct json *o)
{
	volume_claim(a, o);
	str(a, json_need(a, o, "status", JSON_OBJECT), "phase", "Pending");
}

static void namespace(struct arena *a, struct json *o)
{
	json_need(a, o, "spec", JSON_OBJECT);
}

static void node(struct arena *a, struct json *o)
{
	struct json *status = json_get(o, "status"), *capacity = json_get(status, "capacity");
	if (capacity && !json_get(status, "allocatable"))
		json_set(a, status, "allocatable", json_copy(a, capacity));
}

static void limit_range(struct arena *a, struct json *o)
{
	JSON_FOREACH (l, json_path(o, "spec", "limits", NULL)) {
		struct json *max = json_get(l, "max"), *fallback, *request;
		if (!slice_is(json_get_str(l, "type"), "Container"))
			continue;
		fallback = json_need(a, l, "default", JSON_OBJECT);
		request = json_need(a, l, "defaultRequest", JSON_OBJECT);
		JSON_FOREACH (it, max)
			if (!json_get_slice(fallback, it->key))
				json_set_slice(a, fallback, it->key, json_copy(a, it));
		JSON_FOREACH (it, fallback)
			if (!json_get_slice(request, it->key))
				json_set_slice(a, request, it->key, json_copy(a, it));
		JSON_FOREACH (it, json_get(l, "min"))
			if (!json_get_slice(request, it->key))
				json_set_slice(a, request, it->key, json_copy(a, it));
	}
}

static void storage_class(struct arena *a, struct json *o)
{
	str(a, o, "reclaimPolicy", "Delete");
	str(a, o, "volumeBindingMode", "Immediate");
}

static void csi_driver(struct arena *a, struct json *o)
{
	struct json *spec = json_need(a, o, "spec", JSON_OBJECT);
	boolean(a, spec, "attachRequired", true);
	boolean(a, spec, "podInfoOnMount", false);
	boolean(a, spec, "storageCapacity", false);
	str(a, spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
	boolean(a, spec, "requiresRepublish", false);
	boolean(a, spec, "seLinuxMount", false);
	if (!json_get(spec, "volumeLifecycleModes"))
		json_append(json_need(a, spec, "volumeLifecycleModes", JSON_ARRAY), json_new_cstr(a, "Persistent"));
}

static void role_binding(struct arena *a, struct json *o)
{
	struct json *ref = json_get(o, "roleRef");
	if (ref)
		str(a, ref, "apiGroup", "rbac.authorization.k8s.io");
	JSON_FOREACH (s, json_get(o, "subjects"))
		if (!slice_is(json_get_str(s, "kind"), "ServiceAccount"))
			str(a, s, "apiGroup", "rbac.authorization.k8s.io");
}

static void autoscaler(struct arena *a, struct json *o)
{
	num(a, json_need(a, o, "spec", JSON_OBJECT), "minReplicas", 1);
}

static void priority_class(struct arena *a, struct json *o)
{
	str(a, o, "preemptionPolicy", "PreemptLowerPriority");
}

struct row {
	const char *group;
	const char *kind;
	void (*apply)(struct arena *a, struct json *o);
};

static const struct row rows[] = {
        {"", "Pod", pod},
        {"", "Service", service},
        {"", "Secret", secret},
        {"", "Endpoints", endpoints},
        {"", "Namespace", namespace},
        {"", "Node", node},
        {"", "ReplicationController", replication_controller},
        {"", "PersistentVolume", persistent_volume},
        {"", "PersistentVolumeClaim", persistent_volume_claim},
        {"", "LimitRange", limit_range},
        {"apps", "Deployment", deployment},
        {"apps", "ReplicaSet", replica_set},
        {"apps", "DaemonSet", daemon_set},
        {"apps", "StatefulSet", stateful_set},
        {"batch", "Job", job},
        {"batch", "CronJob", cron_job},
        {"autoscaling", "HorizontalPodAutoscaler", autoscaler},
        {"discovery.k8s.io", "EndpointSlice", endpoint_slice},
        {"networking.k8s.io", "NetworkPolicy", network_policy},
        {"rbac.authorization.k8s.io", "RoleBinding", role_binding},
        {"rbac.authorization.k8s.io", "ClusterRoleBinding", role_binding},
        {"scheduling.k8s.io", "PriorityClass", priority_class},
        {"storage.k8s.io", "StorageClass", storage_class},
        {"storage.k8s.io", "CSIDriver", csi_driver},
};

void defaults_apply(struct arena *a, const struct resource *r, struct json *object)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(rows[i].group, r->group) == 0 && strcmp(rows[i].kind, r->kind) == 0)
			rows[i].apply(a, object);
}
