/* Who is in which set, and what the table has of each address. See policy_state_int.h, policy_core.c.
 *
 * A set is filled once, when a chain begins to need it, by a look at all pods that it may have; from then on each pod
 * that changes is compared with all sets. What the table has hangs on addresses, not on pods: for a while two pods may
 * seem to have one (the older has ended, and that is not known yet), and then the newer has it.
 *
 * Parts: "a IP" what an address of a pod of this node is in (known, self, groups); "b SET IP", "b SET IP ports" its
 * being in a set; "s SET" a set. */
#include "net/policy/policy_state_int.h"

#include "base/check.h"
#include "base/json/scan.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- sets ---- */

static void read_selector(struct set_entry *s, struct slice text, struct label_selector *ret)
{
	struct err err = ERR_INIT;
	bool is_nobody = false;
	struct json *v = json_parse(&s->arena, text, NULL, &err);
	s->is_nobody |= !v || label_selector_from_json(&s->arena, v, ret, &is_nobody, &err) != 0 || is_nobody;
}

static void read_key(struct policy_core *c, struct set_entry *s)
{
	struct slice rest = s->key, first = slice_cut(&rest, '\n');
	if (first.len) {
		s->ns = core_namespace(c, first);
	} else {
		first = slice_cut(&rest, '\n');
		read_selector(s, first, &s->namespaces);
	}
	read_selector(s, rest, &s->pods);
	list_push_back(s->ns ? &s->ns->sets : &c->wide_sets, &s->link);
}

struct set_entry *members_set(struct policy_core *c, struct slice key)
{
	struct set_entry *s = map_get(&c->sets, key);
	if (!s) {
		s = MAP_ENTRY_NEW(struct set_entry, key, key);
		s->id = ++c->last_id;
		list_init(&s->fresh);
		list_init(&s->idle);
		read_key(c, s);
		map_put(&c->sets, s->key, s);
		list_push_back(&c->fresh_sets, &s->fresh);
		core_part_begin(c);
		strbuf_addf(&c->key, "s %" PRIu64, s->id);
		policy_rules_add_pods(&c->add, s->id);
		policy_rules_remove_pods(&c->remove, s->id);
		core_part_put(c, "0");
	}
	s->refs++;
	return s;
}

struct ports_entry *members_ports(struct policy_core *c, enum policy_protocol protocol, struct slice name)
{
	struct strbuf key = STRBUF_INIT;
	strbuf_addf(&key, "%d%.*s", (int)protocol, SLICE_FMT(name));
	struct ports_entry *p = map_get(&c->ports, strbuf_slice(&key));
	if (!p) {
		p = MAP_ENTRY_NEW(struct ports_entry, key, strbuf_slice(&key));
		p->id = ++c->last_id;
		list_init(&p->idle);
		map_put(&c->ports, p->key, p);
		core_part_begin(c);
		strbuf_addf(&c->key, "s %" PRIu64, p->id);
		policy_rules_add_ports(&c->add, p->id);
		policy_rules_remove_ports(&c->remove, p->id);
		core_part_put(c, "0");
		c->has_new_ports = true;
	}
	strbuf_release(&key);
	p->refs++;
	return p;
}

void members_set_unref(struct policy_core *c, struct set_entry *s)
{
	CHECK(s->refs);
	if (!--s->refs && !list_linked(&s->idle))
		list_push_back(&c->idle_sets, &s->idle);
}

void members_ports_unref(struct policy_core *c, struct ports_entry *p)
{
	CHECK(p->refs);
	if (!--p->refs && !list_linked(&p->idle))
		list_push_back(&c->idle_ports, &p->idle);
}

/* ---- pods in sets ---- */

static void mark_addresses(struct policy_core *c, struct pod_entry *p)
{
	for (size_t i = 0; i < p->attachments_count; i++) {
		struct address_entry *a = p->attachments[i].address;
		if (!list_linked(&a->dirty))
			list_push_back(&c->dirty_addresses, &a->dirty);
	}
}

static bool matches(const struct set_entry *s, const struct pod_entry *p)
{
	if (s->is_nobody || !p->attachments_count || (s->ns && s->ns != p->ns))
		return false;
	if (!s->ns && (!p->ns->exists || !label_selector_matches(&s->namespaces, slice_of(p->ns->labels))))
		return false;
	return label_selector_matches(&s->pods, p->labels);
}

static int by_id(const void *a, const void *b)
{
	const struct set_entry *x = *(struct set_entry *const *)a, *y = *(struct set_entry *const *)b;
	return x->id < y->id ? -1 : x->id > y->id;
}

static bool is_in(const struct pod_entry *p, const struct set_entry *s)
{
	return p->sets_count && bsearch(&s, p->sets, p->sets_count, sizeof *p->sets, by_id);
}

static void add_to(struct pod_entry *p, struct set_entry *s)
{
	p->sets = xrealloc(p->sets, (p->sets_count + 1) * sizeof *p->sets);
	p->sets[p->sets_count++] = s;
}

void members_update_pod(struct policy_core *c, struct pod_entry *p)
{
	p->sets_count = 0;
	LIST_FOREACH (it, &p->ns->sets)
		if (matches(CONTAINER_OF(it, struct set_entry, link), p))
			add_to(p, CONTAINER_OF(it, struct set_entry, link));
	LIST_FOREACH (it, &c->wide_sets)
		if (matches(CONTAINER_OF(it, struct set_entry, link), p))
			add_to(p, CONTAINER_OF(it, struct set_entry, link));
	if (p->sets_count)
		qsort(p->sets, p->sets_count, sizeof *p->sets, by_id);
	mark_addresses(c, p);
}

static void fill_from(struct policy_core *c, struct set_entry *s, struct pod_entry *p)
{
	if (is_in(p, s) || !matches(s, p))
		return;
	add_to(p, s);
	qsort(p->sets, p->sets_count, sizeof *p->sets, by_id);
	mark_addresses(c, p);
}

void members_fill(struct policy_core *c)
{
	struct list_link *l;
	while ((l = list_pop_front(&c->fresh_sets))) {
		struct set_entry *s = CONTAINER_OF(l, struct set_entry, fresh);
		if (s->ns)
			LIST_FOREACH (it, &s->ns->pods)
				fill_from(c, s, CONTAINER_OF(it, struct pod_entry, in_ns));
		else
			MAP_FOREACH (it, &c->pods)
				fill_from(c, s, it->value);
	}
	if (c->has_new_ports)
		MAP_FOREACH (it, &c->pods)
			mark_addresses(c, it->value);
	c->has_new_ports = false;
}

/* ---- sets that nobody needs ---- */

static void take_out(struct policy_core *c, struct set_entry *s, struct pod_entry *p)
{
	struct set_entry **at = p->sets_count ? bsearch(&s, p->sets, p->sets_count, sizeof *p->sets, by_id) : NULL;
	if (!at)
		return;
	memmove(at, at + 1, (size_t)(p->sets + p->sets_count - at - 1) * sizeof *at);
	p->sets_count--;
	mark_addresses(c, p);
}

static void set_free(struct policy_core *c, struct set_entry *s)
{
	list_del(&s->link);
	list_del(&s->fresh);
	list_del(&s->idle);
	if (s->ns)
		core_namespace_leave(c, s->ns);
	arena_release(&s->arena);
	free(s);
}

static void drop_set(struct policy_core *c, struct set_entry *s)
{
	if (s->ns)
		LIST_FOREACH (it, &s->ns->pods)
			take_out(c, s, CONTAINER_OF(it, struct pod_entry, in_ns));
	else
		MAP_FOREACH (it, &c->pods)
			take_out(c, s, it->value);
	core_part_begin(c);
	strbuf_addf(&c->key, "s %" PRIu64, s->id);
	core_part_drop(c);
	map_del(&c->sets, s->key);
	set_free(c, s);
}

static void drop_ports(struct policy_core *c, struct ports_entry *p)
{
	MAP_FOREACH (it, &c->pods)
		mark_addresses(c, it->value);
	core_part_begin(c);
	strbuf_addf(&c->key, "s %" PRIu64, p->id);
	core_part_drop(c);
	map_del(&c->ports, p->key);
	free(p);
}

void members_drop_idle(struct policy_core *c)
{
	struct list_link *l;
	while ((l = list_pop_front(&c->idle_sets)))
		if (!CONTAINER_OF(l, struct set_entry, idle)->refs)
			drop_set(c, CONTAINER_OF(l, struct set_entry, idle));
	while ((l = list_pop_front(&c->idle_ports)))
		if (!CONTAINER_OF(l, struct ports_entry, idle)->refs)
			drop_ports(c, CONTAINER_OF(l, struct ports_entry, idle));
}

/* ---- addresses ---- */

static struct address_entry *address_get(struct policy_core *c, const struct policy_network *ip)
{
	struct strbuf text = STRBUF_INIT;
	policy_network_write(&text, ip);
	struct address_entry *a = map_get(&c->addresses, strbuf_slice(&text));
	if (!a) {
		a = MAP_ENTRY_NEW(struct address_entry, key, strbuf_slice(&text));
		a->ip = *ip;
		list_init(&a->attachments);
		list_init(&a->dirty);
		map_put(&c->addresses, a->key, a);
	}
	strbuf_release(&text);
	return a;
}

void members_attach(struct policy_core *c, struct pod_entry *p, const struct policy_network *ips, size_t n)
{
	mark_addresses(c, p);
	for (size_t i = 0; i < p->attachments_count; i++)
		list_del(&p->attachments[i].link);
	free(p->attachments);
	p->attachments = n ? xcalloc(n, sizeof *p->attachments) : NULL;
	p->attachments_count = n;
	for (size_t i = 0; i < n; i++) {
		struct attachment *at = &p->attachments[i];
		*at = (struct attachment){.pod = p, .address = address_get(c, &ips[i])};
		list_init(&at->link);
		list_push_back(&at->address->attachments, &at->link);
	}
	mark_addresses(c, p);
}

/* Whose it is: the newest pod's; of two of one second the one with the greater name. */
static struct pod_entry *owner_of(const struct address_entry *a)
{
	struct pod_entry *best = NULL;
	struct slice best_created = SLICE_NULL;
	LIST_FOREACH (it, &a->attachments) {
		struct pod_entry *p = CONTAINER_OF(it, struct attachment, link)->pod;
		struct slice text = {p->packed->data, p->packed->len}, created = json_find(text, "c", NULL);
		int d = best ? slice_cmp(created, best_created) : 1;
		if (d > 0 || (d == 0 && slice_cmp(p->key, best->key) > 0)) {
			best = p;
			best_created = created;
		}
	}
	return best;
}

static void write_base(struct policy_core *c, struct address_entry *a, const struct pod_entry *p)
{
	bool is_wanted = p && p->is_local;
	core_part_begin(c);
	strbuf_addf(&c->key, "a %.*s", SLICE_FMT(a->key));
	if (is_wanted) {
		for (enum policy_direction d = 0; d < POLICY_DIRECTIONS; d++) {
			if (!p->groups[d])
				continue;
			policy_rules_isolate(&c->add, "add", d, &a->ip, p->groups[d]->id);
			policy_rules_isolate(&c->remove, "delete", d, &a->ip, p->groups[d]->id);
		}
		policy_rules_self(&c->add, "add", &a->ip);
		policy_rules_self(&c->remove, "delete", &a->ip);
		policy_rules_known(&c->add, "add", &a->ip);
		policy_rules_known(&c->remove, "delete", &a->ip);
		core_part_put(c, "3");
	} else if (a->has_base) {
		core_part_drop(c);
	}
	a->has_base = is_wanted;
}

static void member_key(struct policy_core *c, const struct address_entry *a, uint64_t id)
{
	core_part_begin(c);
	strbuf_addf(&c->key, "b %" PRIu64 " %.*s", id, SLICE_FMT(a->key));
}

static bool has_id(const uint64_t *ids, size_t n, uint64_t id)
{
	size_t low = 0;
	while (low < n) {
		size_t middle = low + (n - low) / 2;
		if (ids[middle] == id)
			return true;
		if (ids[middle] < id)
			low = middle + 1;
		else
			n = middle;
	}
	return false;
}

static void drop_others(struct policy_core *c, struct address_entry *a, const uint64_t *before, size_t before_count,
        const uint64_t *now, size_t now_count)
{
	for (size_t i = 0; i < before_count; i++)
		if (!has_id(now, now_count, before[i])) {
			member_key(c, a, before[i]);
			core_part_drop(c);
		}
}

static void write_sets(struct policy_core *c, struct address_entry *a, const struct pod_entry *p)
{
	size_t n = p ? p->sets_count : 0;
	uint64_t *now = n ? xcalloc(n, sizeof *now) : NULL;
	for (size_t i = 0; i < n; i++)
		now[i] = p->sets[i]->id;
	drop_others(c, a, a->sets, a->sets_count, now, n);
	for (size_t i = 0; i < n; i++)
		if (!has_id(a->sets, a->sets_count, now[i])) {
			member_key(c, a, now[i]);
			policy_rules_member(&c->add, "add", now[i], &a->ip);
			policy_rules_member(&c->remove, "delete", now[i], &a->ip);
			core_part_put(c, "4");
		}
	free(a->sets);
	a->sets = now;
	a->sets_count = n;
}

/* Several containers may name a port alike. */
static void write_port(
        struct policy_core *c, struct address_entry *a, const struct policy_pod *facts, size_t first, uint64_t id)
{
	member_key(c, a, id);
	for (size_t i = first; i < facts->ports_count; i++) {
		const struct policy_pod_port *p = &facts->ports[i], *named = &facts->ports[first];
		bool is_new = p->protocol == named->protocol && slice_eq(p->name, named->name);
		for (size_t k = first; k < i && is_new; k++)
			is_new = p->protocol != facts->ports[k].protocol || p->number != facts->ports[k].number ||
			         !slice_eq(p->name, facts->ports[k].name);
		if (is_new) {
			policy_rules_port(&c->add, "add", id, &a->ip, p->number);
			policy_rules_port(&c->remove, "delete", id, &a->ip, p->number);
		}
	}
	core_part_put(c, "4");
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

static void write_ports(struct policy_core *c, struct address_entry *a, const struct pod_entry *p)
{
	struct arena arena = ARENA_INIT;
	struct policy_pod facts = {0};
	size_t n = 0;
	if (!a->ports_count && (!p || !c->ports.count))
		return;
	if (p)
		policy_pod_read(&arena, p->packed, &facts);
	uint64_t *now = xcalloc(facts.ports_count + 1, sizeof *now);
	for (size_t i = 0; i < facts.ports_count; i++) {
		const char *key =
		        arena_printf(&arena, "%d%.*s", (int)facts.ports[i].protocol, SLICE_FMT(facts.ports[i].name));
		const struct ports_entry *set = map_get(&c->ports, slice_of(key));
		bool is_new = set != NULL;
		for (size_t k = 0; k < n && is_new; k++)
			is_new = now[k] != set->id;
		if (!is_new)
			continue;
		now[n++] = set->id;
		write_port(c, a, &facts, i, set->id);
	}
	qsort(now, n, sizeof *now, by_number);
	drop_others(c, a, a->ports, a->ports_count, now, n);
	free(a->ports);
	a->ports = now;
	a->ports_count = n;
	arena_release(&arena);
}

static void address_free(struct address_entry *a)
{
	list_del(&a->dirty);
	free(a->sets);
	free(a->ports);
	free(a);
}

void members_write(struct policy_core *c)
{
	struct list_link *l;
	while ((l = list_pop_front(&c->dirty_addresses))) {
		struct address_entry *a = CONTAINER_OF(l, struct address_entry, dirty);
		const struct pod_entry *p = owner_of(a);
		write_base(c, a, p);
		write_sets(c, a, p);
		write_ports(c, a, p);
		if (!p) {
			map_del(&c->addresses, a->key);
			address_free(a);
		}
	}
}

void members_release(struct policy_core *c)
{
	MAP_FOREACH (it, &c->addresses)
		address_free(it->value);
	MAP_FOREACH (it, &c->sets)
		set_free(c, it->value);
	MAP_FOREACH (it, &c->ports)
		free(it->value);
	map_release(&c->addresses);
	map_release(&c->sets);
	map_release(&c->ports);
}
