/* Services of type LoadBalancer get the addresses of nodes, as with k3s's klipper: a node's service proxy answers on
 * its own address for the service's ports, so that no pod is needed for it.
 *
 * Which nodes: those that are ready (balancing.c has the labels and pools of k3s); with externalTrafficPolicy Local
 * those that have ready endpoints, which therefore see the client's own address. External addresses where any node has
 * one, else internal ones. Services that ask for a class by loadBalancerClass are somebody else's. A port that an older
 * service has on a node is not given twice: the younger one is told by an event, and pending when no node is left. One
 * that is no load balancer any more loses its addresses.
 *
 * What one service gets hangs on all that are older, so that every run looks at all of them; only what differs is
 * written. */
#include "api/controllers/balancing.h"
#include "api/controllers/controllers_int.h"

#define SLICES "/apis/discovery.k8s.io/v1/endpointslices"
#define ALL "all"

struct service_lb {
	struct controllers *c;
	struct shared_informer *services, *nodes, *slices;
	struct work_queue *queue;
	struct recorder *recorder;
	bool has_local;  /* some service asks where endpoints are */
	struct map told; /* key of a service -> struct told: what its last event said */
};

struct told {
	char *text;
	char key[];
};

struct wanted {
	struct informer_object *object;
	struct json *tree;
	struct meta meta;
};

/* ---- what was told ---- */

static void forget(struct service_lb *s, struct slice key)
{
	struct told *t = map_get(&s->told, key);
	if (!t)
		return;
	map_del(&s->told, key);
	free(t->text);
	free(t);
}

/* Each state once. */
static void tell(struct service_lb *s, const struct wanted *v, const char *type, const char *reason, const char *text)
{
	struct slice key = v->object->key;
	struct told *t = map_get(&s->told, key);
	struct recorder_subject about = recorder_about("v1", "Service", &v->meta);
	if (t && strcmp(t->text, text) == 0)
		return;
	forget(s, key);
	t = xcalloc(1, sizeof *t + key.len + 1);
	memcpy(t->key, key.ptr, key.len);
	t->text = xstrdup(text);
	map_put(&s->told, (struct slice){t->key, key.len}, t);
	recorder_event(s->recorder, &about, type, reason, "%s", text);
}

/* ---- what there is ---- */

static bool is_ours(const struct json *service)
{
	const struct json *spec = json_get(service, "spec");
	return slice_is(json_get_str(spec, "type"), "LoadBalancer") && !json_get_str(spec, "loadBalancerClass").len &&
	       !json_path(service, "metadata", "deletionTimestamp", NULL);
}

static bool has_addresses(struct slice service)
{
	return json_find(service, "status", "loadBalancer", "ingress", NULL).len > 0;
}

/* Of two of one second the one that has addresses keeps them. */
static int by_age(const void *x, const void *y)
{
	const struct wanted *a = x, *b = y;
	bool has_a = has_addresses(informer_text(a->object)), has_b = has_addresses(informer_text(b->object));
	int d = slice_cmp(a->meta.creation_timestamp, b->meta.creation_timestamp);
	if (d == 0 && has_a != has_b)
		return has_a ? -1 : 1;
	return d ? d : slice_cmp(a->meta.uid, b->meta.uid);
}

static size_t read_services(struct service_lb *s, struct work *w, struct wanted **ret)
{
	struct informer *all = shared_informer_base(s->services);
	size_t n = 0;
	*ret = ARENA_ARRAY(&w->arena, struct wanted, informer_count(all) + 1);
	INFORMER_FOREACH(o, all)
	{
		if (!slice_is(json_find(informer_text(o), "spec", "type", NULL), "LoadBalancer"))
			continue;
		struct wanted *v = &(*ret)[n];
		rcbuf_unref_with(&w->arena, rcbuf_ref(o->json));
		*v = (struct wanted){.object = o, .tree = informer_parse(&w->arena, o)};
		meta_read(informer_text(o), &v->meta);
		n += v->tree && is_ours(v->tree);
	}
	qsort(*ret, n, sizeof **ret, by_age);
	return n;
}

static int by_name(const void *x, const void *y)
{
	return slice_cmp(((const struct balancing_node *)x)->name, ((const struct balancing_node *)y)->name);
}

static size_t read_nodes(struct service_lb *s, struct work *w, struct balancing_node **ret)
{
	struct informer *all = shared_informer_base(s->nodes);
	size_t n = 0;
	*ret = ARENA_ARRAY(&w->arena, struct balancing_node, informer_count(all) + 1);
	INFORMER_FOREACH(o, all)
	{
		rcbuf_unref_with(&w->arena, rcbuf_ref(o->json));
		balancing_read_node(informer_text(o), &w->arena, &(*ret)[n++]);
	}
	qsort(*ret, n, sizeof **ret, by_name);
	return n;
}

/* The nodes that have ready endpoints of a service. */
static void read_local(struct service_lb *s, struct work *w, const struct wanted *v, struct map *ret)
{
	INFORMER_FOREACH(o, shared_informer_base(s->slices))
	{
		struct meta m;
		meta_read(informer_text(o), &m);
		if (!slice_eq(m.ns, v->meta.ns) ||
		        !slice_eq(json_find(m.labels, "kubernetes.io/service-name", NULL), v->meta.name))
			continue;
		JSON_FOREACH (e, json_get(informer_parse(&w->arena, o), "endpoints"))
			if (json_bool(json_path(e, "conditions", "ready", NULL), true))
				map_put(ret, json_get_str(e, "nodeName"), (void *)v);
	}
}

/* ---- what is wanted of it ---- */

static void add_ingress(struct arena *a, struct json *list, const struct balancing_answer *k, enum ip_family f)
{
	bool has_external = false;
	for (size_t i = 0; i < k->n; i++)
		has_external = has_external || k->nodes[i]->external[f].len;
	for (size_t i = 0; i < k->n; i++) {
		struct slice ip = has_external ? k->nodes[i]->external[f] : k->nodes[i]->internal[f];
		struct json *entry = json_new(a, JSON_OBJECT);
		if (!ip.len)
			continue;
		json_set_str(a, entry, "ip", ip);
		json_set_cstr(a, entry, "ipMode", "VIP");
		json_append(list, entry);
	}
}

/* Family by family, in the service's order. */
static struct json *ingress_of(struct arena *a, const struct json *service, const struct balancing_answer *k)
{
	struct json *list = json_new(a, JSON_ARRAY);
	JSON_FOREACH (it, json_path(service, "spec", "ipFamilies", NULL)) {
		enum ip_family f;
		if (ip_family_parse(json_str(it), &f))
			add_ingress(a, list, k, f);
	}
	return list;
}

static void write_status(struct work *w, const struct wanted *v, struct json *ingress)
{
	struct arena *a = &w->arena;
	const struct json *have = json_path(v->tree, "status", "loadBalancer", "ingress", NULL);
	if (have ? json_equal(have, ingress) : !ingress->count)
		return;
	struct json *patch = patch_new(a, v->meta.resource_version),
	            *status = json_need(a, patch, "status", JSON_OBJECT);
	json_set(a, json_need(a, status, "loadBalancer", JSON_OBJECT), "ingress", ingress);
	work_patch(w, kube_path(a, "v1", "services", v->meta.ns, v->meta.name, "status"), merge_patch, patch,
	        work_done_ignore_missing);
}

static void tell_conflict(
        struct service_lb *s, struct work *w, const struct wanted *v, const struct balancing_answer *k)
{
	if (k->conflict)
		tell(s, v, "Warning", "PortConflict",
		        arena_printf(&w->arena, "port %d is served by %s%s", k->port, k->conflict,
		                k->n ? " on some nodes" : ": no node is left for it"));
	else
		forget(s, v->object->key);
}

static void place(struct service_lb *s, struct work *w, struct balancing *b, const struct wanted *v)
{
	struct balancing_answer answer;
	struct map local = MAP_INIT;
	bool is_local = slice_is(json_str(json_path(v->tree, "spec", "externalTrafficPolicy", NULL)), "Local");
	s->has_local = s->has_local || is_local;
	if (is_local)
		read_local(s, w, v, &local);
	balancing_place(b, &w->arena, v->object->key, v->tree, is_local ? &local : NULL, &answer);
	map_release(&local);
	tell_conflict(s, w, v, &answer);
	write_status(w, v, ingress_of(&w->arena, v->tree, &answer));
}

/* A service that is no load balancer any more keeps no addresses. */
static void clean_up(struct service_lb *s, struct work *w)
{
	struct informer_object *o = informer_get(shared_informer_base(s->services), w->key);
	struct meta m;
	if (!o || slice_is(json_find(informer_text(o), "spec", "type", NULL), "LoadBalancer") ||
	        !has_addresses(informer_text(o)))
		return;
	meta_read(informer_text(o), &m);
	struct json *patch = patch_new(&w->arena, m.resource_version);
	json_set(&w->arena, json_need(&w->arena, patch, "status", JSON_OBJECT), "loadBalancer",
	        json_new(&w->arena, JSON_NULL));
	work_patch(w, kube_path(&w->arena, "v1", "services", m.ns, m.name, "status"), merge_patch, patch,
	        work_done_ignore_missing);
}

static void place_all(struct service_lb *s, struct work *w)
{
	struct balancing_node *nodes;
	struct wanted *services;
	struct balancing b;
	size_t n = read_services(s, w, &services);
	s->has_local = false;
	if (!n)
		return;
	size_t n_nodes = read_nodes(s, w, &nodes);
	balancing_init(&b, nodes, n_nodes, s->c->reserved_ports);
	for (size_t i = 0; i < n; i++)
		place(s, w, &b, &services[i]);
	balancing_release(&b);
}

static void run(struct work *w)
{
	if (slice_is(w->key, ALL))
		place_all(w->arg, w);
	else
		clean_up(w->arg, w);
}

/* ---- events ---- */

static void look(struct service_lb *s)
{
	work_queue_add(s->queue, SLICE(ALL));
}

static void service_changed(void *arg, struct informer_object *o)
{
	struct service_lb *s = arg;
	if (slice_is(json_find(informer_text(o), "spec", "type", NULL), "LoadBalancer"))
		look(s);
	else if (has_addresses(informer_text(o)))
		work_queue_add(s->queue, o->key);
}

static void service_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct slice text = {before->data, before->len};
	service_changed(arg, o);
	if (slice_is(json_find(text, "spec", "type", NULL), "LoadBalancer"))
		look(arg);
}

static void service_deleted(void *arg, struct informer_object *o)
{
	struct service_lb *s = arg;
	forget(s, o->key);
	service_changed(arg, o);
}

static void node_changed(void *arg, struct informer_object *o)
{
	look(arg);
}

static void slice_changed(void *arg, struct informer_object *o)
{
	struct service_lb *s = arg;
	if (s->has_local)
		look(s);
}

/* A node's heartbeat changes nothing here. */
static bool says_the_same(struct slice x, struct slice y)
{
	struct arena a = ARENA_INIT;
	struct balancing_node before, now;
	balancing_read_node(x, &a, &before);
	balancing_read_node(y, &a, &now);
	bool same = before.may == now.may && slice_eq(before.labels, now.labels);
	for (int f = 0; f < IP_FAMILIES; f++)
		same = same && slice_eq(before.internal[f], now.internal[f]) &&
		       slice_eq(before.external[f], now.external[f]);
	arena_release(&a);
	return same;
}

static void node_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	if (!says_the_same((struct slice){before->data, before->len}, informer_text(o)))
		look(arg);
}

static void slice_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	slice_changed(arg, o);
}

void *service_lb_controller_start(struct controllers *c)
{
	struct service_lb *s = xcalloc(1, sizeof *s);
	s->c = c;
	if (!c->serves_load_balancers)
		return s;
	s->recorder = controllers_recorder(c, "service-lb-controller");
	s->queue = controllers_queue(c, "service-lb", 1, run, s);
	s->services = controllers_listen(c, SERVICES,
	        &(struct informer_handler){
	                .added = service_changed, .updated = service_updated, .deleted = service_deleted, .arg = s});
	s->nodes = controllers_listen(c, NODES,
	        &(struct informer_handler){
	                .added = node_changed, .updated = node_updated, .deleted = node_changed, .arg = s});
	s->slices = controllers_listen(c, SLICES,
	        &(struct informer_handler){
	                .added = slice_changed, .updated = slice_updated, .deleted = slice_changed, .arg = s});
	return s;
}

void service_lb_controller_release(void *state)
{
	struct service_lb *s = state;
	MAP_FOREACH (slot, &s->told) {
		struct told *t = slot->value;
		free(t->text);
		free(t);
	}
	map_release(&s->told);
	free(s);
}
