/* Endpoint slices: which pods stand behind a service, for proxies, DNS and ingresses.
 *
 *     an event of the service, of a pod it selects, of one of its slices --> the service's key, after a moment in which
 *     more may come --> run: list its pods, plan slices (slices.h), send what differs; the Endpoints object likewise
 *
 * Only what readers see of a pod wakes its services: address, readiness, labels, node, being deleted. What can go
 * wrong: the informer of slices is behind our own creations (expectations); somebody else edits our slices (their
 * events bring us back). Upstream: pkg/controller/endpointslice, staging/src/k8s.io/endpointslice. */
#include "api/controllers/endpoints_int.h"

#include "api/controllers/topology.h"
#include "api/machinery/schema/selector.h"

#include <stdlib.h>

#define SLICES "/apis/discovery.k8s.io/v1/endpointslices"
#define ENDPOINTS "/api/v1/endpoints"

enum { GATHER_MS = 20 };

static const char managed_by[] = "endpointslice-controller.k8s.io";

/* ---- what is remembered ---- */

static void memory_free(struct service_memory *m)
{
	for (int f = 0; m && f < IP_FAMILIES; f++)
		free(m->hints_said[f]);
	free(m);
}

static struct service_memory *memory_of(struct endpoint_slices *s, struct slice key)
{
	struct service_memory *m = map_get(&s->memories, key);
	if (m)
		return m;
	m = xcalloc(1, sizeof *m + key.len + 1);
	memcpy(m->key, key.ptr, key.len);
	map_put(&s->memories, (struct slice){m->key, key.len}, m);
	return m;
}

/* ---- events ---- */

static void wake(struct endpoint_slices *s, struct slice key)
{
	work_queue_add_after(s->queue, key, GATHER_MS);
}

static void service_changed(void *arg, struct informer_object *o)
{
	wake(arg, o->key);
}

static void service_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	wake(arg, o->key);
}

static void service_deleted(void *arg, struct informer_object *o)
{
	struct endpoint_slices *s = arg;
	expectations_forget(&s->expectations, o->key);
	memory_free(map_del(&s->memories, o->key));
	wake(s, o->key);
}

/* What hints are made of. */
static bool has_same_cpus(struct slice x, struct slice y)
{
	struct arena a = ARENA_INIT;
	struct topology before = {0}, now = {0};
	topology_add_node(&before, &a, json_parse(&a, x, NULL, NULL));
	topology_add_node(&now, &a, json_parse(&a, y, NULL, NULL));
	bool same = before.lacks_facts == now.lacks_facts && before.count == now.count &&
	            (!now.count ||
	                    (slice_eq(before.zones->name, now.zones->name) && before.zones->cpus == now.zones->cpus));
	arena_release(&a);
	return same;
}

static void node_changed(void *arg, struct informer_object *o)
{
	struct endpoint_slices *s = arg;
	if (!s->has_topology)
		return;
	INFORMER_FOREACH(v, shared_informer_base(s->services))
	{
		struct arena a = ARENA_INIT;
		if (topology_is_wanted(informer_parse(&a, v)))
			wake(s, v->key);
		arena_release(&a);
	}
}

static void node_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct endpoint_slices *s = arg;
	if (s->has_topology && !has_same_cpus((struct slice){before->data, before->len}, informer_text(o)))
		node_changed(arg, o);
}

/* {"a":"b"} of a service as a label selector: all must be equal. Labels need no unescaping. */
static bool selects(struct slice selector, struct slice labels)
{
	struct json_scan scan;
	size_t n = 0;
	json_scan_init(&scan, selector);
	if (!selector.len || json_scan_next(&scan) != JSON_TOKEN_OBJECT)
		return false;
	while (json_scan_member(&scan)) {
		char key[320];
		snprintf(key, sizeof key, "%.*s", SLICE_FMT(scan.key));
		if (json_scan_next(&scan) != JSON_TOKEN_STRING)
			return false;
		struct slice have = labels.len ? json_find(labels, key, NULL) : SLICE_NULL;
		if (!have.ptr || !slice_eq(have, scan.text))
			return false;
		n++;
	}
	return n > 0;
}

static void wake_services_of(struct endpoint_slices *s, const struct meta *pod)
{
	if (!pod->labels.len)
		return;
	INFORMER_GROUP_FOREACH(o, informer_index_group(s->services_by_namespace, pod->ns))
	if (selects(json_find(informer_text(o), "spec", "selector", NULL), pod->labels))
		wake(s, o->key);
}

static void pod_changed(void *arg, struct informer_object *o)
{
	struct meta m;
	meta_read(informer_text(o), &m);
	wake_services_of(arg, &m);
}

static void pod_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct pod_view now, old;
	pod_view_read(informer_text(o), &now);
	pod_view_read((struct slice){before->data, before->len}, &old);
	bool relabelled = !slice_eq(now.meta.labels, old.meta.labels);
	if (!relabelled && slice_eq(now.ip, old.ip) && now.is_ready == old.is_ready && slice_eq(now.phase, old.phase) &&
	        slice_eq(now.node, old.node) && now.meta.deletion_timestamp.len == old.meta.deletion_timestamp.len)
		return;
	wake_services_of(arg, &now.meta);
	if (relabelled)
		wake_services_of(arg, &old.meta);
}

static void index_service(struct slice object, struct strbuf *out)
{
	struct meta m;
	meta_read(object, &m);
	struct slice name = m.labels.len ? json_find(m.labels, "kubernetes.io/service-name", NULL) : SLICE_NULL;
	if (name.len)
		strbuf_addf(out, "%.*s/%.*s", SLICE_FMT(m.ns), SLICE_FMT(name));
}

static bool is_ours(struct slice text)
{
	return slice_is(
	        json_find(text, "metadata", "labels", "endpointslice.kubernetes.io/managed-by", NULL), managed_by);
}

static void wake_service_of(struct endpoint_slices *s, struct informer_object *o, bool is_new)
{
	struct strbuf key = STRBUF_INIT;
	index_service(informer_text(o), &key);
	if (key.len && is_ours(informer_text(o))) {
		if (is_new)
			expectations_create_seen(&s->expectations, strbuf_slice(&key));
		wake(s, strbuf_slice(&key));
	}
	strbuf_release(&key);
}

static void slice_added(void *arg, struct informer_object *o)
{
	wake_service_of(arg, o, true);
}

static void slice_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	wake_service_of(arg, o, false);
}

static void slice_deleted(void *arg, struct informer_object *o)
{
	wake_service_of(arg, o, false);
}

static void endpoints_changed(void *arg, struct informer_object *o)
{
	struct endpoint_slices *s = arg;
	if (informer_get(shared_informer_base(s->services), o->key))
		wake(s, o->key);
}

/* ---- what a pod looks like to readers ---- */

struct slice endpoints_pod_ip(const struct json *pod, const char *family)
{
	bool want_v6 = strcmp(family, "IPv6") == 0;
	struct json *status = json_get(pod, "status");
	JSON_FOREACH (it, json_get(status, "podIPs")) {
		struct slice ip = json_get_str(it, "ip");
		if (ip.len && (memchr(ip.ptr, ':', ip.len) != NULL) == want_v6)
			return ip;
	}
	struct slice ip = json_get_str(status, "podIP");
	return ip.len && (memchr(ip.ptr, ':', ip.len) != NULL) == want_v6 ? ip : SLICE_NULL;
}

static int64_t named_port(const struct json *pod, struct slice name, struct slice protocol)
{
	static const char *const lists[] = {"containers", "initContainers"};
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (c, json_path(pod, "spec", lists[i], NULL))
			JSON_FOREACH (p, json_get(c, "ports")) {
				struct slice own = json_get_str(p, "protocol");
				if (slice_eq(json_get_str(p, "name"), name) &&
				        slice_eq(own.len ? own : SLICE("TCP"), protocol))
					return json_get_int(p, "containerPort", 0);
			}
	return 0;
}

struct json *endpoints_ports(struct publish *y, const struct json *pod)
{
	struct arena *a = &y->work->arena;
	struct json *list = json_new(a, JSON_ARRAY);
	JSON_FOREACH (it, json_get(y->spec, "ports")) {
		struct slice protocol = json_get_str(it, "protocol"), name = json_get_str(it, "name"),
		             app = json_get_str(it, "appProtocol");
		struct json *target = json_get(it, "targetPort");
		protocol = protocol.len ? protocol : SLICE("TCP");
		int64_t port = json_str(target).len ? named_port(pod, json_str(target), protocol)
		                                    : json_int(target, json_get_int(it, "port", 0));
		if (port <= 0)
			continue;
		struct json *p = json_new(a, JSON_OBJECT);
		json_set_str(a, p, "name", name);
		json_set_int(a, p, "port", port);
		json_set_str(a, p, "protocol", protocol);
		if (app.len)
			json_set_str(a, p, "appProtocol", app);
		json_append(list, p);
	}
	return list;
}

/* For whom it is meant: who lies in its own zone. */
static void add_hint(struct arena *a, struct json *endpoint, struct slice zone)
{
	struct json *hints = json_need(a, endpoint, "hints", JSON_OBJECT), *one = json_new(a, JSON_OBJECT);
	json_set_str(a, one, "name", zone);
	json_append(json_need(a, hints, "forZones", JSON_ARRAY), one);
}

static struct json *endpoint_of(struct publish *y, const struct backend *b, struct slice ip)
{
	struct arena *a = &y->work->arena;
	struct json *e = json_new(a, JSON_OBJECT), *conditions = json_new(a, JSON_OBJECT),
	            *ref = json_new(a, JSON_OBJECT);
	json_append(json_need(a, e, "addresses", JSON_ARRAY), json_new_str(a, ip));
	json_set_bool(a, conditions, "ready", y->publishes_not_ready || (b->is_ready && !b->is_dying));
	json_set_bool(a, conditions, "serving", b->is_ready);
	json_set_bool(a, conditions, "terminating", b->is_dying);
	json_set(a, e, "conditions", conditions);
	struct slice hostname = json_str(json_path(b->pod, "spec", "hostname", NULL));
	if (hostname.len && slice_eq(json_str(json_path(b->pod, "spec", "subdomain", NULL)), y->meta.name))
		json_set_str(a, e, "hostname", hostname);
	json_set_cstr(a, ref, "kind", "Pod");
	json_set_str(a, ref, "namespace", b->meta.ns);
	json_set_str(a, ref, "name", b->meta.name);
	json_set_str(a, ref, "uid", b->meta.uid);
	json_set(a, e, "targetRef", ref);
	if (b->node.len) {
		struct informer_object *node = informer_get(shared_informer_base(y->s->nodes), b->node);
		struct slice zone =
		        node ? json_find(informer_text(node), "metadata", "labels", "topology.kubernetes.io/zone", NULL)
		             : SLICE_NULL;
		json_set_str(a, e, "nodeName", b->node);
		if (zone.len)
			json_set_str(a, e, "zone", zone);
		if (zone.len && y->prefers_close && !y->by_zones && b->is_ready && !b->is_dying)
			add_hint(a, e, zone);
	}
	return e;
}

/* ---- collecting ---- */

static int by_ip(const void *x, const void *y)
{
	const struct backend *a = x, *b = y;
	return slice_cmp(json_str(json_path(a->pod, "status", "podIP", NULL)),
	        json_str(json_path(b->pod, "status", "podIP", NULL)));
}

static void collect(struct publish *y)
{
	struct arena *a = &y->work->arena;
	struct slice selector =
	        json_find(informer_text(informer_get(shared_informer_base(y->s->services), y->work->key)), "spec",
	                "selector", NULL);
	const struct informer_group *pods = informer_index_group(y->s->pods_by_namespace, y->meta.ns);
	y->backends = ARENA_ARRAY(a, struct backend, informer_group_count(pods) + 1);
	INFORMER_GROUP_FOREACH(o, pods)
	{
		struct meta m;
		struct pod_view p;
		meta_read(informer_text(o), &m);
		if (!selects(selector, m.labels))
			continue;
		pod_view_read(informer_text(o), &p);
		if (!p.ip.len || slice_is(p.phase, "Succeeded") || slice_is(p.phase, "Failed"))
			continue;
		struct backend *b = &y->backends[y->count++];
		rcbuf_unref_with(a, rcbuf_ref(o->json));
		*b = (struct backend){.pod = informer_parse(a, o),
		        .meta = p.meta,
		        .node = p.node,
		        .is_ready = p.is_ready,
		        .is_dying = p.meta.deletion_timestamp.len > 0};
	}
	qsort(y->backends, y->count, sizeof *y->backends, by_ip);
}

/* When it was that a pod became ready, or stopped to be, of which nobody has been told: the earliest, as upstream tells
 * it. Who reads it measures how long it took until traffic followed. */
static void find_trigger(struct publish *y)
{
	int64_t newest = y->memory->trigger_s, earliest = 0;
	for (size_t i = 0; i < y->count; i++) {
		const struct json *ready =
		        condition_find(json_path(y->backends[i].pod, "status", "conditions", NULL), "Ready");
		struct slice at = json_get_str(ready, "lastTransitionTime");
		int64_t s = at.len ? kube_time_parse(at) : 0;
		if (s > newest)
			newest = s;
		if (s > y->memory->trigger_s && (!earliest || s < earliest)) {
			earliest = s;
			y->trigger = at;
		}
	}
	y->memory->trigger_s = newest;
}

/* ---- hints of zones ---- */

static void say_hints(struct publish *y, enum ip_family f, const char *type, const char *reason, const char *text)
{
	struct recorder_subject about = recorder_about("v1", "Service", &y->meta);
	char **said = &y->memory->hints_said[f];
	if (*said && strcmp(*said, text) == 0)
		return;
	free(*said);
	*said = xstrdup(text);
	recorder_event(y->s->recorder, &about, type, reason, "%s, addressType: %s", text, ip_family_name(f));
}

static void tell_hints(struct publish *y, enum ip_family f, const char *why)
{
	bool had = y->memory->hints_said[f] != NULL;
	if (!y->by_zones && had)
		say_hints(y, f, "Normal", "TopologyAwareHintsDisabled", "Topology Aware Hints has been disabled");
	else if (y->by_zones && why)
		say_hints(y, f, "Warning", "TopologyAwareHintsDisabled", why);
	else if (y->by_zones)
		say_hints(y, f, "Normal", "TopologyAwareHintsEnabled", "Topology Aware Hints has been enabled");
}

/* Endpoints that are ready are shared out among the zones. */
static void hint_zones(struct publish *y, enum ip_family f, struct json **endpoints, size_t n)
{
	struct arena *a = &y->work->arena;
	struct topology t = {0};
	struct topology_endpoint *list = ARENA_ARRAY(a, struct topology_endpoint, n + 1);
	const char *why = NULL;
	if (y->by_zones) {
		INFORMER_FOREACH(o, shared_informer_base(y->s->nodes))
		topology_add_node(&t, a, json_parse(a, informer_text(o), NULL, NULL));
		for (size_t i = 0; i < n; i++)
			list[i].zone = json_get_str(endpoints[i], "zone");
		why = topology_share(&t, a, list, n);
		for (size_t i = 0; i < n && !why; i++)
			add_hint(a, endpoints[i], list[i].hint);
	}
	tell_hints(y, f, why);
}

/* ---- writing slices ---- */

static struct json *wanted_labels(struct publish *y)
{
	struct arena *a = &y->work->arena;
	struct json *labels = json_new(a, JSON_OBJECT);
	JSON_FOREACH (it, json_path(y->service, "metadata", "labels", NULL))
		if (!slice_is(it->key, "kubernetes.io/service-name") &&
		        !slice_is(it->key, "endpointslice.kubernetes.io/managed-by") &&
		        !slice_is(it->key, "service.kubernetes.io/headless"))
			json_set_slice(a, labels, it->key, json_copy(a, it));
	json_set_cstr(a, labels, "endpointslice.kubernetes.io/managed-by", managed_by);
	json_set_str(a, labels, "kubernetes.io/service-name", y->meta.name);
	if (y->is_headless)
		json_set_cstr(a, labels, "service.kubernetes.io/headless", "");
	return labels;
}

#define TRIGGER "endpoints.kubernetes.io/last-change-trigger-time"

static void set_trigger(struct publish *y, struct json *meta)
{
	struct arena *a = &y->work->arena;
	if (y->trigger.len)
		json_set_str(a, json_need(a, meta, "annotations", JSON_OBJECT), TRIGGER, y->trigger);
	else
		json_del(json_get(meta, "annotations"), TRIGGER);
}

static void created(struct work_call *call)
{
	struct publish *y = call->arg;
	if (!call->request.err.code)
		return;
	expectations_create_seen(&y->s->expectations, y->work->key);
	if (call->request.err.code != ERR_TERMINATING)
		work_fail(y->work, &call->request.err);
}

static void create_slice(struct publish *y, const struct slice_plan *p, const char *family)
{
	struct arena *a = &y->work->arena;
	struct json *o = json_new(a, JSON_OBJECT), *meta = json_need(a, o, "metadata", JSON_OBJECT);
	json_set_cstr(a, meta, "generateName", arena_printf(a, "%.*s-", SLICE_FMT(y->meta.name)));
	json_set(a, meta, "labels", wanted_labels(y));
	json_append(json_need(a, meta, "ownerReferences", JSON_ARRAY),
	        owner_ref_new(a, "v1", "Service", y->meta.name, y->meta.uid));
	set_trigger(y, meta);
	json_set_cstr(a, o, "addressType", family);
	json_set(a, o, "endpoints", p->endpoints);
	json_set(a, o, "ports", json_copy(a, p->ports));
	expectations_raise_creates(&y->s->expectations, y->work->key, 1, controllers_now_ms(y->s->c));
	work_send(y->work, "POST", kube_path(a, "discovery.k8s.io/v1", "endpointslices", y->meta.ns, SLICE_NULL, NULL),
	        o, created)
	        ->arg = y;
}

static const char *slice_path(struct publish *y, const struct json *existing)
{
	return kube_path(&y->work->arena, "discovery.k8s.io/v1", "endpointslices", y->meta.ns,
	        json_str(json_path(existing, "metadata", "name", NULL)), NULL);
}

static void update_slice(struct publish *y, const struct slice_plan *p)
{
	struct arena *a = &y->work->arena;
	struct json *o = json_copy(a, p->existing);
	json_set(a, json_get(o, "metadata"), "labels", wanted_labels(y));
	set_trigger(y, json_get(o, "metadata"));
	json_set(a, o, "endpoints", p->endpoints);
	json_set(a, o, "ports", p->ports ? json_copy(a, p->ports) : json_new(a, JSON_ARRAY));
	work_send(y->work, "PUT", slice_path(y, p->existing), o, work_done_ignore_missing);
}

static void carry_out(struct publish *y, const struct slice_plan *p, const char *family)
{
	bool relabel = p->existing && !json_equal(json_path(p->existing, "metadata", "labels", NULL), wanted_labels(y));
	if (p->action == SLICE_CREATE)
		create_slice(y, p, family);
	else if (p->action == SLICE_DELETE)
		work_send(y->work, "DELETE", slice_path(y, p->existing), NULL, work_done_ignore_missing);
	else if (p->action == SLICE_UPDATE || relabel)
		update_slice(y, p);
}

static void write_family(struct publish *y, const char *family)
{
	struct arena *a = &y->work->arena;
	struct slice_group *groups = NULL;
	const struct informer_group *own = informer_index_group(y->s->slices_by_service, y->work->key);
	const struct json **existing = ARENA_ARRAY(a, const struct json *, informer_group_count(own) + 1);
	struct json **ready = ARENA_ARRAY(a, struct json *, y->count + 1);
	size_t n = 0, n_ready = 0;
	enum ip_family f;
	for (size_t i = 0; i < y->count; i++) {
		struct slice ip = endpoints_pod_ip(y->backends[i].pod, family);
		if (!ip.len)
			continue;
		struct json *e = endpoint_of(y, &y->backends[i], ip);
		slice_group_add(a, slice_group_need(a, &groups, endpoints_ports(y, y->backends[i].pod)), e);
		if (json_bool(json_path(e, "conditions", "ready", NULL), false))
			ready[n_ready++] = e;
	}
	if (ip_family_parse(slice_of(family), &f))
		hint_zones(y, f, ready, n_ready);
	INFORMER_GROUP_FOREACH(o, own)
	if (is_ours(informer_text(o)) && slice_is(json_find(informer_text(o), "addressType", NULL), family) &&
	        !json_find(informer_text(o), "metadata", "deletionTimestamp", NULL).len)
		existing[n++] = informer_parse(a, o);
	for (struct slice_plan *p = slices_plan(a, groups, existing, n); p; p = p->next)
		carry_out(y, p, family);
}

/* ---- one run ---- */

/* The service is gone: its slices go with their owner, the Endpoints object has none. */
static void forget(struct endpoint_slices *s, struct work *w)
{
	struct informer_object *o = informer_get(shared_informer_base(s->endpoints), w->key);
	if (!o || json_find(informer_text(o), "metadata", "deletionTimestamp", NULL).len)
		return;
	work_send(w, "DELETE", kube_path(&w->arena, "v1", "endpoints", w->ns, w->name, NULL), NULL,
	        work_done_ignore_missing);
}

static void run(struct work *w)
{
	struct endpoint_slices *s = w->arg;
	struct informer_object *o = informer_get(shared_informer_base(s->services), w->key);
	if (!o) {
		forget(s, w);
		return;
	}
	int64_t wait_ms;
	if (!expectations_fulfilled(&s->expectations, w->key, controllers_now_ms(s->c), &wait_ms)) {
		work_again(w, wait_ms); /* or the slices' events bring us back */
		return;
	}
	struct publish *y = ARENA_NEW(&w->arena, struct publish);
	*y = (struct publish){.s = s, .work = w, .service = informer_parse(&w->arena, o)};
	rcbuf_unref_with(&w->arena, rcbuf_ref(o->json));
	meta_read(informer_text(o), &y->meta);
	y->spec = json_get(y->service, "spec");
	struct json *selector = json_get(y->spec, "selector");
	if (!selector || !selector->first || slice_is(json_get_str(y->spec, "type"), "ExternalName") ||
	        y->meta.deletion_timestamp.len)
		return;
	y->is_headless = slice_is(json_get_str(y->spec, "clusterIP"), "None");
	y->publishes_not_ready = json_get_bool(y->spec, "publishNotReadyAddresses", false);
	y->by_zones = topology_is_wanted(y->service);
	s->has_topology = s->has_topology || y->by_zones;
	y->memory = memory_of(s, w->key);
	y->prefers_close = slice_is(json_get_str(y->spec, "trafficDistribution"), "PreferClose");
	collect(y);
	find_trigger(y);
	struct json *families = json_get(y->spec, "ipFamilies");
	JSON_FOREACH (it, families)
		write_family(y, json_cstr(&w->arena, it));
	if (!families || !families->first)
		write_family(y, "IPv4");
	endpoints_write(y);
}

/* ---- life ---- */

void *endpoint_slice_controller_start(struct controllers *c)
{
	struct endpoint_slices *s = xcalloc(1, sizeof *s);
	s->c = c;
	expectations_init(&s->expectations);
	s->queue = controllers_queue(c, "endpointslice", 8, run, s);
	s->recorder = controllers_recorder(c, "endpoint-slice-controller");
	s->nodes = controllers_listen(c, NODES,
	        &(struct informer_handler){
	                .added = node_changed, .updated = node_updated, .deleted = node_changed, .arg = s});
	s->services = controllers_listen(c, SERVICES,
	        &(struct informer_handler){
	                .added = service_changed, .updated = service_updated, .deleted = service_deleted, .arg = s});
	s->services_by_namespace = informer_index_get(s->services, "namespace", informer_index_namespace);
	s->pods = controllers_listen(c, PODS,
	        &(struct informer_handler){
	                .added = pod_changed, .updated = pod_updated, .deleted = pod_changed, .arg = s});
	s->pods_by_namespace = informer_index_get(s->pods, "namespace", informer_index_namespace);
	s->slices = controllers_listen(c, SLICES,
	        &(struct informer_handler){
	                .added = slice_added, .updated = slice_updated, .deleted = slice_deleted, .arg = s});
	s->slices_by_service = informer_index_get(s->slices, "service", index_service);
	s->endpoints =
	        controllers_listen(c, ENDPOINTS, &(struct informer_handler){.deleted = endpoints_changed, .arg = s});
	return s;
}

void endpoint_slice_controller_release(void *state)
{
	struct endpoint_slices *s = state;
	expectations_release(&s->expectations);
	MAP_FOREACH (slot, &s->memories)
		memory_free(slot->value);
	map_release(&s->memories);
	free(s);
}
