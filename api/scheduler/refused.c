/* Pods that fit nowhere, by what refused them. See scheduler_int.h.
 *
 * Those that were refused by the same plugins and ask the same of these are one group: an event is judged once for all
 * of them (hints.c), so that ten thousand replicas that wait cost what one does. What a group asks is kept as small as
 * can be, and only what its plugins look at, in a candidate that is no more than that; it makes the key, too. A group
 * ends with its last pod. */
#include "api/scheduler/scheduler_int.h"

enum {
	BY_NODE = FILTER_TAINTS | FILTER_UNSCHEDULABLE,
	BY_PODS = FILTER_SPREAD | FILTER_POD_AFFINITY,
	BY_VOLUMES = FILTER_VOLUME_RESTRICTIONS | FILTER_VOLUME_LIMITS | FILTER_VOLUME_BINDING | FILTER_VOLUME_ZONE
};

struct refused {
	struct slice key;
	unsigned plugins;
	struct candidate asks;
	struct list_link pods;
};

/* ---- what it asks ---- */

static struct json *copy(struct arena *a, const struct json *v)
{
	return v ? json_copy_packed(a, v) : NULL;
}

static void copy_demands(struct arena *a, struct pod_info *to, const struct pod_info *from, unsigned plugins)
{
	if (plugins & FILTER_FIT) {
		to->requests = from->requests;
		to->requests.extended = NULL;
		struct amounts extended = {.extended = from->requests.extended};
		amounts_add(a, &to->requests, &extended, 1);
	}
	if ((plugins & FILTER_PORTS) && from->n_ports) {
		to->n_ports = from->n_ports;
		to->ports = ARENA_ARRAY(a, struct host_port, from->n_ports);
		memcpy(to->ports, from->ports, from->n_ports * sizeof *to->ports);
		for (size_t i = 0; i < to->n_ports; i++)
			if (to->ports[i].ip.len)
				to->ports[i].ip.ptr = arena_memdup(a, to->ports[i].ip.ptr, to->ports[i].ip.len);
	}
}

static void asks_copy(struct candidate *to, const struct candidate *from, unsigned plugins)
{
	struct arena *a = &to->arena;
	bool asks_nodes = plugins & (FILTER_NODE_AFFINITY | FILTER_SPREAD);
	to->json = rcbuf_ref(from->json);
	meta_read((struct slice){to->json->data, to->json->len}, &to->meta);
	to->profile = from->profile;
	copy_demands(a, &to->demands, &from->demands, plugins);
	to->tolerations = plugins & (BY_NODE | FILTER_SPREAD) ? copy(a, from->tolerations) : NULL;
	to->node_selector = asks_nodes ? copy(a, from->node_selector) : NULL;
	to->required_terms = asks_nodes ? copy(a, from->required_terms) : NULL;
	to->affinity = plugins & FILTER_POD_AFFINITY ? copy(a, from->affinity) : NULL;
	to->anti_affinity = plugins & FILTER_POD_AFFINITY ? copy(a, from->anti_affinity) : NULL;
	to->spread = plugins & FILTER_SPREAD ? copy(a, from->spread) : NULL;
}

/* ---- the key: all that asks_copy() keeps ---- */

static void add_json(struct strbuf *out, const struct json *v)
{
	if (v)
		json_write(out, v);
	strbuf_addc(out, '\n');
}

static void add_requests(struct strbuf *out, const struct amounts *x)
{
	strbuf_addf(out, "%lld %lld %lld", (long long)x->cpu_milli, (long long)x->memory, (long long)x->storage);
	for (const struct extended *e = x->extended; e && e->name; e++)
		strbuf_addf(out, " %s %lld", e->name, (long long)e->amount);
	strbuf_addc(out, '\n');
}

static void key_write(struct strbuf *out, const struct candidate *c, unsigned plugins)
{
	strbuf_addf(out, "%u %s\n", plugins, c->profile->name); /* profiles leave out and add what they like */
	if (plugins & FILTER_FIT)
		add_requests(out, &c->demands.requests);
	for (size_t i = 0; (plugins & FILTER_PORTS) && i < c->demands.n_ports; i++)
		strbuf_addf(out, "%c%d/%.*s ", c->demands.ports[i].protocol, c->demands.ports[i].port,
		        SLICE_FMT(c->demands.ports[i].ip));
	if (plugins & (BY_NODE | FILTER_SPREAD))
		add_json(out, c->tolerations);
	if (plugins & (FILTER_NODE_AFFINITY | FILTER_SPREAD)) {
		add_json(out, c->node_selector);
		add_json(out, c->required_terms);
	}
	if (plugins & BY_PODS) {
		strbuf_addf(out, "%.*s %.*s\n", SLICE_FMT(c->meta.ns), SLICE_FMT(c->meta.labels));
		add_json(out, c->affinity);
		add_json(out, c->anti_affinity);
		add_json(out, c->spread);
	}
	if (plugins & BY_VOLUMES) /* their claims may be named after themselves */
		strbuf_addf(out, "%.*s", SLICE_FMT(c->key));
}

/* ---- groups ---- */

static struct refused *group_need(struct queue *q, const struct candidate *c, unsigned plugins)
{
	struct strbuf key = STRBUF_INIT;
	key_write(&key, c, plugins);
	struct refused *g = map_get(&q->refused, strbuf_slice(&key));
	if (!g) {
		g = MAP_ENTRY_NEW(struct refused, key, strbuf_slice(&key));
		g->plugins = plugins;
		asks_copy(&g->asks, c, plugins);
		list_init(&g->pods);
		map_put(&q->refused, g->key, g);
	}
	strbuf_release(&key);
	return g;
}

static void group_free(struct refused *g)
{
	candidate_release(&g->asks);
	free(g);
}

void refused_put(struct queue *q, struct queued_pod *p, const struct candidate *c, unsigned plugins, uint64_t now_ms)
{
	queue_put_back(q, p, true, now_ms);
	p->refused = group_need(q, c, plugins);
	list_push_back(&p->refused->pods, &p->alike);
}

void refused_leave(struct queue *q, struct queued_pod *p)
{
	struct refused *g = p->refused;
	if (!g)
		return;
	p->refused = NULL;
	list_del(&p->alike);
	if (!list_empty(&g->pods))
		return;
	map_del(&q->refused, g->key);
	group_free(g);
}

void refused_release(struct queue *q)
{
	MAP_FOREACH (slot, &q->refused)
		group_free(slot->value);
	map_release(&q->refused);
}

/* ---- events ---- */

/* Groups end as their pods are moved, so those that are to be are found first. */
static size_t find_helped(struct scheduler *s, const struct cluster_event *e, struct refused **ret)
{
	size_t n = 0;
	MAP_FOREACH (slot, &s->queue.refused) {
		struct refused *g = slot->value;
		if (!g->plugins || hint_helps(s, &g->asks, g->plugins, e))
			ret[n++] = g;
	}
	return n;
}

bool refused_event(struct scheduler *s, const struct cluster_event *e, uint64_t now_ms)
{
	struct queue *q = &s->queue;
	struct refused **helped = xcalloc(q->refused.count, sizeof(struct refused *));
	size_t n = find_helped(s, e, helped);
	for (size_t i = 0; i < n; i++) {
		for (bool is_last = false; !is_last;) { /* with which the group goes */
			struct list_link *first = helped[i]->pods.next;
			is_last = first->next == &helped[i]->pods;
			queue_move(q, CONTAINER_OF(first, struct queued_pod, alike), now_ms);
		}
	}
	free(helped);
	return n > 0;
}
