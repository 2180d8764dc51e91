/* See policy_core_int.h.
 *
 *     policy --(a pod of here is selected)--> chain per direction --> sets of pods, sets of ports by name
 *     pod of here --> group per direction: the chains of all policies that select it
 *     pod of anywhere --> the sets whose selectors it fits
 *
 * Groups, chains and sets are made when something needs them and dropped when nothing does any more, at the end of a
 * sync, so that what is only handed over stays. They are numbered and never changed: a policy that says something else
 * gets new chains, the sets by selectors it still names stay with their members. So what a change costs is what
 * changes: a pod that comes is its address in a map and in its sets.
 *
 * While there is any policy at all, packets of this node's pods that are not known here yet are held (policy_rules.c):
 * a pod's address tells nothing of its labels. "Known" is in one part with the groups, so that a pod whose groups the
 * kernel would not take is held, too, and not open.
 *
 * What can go wrong: a namespace's labels are not known: selectors of namespaces do not fit it. Two pods have one
 * address: see policy_members.c. Parts: "g GROUP", "p CHAIN", "hold"; those of addresses and sets there. Keys sort so
 * that what refers to something goes before it does. */
#include "net/policy/policy_core_int.h"

#include "base/check.h"
#include "base/json/scan.h"
#include "net/policy/policy_state_int.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- parts ---- */

void core_part_begin(struct policy_core *c)
{
	strbuf_reset(&c->key);
	strbuf_reset(&c->add);
	strbuf_reset(&c->remove);
}

void core_part_put(struct policy_core *c, const char *rank)
{
	c->sink.put(
	        c->sink.arg, strbuf_slice(&c->key), slice_of(rank), strbuf_slice(&c->add), strbuf_slice(&c->remove));
}

void core_part_drop(struct policy_core *c)
{
	c->sink.drop(c->sink.arg, strbuf_slice(&c->key));
}

/* ---- namespaces ---- */

struct ns_entry *core_namespace(struct policy_core *c, struct slice name)
{
	struct ns_entry *ns = map_get(&c->namespaces, name);
	if (ns)
		return ns;
	ns = MAP_ENTRY_NEW(struct ns_entry, key, name);
	list_init(&ns->pods);
	list_init(&ns->policies);
	list_init(&ns->sets);
	map_put(&c->namespaces, ns->key, ns);
	return ns;
}

void core_namespace_leave(struct policy_core *c, struct ns_entry *ns)
{
	if (ns->exists || !list_empty(&ns->pods) || !list_empty(&ns->policies) || !list_empty(&ns->sets))
		return;
	map_del(&c->namespaces, ns->key);
	free(ns->labels);
	free(ns);
}

static void mark_pod(struct policy_core *c, struct pod_entry *p)
{
	if (!list_linked(&p->dirty))
		list_push_back(&c->dirty_pods, &p->dirty);
}

void policy_core_namespace(struct policy_core *c, struct slice name, struct slice object)
{
	struct ns_entry *ns = core_namespace(c, name);
	struct slice labels = object.ptr ? json_find(object, "metadata", "labels", NULL) : SLICE_NULL;
	bool is_same = ns->exists == (object.ptr != NULL) && slice_eq(labels, slice_of(ns->labels));
	ns->exists = object.ptr != NULL;
	if (!is_same) {
		free(ns->labels);
		ns->labels = labels.ptr ? xmemdup(labels.ptr, labels.len) : NULL;
		LIST_FOREACH (it, &ns->pods)
			mark_pod(c, CONTAINER_OF(it, struct pod_entry, in_ns));
	}
	core_namespace_leave(c, ns);
}

/* ---- chains ---- */

struct building {
	struct policy_core *core;
	struct chain_entry *chain;
};

static uint64_t need_pods(void *arg, struct slice selector)
{
	struct building *b = arg;
	struct chain_entry *h = b->chain;
	struct set_entry *s = members_set(b->core, selector);
	h->sets = xrealloc(h->sets, (h->sets_count + 1) * sizeof *h->sets);
	h->sets[h->sets_count++] = s;
	return s->id;
}

static uint64_t need_ports(void *arg, enum policy_protocol protocol, struct slice name)
{
	struct building *b = arg;
	struct chain_entry *h = b->chain;
	struct ports_entry *p = members_ports(b->core, protocol, name);
	h->ports = xrealloc(h->ports, (h->ports_count + 1) * sizeof *h->ports);
	h->ports[h->ports_count++] = p;
	return p->id;
}

static struct chain_entry *chain_get(struct policy_core *c, struct policy_entry *e, enum policy_direction d)
{
	if (e->chains[d])
		return e->chains[d];
	struct chain_entry *h = e->chains[d] = xcalloc(1, sizeof *h);
	struct strbuf body = STRBUF_INIT;
	struct building b = {c, h};
	struct policy_sets sets = {need_pods, need_ports, &b};
	*h = (struct chain_entry){.id = ++c->last_id, .direction = d, .policy = e};
	policy_rules_body(&body, d, e->policy.rules[d], e->policy.rules_count[d], &sets);
	core_part_begin(c);
	strbuf_addf(&c->key, "p %" PRIu64, h->id);
	policy_rules_add_chain(&c->add, d, h->id, e->key, strbuf_slice(&body));
	policy_rules_remove_chain(&c->remove, d, h->id);
	core_part_put(c, "1");
	strbuf_release(&body);
	c->chains_count++;
	return h;
}

static void chain_free(struct policy_core *c, struct chain_entry *h)
{
	if (h->policy)
		h->policy->chains[h->direction] = NULL;
	free(h->sets);
	free(h->ports);
	free(h);
	c->chains_count--;
}

static void chain_unref(struct policy_core *c, struct chain_entry *h)
{
	CHECK(h->refs);
	if (--h->refs)
		return;
	for (size_t i = 0; i < h->sets_count; i++)
		members_set_unref(c, h->sets[i]);
	for (size_t i = 0; i < h->ports_count; i++)
		members_ports_unref(c, h->ports[i]);
	core_part_begin(c);
	strbuf_addf(&c->key, "p %" PRIu64, h->id);
	core_part_drop(c);
	chain_free(c, h);
}

/* ---- groups ---- */

static struct group_entry *group_get(
        struct policy_core *c, enum policy_direction d, struct chain_entry **chains, size_t n, struct slice key)
{
	struct group_entry *g = map_get(&c->groups, key);
	if (g)
		return g;
	g = MAP_ENTRY_NEW(struct group_entry, key, key);
	list_init(&g->idle);
	g->id = ++c->last_id;
	g->direction = d;
	g->chains = xcalloc(n, sizeof *g->chains);
	g->chains_count = n;
	uint64_t *ids = xcalloc(n, sizeof *ids);
	for (size_t i = 0; i < n; i++) {
		g->chains[i] = chains[i];
		chains[i]->refs++;
		ids[i] = chains[i]->id;
	}
	core_part_begin(c);
	strbuf_addf(&c->key, "g %" PRIu64, g->id);
	policy_rules_add_group(&c->add, d, g->id, ids, n);
	policy_rules_remove_group(&c->remove, d, g->id);
	core_part_put(c, "2");
	free(ids);
	map_put(&c->groups, g->key, g);
	return g;
}

static void group_free(struct group_entry *g)
{
	free(g->chains);
	free(g);
}

static void drop_idle_groups(struct policy_core *c)
{
	struct list_link *l;
	while ((l = list_pop_front(&c->idle_groups))) {
		struct group_entry *g = CONTAINER_OF(l, struct group_entry, idle);
		if (g->refs)
			continue;
		core_part_begin(c);
		strbuf_addf(&c->key, "g %" PRIu64, g->id);
		core_part_drop(c);
		for (size_t i = 0; i < g->chains_count; i++)
			chain_unref(c, g->chains[i]);
		map_del(&c->groups, g->key);
		group_free(g);
	}
}

/* ---- pods ---- */

static void put_under(struct policy_core *c, struct pod_entry *p, enum policy_direction d, struct group_entry *g)
{
	struct group_entry *before = p->groups[d];
	if (g)
		g->refs++;
	if (before && !--before->refs && !list_linked(&before->idle))
		list_push_back(&c->idle_groups, &before->idle);
	c->local_isolated[d] += (g != NULL) - (before != NULL);
	p->groups[d] = g;
}

static int by_chain(const void *a, const void *b)
{
	const struct chain_entry *x = *(struct chain_entry *const *)a, *y = *(struct chain_entry *const *)b;
	return x->id < y->id ? -1 : x->id > y->id;
}

static size_t chains_of(
        struct policy_core *c, struct pod_entry *p, enum policy_direction d, struct chain_entry ***ret_chains)
{
	struct chain_entry **chains = NULL;
	size_t n = 0;
	LIST_FOREACH (it, &p->ns->policies) {
		struct policy_entry *e = CONTAINER_OF(it, struct policy_entry, in_ns);
		if (!e->policy.isolates[d] || e->selects_nobody || !label_selector_matches(&e->selector, p->labels))
			continue;
		chains = xrealloc(chains, (n + 1) * sizeof *chains);
		chains[n++] = chain_get(c, e, d);
	}
	if (n)
		qsort(chains, n, sizeof *chains, by_chain);
	*ret_chains = chains;
	return n;
}

static void update_group(struct policy_core *c, struct pod_entry *p, enum policy_direction d)
{
	struct chain_entry **chains = NULL;
	struct strbuf key = STRBUF_INIT;
	struct group_entry *g = NULL;
	size_t n = p->is_local && p->attachments_count ? chains_of(c, p, d, &chains) : 0;
	strbuf_addf(&key, "%d", (int)d);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&key, " %" PRIu64, chains[i]->id);
	if (n)
		g = group_get(c, d, chains, n, strbuf_slice(&key));
	put_under(c, p, d, g);
	strbuf_release(&key);
	free(chains);
}

static void update_pod(struct policy_core *c, struct pod_entry *p)
{
	for (enum policy_direction d = 0; d < POLICY_DIRECTIONS; d++)
		update_group(c, p, d);
	members_update_pod(c, p);
}

static struct pod_entry *pod_new(struct policy_core *c, struct slice key)
{
	struct slice rest = key;
	struct pod_entry *p = MAP_ENTRY_NEW(struct pod_entry, key, key);
	p->ns = core_namespace(c, slice_cut(&rest, '/'));
	list_init(&p->in_ns);
	list_init(&p->dirty);
	list_push_back(&p->ns->pods, &p->in_ns);
	map_put(&c->pods, p->key, p);
	return p;
}

static void pod_free(struct pod_entry *p)
{
	list_del(&p->in_ns);
	list_del(&p->dirty);
	rcbuf_unref(p->packed);
	free(p->attachments);
	free(p->sets);
	free(p);
}

static void drop_pod(struct policy_core *c, struct pod_entry *p)
{
	struct ns_entry *ns = p->ns;
	c->attached_count -= p->attachments_count > 0;
	for (enum policy_direction d = 0; d < POLICY_DIRECTIONS; d++)
		put_under(c, p, d, NULL);
	members_attach(c, p, NULL, 0);
	map_del(&c->pods, p->key);
	pod_free(p);
	core_namespace_leave(c, ns);
}

/* An address that is named twice is one. */
static size_t without_doubles(struct policy_network *ips, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		bool is_there = false;
		for (size_t k = 0; k < kept && !is_there; k++)
			is_there = ips[k].is_v6 == ips[i].is_v6 &&
			           memcmp(ips[k].bytes, ips[i].bytes, sizeof ips->bytes) == 0;
		if (!is_there)
			ips[kept++] = ips[i];
	}
	return kept;
}

static void read_pod(struct policy_core *c, struct pod_entry *p, struct rcbuf *packed)
{
	struct arena a = ARENA_INIT;
	struct policy_pod facts;
	rcbuf_unref(p->packed);
	p->packed = rcbuf_ref(packed);
	policy_pod_read(&a, packed, &facts);
	p->labels = facts.labels; /* lies in the text, not in the arena */
	p->is_local = slice_is(facts.node, c->node_name);
	c->attached_count -= p->attachments_count > 0;
	members_attach(c, p, facts.addresses, without_doubles(facts.addresses, facts.addresses_count));
	c->attached_count += p->attachments_count > 0;
	arena_release(&a);
	mark_pod(c, p);
}

void policy_core_pod(struct policy_core *c, struct slice key, struct rcbuf *packed)
{
	struct pod_entry *p = map_get(&c->pods, key);
	if (!packed) {
		if (p)
			drop_pod(c, p);
		return;
	}
	if (p && p->packed->len == packed->len && memcmp(p->packed->data, packed->data, packed->len) == 0)
		return;
	read_pod(c, p ? p : pod_new(c, key), packed);
}

/* ---- policies ---- */

static void policy_free(struct policy_entry *e)
{
	list_del(&e->in_ns);
	arena_release(&e->arena);
	free(e);
}

static void drop_policy(struct policy_core *c, struct policy_entry *e)
{
	for (enum policy_direction d = 0; d < POLICY_DIRECTIONS; d++)
		if (e->chains[d])
			e->chains[d]->policy = NULL;
	map_del(&c->policies, e->key);
	policy_free(e);
}

static void add_policy(struct policy_core *c, struct ns_entry *ns, struct slice key, struct slice object)
{
	struct err err = ERR_INIT;
	struct policy_entry *e = MAP_ENTRY_NEW(struct policy_entry, key, key);
	struct json *v = json_parse(&e->arena, object, NULL, &err), *selector;
	e->ns = ns;
	policy_read(&e->arena, ns->key, v, &e->policy);
	selector = json_parse(&e->arena, e->policy.selector, NULL, &err);
	if (label_selector_from_json(&e->arena, selector, &e->selector, &e->selects_nobody, &err) != 0)
		e->selects_nobody = true;
	list_init(&e->in_ns);
	list_push_back(&ns->policies, &e->in_ns);
	map_put(&c->policies, e->key, e);
}

void policy_core_policy(struct policy_core *c, struct slice key, struct slice object)
{
	struct slice rest = key;
	struct ns_entry *ns = core_namespace(c, slice_cut(&rest, '/'));
	struct policy_entry *before = map_get(&c->policies, key);
	LIST_FOREACH (it, &ns->pods)
		if (CONTAINER_OF(it, struct pod_entry, in_ns)->is_local)
			mark_pod(c, CONTAINER_OF(it, struct pod_entry, in_ns));
	if (before)
		drop_policy(c, before);
	if (object.ptr)
		add_policy(c, ns, key, object);
	core_namespace_leave(c, ns);
}

/* ---- those who wait ---- */

void policy_core_networks(struct policy_core *c, const struct policy_network *networks, size_t n)
{
	free(c->networks);
	c->networks = n ? xcalloc(n, sizeof *networks) : NULL;
	c->networks_count = n;
	for (size_t i = 0; i < n; i++)
		c->networks[i] = networks[i];
}

static void write_hold(struct policy_core *c)
{
	core_part_begin(c);
	strbuf_adds(&c->key, "hold");
	if (!c->policies.count || !c->networks_count) {
		core_part_drop(c);
		return;
	}
	for (size_t i = 0; i < c->networks_count; i++) {
		policy_rules_here(&c->add, "add", &c->networks[i]);
		policy_rules_here(&c->remove, "delete", &c->networks[i]);
	}
	policy_rules_add_hold(&c->add);
	policy_rules_remove_hold(&c->remove);
	core_part_put(c, "5");
}

/* ---- the whole ---- */

void policy_core_sync(struct policy_core *c)
{
	struct list_link *l;
	while ((l = list_pop_front(&c->dirty_pods)))
		update_pod(c, CONTAINER_OF(l, struct pod_entry, dirty));
	members_fill(c);
	drop_idle_groups(c);
	members_drop_idle(c);
	members_write(c);
	write_hold(c);
}

struct policy_counts policy_core_counts(const struct policy_core *c)
{
	struct policy_counts n = {.policies = c->policies.count,
	        .pods = c->attached_count,
	        .chains = c->chains_count,
	        .groups = c->groups.count,
	        .sets = c->sets.count + c->ports.count};
	memcpy(n.isolated, c->local_isolated, sizeof n.isolated);
	return n;
}

struct policy_core *policy_core_new(const struct policy_sink *sink, const char *node_name)
{
	struct policy_core *c = xcalloc(1, sizeof *c);
	c->sink = *sink;
	c->node_name = xstrdup(node_name);
	struct list_link *lists[] = {&c->wide_sets, &c->dirty_pods, &c->dirty_addresses, &c->fresh_sets, &c->idle_sets,
	        &c->idle_ports, &c->idle_groups};
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		list_init(lists[i]);
	return c;
}

static void free_groups(struct policy_core *c)
{
	MAP_FOREACH (it, &c->groups) {
		struct group_entry *g = it->value;
		for (size_t i = 0; i < g->chains_count; i++)
			if (!--g->chains[i]->refs)
				chain_free(c, g->chains[i]);
		group_free(g);
	}
	map_release(&c->groups);
}

void policy_core_free(struct policy_core *c)
{
	free_groups(c);
	members_release(c);
	MAP_FOREACH (it, &c->policies)
		policy_free(it->value);
	MAP_FOREACH (it, &c->pods)
		pod_free(it->value);
	MAP_FOREACH (it, &c->namespaces) {
		struct ns_entry *ns = it->value;
		free(ns->labels);
		free(ns);
	}
	map_release(&c->policies);
	map_release(&c->pods);
	map_release(&c->namespaces);
	strbuf_release(&c->key);
	strbuf_release(&c->add);
	strbuf_release(&c->remove);
	free(c->networks);
	free(c->node_name);
	free(c);
}
