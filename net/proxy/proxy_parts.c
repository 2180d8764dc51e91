/* See proxy_parts.h.
 *
 * A port is two parts, what leads to it and where its endpoints are, so that an endpoint that takes another's place
 * changes the second alone (proxy_rules.c says why). Before them are its memories, which are parts of their own that
 * stay while the port changes, and the chooser of its number of endpoints, which all ports share and nobody drops: one
 * too many does no harm. */
#include "net/proxy/proxy_parts.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

struct proxy_part {
	enum ip_family family;
	char *key;
};

/* A put under way: the texts are used again for each part. */
struct putting {
	const struct proxy_place *places;
	struct proxy_owner owner;
	struct proxy_parts now;
	struct strbuf add, remove;
};

static void begin_part(struct putting *p)
{
	strbuf_reset(&p->add);
	strbuf_reset(&p->remove);
}

static bool put(struct putting *p, enum ip_family f, const char *key, struct slice rank)
{
	CHECK(p->places[f].table);
	return nft_table_put(p->places[f].table, slice_of(key), rank, strbuf_slice(&p->add), strbuf_slice(&p->remove));
}

/* Puts one of the owner's own, and keeps its key. */
static bool put_own(struct putting *p, enum ip_family f, char *key, struct slice rank)
{
	p->now.items[p->now.count++] = (struct proxy_part){f, key};
	return put(p, f, key, rank);
}

/* Older than all ports, so that it is there before who leads to it. */
static void put_chooser(struct putting *p, const struct proxy_port *port)
{
	char key[32];
	size_t n = proxy_rules_spread(port);
	if (!n)
		return;
	begin_part(p);
	proxy_chooser_add(&p->add, port);
	proxy_chooser_delete(&p->remove, port);
	snprintf(key, sizeof key, "%s-of-%zu", port->protocol, n);
	put(p, port->family->family, key, SLICE(""));
}

static void put_memories(struct putting *p, const struct proxy_port *port)
{
	struct arena a = ARENA_INIT;
	struct proxy_memory *memories;
	size_t count = proxy_memories(&a, port, &memories);
	for (size_t i = 0; i < count; i++) {
		begin_part(p);
		proxy_memory_add(&p->add, &memories[i]);
		proxy_memory_delete(&p->remove, &memories[i]);
		put_own(p, port->family->family,
		        xprintf("%.*s %s %s", SLICE_FMT(p->owner.key), port->chain, memories[i].name), SLICE(""));
	}
	arena_release(&a);
}

/* How many endpoints were written. */
static size_t put_port(struct putting *p, const struct proxy_port *port)
{
	enum ip_family f = port->family->family;
	begin_part(p);
	proxy_rules_add(&p->add, port, p->places[f].cluster_cidr);
	proxy_rules_delete(&p->remove, port);
	put_own(p, f, xprintf("%.*s %s", SLICE_FMT(p->owner.key), port->chain), p->owner.rank);
	begin_part(p);
	proxy_endpoints_add(&p->add, port);
	proxy_endpoints_delete(&p->remove, port);
	bool is_new = p->add.len &&
	              put_own(p, f, xprintf("%.*s %s endpoints", SLICE_FMT(p->owner.key), port->chain), p->owner.rank);
	return is_new ? port->n_internal + (port->external_local ? port->n_cluster : 0) : 0;
}

/* The most that the ports may have. */
static size_t most(const struct proxy_port *ports, size_t n)
{
	size_t count = 2 * n + 1;
	for (size_t i = 0; i < n; i++)
		if (ports[i].affinity_s)
			count += ports[i].n_internal + ports[i].n_external + ports[i].n_cluster;
	return count;
}

static bool has(const struct proxy_parts *parts, const struct proxy_part *x)
{
	for (size_t i = 0; i < parts->count; i++)
		if (parts->items[i].family == x->family && strcmp(parts->items[i].key, x->key) == 0)
			return true;
	return false;
}

size_t proxy_parts_put(struct proxy_parts *parts, const struct proxy_place places[IP_FAMILIES],
        struct proxy_owner owner, const struct proxy_port *ports, size_t n)
{
	struct putting p = {.places = places, .owner = owner};
	size_t written = 0;
	p.now.items = xcalloc(most(ports, n), sizeof *p.now.items);
	for (size_t i = 0; i < n; i++) {
		put_chooser(&p, &ports[i]);
		put_memories(&p, &ports[i]);
		written += put_port(&p, &ports[i]);
	}
	CHECK(p.now.count <= most(ports, n));
	for (size_t i = 0; i < parts->count; i++)
		if (!has(&p.now, &parts->items[i]))
			nft_table_drop(places[parts->items[i].family].table, slice_of(parts->items[i].key));
	proxy_parts_free(parts);
	*parts = p.now;
	strbuf_release(&p.add);
	strbuf_release(&p.remove);
	return written;
}

void proxy_parts_free(struct proxy_parts *parts)
{
	for (size_t i = 0; i < parts->count; i++)
		free(parts->items[i].key);
	free(parts->items);
	*parts = (struct proxy_parts){0};
}
