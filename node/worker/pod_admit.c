/* See pod_admit_int.h. A scheduler looks at all of this before it binds a pod; but a pod may be bound by whoever writes
 * spec.nodeName, two schedulers may choose at once, and nobody asks about the host. What does not fit here is Failed
 * with a reason, so that whoever owns the pod makes another. A critical pod that lacks nothing but resources takes the
 * place of others (pod_preempt.c). In upstream's order and words (pkg/kubelet/lifecycle/predicate.go,
 * pkg/kubelet/sysctl, pkg/security/apparmor). */
#include "node/worker/pod_admit_int.h"

#include "api/machinery/schema/node_selector.h"
#include "base/check.h"
#include "node/cgroup/resources.h"
#include "node/ground/node_record.h"

struct question {
	struct arena *a;
	const struct json *spec;
	bool is_static;
	const struct admit_other *others;
	size_t others_count;
	const struct admit_node *node;
	struct shortage *shortages; /* of a critical pod: they refuse it only when nobody can make place */
	size_t shortages_count;
	struct admit_verdict verdict;
};

static void refuse(struct question *q, const char *reason, const char *message)
{
	CHECK(!q->verdict.reason); /* the first reason counts */
	q->verdict.reason = reason;
	q->verdict.message = message;
}

/* ---- sysctls ---- */

/* Those that reach no further than the pod's own namespaces. */
static const char *const safe_sysctls[] = {"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range",
        "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"};

static const char *dotted(struct arena *a, struct slice name)
{
	char *text = arena_memdup(a, name.ptr ? name.ptr : "", name.len);
	for (char *c = text; *c; c++)
		*c = *c == '/' ? '.' : *c;
	return text;
}

static bool is_allowed(const struct json *patterns, const char *name)
{
	JSON_FOREACH (it, patterns) {
		struct slice p = json_str(it);
		bool is_prefix = slice_ends(p, "*");
		if (is_prefix ? strncmp(name, p.ptr, p.len - 1) == 0 : slice_is(p, name))
			return true;
	}
	return false;
}

static void check_sysctls(struct question *q)
{
	JSON_FOREACH (it, json_path(q->spec, "securityContext", "sysctls", NULL)) {
		const char *name = dotted(q->a, json_get_str(it, "name")), *why = "not allowlisted";
		for (size_t i = 0; i < COUNT_OF(safe_sysctls); i++)
			if (strcmp(name, safe_sysctls[i]) == 0)
				why = NULL;
		if (why && is_allowed(q->node->unsafe_sysctls, name))
			why = NULL;
		if (!why && strncmp(name, "net.", 4) == 0 && json_get_bool(q->spec, "hostNetwork", false))
			why = "not allowed with host net enabled";
		else if (!why && strncmp(name, "kernel.", 7) == 0 && json_get_bool(q->spec, "hostIPC", false))
			why = "not allowed with host ipc enabled";
		if (why) {
			refuse(q, "SysctlForbidden", arena_printf(q->a, "forbidden sysctl: \"%s\" %s", name, why));
			return;
		}
	}
}

/* ---- resources ---- */

static int64_t amount(const struct resource_list *l, struct slice name)
{
	return resource_list_get(l, name) ? pod_asks_of(l, name) : 0;
}

static void lacks(struct question *q, struct slice name, int64_t asked, int64_t used, int64_t has)
{
	if (pod_is_critical(q->spec, q->is_static)) {
		q->shortages[q->shortages_count++] = (struct shortage){name, asked - (has - used)};
		return;
	}
	refuse(q, arena_printf(q->a, "OutOf%.*s", SLICE_FMT(name)),
	        arena_printf(q->a,
	                "Node didn't have enough resource: %.*s, requested: %lld, used: %lld, capacity: %lld",
	                SLICE_FMT(name), (long long)asked, (long long)used, (long long)has));
}

static int64_t pods_of(const struct resource_list *has)
{
	const struct quantity *pods = resource_list_get(has, SLICE("pods"));
	return pods ? quantity_value(pods) : 0;
}

/* What the node does not name is none of its resources: whoever provides it decides. */
static void check_resources(struct question *q)
{
	struct resource_list has = resource_list_read(q->a, json_parse(q->a, q->node->allocatable, NULL, NULL)),
	                     asked = pod_asks(q->a, q->spec), used = {.arena = q->a};
	int64_t pods = pods_of(&has);
	q->shortages = ARENA_ARRAY(q->a, struct shortage, asked.n + 1);
	if (pods && (int64_t)q->others_count + 1 > pods)
		lacks(q, SLICE("pods"), 1, (int64_t)q->others_count, pods);
	for (size_t i = 0; i < q->others_count; i++) {
		struct resource_list one = pod_asks(q->a, q->others[i].spec);
		resource_list_add(&used, &one);
	}
	for (size_t i = 0; i < asked.n && !q->verdict.reason; i++) {
		struct slice name = asked.list[i].name;
		int64_t more = amount(&asked, name);
		if (more > 0 && resource_list_get(&has, name) && more > amount(&has, name) - amount(&used, name))
			lacks(q, name, more, amount(&used, name), amount(&has, name));
	}
}

/* ---- where it may run ---- */

static bool tolerates(const struct json *spec, const struct json *taint)
{
	JSON_FOREACH (it, json_get(spec, "tolerations"))
		if (toleration_covers(it, json_get_str(taint, "key"), json_get_str(taint, "value"),
		            json_get_str(taint, "effect")))
			return true;
	return false;
}

static void check_place(struct question *q)
{
	const struct json *required =
	        json_path(q->spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", NULL);
	if (!node_selector_labels_match(json_get(q->spec, "nodeSelector"), q->node->labels) ||
	        (required && !node_selector_terms_match(
	                             json_get(required, "nodeSelectorTerms"), q->node->name, q->node->labels))) {
		refuse(q, "NodeAffinity",
		        "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector");
		return;
	}
	JSON_FOREACH (taint, q->is_static ? NULL : json_parse(q->a, q->node->taints, NULL, NULL))
		if (slice_is(json_get_str(taint, "effect"), "NoExecute") && !tolerates(q->spec, taint)) {
			refuse(q, "TaintToleration",
			        "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate");
			return;
		}
}

/* ---- host ports ---- */

static bool is_any_address(struct slice ip)
{
	return !ip.len || slice_is(ip, "0.0.0.0") || slice_is(ip, "::");
}

static struct slice protocol_of(const struct json *port)
{
	struct slice p = json_get_str(port, "protocol");
	return p.len ? p : SLICE("TCP");
}

static bool ports_collide(const struct json *x, const struct json *y)
{
	struct slice a = json_get_str(x, "hostIP"), b = json_get_str(y, "hostIP");
	int64_t port = json_get_int(x, "hostPort", 0);
	return port && port == json_get_int(y, "hostPort", 0) && slice_eq(protocol_of(x), protocol_of(y)) &&
	       (is_any_address(a) || is_any_address(b) || slice_eq(a, b));
}

static bool has_port(const struct json *spec, const struct json *port)
{
	JSON_FOREACH (c, json_get(spec, "containers"))
		JSON_FOREACH (it, json_get(c, "ports"))
			if (ports_collide(it, port))
				return true;
	return false;
}

static void check_ports(struct question *q)
{
	JSON_FOREACH (c, json_get(q->spec, "containers"))
		JSON_FOREACH (port, json_get(c, "ports"))
			for (size_t i = 0; i < q->others_count; i++)
				if (has_port(q->others[i].spec, port)) {
					refuse(q, "NodePorts",
					        "Predicate NodePorts failed: node(s) didn't have free ports for the "
					        "requested pod ports");
					return;
				}
}

/* ---- what the node is short of ---- */

static bool tolerates_memory_pressure(const struct json *spec)
{
	JSON_FOREACH (it, json_get(spec, "tolerations"))
		if (toleration_covers(it, SLICE("node.kubernetes.io/memory-pressure"), SLICE_NULL, SLICE("NoSchedule")))
			return true;
	return false;
}

static void check_shutdown(struct question *q)
{
	if (q->node->is_shutting_down)
		refuse(q, "NodeShutdown", "Pod was rejected as the node is shutting down.");
}

/* Short of memory alone, it still takes pods that said how much they need. */
static void check_pressure(struct question *q)
{
	unsigned is = q->node->pressures;
	if (!is || pod_is_critical(q->spec, q->is_static) ||
	        (is == NODE_PRESSURE_MEMORY &&
	                (pod_qos(q->spec) != QOS_BESTEFFORT || tolerates_memory_pressure(q->spec))))
		return;
	const char *names = arena_printf(q->a, "%s%s%s", is & NODE_PRESSURE_MEMORY ? " MemoryPressure" : "",
	        is & NODE_PRESSURE_DISK ? " DiskPressure" : "", is & NODE_PRESSURE_PID ? " PIDPressure" : "");
	refuse(q, "Evicted", arena_printf(q->a, "The node had condition: [%s]. ", names + 1));
}

/* ---- the host ---- */

static void check_system(struct question *q)
{
	struct slice os = json_str(json_path(q->spec, "os", "name", NULL));
	if (os.len && !slice_is(os, "linux"))
		refuse(q, "PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS");
}

static bool is_confined(const struct json *context)
{
	struct slice type = json_get_str(json_get(context, "appArmorProfile"), "type");
	return type.len && !slice_is(type, "Unconfined");
}

static void check_apparmor(struct question *q)
{
	static const char *const lists[] = {"containers", "initContainers"};
	bool any = is_confined(json_get(q->spec, "securityContext"));
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (c, json_get(q->spec, lists[i]))
			any = any || is_confined(json_get(c, "securityContext"));
	if (any && !q->node->has_apparmor)
		refuse(q, "AppArmor", "Cannot enforce AppArmor: AppArmor is not enabled on the host");
}

/* ---- */

static void check_node(struct question *q)
{
	if (q->node->is_known)
		check_resources(q);
	if (q->node->is_known && !q->verdict.reason)
		check_place(q);
}

/* All else fits. */
static void make_place(struct question *q)
{
	struct admit_verdict *v = &q->verdict;
	const char *missing;
	CHECK(q->shortages_count && pod_is_critical(q->spec, q->is_static));
	if (pod_preempt_choose(q->a, q->spec, q->is_static, q->others, q->others_count, q->shortages,
	            q->shortages_count, &v->victims, &v->victims_count, &missing))
		v->must_wait = true;
	else
		refuse(q, "UnexpectedAdmissionError",
		        arena_printf(q->a,
		                "Unexpected error while attempting to recover from admission failure: preemption: "
		                "error "
		                "finding a set of pods to preempt: %s",
		                missing));
}

struct admit_verdict pod_admit(struct arena *a, const struct json *spec, bool is_static,
        const struct admit_other *others, size_t others_count, const struct admit_node *node)
{
	static void (*const checks[])(struct question *) = {
	        check_shutdown, check_pressure, check_sysctls, check_system, check_node, check_ports, check_apparmor};
	struct question q = {a, spec, is_static, others, others_count, node, .verdict = {.reason = NULL}};
	CHECK(json_is(spec, JSON_OBJECT));
	for (size_t i = 0; i < COUNT_OF(checks) && !q.verdict.reason; i++)
		checks[i](&q);
	if (q.shortages_count && !q.verdict.reason)
		make_place(&q);
	return q.verdict;
}
