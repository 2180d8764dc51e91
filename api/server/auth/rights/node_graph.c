/* See node_graph.h.
 *
 *     node <-- pod <-- secret, config map, service account, claim <-- volume <-- secret
 *
 * A reference is one counter, by node, kind, namespace and name: how many pods of the node have it. What a pod refers
 * to changes while it lives on its node only when it gets another ephemeral container, so a pod that only reports its
 * status costs a comparison of three fields; one that is bound or gone is parsed once. Mirror pods refer to nothing: a
 * node makes them itself, and would let itself in. Volumes are few and asked for seldom: they are looked up in the
 * cache when they are asked for. */
#include "api/server/auth/rights/node_graph.h"

#include "api/server/cache/follower.h"
#include "base/check.h"
#include "base/json/scan.h"

#include <stdlib.h>

struct edge {
	struct slice key;
	unsigned pods;
};

/* A pod that has a node, and what it was counted for: taken back as it was given, whatever has become of the object. */
struct pod {
	struct slice key;
	struct arena arena;
	struct slice node, uid;
	size_t ephemeral_len; /* of the text of its ephemeral containers */
	struct edge **edges;
	size_t count, cap;
};

struct node_graph {
	struct cache_follower follower;
	struct cache_resource *volumes, *attachments;
	struct map edges, pods;
};

/* ---- counters ---- */

static void edge_key(struct strbuf *out, struct slice node, enum pod_ref kind, struct slice ns, struct slice name)
{
	strbuf_reset(out);
	strbuf_addc(out, (char)('a' + (int)kind));
	strbuf_add_slice(out, node);
	strbuf_addc(out, '/');
	strbuf_add_slice(out, ns);
	strbuf_addc(out, '/');
	strbuf_add_slice(out, name);
}

struct counting {
	struct node_graph *graph;
	struct pod *pod;
	struct slice ns;
	struct strbuf key;
};

static void count(void *arg, enum pod_ref kind, struct slice name)
{
	struct counting *c = arg;
	struct pod *p = c->pod;
	edge_key(&c->key, p->node, kind, c->ns, name);
	struct slice key = strbuf_slice(&c->key);
	struct edge *e = map_get(&c->graph->edges, key);
	if (!e) {
		e = MAP_ENTRY_NEW(struct edge, key, key);
		map_put(&c->graph->edges, e->key, e);
	}
	if (p->count == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 8;
		p->edges = xrealloc(p->edges, p->cap * sizeof *p->edges);
	}
	p->edges[p->count++] = e;
	e->pods++;
}

static void pod_free(struct pod *p)
{
	free(p->edges);
	arena_release(&p->arena);
	free(p);
}

static void remove_pod(struct node_graph *g, struct slice key)
{
	struct pod *p = map_del(&g->pods, key);
	for (size_t i = 0; p && i < p->count; i++) {
		struct edge *e = p->edges[i];
		CHECK(e->pods > 0);
		if (--e->pods)
			continue;
		map_del(&g->edges, e->key);
		free(e);
	}
	if (p)
		pod_free(p);
}

static struct slice node_of(const struct object *pod)
{
	return json_find(object_text(pod), "spec", "nodeName", NULL);
}

/* They are added while it runs, and never changed. */
static size_t ephemeral_len(const struct object *pod)
{
	return json_find(object_text(pod), "spec", "ephemeralContainers", NULL).len;
}

static struct slice keep(struct pod *p, struct slice s)
{
	return (struct slice){arena_memdup(&p->arena, s.ptr, s.len), s.len};
}

static void add_pod(struct node_graph *g, const struct object *o)
{
	struct pod *p = MAP_ENTRY_NEW(struct pod, key, o->key);
	struct counting c = {.graph = g, .pod = p, .ns = object_namespace(o)};
	struct arena a = ARENA_INIT;
	struct json *tree = json_parse(&a, object_text(o), NULL, NULL);
	p->node = keep(p, node_of(o));
	p->uid = keep(p, object_span(o, o->uid));
	p->ephemeral_len = ephemeral_len(o);
	map_put(&g->pods, p->key, p);
	count(&c, POD_REF_POD, object_name(o));
	if (!json_get(json_path(tree, "metadata", "annotations", NULL), "kubernetes.io/config.mirror"))
		pod_refs_each(tree, count, &c);
	arena_release(&a);
	strbuf_release(&c.key);
}

static void pod_changed(struct cache_follower *f, const struct object *before, const struct object *now)
{
	struct node_graph *g = CONTAINER_OF(f, struct node_graph, follower);
	struct slice key = now ? now->key : before->key;
	struct pod *have = map_get(&g->pods, key);
	if (have && now && slice_eq(have->uid, object_span(now, now->uid)) && slice_eq(have->node, node_of(now)) &&
	        have->ephemeral_len == ephemeral_len(now))
		return;
	remove_pod(g, key);
	if (now && node_of(now).len)
		add_pod(g, now);
}

static void forget(struct cache_follower *f)
{
	struct node_graph *g = CONTAINER_OF(f, struct node_graph, follower);
	MAP_FOREACH (slot, &g->pods)
		pod_free(slot->value);
	MAP_FOREACH (slot, &g->edges)
		free(slot->value);
	map_release(&g->pods);
	map_release(&g->edges);
	map_init(&g->pods);
	map_init(&g->edges);
}

/* ---- life ---- */

struct node_graph *node_graph_new(struct cache *c)
{
	struct node_graph *g = xcalloc(1, sizeof *g);
	map_init(&g->edges);
	map_init(&g->pods);
	g->follower = (struct cache_follower){.changed = pod_changed, .forget = forget};
	cache_follower_init(&g->follower, c, resource_find_preferred(SLICE(""), SLICE("pods")));
	g->volumes = cache_resource(c, resource_find_preferred(SLICE(""), SLICE("persistentvolumes")));
	g->attachments =
	        cache_resource(c, resource_find_preferred(SLICE("storage.k8s.io"), SLICE("volumeattachments")));
	return g;
}

void node_graph_free(struct node_graph *g)
{
	if (!g)
		return;
	cache_follower_stop(&g->follower);
	forget(&g->follower);
	free(g);
}

/* ---- asking ---- */

static bool has_edge(struct node_graph *g, struct slice node, enum pod_ref kind, struct slice ns, struct slice name)
{
	CLEANUP(cleanup_strbuf) struct strbuf key = STRBUF_INIT;
	edge_key(&key, node, kind, ns, name);
	return map_get(&g->edges, strbuf_slice(&key)) != NULL;
}

static bool uses_claim_of(struct node_graph *g, struct slice node, const struct json *volume)
{
	struct json *claim = json_path(volume, "spec", "claimRef", NULL);
	return claim && has_edge(g, node, POD_REF_CLAIM, json_get_str(claim, "namespace"), json_get_str(claim, "name"));
}

static bool is_ref_to(const struct json *ref, struct slice claim_ns, struct slice ns, struct slice name)
{
	struct slice own = json_get_str(ref, "namespace");
	return slice_eq(json_get_str(ref, "name"), name) && slice_eq(own.len ? own : claim_ns, ns);
}

/* Secrets that a node needs to mount the volume; those that only controllers need are none of its business. */
static bool volume_names_secret(const struct json *volume, struct slice ns, struct slice name)
{
	static const char *const by_ref[] = {"cephfs", "cinder", "flexVolume", "rbd", "scaleIO", "iscsi", "storageos"};
	static const char *const by_csi[] = {"nodePublishSecretRef", "nodeStageSecretRef", "nodeExpandSecretRef"};
	struct json *spec = json_get(volume, "spec"), *azure = json_get(spec, "azureFile");
	struct slice claim_ns = json_str(json_path(spec, "claimRef", "namespace", NULL)),
	             azure_ns = json_get_str(azure, "secretNamespace");
	for (size_t i = 0; i < COUNT_OF(by_ref); i++)
		if (is_ref_to(json_path(spec, by_ref[i], "secretRef", NULL), claim_ns, ns, name))
			return true;
	for (size_t i = 0; i < COUNT_OF(by_csi); i++)
		if (is_ref_to(json_path(spec, "csi", by_csi[i], NULL), claim_ns, ns, name))
			return true;
	return slice_eq(json_get_str(azure, "secretName"), name) && slice_eq(azure_ns.len ? azure_ns : claim_ns, ns);
}

static bool uses_by_volume(struct node_graph *g, struct slice node, struct slice ns, struct slice name)
{
	bool found = false;
	for (struct omap_node *n = g->volumes->objects.head[0]; n && !found; n = omap_next(n)) {
		struct arena a = ARENA_INIT;
		struct json *volume = json_parse(&a, object_text(n->value), NULL, NULL);
		found = volume && uses_claim_of(g, node, volume) && volume_names_secret(volume, ns, name);
		arena_release(&a);
	}
	return found;
}

bool node_graph_uses(struct node_graph *g, struct slice node, enum pod_ref kind, struct slice ns, struct slice name)
{
	cache_follower_catch_up(&g->follower);
	return has_edge(g, node, kind, ns, name) || (kind == POD_REF_SECRET && uses_by_volume(g, node, ns, name));
}

bool node_graph_uses_volume(struct node_graph *g, struct slice node, struct slice name)
{
	struct object *o = cache_get(g->volumes, name);
	struct arena a = ARENA_INIT;
	cache_follower_catch_up(&g->follower);
	bool uses = o && uses_claim_of(g, node, json_parse(&a, object_text(o), NULL, NULL));
	arena_release(&a);
	return uses;
}

bool node_graph_has_attachment(struct node_graph *g, struct slice node, struct slice name)
{
	struct object *o = cache_get(g->attachments, name);
	return o && slice_eq(json_find(object_text(o), "spec", "nodeName", NULL), node);
}
