/* See balancing.h. */
#include "api/controllers/balancing.h"

#include "api/client/meta.h"
#include "base/check.h"
#include "base/json/scan.h"

#define EXCLUDED "node.kubernetes.io/exclude-from-external-load-balancers"

/* ---- nodes ---- */

/* The first of each family. */
static void read_addresses(const struct json *node, const char *type, struct slice ret[IP_FAMILIES])
{
	struct ip ip;
	JSON_FOREACH (it, json_path(node, "status", "addresses", NULL))
		if (slice_is(json_get_str(it, "type"), type) && ip_parse(json_get_str(it, "address"), &ip) &&
		        !ret[ip.family].len)
			ret[ip.family] = json_get_str(it, "address");
}

static bool has_address(const struct balancing_node *n)
{
	for (int f = 0; f < IP_FAMILIES; f++)
		if (n->internal[f].len || n->external[f].len)
			return true;
	return false;
}

static struct slice label_of(struct slice labels, const char *name)
{
	return json_find(labels, name, NULL);
}

void balancing_read_node(struct slice text, struct arena *a, struct balancing_node *ret)
{
	struct meta m;
	const struct json *node = json_parse(a, text, NULL, NULL);
	meta_read(text, &m);
	const struct json *ready = condition_find(json_path(node, "status", "conditions", NULL), "Ready");
	*ret = (struct balancing_node){.name = m.name,
	        .labels = m.labels,
	        .may = slice_is(json_get_str(ready, "status"), "True") && !m.deletion_timestamp.len &&
	               !label_of(m.labels, EXCLUDED).ptr};
	read_addresses(node, "InternalIP", ret->internal);
	read_addresses(node, "ExternalIP", ret->external);
}

void balancing_init(struct balancing *b, const struct balancing_node *nodes, size_t n, const int *reserved)
{
	*b = (struct balancing){.nodes = nodes, .n_nodes = n, .taken = MAP_INIT, .reserved = reserved};
	for (size_t i = 0; i < n; i++)
		b->by_label = b->by_label || slice_is(label_of(nodes[i].labels, BALANCING_LABEL), "true");
}

void balancing_release(struct balancing *b)
{
	map_release(&b->taken);
}

/* ---- a service ---- */

static bool may_serve(
        const struct balancing *b, const struct balancing_node *n, const struct json *service, const struct map *local)
{
	struct slice pool = json_get_str(json_path(service, "metadata", "labels", NULL), BALANCING_POOL);
	if (!n->may || !has_address(n) || (local && !map_get(local, n->name)))
		return false;
	if (b->by_label && !slice_is(label_of(n->labels, BALANCING_LABEL), "true"))
		return false;
	return !pool.len || slice_eq(label_of(n->labels, BALANCING_POOL), pool);
}

static struct slice place_of(struct arena *a, const struct balancing_node *n, const struct json *port)
{
	struct slice protocol = json_get_str(port, "protocol");
	return slice_of(arena_printf(a, "%.*s %.*s %d", SLICE_FMT(n->name),
	        SLICE_FMT(protocol.len ? protocol : SLICE("TCP")), (int)json_get_int(port, "port", 0)));
}

static bool is_reserved(const struct balancing *b, int port)
{
	for (const int *r = b->reserved; *r; r++)
		if (*r == port)
			return true;
	return false;
}

/* Who has one of the ports on this node already; and which. NULL: nobody. */
static const char *holder_of(
        struct balancing *b, struct arena *a, const struct balancing_node *n, const struct json *ports, int *port)
{
	JSON_FOREACH (it, ports) {
		const char *holder = map_get(&b->taken, place_of(a, n, it));
		*port = (int)json_get_int(it, "port", 0);
		if (is_reserved(b, *port))
			return "the cluster's own servers";
		if (holder)
			return arena_printf(a, "the older service %s", holder);
	}
	return NULL;
}

void balancing_place(struct balancing *b, struct arena *a, struct slice key, const struct json *service,
        const struct map *local, struct balancing_answer *ret)
{
	const struct json *ports = json_path(service, "spec", "ports", NULL);
	char *own = arena_memdup(a, key.ptr, key.len);
	*ret = (struct balancing_answer){.nodes = ARENA_ARRAY(a, const struct balancing_node *, b->n_nodes + 1)};
	for (size_t i = 0; i < b->n_nodes; i++) {
		const struct balancing_node *n = &b->nodes[i];
		int port;
		if (!may_serve(b, n, service, local))
			continue;
		const char *holder = holder_of(b, a, n, ports, &port);
		if (holder) {
			ret->conflict = holder;
			ret->port = port;
			continue;
		}
		JSON_FOREACH (it, ports)
			map_put(&b->taken, place_of(a, n, it), own);
		ret->nodes[ret->n++] = n;
	}
}
