/* The Node object: registration, heartbeat Lease, status.
 *
 *     start: make the Node (labels and taints of the flags), or put our labels and address on the one that is there
 *     then every 10 s: renew the Lease; write the status when it differs from the last one (heartbeat times aside), or
 *     every 5 minutes
 *
 * An informer on the one object tells the podCIDR that the control plane gave; with it the CNI configuration is written
 * and the node becomes Ready. Everything is tried again at the next beat when it fails. */
#include "node/status/node_status.h"

#include "api/client/informer.h"
#include "base/arch.h"
#include "base/json/scan.h"
#include "base/check.h"
#include "base/log.h"
#include "base/rt/sm.h"
#include "node/config/kubelet_config.h"
#include "node/csi/csi.h"
#include "node/devices/devices.h"
#include "node/ground/api_call.h"
#include "node/ground/files.h"
#include "node/ground/machine.h"
#include "node/ground/node_record.h"
#include "node/ground/retry.h"
#include "node/ground/times.h"
#include "node/runtime/cni.h"
#include "node/runtime/cri.h"
#include "node/runtime/image.h"
#include "node/status/capacity_int.h"
#include "node/status/readiness_int.h"
#include "node/wasm/wasm.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { BEAT_MS = 10000, FIRST_BEAT_MS = 500, FULL_REPORT_MS = 300000, LEASE_S = 40 };

enum registration { NODE_UNKNOWN, NODE_REGISTERING, NODE_REGISTERED };

static const struct sm_state states[] = {
        [NODE_UNKNOWN] = {"unknown", SM_TO(NODE_REGISTERING)},
        [NODE_REGISTERING] = {"registering", SM_TO(NODE_REGISTERED) | SM_TO(NODE_UNKNOWN)},
        [NODE_REGISTERED] = {"registered", SM_TO(NODE_UNKNOWN)},
};
static bool holds(const struct sm *m, int before);
static const struct sm_kind machine = SM_KIND("node-registration", states, holds);

static const struct retry_rule register_rule = {BEAT_MS, 60000}, report_rule = {BEAT_MS, 60000},
                               lease_rule = {1, BEAT_MS};

struct node_status {
	struct node *n;
	void (*network_ready)(struct node *n);
	uv_timer_t timer;
	struct informer *informer;
	struct sm sm; /* enum registration */
	struct retry registers, reports, leases;
	bool lease_made, lease_busy, busy, has_wasm_label;
	bool was_ready;      /* since our start: what falls afterwards is told at once */
	uint64_t started_ms; /* of the loop's clock */
	char *runtime_version;
	char *last; /* the status without heartbeat times */
	uint64_t reported_ms;
};

static bool holds(const struct sm *m, int before)
{
	const struct node_status *s = CONTAINER_OF(m, struct node_status, sm);
	return sm_state(m) == NODE_REGISTERED || !s->lease_made || before == NODE_REGISTERED;
}

static bool is_registered(const struct node_status *s)
{
	return sm_state(&s->sm) == NODE_REGISTERED;
}

static void forget_registration(struct node_status *s)
{
	if (is_registered(s))
		sm_move(&s->sm, NODE_UNKNOWN);
	s->lease_made = false;
}

/* ---- what the machine is ---- */

static const char *trimmed_file(struct arena *a, const char *path)
{
	char *text = file_read(path, 4096, false, NULL);
	struct slice s = slice_trim(slice_of(text ? text : ""));
	const char *copy = arena_memdup(a, s.ptr ? s.ptr : "", s.len);
	free(text);
	return copy;
}

static const char *os_image(struct arena *a)
{
	const char *text = trimmed_file(a, "/etc/os-release"), *at = strstr(text, "PRETTY_NAME=\"");
	at = at ? at + strlen("PRETTY_NAME=\"") : "Linux";
	const char *end = strchr(at, '"');
	return end ? arena_memdup(a, at, (size_t)(end - at)) : at;
}

static const char *boot_id(struct arena *a)
{
	return trimmed_file(a, "/proc/sys/kernel/random/boot_id");
}

static struct json *node_info(struct node_status *s, struct arena *a)
{
	struct utsname u;
	struct json *o = json_new(a, JSON_OBJECT);
	uname(&u);
	json_set_cstr(a, o, "machineID", trimmed_file(a, "/etc/machine-id"));
	json_set_cstr(a, o, "systemUUID", trimmed_file(a, "/sys/class/dmi/id/product_uuid"));
	json_set_cstr(a, o, "bootID", boot_id(a));
	json_set_cstr(a, o, "kernelVersion", u.release);
	json_set_cstr(a, o, "osImage", os_image(a));
	json_set_cstr(
	        a, o, "containerRuntimeVersion", s->runtime_version ? s->runtime_version : "containerd://unknown");
	json_set_cstr(a, o, "kubeletVersion", K3X_KUBE_VERSION);
	json_set_cstr(a, o, "kubeProxyVersion", K3X_KUBE_VERSION);
	json_set_cstr(a, o, "operatingSystem", "linux");
	json_set_cstr(a, o, "architecture", ARCH_NAME);
	return o;
}

static struct capacity_facts facts_of(const struct node *n, struct arena *a)
{
	struct statvfs fs;
	bool has_disk = statvfs(n->o.data_dir, &fs) == 0;
	return (struct capacity_facts){.cpus = sysconf(_SC_NPROCESSORS_ONLN),
	        .memory_bytes = node_memory_bytes(),
	        .disk_bytes = has_disk ? (int64_t)(fs.f_blocks * fs.f_frsize) : 0,
	        .pods_max = n->o.pods_max,
	        .hugepages = slice_of(machine_hugepages(a))};
}

int64_t node_status_pods_memory_bytes(const struct node *n)
{
	struct arena a = ARENA_INIT;
	struct capacity_facts f = facts_of(n, &a);
	int64_t bytes = node_pods_memory_bytes(&f, n->config->tree);
	arena_release(&a);
	return bytes < f.memory_bytes ? bytes : 0;
}

/* ---- conditions ---- */

static struct json *own_object(struct node_status *s, struct arena *a)
{
	struct informer_object *o = s->informer ? informer_get(s->informer, slice_of(s->n->o.node_name)) : NULL;
	return o ? informer_parse(a, o) : NULL;
}

static void add_condition(struct arena *a, struct json *list, const struct json *old_list, const char *type,
        bool is_true, const char *reason, const char *message, const char *now)
{
	struct json *c = json_new(a, JSON_OBJECT);
	struct slice since = slice_of(now);
	const char *status = is_true ? "True" : "False";
	JSON_FOREACH (it, old_list)
		if (slice_is(json_get_str(it, "type"), type) && slice_is(json_get_str(it, "status"), status))
			since = json_get_str(it, "lastTransitionTime");
	json_set_cstr(a, c, "type", type);
	json_set_cstr(a, c, "status", status);
	json_set_cstr(a, c, "lastHeartbeatTime", now);
	json_set_str(a, c, "lastTransitionTime", since);
	json_set_cstr(a, c, "reason", reason);
	json_set_cstr(a, c, "message", message);
	json_append(list, c);
}

static struct readiness judge(struct node_status *s, struct arena *a, const struct json *old)
{
	const struct node *n = s->n;
	struct readiness_facts f = {.runtime_ready = n->runtime_ready,
	        .network_ready = n->network_ready,
	        .is_shutting_down = n->is_shutting_down,
	        .was_ready = s->was_ready,
	        .age_ms = loop_now_ms(n->loop) - s->started_ms,
	        .boot_id = boot_id(a),
	        .old = old};
	s->was_ready = s->was_ready || (n->runtime_ready && n->network_ready);
	return readiness_judge(&f);
}

static struct json *conditions(struct node_status *s, struct arena *a, const struct json *old)
{
	static const char *const ours[] = {"MemoryPressure", "DiskPressure", "PIDPressure", "Ready"};
	struct node *n = s->n;
	struct json *list = json_new(a, JSON_ARRAY), *old_list = json_path(old, "status", "conditions", NULL);
	char now[TIME_TEXT_MAX];
	time_text(time_now_ns(), now);
	bool memory_low = n->pressures & NODE_PRESSURE_MEMORY, disk_low = n->pressures & NODE_PRESSURE_DISK,
	     pids_low = n->pressures & NODE_PRESSURE_PID;
	JSON_FOREACH (it, old_list) {
		bool is_ours = false;
		for (size_t i = 0; i < COUNT_OF(ours); i++)
			is_ours = is_ours || slice_is(json_get_str(it, "type"), ours[i]);
		if (!is_ours)
			json_append(list, json_copy(a, it));
	}
	add_condition(a, list, old_list, ours[0], memory_low,
	        memory_low ? "KubeletHasInsufficientMemory" : "KubeletHasSufficientMemory",
	        memory_low ? "kubelet has insufficient memory available" : "kubelet has sufficient memory available",
	        now);
	add_condition(a, list, old_list, ours[1], disk_low,
	        disk_low ? "KubeletHasDiskPressure" : "KubeletHasNoDiskPressure",
	        disk_low ? "kubelet has disk pressure" : "kubelet has no disk pressure", now);
	add_condition(a, list, old_list, ours[2], pids_low,
	        pids_low ? "KubeletHasInsufficientPID" : "KubeletHasSufficientPID",
	        pids_low ? "kubelet has insufficient PID available" : "kubelet has sufficient PID available", now);
	struct readiness ready = judge(s, a, old);
	add_condition(a, list, old_list, ours[3], ready.is_ready, ready.reason, ready.message, now);
	return list;
}

/* ---- reporting ---- */

static void reported(void *arg, int status, struct slice body, const struct err *err)
{
	CHECK(((struct node_status *)arg)->busy);
	struct node_status *s = arg;
	s->busy = false;
	if (!err) {
		retry_succeeded(&s->reports);
		return;
	}
	free(s->last);
	s->last = NULL;
	if (err->code == ERR_NOT_FOUND)
		forget_registration(s);
	else if (err->code != ERR_CANCELED && retry_failed(&s->reports, &report_rule, loop_now_ms(s->n->loop)))
		log_warn("node", "cannot write the status of the node", "failures=%u error=\"%s\"", s->reports.failures,
		        err->msg);
}

static void add_address(struct arena *a, struct json *list, const char *type, const char *address)
{
	struct json *o = json_new(a, JSON_OBJECT);
	json_set_cstr(a, o, "type", type);
	json_set_cstr(a, o, "address", address);
	json_append(list, o);
}

static struct json *build_status(struct node_status *s, struct arena *a)
{
	struct node *n = s->n;
	struct json *st = json_new(a, JSON_OBJECT), *addresses = json_need(a, st, "addresses", JSON_ARRAY);
	add_address(a, addresses, "InternalIP", n->o.node_ip);
	if (n->o.node_ip_other)
		add_address(a, addresses, "InternalIP", n->o.node_ip_other);
	struct slice external = slice_of(n->o.node_external_ip);
	while (external.ptr) {
		struct slice one = slice_cut(&external, ',');
		add_address(a, addresses, "ExternalIP", arena_memdup(a, one.ptr, one.len));
	}
	add_address(a, addresses, "Hostname", n->o.node_name);
	struct capacity_facts facts = facts_of(n, a);
	struct json *capacity = json_set(a, st, "capacity", node_capacity(a, &facts)),
	            *allocatable = json_set(a, st, "allocatable", node_allocatable(a, &facts, n->config->tree));
	if (n->devices)
		devices_status(n->devices, a, capacity, allocatable);
	json_set(a, st, "conditions", conditions(s, a, own_object(s, a)));
	json_set_int(a, json_need(a, json_need(a, st, "daemonEndpoints", JSON_OBJECT), "kubeletEndpoint", JSON_OBJECT),
	        "Port", n->kubelet_port);
	json_set(a, st, "nodeInfo", node_info(s, a));
	json_set(a, st, "images", images_status(n, a));
	struct json *in_use = csi_volumes_in_use(n->csi, a);
	json_set(a, st, "volumesInUse", in_use->count ? in_use : json_new(a, JSON_NULL));
	return st;
}

/* The status as text, heartbeat times left out: what decides whether anything changed. */
static char *fingerprint(struct arena *a, const struct json *status)
{
	struct json *copy = json_copy(a, status);
	struct strbuf b = STRBUF_INIT;
	JSON_FOREACH (it, json_get(copy, "conditions")) {
		json_del(it, "lastHeartbeatTime");
		json_del(it, "lastTransitionTime");
	}
	json_write(&b, copy);
	return strbuf_detach(&b);
}

static void report(struct node_status *s)
{
	LOOP_CHECK_OWNER(s->n->loop);
	struct arena a = ARENA_INIT;
	uint64_t now = loop_now_ms(s->n->loop);
	if (s->busy || !is_registered(s) || retry_wait_ms(&s->reports, now) ||
	        (s->informer && !informer_is_synced(s->informer)))
		return;
	struct json *body = json_new(&a, JSON_OBJECT), *status = json_set(&a, body, "status", build_status(s, &a));
	char *print = fingerprint(&a, status);
	if (!s->last || strcmp(s->last, print) != 0 || now - s->reported_ms >= FULL_REPORT_MS) {
		free(s->last);
		s->last = print;
		s->reported_ms = now;
		s->busy = true;
		api_send_json(s->n, "PATCH", API_MERGE_PATCH, body, reported, s, "/api/v1/nodes/%s/status",
		        s->n->o.node_name);
	} else {
		free(print);
	}
	arena_release(&a);
}

/* ---- registration ---- */

static void add_labels(struct node_status *s, struct arena *a, struct json *labels)
{
	const struct node_options *o = &s->n->o;
	struct utsname u;
	uname(&u);
	json_set_cstr(a, labels, "kubernetes.io/hostname", o->node_name);
	json_set_cstr(a, labels, "kubernetes.io/os", "linux");
	json_set_cstr(a, labels, "kubernetes.io/arch", ARCH_NAME);
	json_set_cstr(a, labels, "beta.kubernetes.io/os", "linux");
	json_set_cstr(a, labels, "beta.kubernetes.io/arch", ARCH_NAME);
	json_set_cstr(a, labels, "node.kubernetes.io/instance-type", "k3x");
	if (o->is_server)
		json_set_cstr(a, labels, "node-role.kubernetes.io/control-plane", "true");
}

static void add_flag_labels(struct node_status *s, struct arena *a, struct json *labels)
{
	for (size_t i = 0; i < s->n->o.labels_count; i++) {
		struct slice rest = slice_of(s->n->o.labels[i]), key = slice_cut(&rest, '=');
		json_set_slice(a, labels, key, json_new_str(a, rest));
	}
}

static void add_taints(struct node_status *s, struct arena *a, struct json *spec)
{
	for (size_t i = 0; i < s->n->o.taints_count; i++) {
		struct slice rest = slice_of(s->n->o.taints[i]), head = slice_cut(&rest, ':'),
		             key = slice_cut(&head, '=');
		struct json *t = json_new(a, JSON_OBJECT);
		json_set_str(a, t, "key", key);
		if (head.len)
			json_set_str(a, t, "value", head);
		json_set_str(a, t, "effect", rest);
		json_append(json_need(a, spec, "taints", JSON_ARRAY), t);
	}
}

static void add_internal_ip(struct node_status *s, struct arena *a, struct json *meta)
{
	const char *ip = s->n->o.node_ip, *other = s->n->o.node_ip_other;
	json_set_cstr(a, json_need(a, meta, "annotations", JSON_OBJECT), "k3x.io/internal-ip",
	        other ? arena_printf(a, "%s,%s", ip, other) : ip);
}

static void registered(void *arg, int status, struct slice body, const struct err *err)
{
	CHECK(sm_state(&((struct node_status *)arg)->sm) == NODE_REGISTERING);
	struct node_status *s = arg;
	if (err) {
		sm_move(&s->sm, NODE_UNKNOWN);
		if (err->code != ERR_CANCELED && retry_failed(&s->registers, &register_rule, loop_now_ms(s->n->loop)))
			log_warn("node", "cannot register the node", "failures=%u error=\"%s\"", s->registers.failures,
			        err->msg);
		return;
	}
	log_info("node", "registered", "name=%s address=%s", s->n->o.node_name, s->n->o.node_ip);
	sm_move(&s->sm, NODE_REGISTERED);
	retry_succeeded(&s->registers);
	report(s);
}

static void created(void *arg, int status, struct slice body, const struct err *err)
{
	struct node_status *s = arg;
	struct arena a = ARENA_INIT;
	if (!err || err->code != ERR_EXISTS) {
		registered(arg, status, body, err);
		return;
	}
	struct json *o = json_new(&a, JSON_OBJECT), *meta = json_need(&a, o, "metadata", JSON_OBJECT);
	add_labels(s, &a, json_need(&a, meta, "labels", JSON_OBJECT));
	add_internal_ip(s, &a, meta);
	if (!s->n->wasm) /* an earlier start had it, maybe */
		json_set(&a, json_get(meta, "labels"), WASM_NODE_LABEL, json_new(&a, JSON_NULL));
	api_send_json(s->n, "PATCH", API_MERGE_PATCH, o, registered, s, "/api/v1/nodes/%s", s->n->o.node_name);
	arena_release(&a);
}

static void register_node(struct node_status *s)
{
	struct arena a = ARENA_INIT;
	struct json *o = json_new(&a, JSON_OBJECT), *meta = json_need(&a, o, "metadata", JSON_OBJECT),
	            *spec = json_need(&a, o, "spec", JSON_OBJECT);
	sm_move(&s->sm, NODE_REGISTERING);
	json_set_cstr(&a, o, "apiVersion", "v1");
	json_set_cstr(&a, o, "kind", "Node");
	json_set_cstr(&a, meta, "name", s->n->o.node_name);
	add_labels(s, &a, json_need(&a, meta, "labels", JSON_OBJECT));
	add_flag_labels(s, &a, json_get(meta, "labels"));
	json_set_cstr(&a, json_need(&a, meta, "annotations", JSON_OBJECT),
	        "volumes.kubernetes.io/controller-managed-attach-detach", "true");
	add_internal_ip(s, &a, meta);
	add_taints(s, &a, spec);
	if (json_str(kubelet_config_get(s->n->config, "providerID")).len)
		json_set_str(&a, spec, "providerID", json_str(kubelet_config_get(s->n->config, "providerID")));
	json_set(&a, o, "status", build_status(s, &a));
	api_send_json(s->n, "POST", NULL, o, created, s, "/api/v1/nodes");
	arena_release(&a);
}

/* ---- the label of nodes that run WebAssembly pods: once it is so ---- */

static void wasm_labelled(void *arg, int status, struct slice body, const struct err *err)
{
	struct node_status *s = arg;
	s->has_wasm_label = !err;
	if (err && err->code != ERR_CANCELED)
		log_warn("node", "cannot label the node for WebAssembly pods", "error=\"%s\"", err->msg);
}

static void label_wasm(struct node_status *s)
{
	if (s->has_wasm_label || !s->n->wasm || !wasm_is_up(s->n->wasm))
		return;
	s->has_wasm_label = true; /* or being written */
	api_send(s->n, "PATCH", API_MERGE_PATCH,
	        SLICE("{\"metadata\":{\"labels\":{\"" WASM_NODE_LABEL "\":\"true\"}}}"), wasm_labelled, s,
	        "/api/v1/nodes/%s", s->n->o.node_name);
}

/* ---- lease ---- */

/* The next beat tries again: a node whose Lease is late is taken for dead, so its pause does not grow past a beat. */
static void lease_told(struct node_status *s, const struct err *err)
{
	CHECK(s->lease_busy);
	s->lease_busy = false;
	if (!err)
		retry_succeeded(&s->leases);
	else if (err->code != ERR_CANCELED && err->code != ERR_EXISTS &&
	         retry_failed(&s->leases, &lease_rule, loop_now_ms(s->n->loop)))
		log_warn("node", "cannot renew the node's lease", "failures=%u error=\"%s\"", s->leases.failures,
		        err->msg);
}

static void lease_created(void *arg, int status, struct slice body, const struct err *err)
{
	struct node_status *s = arg;
	lease_told(s, err);
	s->lease_made = is_registered(s) && (!err || err->code == ERR_EXISTS);
}

static void lease_renewed(void *arg, int status, struct slice body, const struct err *err)
{
	struct node_status *s = arg;
	lease_told(s, err);
	if (err && err->code == ERR_NOT_FOUND)
		s->lease_made = false;
}

static void beat_lease(struct node_status *s)
{
	CHECK(is_registered(s));
	struct strbuf b = STRBUF_INIT;
	char now[TIME_TEXT_MAX];
	const char *name = s->n->o.node_name, *base = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
	if (s->lease_busy)
		return;
	s->lease_busy = true;
	time_text_micro(time_now_ns(), now);
	if (s->lease_made) {
		strbuf_addf(&b, "{\"spec\":{\"renewTime\":\"%s\"}}", now);
		api_send(s->n, "PATCH", API_MERGE_PATCH, strbuf_slice(&b), lease_renewed, s, "%s/%s", base, name);
	} else {
		strbuf_addf(&b,
		        "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":\"%s\"},"
		        "\"spec\":{\"holderIdentity\":\"%s\",\"leaseDurationSeconds\":%d,\"renewTime\":\"%s\"}}",
		        name, name, LEASE_S, now);
		api_send(s->n, "POST", NULL, strbuf_slice(&b), lease_created, s, "%s", base);
	}
	strbuf_release(&b);
}

/* ---- beats ---- */

static void version_told(void *arg, const void *answer, const struct err *err)
{
	struct node_status *s = arg;
	const CRI(VersionResponse) *v = answer;
	if (err || s->runtime_version)
		return;
	s->runtime_version = xprintf("%s://%s", v->runtime_name, v->runtime_version);
	node_status_poke(s->n);
}

static void beat(uv_timer_t *t)
{
	LOOP_CHECK_OWNER(((struct node_status *)t->data)->n->loop);
	struct node_status *s = t->data;
	if (s->n->closing)
		return;
	if (!s->runtime_version && s->n->cri) {
		CRI(VersionRequest) r = RUNTIME__V1__VERSION_REQUEST__INIT;
		cri_call(s->n->cri, "RuntimeService/Version", &r.base, &runtime__v1__version_response__descriptor,
		        10000, version_told, s);
	}
	if (sm_state(&s->sm) == NODE_UNKNOWN && !retry_wait_ms(&s->registers, loop_now_ms(s->n->loop)))
		register_node(s);
	if (is_registered(s)) {
		beat_lease(s);
		label_wasm(s);
	}
	report(s);
}

void node_status_poke(struct node *n)
{
	struct node_status *s = n->status;
	if (s && !n->closing && is_registered(s))
		uv_timer_start(&s->timer, beat, 50, BEAT_MS);
}

/* "10.42.1.0/24,fd00:42:0:1::/64" */
static void read_pod_cidrs(struct slice node, struct strbuf *out)
{
	struct arena a = ARENA_INIT;
	const struct json *spec = json_get(json_parse(&a, node, NULL, NULL), "spec");
	JSON_FOREACH (it, json_get(spec, "podCIDRs"))
		strbuf_addf(out, "%s%.*s", out->len ? "," : "", SLICE_FMT(json_str(it)));
	if (!out->len)
		strbuf_add_slice(out, json_get_str(spec, "podCIDR"));
	arena_release(&a);
}

static void node_seen(void *arg, struct informer_object *o)
{
	struct node_status *s = arg;
	struct node *n = s->n;
	struct err err = ERR_INIT;
	csi_node_changed(n->csi, json_find(informer_text(o), "metadata", "uid", NULL));
	struct strbuf cidrs = STRBUF_INIT;
	read_pod_cidrs(informer_text(o), &cidrs);
	bool is_news = cidrs.len && !(n->pod_cidr && slice_is(strbuf_slice(&cidrs), n->pod_cidr));
	if (is_news)
		n->pod_cidr = arena_strdup(&n->arena, strbuf_cstr(&cidrs));
	strbuf_release(&cidrs);
	if (!is_news)
		return;
	if (cni_write(n, &err) != 0) {
		log_error("node", "cannot write the network configuration", "error=\"%s\"", err.msg);
		n->pod_cidr = NULL; /* the next event of the node tries again */
		return;
	}
	log_info("node", "pod network configured", "pod_cidr=%s", n->pod_cidr);
	n->network_ready = true;
	s->network_ready(n);
}

static void node_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	node_seen(arg, o);
}

static void node_deleted(void *arg, struct informer_object *o)
{
	struct node_status *s = arg;
	forget_registration(s);
	free(s->last);
	s->last = NULL;
}

struct node_status *node_status_new(struct node *n, void (*network_ready)(struct node *n))
{
	LOOP_CHECK_OWNER(n->loop);
	CHECK(network_ready);
	struct node_status *s = xcalloc(1, sizeof *s);
	char selector[300];
	snprintf(selector, sizeof selector, "metadata.name=%s", n->o.node_name);
	s->n = n;
	s->network_ready = network_ready;
	s->started_ms = loop_now_ms(n->loop);
	sm_init(&s->sm, &machine, NODE_UNKNOWN, n->o.node_name);
	uv_timer_init(loop_uv(n->loop), &s->timer);
	s->timer.data = s;
	uv_timer_start(&s->timer, beat, FIRST_BEAT_MS, BEAT_MS);
	struct informer_options o = {.client = n->client,
	        .path = "/api/v1/nodes",
	        .field_selector = selector,
	        .added = node_seen,
	        .updated = node_updated,
	        .deleted = node_deleted,
	        .arg = s};
	s->informer = n->node_informer = informer_new(&o);
	return s;
}

static void timer_closed(uv_handle_t *h)
{
	struct node_status *s = h->data;
	closing_part_done(&s->n->parts);
}

void node_status_close(struct node_status *s)
{
	LOOP_CHECK_OWNER(s->n->loop);
	closing_hold(&s->n->parts);
	s->n->node_informer = NULL;
	informer_close(TAKE(s->informer), closing_part_done, &s->n->parts);
	closing_hold(&s->n->parts);
	uv_close((uv_handle_t *)&s->timer, timer_closed);
}

void node_status_free(struct node_status *s)
{
	free(s->runtime_version);
	free(s->last);
	free(s);
}
