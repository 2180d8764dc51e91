/* Cells of pods, services, nodes and workloads, as upstream prints them. See table.c. */
#include "api/machinery/table/printers.h"

#include <inttypes.h>
#include <stdio.h>

static struct json *status_of(struct cells *c)
{
	return json_get(c->object, "status");
}

static struct json *spec_of(struct cells *c)
{
	return json_get(c->object, "spec");
}

static int64_t number(struct cells *c, const char *part, const char *name, int64_t fallback)
{
	return json_int(json_path(c->object, part, name, NULL), fallback);
}

/* ---- pods ---- */

struct pod_row {
	char reason[128];
	int64_t ready, total, restarts;
	int64_t last_restart; /* Unix time, -1: none */
};

static void take_restarts(struct pod_row *p, const struct json *status)
{
	struct json *ended = json_path(status, "lastState", "terminated", NULL);
	int64_t at = ended ? time_of(json_get_str(ended, "finishedAt")) : -1;
	p->restarts += json_get_int(status, "restartCount", 0);
	if (at > p->last_restart)
		p->last_restart = at;
}

static bool is_sidecar(const struct json *spec, struct slice name)
{
	JSON_FOREACH (it, json_get(spec, "initContainers"))
		if (slice_eq(json_get_str(it, "name"), name))
			return slice_is(json_get_str(it, "restartPolicy"), "Always");
	return false;
}

static void terminated_reason(char *out, size_t size, const struct json *t, const char *prefix)
{
	struct slice reason = json_get_str(t, "reason");
	int64_t signal = json_get_int(t, "signal", 0);
	if (reason.len)
		snprintf(out, size, "%s%.*s", prefix, SLICE_FMT(reason));
	else if (signal)
		snprintf(out, size, "%sSignal:%" PRId64, prefix, signal);
	else
		snprintf(out, size, "%sExitCode:%" PRId64, prefix, json_get_int(t, "exitCode", 0));
}

/* True while an init container holds the pod back. */
static bool take_init(struct pod_row *p, struct cells *c)
{
	int64_t i = -1, total = 0;
	JSON_FOREACH (it, json_get(spec_of(c), "initContainers"))
		total++;
	JSON_FOREACH (s, json_get(status_of(c), "initContainerStatuses")) {
		struct json *state = json_get(s, "state"), *t = json_get(state, "terminated"),
		            *w = json_get(state, "waiting");
		bool sidecar = is_sidecar(spec_of(c), json_get_str(s, "name"));
		i++;
		take_restarts(p, s);
		if (t && json_get_int(t, "exitCode", 0) == 0)
			continue;
		if (sidecar && json_get_bool(s, "started", false)) {
			if (json_get_bool(s, "ready", false))
				p->ready++;
			continue;
		}
		struct slice why = json_get_str(w, "reason");
		if (t)
			terminated_reason(p->reason, sizeof p->reason, t, "Init:");
		else if (why.len && !slice_is(why, "PodInitializing"))
			snprintf(p->reason, sizeof p->reason, "Init:%.*s", SLICE_FMT(why));
		else
			snprintf(p->reason, sizeof p->reason, "Init:%" PRId64 "/%" PRId64, i, total);
		return true;
	}
	return false;
}

static void take_containers(struct pod_row *p, struct cells *c)
{
	bool running = false;
	p->restarts = 0;
	p->last_restart = -1;
	struct json *list = json_get(status_of(c), "containerStatuses");
	for (int64_t i = list ? (int64_t)list->count - 1 : -1; i >= 0; i--) {
		struct json *s = json_at(list, (size_t)i), *state = json_get(s, "state");
		struct json *t = json_get(state, "terminated"), *w = json_get(state, "waiting");
		take_restarts(p, s);
		if (w && json_get_str(w, "reason").len) {
			snprintf(p->reason, sizeof p->reason, "%.*s", SLICE_FMT(json_get_str(w, "reason")));
		} else if (t) {
			terminated_reason(p->reason, sizeof p->reason, t, "");
		} else if (json_get_bool(s, "ready", false) && json_get(state, "running")) {
			running = true;
			p->ready++;
		}
	}
	if (running && strcmp(p->reason, "Completed") == 0)
		snprintf(p->reason, sizeof p->reason, "Running");
}

static bool is_ready(const struct json *status)
{
	JSON_FOREACH (it, json_get(status, "conditions"))
		if (slice_is(json_get_str(it, "type"), "Ready"))
			return slice_is(json_get_str(it, "status"), "True");
	return false;
}

static void pod_row(struct pod_row *p, struct cells *c)
{
	struct json *status = status_of(c), *containers = json_get(spec_of(c), "containers");
	struct slice phase = json_get_str(status, "phase"), why = json_get_str(status, "reason");
	*p = (struct pod_row){.total = containers ? containers->count : 0, .last_restart = -1};
	JSON_FOREACH (it, json_get(spec_of(c), "initContainers"))
		p->total += slice_is(json_get_str(it, "restartPolicy"), "Always");
	snprintf(p->reason, sizeof p->reason, "%.*s", SLICE_FMT(why.len ? why : phase));
	JSON_FOREACH (it, json_get(status, "conditions"))
		if (slice_is(json_get_str(it, "type"), "PodScheduled") &&
		        slice_is(json_get_str(it, "reason"), "SchedulingGated"))
			snprintf(p->reason, sizeof p->reason, "SchedulingGated");
	if (!take_init(p, c)) {
		take_containers(p, c);
		if (strcmp(p->reason, "Running") == 0 && !is_ready(status) && p->ready == p->total && p->total == 0)
			snprintf(p->reason, sizeof p->reason, "NotReady");
	}
	if (json_path(c->object, "metadata", "deletionTimestamp", NULL))
		snprintf(p->reason, sizeof p->reason, "%s", slice_is(why, "NodeLost") ? "Unknown" : "Terminating");
}

void table_pod(struct cells *c)
{
	struct pod_row p;
	struct json *spec = spec_of(c), *status = status_of(c), *gates = json_get(spec, "readinessGates");
	pod_row(&p, c);
	cell_name(c);
	cell_fmt(c, "%" PRId64 "/%" PRId64, p.ready, p.total);
	cell_text(c, p.reason);
	if (p.restarts && p.last_restart >= 0) {
		char ago[32];
		duration_text(ago, c->now_s - p.last_restart);
		cell_fmt(c, "%" PRId64 " (%s ago)", p.restarts, ago);
	} else {
		cell_fmt(c, "%" PRId64, p.restarts);
	}
	cell_age(c);
	cell_or_none(c, json_get_str(status, "podIP"));
	cell_or_none(c, json_get_str(spec, "nodeName"));
	cell_or_none(c, json_get_str(status, "nominatedNodeName"));
	if (gates && gates->count)
		cell_fmt(c, "0/%u", gates->count);
	else
		cell_text(c, "<none>");
}

/* ---- services, endpoints ---- */

static void external_ip(struct cells *c)
{
	struct json *spec = spec_of(c), *list = json_get(spec, "externalIPs");
	struct json *ingress = json_path(c->object, "status", "loadBalancer", "ingress", NULL);
	struct slice type = json_get_str(spec, "type");
	struct strbuf text = STRBUF_INIT;
	JSON_FOREACH (it, slice_is(type, "LoadBalancer") ? ingress : NULL) {
		struct slice ip = json_get_str(it, "ip");
		strbuf_addf(
		        &text, "%s%.*s", text.len ? "," : "", SLICE_FMT(ip.len ? ip : json_get_str(it, "hostname")));
	}
	JSON_FOREACH (it, list)
		strbuf_addf(&text, "%s%.*s", text.len ? "," : "", SLICE_FMT(json_str(it)));
	if (slice_is(type, "ExternalName"))
		cell_str(c, json_get_str(spec, "externalName"));
	else if (!text.len && slice_is(type, "LoadBalancer"))
		cell_text(c, "<pending>");
	else
		cell_or_none(c, strbuf_slice(&text));
	strbuf_release(&text);
}

void table_service(struct cells *c)
{
	struct json *spec = spec_of(c);
	struct strbuf ports = STRBUF_INIT;
	JSON_FOREACH (p, json_get(spec, "ports")) {
		int64_t node_port = json_get_int(p, "nodePort", 0);
		strbuf_addf(&ports, "%s%" PRId64, ports.len ? "," : "", json_get_int(p, "port", 0));
		if (node_port)
			strbuf_addf(&ports, ":%" PRId64, node_port);
		strbuf_addf(&ports, "/%.*s", SLICE_FMT(json_get_str(p, "protocol")));
	}
	cell_name(c);
	cell_str(c, json_get_str(spec, "type"));
	cell_or_none(c, json_get_str(spec, "clusterIP"));
	external_ip(c);
	cell_or_none(c, strbuf_slice(&ports));
	cell_age(c);
	cell_labels(c, json_get(spec, "selector"));
	strbuf_release(&ports);
}

enum { ENDPOINTS_SHOWN = 3 };

void table_endpoints(struct cells *c)
{
	struct strbuf text = STRBUF_INIT;
	int total = 0;
	JSON_FOREACH (s, json_get(c->object, "subsets"))
		JSON_FOREACH (p, json_get(s, "ports"))
			JSON_FOREACH (a, json_get(s, "addresses"))
				if (total++ < ENDPOINTS_SHOWN)
					strbuf_addf(&text, "%s%.*s:%" PRId64, text.len ? "," : "",
					        SLICE_FMT(json_get_str(a, "ip")), json_get_int(p, "port", 0));
	if (total > ENDPOINTS_SHOWN)
		strbuf_addf(&text, " + %d more...", total - ENDPOINTS_SHOWN);
	cell_name(c);
	cell_or_none(c, strbuf_slice(&text));
	cell_age(c);
	strbuf_release(&text);
}

void table_endpoint_slice(struct cells *c)
{
	struct strbuf ports = STRBUF_INIT, addresses = STRBUF_INIT;
	int total = 0;
	JSON_FOREACH (p, json_get(c->object, "ports"))
		strbuf_addf(&ports, "%s%" PRId64, ports.len ? "," : "", json_get_int(p, "port", 0));
	JSON_FOREACH (e, json_get(c->object, "endpoints"))
		JSON_FOREACH (a, json_get(e, "addresses"))
			if (total++ < ENDPOINTS_SHOWN)
				strbuf_addf(&addresses, "%s%.*s", addresses.len ? "," : "", SLICE_FMT(json_str(a)));
	if (total > ENDPOINTS_SHOWN)
		strbuf_addf(&addresses, " + %d more...", total - ENDPOINTS_SHOWN);
	cell_name(c);
	cell_str(c, json_get_str(c->object, "addressType"));
	cell_str(c, ports.len ? strbuf_slice(&ports) : SLICE("<unset>"));
	cell_str(c, addresses.len ? strbuf_slice(&addresses) : SLICE("<unset>"));
	cell_age(c);
	strbuf_release(&ports);
	strbuf_release(&addresses);
}

void table_ingress(struct cells *c)
{
	struct json *spec = spec_of(c), *tls = json_get(spec, "tls");
	struct strbuf hosts = STRBUF_INIT;
	JSON_FOREACH (r, json_get(spec, "rules")) {
		struct slice host = json_get_str(r, "host");
		strbuf_addf(&hosts, "%s%.*s", hosts.len ? "," : "", SLICE_FMT(host.len ? host : SLICE("*")));
	}
	cell_name(c);
	cell_or_none(c, json_get_str(spec, "ingressClassName"));
	cell_str(c, hosts.len ? strbuf_slice(&hosts) : SLICE("*"));
	struct json *ingress = json_path(c->object, "status", "loadBalancer", "ingress", NULL);
	if (ingress && ingress->first)
		cell_join(c, ingress, json_get(ingress->first, "ip") ? "ip" : "hostname");
	else
		cell_text(c, "");
	cell_text(c, tls && tls->first ? "80, 443" : "80");
	cell_age(c);
	strbuf_release(&hosts);
}

void table_network_policy(struct cells *c)
{
	cell_name(c);
	cell_selector(c, json_get(spec_of(c), "podSelector"));
	cell_age(c);
}

/* ---- nodes ---- */

static struct slice node_address(struct cells *c, const char *type)
{
	JSON_FOREACH (it, json_get(status_of(c), "addresses"))
		if (slice_is(json_get_str(it, "type"), type))
			return json_get_str(it, "address");
	return SLICE_NULL;
}

static void node_roles(struct cells *c)
{
	static const char prefix[] = "node-role.kubernetes.io/";
	struct strbuf text = STRBUF_INIT;
	JSON_FOREACH (it, json_path(c->object, "metadata", "labels", NULL)) {
		if (slice_starts(it->key, prefix) && it->key.len > sizeof prefix - 1)
			strbuf_addf(&text, "%s%.*s", text.len ? "," : "", (int)(it->key.len - (sizeof prefix - 1)),
			        it->key.ptr + sizeof prefix - 1);
		else if (slice_is(it->key, "kubernetes.io/role") && json_str(it).len)
			strbuf_addf(&text, "%s%.*s", text.len ? "," : "", SLICE_FMT(json_str(it)));
	}
	cell_or_none(c, strbuf_slice(&text));
	strbuf_release(&text);
}

void table_node(struct cells *c)
{
	struct json *status = status_of(c), *info = json_get(status, "nodeInfo");
	const char *ready = "Unknown";
	JSON_FOREACH (it, json_get(status, "conditions"))
		if (slice_is(json_get_str(it, "type"), "Ready"))
			ready = slice_is(json_get_str(it, "status"), "True") ? "Ready" : "NotReady";
	cell_name(c);
	cell_fmt(c, "%s%s", ready, json_get_bool(spec_of(c), "unschedulable", false) ? ",SchedulingDisabled" : "");
	node_roles(c);
	cell_age(c);
	cell_str(c, json_get_str(info, "kubeletVersion"));
	cell_or_none(c, node_address(c, "InternalIP"));
	cell_or_none(c, node_address(c, "ExternalIP"));
	cell_or_none(c, json_get_str(info, "osImage"));
	cell_or_none(c, json_get_str(info, "kernelVersion"));
	cell_or_none(c, json_get_str(info, "containerRuntimeVersion"));
}

/* ---- workloads ---- */

static void wide_template(struct cells *c, const struct json *template)
{
	struct json *containers = json_path(template, "spec", "containers", NULL);
	cell_join(c, containers, "name");
	cell_join(c, containers, "image");
}

void table_deployment(struct cells *c)
{
	struct json *spec = spec_of(c);
	cell_name(c);
	cell_fmt(c, "%" PRId64 "/%" PRId64, number(c, "status", "readyReplicas", 0), number(c, "spec", "replicas", 1));
	cell_int(c, number(c, "status", "updatedReplicas", 0));
	cell_int(c, number(c, "status", "availableReplicas", 0));
	cell_age(c);
	wide_template(c, json_get(spec, "template"));
	cell_selector(c, json_get(spec, "selector"));
}

void table_replica_set(struct cells *c)
{
	struct json *spec = spec_of(c), *selector = json_get(spec, "selector");
	cell_name(c);
	cell_int(c, number(c, "spec", "replicas", 1));
	cell_int(c, number(c, "status", "replicas", 0));
	cell_int(c, number(c, "status", "readyReplicas", 0));
	cell_age(c);
	wide_template(c, json_get(spec, "template"));
	if (json_get(selector, "matchLabels") || json_get(selector, "matchExpressions"))
		cell_selector(c, selector);
	else
		cell_labels(c, selector);
}

void table_daemon_set(struct cells *c)
{
	struct json *spec = spec_of(c);
	cell_name(c);
	cell_int(c, number(c, "status", "desiredNumberScheduled", 0));
	cell_int(c, number(c, "status", "currentNumberScheduled", 0));
	cell_int(c, number(c, "status", "numberReady", 0));
	cell_int(c, number(c, "status", "updatedNumberScheduled", 0));
	cell_int(c, number(c, "status", "numberAvailable", 0));
	cell_labels(c, json_path(spec, "template", "spec", "nodeSelector", NULL));
	cell_age(c);
	wide_template(c, json_get(spec, "template"));
	cell_selector(c, json_get(spec, "selector"));
}

void table_stateful_set(struct cells *c)
{
	cell_name(c);
	cell_fmt(c, "%" PRId64 "/%" PRId64, number(c, "status", "readyReplicas", 0), number(c, "spec", "replicas", 1));
	cell_age(c);
	wide_template(c, json_get(spec_of(c), "template"));
}

static bool condition_true(const struct json *status, const char *type)
{
	JSON_FOREACH (it, json_get(status, "conditions"))
		if (slice_is(json_get_str(it, "type"), type))
			return slice_is(json_get_str(it, "status"), "True");
	return false;
}

void table_job(struct cells *c)
{
	struct json *spec = spec_of(c), *status = status_of(c), *completions = json_get(spec, "completions");
	struct slice started = json_get_str(status, "startTime"), ended = json_get_str(status, "completionTime");
	const char *state = condition_true(status, "Complete")                            ? "Complete"
	                    : condition_true(status, "Failed")                            ? "Failed"
	                    : json_path(c->object, "metadata", "deletionTimestamp", NULL) ? "Terminating"
	                    : condition_true(status, "Suspended")                         ? "Suspended"
	                    : condition_true(status, "FailureTarget")                     ? "FailureTarget"
	                    : condition_true(status, "SuccessCriteriaMet")                ? "SuccessCriteriaMet"
	                                                                                  : "Running";
	cell_name(c);
	cell_text(c, state);
	if (completions)
		cell_fmt(c, "%" PRId64 "/%" PRId64, json_get_int(status, "succeeded", 0), json_int(completions, 0));
	else
		cell_fmt(c, "%" PRId64 "/1", json_get_int(status, "succeeded", 0));
	if (started.len) {
		char text[32];
		duration_text(text, (ended.len ? time_of(ended) : c->now_s) - time_of(started));
		cell_text(c, text);
	} else {
		cell_text(c, "");
	}
	cell_age(c);
	wide_template(c, json_get(spec, "template"));
	cell_selector(c, json_get(spec, "selector"));
}

void table_cron_job(struct cells *c)
{
	struct json *spec = spec_of(c), *active = json_path(c->object, "status", "active", NULL);
	struct slice last = json_str(json_path(c->object, "status", "lastScheduleTime", NULL));
	cell_name(c);
	cell_str(c, json_get_str(spec, "schedule"));
	cell_or_none(c, json_get_str(spec, "timeZone"));
	cell_text(c, json_get_bool(spec, "suspend", false) ? "True" : "False");
	cell_int(c, active ? active->count : 0);
	if (last.len)
		cell_age_of(c, last);
	else
		cell_text(c, "<none>");
	cell_age(c);
	wide_template(c, json_path(spec, "jobTemplate", "spec", "template", NULL));
	cell_text(c, "<none>");
}
