/* Queueing hints: may an event help a pod that fits nowhere? See scheduler_int.h. Pure.
 *
 * Each plugin that refused the pod on some node is asked, as upstream's EventsToRegister and QueueingHintFn of it: is
 * the event of a kind that can lift its refusal, and does it, by what is known of the pod and of the object before and
 * after? One yes is enough. A hint may say yes in vain, since another plugin can refuse that node; it must not say no
 * to what would have helped, or the pod waits for five minutes.
 *
 *     NodeUnschedulable   a node that is not cordoned, and is new or was
 *     TaintToleration     a node whose taints are tolerated, and is new or were not
 *     NodeAffinity        a node that is chosen, and is new or was not
 *     NodeName            a new node
 *     NodePorts           a new node; a pod that held one of the ports goes
 *     NodeResourcesFit    a node on which the pod fits, and is new or gives more of what it asks for than it did; a pod
 *                         that goes or shrinks, if it leaves enough
 *     PodTopologySpread   pods that a constraint counts come, go or change; nodes that make or end a domain
 *     InterPodAffinity    a pod that its affinity asks for comes or is labelled so; one that its anti-affinity
 *                         forbids, or that forbids it, goes; nodes in other domains
 *     volumes             the pod's claims; volumes, classes, drivers and capacities as far as they can matter
 *     extenders           all events: nobody knows what they look at
 *
 * Upstream decides alike, but for pods that go: there each of them wakes all that lack resources. */
#include "api/scheduler/scheduler_int.h"

#include "api/machinery/codec/quantity.h"

enum {
	NODE_ANY = 1 << EVENT_NODE_ADDED | 1 << EVENT_NODE_CHANGED | 1 << EVENT_NODE_GONE,
	POD_LESS = 1 << EVENT_POD_SHRUNK | 1 << EVENT_POD_GONE,
	POD_ANY = 1 << EVENT_POD_PLACED | 1 << EVENT_POD_CHANGED | 1 << EVENT_POD_GONE
};

static bool is_one_of(const struct cluster_event *e, unsigned kinds)
{
	return kinds >> e->kind & 1;
}

static bool is_new_node(const struct cluster_event *e)
{
	return e->kind == EVENT_NODE_ADDED;
}

/* ---- a node alone ---- */

static bool is_uncordoned(const struct cluster_event *e)
{
	return !e->node->unschedulable && (is_new_node(e) || e->node_before->unschedulable);
}

static bool is_tolerated_now(const struct candidate *p, const struct cluster_event *e)
{
	return taints_are_tolerated(p, e->node) && (is_new_node(e) || !taints_are_tolerated(p, e->node_before));
}

static bool is_admitted(const struct candidate *p, const struct node_info *n)
{
	return node_is_enforced(p, n) && node_is_chosen(p, n);
}

static bool is_chosen_now(const struct candidate *p, const struct cluster_event *e)
{
	return is_admitted(p, e->node) && (is_new_node(e) || !is_admitted(p, e->node_before));
}

static bool gives_more(const struct amounts *want, const struct amounts *now, const struct amounts *before)
{
	for (const struct extended *x = want->extended; x && x->name; x++)
		if (x->amount && amounts_extended(now, x->name) > amounts_extended(before, x->name))
			return true;
	return now->pods > before->pods || (want->cpu_milli && now->cpu_milli > before->cpu_milli) ||
	       (want->memory && now->memory > before->memory) || (want->storage && now->storage > before->storage);
}

static bool has_room_now(const struct candidate *p, const struct cluster_event *e)
{
	const struct amounts *want = &p->demands.requests;
	const struct node_info *n = e->pod ? e->pod->node : e->node;
	if (!n->json || !requests_fit(p, n))
		return false;
	return e->kind != EVENT_NODE_CHANGED || gives_more(want, &n->allocatable, &e->node_before->allocatable);
}

static bool labels_changed(const struct cluster_event *e)
{
	return is_new_node(e) || !slice_eq(e->node->labels, e->node_before->labels);
}

/* ---- topology spread ---- */

/* Does a pod that comes, goes or changes count otherwise than before? */
static bool counts_change(
        struct scheduler *s, const struct candidate *p, const struct pod_term *t, const struct cluster_event *e)
{
	const struct pod_info *o = e->pod;
	bool now = pod_term_matches(s, t, p->meta.ns, o->ns, o->labels);
	if (e->kind != EVENT_POD_CHANGED)
		return now;
	bool before = pod_term_matches(s, t, p->meta.ns, o->ns, e->labels_before);
	return (now && !o->is_dying) != (before && !e->was_dying);
}

static bool counts_in(const struct candidate *p, const struct json *constraint, const struct pod_term *t,
        const struct node_info *n, struct slice *ret_domain)
{
	*ret_domain = node_label(n, t->topology_key);
	return ret_domain->ptr && spread_includes(p, constraint, n);
}

static bool domains_change(const struct candidate *p, const struct json *constraint, const struct pod_term *t,
        const struct cluster_event *e)
{
	struct slice now, before;
	bool counts = counts_in(p, constraint, t, e->node, &now);
	if (e->kind != EVENT_NODE_CHANGED)
		return counts;
	bool counted = counts_in(p, constraint, t, e->node_before, &before);
	return counts != counted || (counts && !slice_eq(now, before));
}

static bool spread_changes(struct scheduler *s, const struct candidate *p, const struct cluster_event *e)
{
	struct arena a = ARENA_INIT;
	bool helps = false;
	JSON_FOREACH (c, p->spread) {
		struct pod_term t;
		if (helps || !spread_is_hard(c))
			continue;
		pod_term_read(&a, c, &t);
		helps = e->pod ? counts_change(s, p, &t, e) : domains_change(p, c, &t, e);
	}
	arena_release(&a);
	return helps;
}

/* ---- affinity among pods ---- */

/* Does a pod with these labels meet all of the terms, or any? No terms: neither. */
static bool meets(struct scheduler *s, const struct json *terms, struct slice own_ns, struct slice ns,
        struct slice labels, bool all)
{
	struct arena a = ARENA_INIT;
	size_t met = 0;
	JSON_FOREACH (it, terms) {
		struct pod_term t;
		pod_term_read(&a, it, &t);
		met += pod_term_matches(s, &t, own_ns, ns, labels);
	}
	arena_release(&a);
	return terms && (all ? met > 0 && met == terms->count : met > 0);
}

static bool forbids(struct scheduler *s, const struct pod_info *other, const struct candidate *p)
{
	struct slice text = {other->json->data, other->json->len};
	struct arena a = ARENA_INIT;
	if (!other->has_anti_affinity)
		return false;
	struct slice terms = json_find(
	        text, "spec", "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution", NULL);
	bool any = meets(s, json_parse(&a, terms, NULL, NULL), other->ns, p->meta.ns, p->meta.labels, false);
	arena_release(&a);
	return any;
}

static bool neighbour_helps(struct scheduler *s, const struct candidate *p, const struct cluster_event *e)
{
	const struct pod_info *o = e->pod;
	struct slice ns = p->meta.ns, before = e->labels_before;
	bool wanted = meets(s, p->affinity, ns, o->ns, o->labels, true),
	     unwanted = meets(s, p->anti_affinity, ns, o->ns, o->labels, false);
	switch (e->kind) {
	case EVENT_POD_PLACED:
		return wanted;
	case EVENT_POD_CHANGED:
		return (wanted && !meets(s, p->affinity, ns, o->ns, before, true)) ||
		       (!unwanted && meets(s, p->anti_affinity, ns, o->ns, before, false));
	default: /* it goes: the first of those that want each other may come when there is none */
		return wanted || unwanted || forbids(s, o, p);
	}
}

static bool key_changes(const struct json *terms, const struct cluster_event *e)
{
	struct arena a = ARENA_INIT;
	bool any = false;
	JSON_FOREACH (it, terms) {
		const char *key = json_cstr(&a, json_get(it, "topologyKey"));
		struct slice now = node_label(e->node, key);
		any = any || (is_new_node(e) ? now.ptr != NULL : !slice_eq(now, node_label(e->node_before, key)));
	}
	arena_release(&a);
	return any;
}

/* Without rules of its own it is those of others that keep it away: of whatever key. */
static bool neighbourhood_changes(const struct candidate *p, const struct cluster_event *e)
{
	if (is_new_node(e) && !p->affinity)
		return true;
	return p->affinity || p->anti_affinity ? key_changes(p->affinity, e) || key_changes(p->anti_affinity, e)
	                                       : labels_changed(e);
}

/* ---- volumes ---- */

static struct slice text_of(const struct rcbuf *json)
{
	return (struct slice){json->data, json->len};
}

static bool is_own_claim(const struct candidate *p, const struct cluster_event *e)
{
	struct meta m;
	meta_read(e->object, &m);
	return slice_eq(m.ns, p->meta.ns) && pod_uses_claim(text_of(p->json), m.ns, m.name);
}

/* A member that is new or has another value. */
static bool differs(const struct cluster_event *e, const char *member, const char *inner)
{
	return !e->before.ptr ||
	       !slice_eq(json_find(e->object, member, inner, NULL), json_find(e->before, member, inner, NULL));
}

static bool has_grown(const struct cluster_event *e)
{
	static const char *const members[] = {"capacity", "maximumVolumeSize"};
	for (size_t i = 0; i < COUNT_OF(members); i++) {
		struct slice now = json_find(e->object, members[i], NULL),
		             before = json_find(e->before, members[i], NULL);
		if (now.ptr && (!before.ptr || quantity_text_value(now) > quantity_text_value(before)))
			return true;
	}
	return false;
}

static bool shares_a_claim(const struct candidate *p, const struct pod_info *other)
{
	struct slice own = text_of(p->json), volumes = json_find(own, "spec", "volumes", NULL);
	struct arena a = ARENA_INIT;
	bool any = false;
	JSON_FOREACH (it, volumes.len ? json_parse(&a, volumes, NULL, NULL) : NULL) {
		struct slice claim = json_str(json_path(it, "persistentVolumeClaim", "claimName", NULL));
		any = any || (claim.len && pod_uses_claim(text_of(other->json), p->meta.ns, claim));
	}
	arena_release(&a);
	return any;
}

static bool binding_helps(const struct candidate *p, const struct cluster_event *e)
{
	switch (e->kind) {
	case EVENT_NODE_ADDED:
	case EVENT_NODE_CHANGED:
		return labels_changed(e);
	case EVENT_CLAIM:
		return is_own_claim(p, e);
	case EVENT_VOLUME:
		return true;
	case EVENT_CLASS:
		return differs(e, "allowedTopologies", NULL);
	case EVENT_CSI_DRIVER:
		return differs(e, "spec", "storageCapacity");
	case EVENT_CAPACITY:
		return has_grown(e);
	default:
		return false;
	}
}

static bool limits_help(const struct candidate *p, const struct cluster_event *e)
{
	if (e->kind == EVENT_POD_GONE)
		return pod_uses_claim(text_of(e->pod->json), e->pod->ns, SLICE_NULL);
	return is_new_node(e) || (e->kind == EVENT_CSI_NODE && differs(e, "spec", "drivers")) ||
	       (e->kind == EVENT_CLAIM && is_own_claim(p, e));
}

static bool zone_helps(const struct candidate *p, const struct cluster_event *e)
{
	if (is_one_of(e, 1 << EVENT_NODE_ADDED | 1 << EVENT_NODE_CHANGED))
		return labels_changed(e);
	return e->kind == EVENT_VOLUME || (e->kind == EVENT_CLAIM && is_own_claim(p, e));
}

static bool restrictions_help(const struct candidate *p, const struct cluster_event *e)
{
	return (e->kind == EVENT_POD_GONE && shares_a_claim(p, e->pod)) ||
	       (e->kind == EVENT_CLAIM && is_own_claim(p, e));
}

/* ---- all of them ---- */

static bool node_helps(const struct candidate *p, unsigned plugins, const struct cluster_event *e)
{
	return ((plugins & FILTER_UNSCHEDULABLE) && is_uncordoned(e)) ||
	       ((plugins & FILTER_TAINTS) && is_tolerated_now(p, e)) ||
	       ((plugins & FILTER_NODE_AFFINITY) && is_chosen_now(p, e)) ||
	       ((plugins & (FILTER_NODE_NAME | FILTER_PORTS)) && is_new_node(e)) ||
	       ((plugins & FILTER_FIT) && has_room_now(p, e)) ||
	       ((plugins & FILTER_POD_AFFINITY) && neighbourhood_changes(p, e));
}

static bool pod_helps(struct scheduler *s, const struct candidate *p, unsigned plugins, const struct cluster_event *e)
{
	return ((plugins & FILTER_FIT) && is_one_of(e, POD_LESS) && has_room_now(p, e)) ||
	       ((plugins & FILTER_PORTS) && e->kind == EVENT_POD_GONE && ports_clash(e->pod, &p->demands)) ||
	       ((plugins & FILTER_POD_AFFINITY) && is_one_of(e, POD_ANY) && neighbour_helps(s, p, e));
}

bool hint_helps(struct scheduler *s, const struct candidate *p, unsigned plugins, const struct cluster_event *e)
{
	if ((plugins & FILTER_EXTENDERS) || (e->node && e->kind != EVENT_NODE_GONE && node_helps(p, plugins, e)))
		return true;
	if (e->pod && pod_helps(s, p, plugins, e))
		return true;
	return ((plugins & FILTER_SPREAD) && is_one_of(e, NODE_ANY | POD_ANY) && spread_changes(s, p, e)) ||
	       ((plugins & FILTER_VOLUME_BINDING) && binding_helps(p, e)) ||
	       ((plugins & FILTER_VOLUME_LIMITS) && limits_help(p, e)) ||
	       ((plugins & FILTER_VOLUME_ZONE) && zone_helps(p, e)) ||
	       ((plugins & FILTER_VOLUME_RESTRICTIONS) && restrictions_help(p, e));
}
