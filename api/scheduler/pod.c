/* Reading a pod: what it asks of a node. Requests are upstream's PodRequests: the sum over containers and restartable
 * init containers, or what a plain init container needs together with the restartable ones before it, whichever is
 * more, plus the overhead. */
#include "api/scheduler/scheduler_int.h"

#include "api/machinery/codec/quantity.h"

/* Upstream's DefaultMilliCPURequest and DefaultMemoryRequest: what a container without requests counts in scores. */
enum { NONZERO_CPU_MILLI = 100, NONZERO_MEMORY_MB = 200 };

/* ---- amounts ---- */

int64_t amounts_extended(const struct amounts *x, const char *name)
{
	for (const struct extended *e = x->extended; e && e->name; e++)
		if (e->name == name)
			return e->amount;
	return 0;
}

static struct extended *extended_need(struct arena *a, struct amounts *x, const char *name)
{
	size_t n = 0;
	for (struct extended *e = x->extended; e && e->name; e++, n++)
		if (e->name == name)
			return e;
	struct extended *list = ARENA_ARRAY(a, struct extended, n + 2);
	if (n)
		memcpy(list, x->extended, n * sizeof *list);
	list[n].name = name;
	x->extended = list;
	return &list[n];
}

void amounts_add(struct arena *a, struct amounts *to, const struct amounts *by, int sign)
{
	to->cpu_milli += sign * by->cpu_milli;
	to->memory += sign * by->memory;
	to->storage += sign * by->storage;
	to->pods += sign * by->pods;
	for (const struct extended *e = by->extended; e && e->name; e++)
		extended_need(a, to, e->name)->amount += sign * e->amount;
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void amounts_max(struct arena *a, struct amounts *to, const struct amounts *other)
{
	to->cpu_milli = larger(to->cpu_milli, other->cpu_milli);
	to->memory = larger(to->memory, other->memory);
	to->storage = larger(to->storage, other->storage);
	for (const struct extended *e = other->extended; e && e->name; e++) {
		struct extended *mine = extended_need(a, to, e->name);
		mine->amount = larger(mine->amount, e->amount);
	}
}

static struct amounts read_list(struct cache *k, struct arena *a, const struct json *list)
{
	struct amounts x = {0};
	JSON_FOREACH (it, list) {
		if (slice_is(it->key, "cpu"))
			x.cpu_milli = quantity_json_milli(it);
		else if (slice_is(it->key, "memory"))
			x.memory = quantity_json_value(it);
		else if (slice_is(it->key, "ephemeral-storage"))
			x.storage = quantity_json_value(it);
		else if (slice_is(it->key, "pods"))
			x.pods = quantity_json_value(it);
		else
			extended_need(a, &x, cache_intern(k, it->key))->amount = quantity_json_value(it);
	}
	return x;
}

/* ---- requests ---- */

static struct amounts container_requests(struct cache *k, struct arena *a, const struct json *c)
{
	return read_list(k, a, json_path(c, "resources", "requests", NULL));
}

/* While a pod is resized its node holds what it had and what it is to have, whichever is more; when the node cannot do
 * it at all, what it had. Upstream: determineContainerReqs. */
static struct amounts placed_requests(struct cache *k, struct arena *a, const struct json *c, const struct json *status)
{
	struct amounts wanted = container_requests(k, a, c), held = {0};
	const struct json *own = NULL;
	JSON_FOREACH (it, json_get(status, "containerStatuses"))
		if (slice_eq(json_get_str(it, "name"), json_get_str(c, "name")))
			own = json_get(it, "allocatedResources") ? it : NULL;
	if (!own)
		return wanted;
	held = read_list(k, a, json_get(own, "allocatedResources"));
	struct amounts used = read_list(k, a, json_path(own, "resources", "requests", NULL));
	amounts_max(a, &held, &used);
	if (!slice_is(json_get_str(status, "resize"), "Infeasible"))
		amounts_max(a, &held, &wanted);
	return held;
}

static bool is_sidecar(const struct json *init)
{
	return slice_is(json_get_str(init, "restartPolicy"), "Always");
}

static void add_nonzero(struct pod_info *out, const struct amounts *x)
{
	out->nonzero_cpu_milli += x->cpu_milli ? x->cpu_milli : NONZERO_CPU_MILLI;
	out->nonzero_memory += x->memory ? x->memory : (int64_t)NONZERO_MEMORY_MB << 20;
}

static void read_requests(
        struct cache *k, const struct json *spec, const struct json *status, struct pod_info *out, struct arena *a)
{
	struct amounts sum = {0}, sidecars = {0}, most = {0};
	JSON_FOREACH (c, json_get(spec, "containers")) {
		struct amounts x = placed_requests(k, a, c, status);
		amounts_add(a, &sum, &x, 1);
		add_nonzero(out, &x);
	}
	JSON_FOREACH (c, json_get(spec, "initContainers")) {
		struct amounts x = container_requests(k, a, c);
		if (is_sidecar(c)) {
			amounts_add(a, &sum, &x, 1);
			amounts_add(a, &sidecars, &x, 1);
			add_nonzero(out, &x);
			amounts_max(a, &most, &sidecars);
		} else {
			amounts_add(a, &x, &sidecars, 1);
			amounts_max(a, &most, &x);
		}
	}
	amounts_max(a, &sum, &most);
	struct amounts overhead = read_list(k, a, json_get(spec, "overhead"));
	amounts_add(a, &sum, &overhead, 1);
	out->nonzero_cpu_milli = larger(out->nonzero_cpu_milli, most.cpu_milli) + overhead.cpu_milli;
	out->nonzero_memory = larger(out->nonzero_memory, most.memory) + overhead.memory;
	out->requests = sum;
	out->requests.pods = 1;
}

static void read_ports(const struct json *spec, struct pod_info *out, struct arena *a)
{
	struct host_port ports[PORTS_MAX];
	JSON_FOREACH (c, json_get(spec, "containers"))
		JSON_FOREACH (p, json_get(c, "ports")) {
			int64_t port = json_get_int(p, "hostPort", 0);
			struct slice ip = json_get_str(p, "hostIP"), protocol = json_get_str(p, "protocol");
			if (port <= 0 || out->n_ports == PORTS_MAX)
				continue;
			if (slice_is(ip, "0.0.0.0") || slice_is(ip, "::"))
				ip = SLICE_NULL;
			ports[out->n_ports++] =
			        (struct host_port){{ip.len ? arena_memdup(a, ip.ptr, ip.len) : NULL, ip.len}, (int)port,
			                protocol.len ? protocol.ptr[0] : 'T'};
		}
	if (out->n_ports) {
		out->ports = ARENA_ARRAY(a, struct host_port, out->n_ports);
		memcpy(out->ports, ports, out->n_ports * sizeof *ports);
	}
}

void pod_read_labels(struct pod_info *p)
{
	struct slice text = {p->json->data, p->json->len};
	p->ns = json_find(text, "metadata", "namespace", NULL);
	p->labels = json_find(text, "metadata", "labels", NULL);
	p->is_dying = json_find(text, "metadata", "deletionTimestamp", NULL).len > 0;
	p->knows_started = false;
}

struct slice pod_started(struct pod_info *p)
{
	if (p->knows_started)
		return p->started;
	p->started = json_find((struct slice){p->json->data, p->json->len}, "status", "startTime", NULL);
	if (!p->started.len)
		p->started = SLICE("~");
	p->knows_started = true;
	return p->started;
}

static bool prefers(const struct json *affinity)
{
	static const char preferred[] = "preferredDuringSchedulingIgnoredDuringExecution";
	const struct json *near = json_get(affinity, "podAffinity"), *apart = json_get(affinity, "podAntiAffinity"),
	                  *must = json_get(near, "requiredDuringSchedulingIgnoredDuringExecution"),
	                  *likes = json_get(near, preferred), *dislikes = json_get(apart, preferred);
	return (must && must->first) || (likes && likes->first) || (dislikes && dislikes->first);
}

void pod_read_demands(struct cache *k, const struct json *pod, struct pod_info *out, struct arena *a)
{
	struct json *spec = json_get(pod, "spec");
	out->priority = (int32_t)json_get_int(spec, "priority", 0);
	struct json *anti =
	        json_path(spec, "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution", NULL);
	out->has_anti_affinity = anti && anti->first;
	out->has_preferences = prefers(json_get(spec, "affinity"));
	read_requests(k, spec, json_get(pod, "status"), out, a);
	read_ports(spec, out, a);
}

/* ---- candidates ---- */

static struct json *required(const struct json *affinity, const char *kind)
{
	struct json *list = json_get(json_get(affinity, kind), "requiredDuringSchedulingIgnoredDuringExecution");
	return list && list->first ? list : NULL;
}

bool candidate_read(struct cache *k, struct candidate *p, struct slice key, struct rcbuf *json)
{
	*p = (struct candidate){.json = rcbuf_ref(json)};
	struct arena *a = &p->arena;
	struct slice text = {json->data, json->len};
	p->key = (struct slice){arena_memdup(a, key.ptr, key.len), key.len};
	p->pod = json_parse(a, text, NULL, NULL);
	if (!p->pod)
		return false;
	meta_read(text, &p->meta);
	p->spec = json_get(p->pod, "spec");
	p->profile = scheduler_configuration_default.profiles;
	pod_read_demands(k, p->pod, &p->demands, a);
	struct json *affinity = json_get(p->spec, "affinity"), *node = json_get(affinity, "nodeAffinity");
	p->tolerations = json_get(p->spec, "tolerations");
	p->node_selector = json_get(p->spec, "nodeSelector");
	p->required_terms =
	        json_path(node, "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms", NULL);
	p->preferred_terms = json_get(node, "preferredDuringSchedulingIgnoredDuringExecution");
	p->affinity = required(affinity, "podAffinity");
	p->anti_affinity = required(affinity, "podAntiAffinity");
	struct json *spread = json_get(p->spec, "topologySpreadConstraints");
	p->spread = spread && spread->first ? spread : NULL;
	return true;
}

void candidate_release(struct candidate *p)
{
	rcbuf_unref(p->json);
	arena_release(&p->arena);
}
