/* See zone.h. */
#include "net/dns/zone/zone.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "base/mem/map.h"

#include <stdlib.h>

struct zone_group {
	struct slice key; /* "namespace/service" */
	struct list_link slices;
};

struct zone_address {
	struct slice key; /* the address's bytes */
	struct list_link uses;
};

struct zone {
	struct map items[ZONE_KINDS];
	struct map groups, addresses;
	uint32_t serial;
};

struct zone *zone_new(void)
{
	return xcalloc(1, sizeof(struct zone));
}

struct slice zone_item_namespace(const struct zone_item *i)
{
	struct slice rest = i->key;
	return slice_cut(&rest, '/');
}

struct slice zone_item_name(const struct zone_item *i)
{
	struct slice rest = i->key;
	slice_cut(&rest, '/');
	return rest;
}

/* ---- by address ---- */

static void add_use(struct zone *z, enum zone_kind kind, struct zone_item *i, const struct record_ip *ip)
{
	struct slice key = {(const char *)ip->bytes, ip->len};
	struct zone_address *a = map_get(&z->addresses, key);
	if (!a) {
		a = MAP_ENTRY_NEW(struct zone_address, key, key);
		list_init(&a->uses);
		map_put(&z->addresses, a->key, a);
	}
	struct zone_use *u = &i->uses[i->n_uses++];
	*u = (struct zone_use){.address = a, .item = i, .kind = kind};
	list_push_back(&a->uses, &u->link);
}

static void drop_uses(struct zone *z, struct zone_item *i)
{
	for (unsigned n = 0; n < i->n_uses; n++) {
		struct zone_address *a = i->uses[n].address;
		list_del(&i->uses[n].link);
		if (!list_empty(&a->uses))
			continue;
		map_del(&z->addresses, a->key);
		free(a);
	}
	free(i->uses);
	i->uses = NULL;
	i->n_uses = 0;
}

static void add_ips(struct zone *z, enum zone_kind kind, struct zone_item *i, struct record_cursor ips)
{
	struct record_ip ip;
	i->uses = ips.left ? xcalloc(ips.left, sizeof *i->uses) : NULL;
	while (record_next_ip(&ips, &ip))
		add_use(z, kind, i, &ip);
}

/* How many addresses, and each of them when `z` is given, its endpoints with hostnames have. */
static unsigned named_endpoints(struct zone *z, struct zone_item *i)
{
	struct record_slice s;
	struct record_endpoint e;
	struct record_ip ip;
	unsigned n = 0;
	record_read_slice(i->record, &s);
	while (record_next_endpoint(&s.endpoints, &e)) {
		if (!e.is_ready || !e.hostname.len)
			continue;
		n += e.ips.left;
		while (z && record_next_ip(&e.ips, &ip))
			add_use(z, ZONE_SLICE, i, &ip);
	}
	return n;
}

/* ---- the slices of a service ---- */

static struct slice join(char *buf, size_t size, struct slice ns, struct slice name)
{
	if (!ns.len)
		return name;
	if (ns.len + name.len + 1 > size)
		return SLICE_NULL;
	memcpy(buf, ns.ptr, ns.len);
	buf[ns.len] = '/';
	memcpy(buf + ns.len + 1, name.ptr, name.len);
	return (struct slice){buf, ns.len + 1 + name.len};
}

static void join_service(struct zone *z, struct zone_item *i)
{
	char buf[600];
	struct record_slice s;
	record_read_slice(i->record, &s);
	struct slice key = join(buf, sizeof buf, zone_item_namespace(i), s.service);
	if (!s.service.len || !key.len)
		return;
	struct zone_group *g = map_get(&z->groups, key);
	if (!g) {
		g = MAP_ENTRY_NEW(struct zone_group, key, key);
		list_init(&g->slices);
		map_put(&z->groups, g->key, g);
	}
	list_push_back(&g->slices, &i->in_service);
}

static void leave_service(struct zone *z, struct zone_item *i)
{
	if (!list_linked(&i->in_service))
		return;
	struct list_link *head = i->in_service.next;
	bool last = i->in_service.next == i->in_service.prev; /* the head alone is beside it, or one other */
	list_del(&i->in_service);
	if (!last || !list_empty(head))
		return;
	struct zone_group *g = CONTAINER_OF(head, struct zone_group, slices);
	map_del(&z->groups, g->key);
	free(g);
}

/* ---- items ---- */

static void unplace(struct zone *z, enum zone_kind kind, struct zone_item *i)
{
	drop_uses(z, i);
	if (kind == ZONE_SLICE)
		leave_service(z, i);
	rcbuf_unref(i->record);
	i->record = NULL;
}

static void place(struct zone *z, enum zone_kind kind, struct zone_item *i)
{
	struct record_service s;
	switch (kind) {
	case ZONE_SERVICE:
		record_read_service(i->record, &s);
		add_ips(z, kind, i, s.ips);
		break;
	case ZONE_SLICE:
		join_service(z, i);
		unsigned n = named_endpoints(NULL, i);
		i->uses = n ? xcalloc(n, sizeof *i->uses) : NULL;
		named_endpoints(z, i);
		break;
	case ZONE_POD:
		add_ips(z, kind, i, record_read_pod(i->record));
		break;
	default:
		break;
	}
}

void zone_set(struct zone *z, enum zone_kind kind, struct slice key, struct rcbuf *record, int64_t now_s)
{
	struct zone_item *i = map_get(&z->items[kind], key);
	z->serial = (uint32_t)now_s;
	if (i) {
		unplace(z, kind, i);
	} else {
		i = MAP_ENTRY_NEW(struct zone_item, key, key);
		list_init(&i->in_service);
		map_put(&z->items[kind], i->key, i);
	}
	i->record = rcbuf_ref(record);
	place(z, kind, i);
}

static void item_free(struct zone *z, enum zone_kind kind, struct zone_item *i)
{
	unplace(z, kind, i);
	free(i);
}

void zone_drop(struct zone *z, enum zone_kind kind, struct slice key, int64_t now_s)
{
	struct zone_item *i = map_del(&z->items[kind], key);
	z->serial = (uint32_t)now_s;
	if (i)
		item_free(z, kind, i);
}

void zone_free(struct zone *z)
{
	for (unsigned kind = 0; kind < ZONE_KINDS; kind++) {
		MAP_FOREACH (slot, &z->items[kind])
			item_free(z, kind, slot->value);
		map_release(&z->items[kind]);
	}
	map_release(&z->groups);
	map_release(&z->addresses);
	free(z);
}

/* ---- reading ---- */

struct zone_item *zone_get(const struct zone *z, enum zone_kind kind, struct slice ns, struct slice name)
{
	char buf[600];
	struct slice key = join(buf, sizeof buf, ns, name);
	return key.len ? map_get(&z->items[kind], key) : NULL;
}

size_t zone_count(const struct zone *z, enum zone_kind kind)
{
	return z->items[kind].count;
}

uint32_t zone_serial(const struct zone *z)
{
	return z->serial;
}

const struct list_link *zone_slices(const struct zone *z, struct slice ns, struct slice service)
{
	char buf[600];
	struct slice key = join(buf, sizeof buf, ns, service);
	const struct zone_group *g = key.len ? map_get(&z->groups, key) : NULL;
	return g ? &g->slices : NULL;
}

const struct list_link *zone_by_address(const struct zone *z, struct slice ip)
{
	const struct zone_address *a = map_get(&z->addresses, ip);
	return a ? &a->uses : NULL;
}
