/* The cache: nodes, and what the pods on them take, changed by differences and never recounted.
 *
 * A pod counts from the moment it is assumed, that is before its binding is answered, so that the next pod sees it. The
 * informer's word replaces the assumption. Pods may be known before their node is: such a node has no JSON and is in no
 * list until it appears. */
#include "api/scheduler/scheduler_int.h"

#include "base/json/scan.h"

#include "api/machinery/codec/quantity.h"
#include "base/hash.h"

void cache_init(struct cache *k)
{
	*k = (struct cache){0};
}

const char *cache_intern(struct cache *k, struct slice name)
{
	const char *have = map_get(&k->names, name);
	if (have)
		return have;
	char *copy = arena_memdup(&k->arena, name.ptr, name.len);
	map_put(&k->names, (struct slice){copy, name.len}, copy);
	return copy;
}

/* ---- images: how many nodes have each ---- */

struct image_count {
	uint64_t name;
	int64_t nodes;
};

static struct slice image_key(const uint64_t *hash)
{
	return (struct slice){(const char *)hash, sizeof *hash};
}

/* Without a tag it is the latest. */
uint64_t image_hash(struct slice name)
{
	const char *colon = name.len ? memrchr(name.ptr, ':', name.len) : NULL,
	           *slash = name.len ? memrchr(name.ptr, '/', name.len) : NULL;
	uint64_t h = fnv1a64(name.ptr, name.len);
	if (!colon || (slash && colon < slash))
		h = fnv1a64_add(h, ":latest", 7);
	return h ? h : 1;
}

int64_t cache_image_nodes(const struct cache *k, uint64_t image)
{
	const struct image_count *c = map_get(&k->images, image_key(&image));
	return c ? c->nodes : 0;
}

static void count_image(struct cache *k, uint64_t name, int sign)
{
	struct image_count *c = map_get(&k->images, image_key(&name));
	if (!c) {
		c = xcalloc(1, sizeof *c);
		c->name = name;
		map_put(&k->images, image_key(&c->name), c);
	}
	c->nodes += sign;
	if (c->nodes > 0)
		return;
	map_del(&k->images, image_key(&name));
	free(c);
}

/* A node tells an image by several names, that with the digest and those with tags. */
static void read_images(struct cache *k, struct node_info *n, const struct json *list)
{
	size_t count = 0, names = 0;
	JSON_FOREACH (it, list)
		names += json_get(it, "names") ? json_get(it, "names")->count : 0;
	n->images = ARENA_ARRAY(&n->arena, struct image, names + 1);
	JSON_FOREACH (it, list)
		JSON_FOREACH (name, json_get(it, "names")) {
			uint64_t h = image_hash(json_str(name));
			n->images[count++] = (struct image){h, json_get_int(it, "sizeBytes", 0)};
			count_image(k, h, 1);
		}
}

static void forget_images(struct cache *k, struct node_info *n)
{
	for (struct image *i = n->images; i && i->name; i++)
		count_image(k, i->name, -1);
	n->images = NULL;
}

/* ---- nodes ---- */

struct node_info *cache_node_need(struct cache *k, struct slice name)
{
	struct node_info *n = map_get(&k->nodes, name);
	if (n)
		return n;
	n = MAP_ENTRY_NEW(struct node_info, name, name);
	list_init(&n->pods);
	list_init(&n->nominees);
	n->places = places_new();
	map_put(&k->nodes, n->name, n);
	return n;
}

void cache_node_unneeded(struct cache *k, struct node_info *n)
{
	if (n->json || n->n_pods || !list_empty(&n->nominees))
		return;
	map_del(&k->nodes, n->name);
	places_free(n->places);
	arena_release(&n->arena);
	free(n);
}

static void read_taints(struct node_info *n, const struct json *list)
{
	n->taints = ARENA_ARRAY(&n->arena, struct taint, list ? list->count + 1 : 1);
	n->n_taints = 0;
	JSON_FOREACH (t, list) {
		struct slice effect = json_get_str(t, "effect");
		n->taints[n->n_taints++] = (struct taint){json_get_str(t, "key"), json_get_str(t, "value"),
		        slice_is(effect, "NoSchedule")  ? 'S'
		        : slice_is(effect, "NoExecute") ? 'E'
		                                        : 'P'};
	}
}

static void read_allocatable(struct cache *k, struct node_info *n, const struct json *list)
{
	struct amounts x = {0};
	size_t count = 0;
	x.extended = ARENA_ARRAY(&n->arena, struct extended, (list ? list->count : 0) + 1);
	JSON_FOREACH (it, list) {
		if (slice_is(it->key, "cpu"))
			x.cpu_milli = quantity_json_milli(it);
		else if (slice_is(it->key, "memory"))
			x.memory = quantity_json_value(it);
		else if (slice_is(it->key, "ephemeral-storage"))
			x.storage = quantity_json_value(it);
		else if (slice_is(it->key, "pods"))
			x.pods = quantity_json_value(it);
		else
			x.extended[count++] = (struct extended){cache_intern(k, it->key), quantity_json_value(it)};
	}
	n->allocatable = x;
}

/* What was used of extended resources lies in the arena too: it moves to the new one. */
static void node_reset(struct cache *k, struct node_info *n)
{
	forget_images(k, n);
	places_forget(n->places);
	struct arena old = n->arena;
	struct amounts used = n->used;
	n->arena = ARENA_INIT;
	n->used.extended = NULL;
	for (struct extended *e = used.extended; e && e->name; e++) {
		struct amounts one = {.extended = (struct extended[]){*e, {0}}};
		amounts_add(&n->arena, &n->used, &one, 1);
	}
	arena_release(&old);
	rcbuf_unref(n->json);
	n->json = NULL;
}

static void list_add(struct cache *k, struct node_info *n)
{
	if (k->count == k->cap) {
		k->cap = k->cap ? k->cap * 2 : 16;
		k->list = xrealloc(k->list, k->cap * sizeof *k->list);
	}
	n->slot = k->count;
	k->list[k->count++] = n;
}

/* All but the images. The tree is the node's arena's. */
static struct json *node_read(struct cache *k, struct node_info *n, struct rcbuf *json)
{
	struct slice text = {json->data, json->len};
	n->json = rcbuf_ref(json);
	struct json *tree = json_parse(&n->arena, text, NULL, NULL);
	n->labels = json_find(text, "metadata", "labels", NULL);
	n->unschedulable = json_bool(json_path(tree, "spec", "unschedulable", NULL), false);
	read_taints(n, json_path(tree, "spec", "taints", NULL));
	struct json *allocatable = json_path(tree, "status", "allocatable", NULL);
	read_allocatable(k, n, allocatable ? allocatable : json_path(tree, "status", "capacity", NULL));
	return tree;
}

void node_info_read(struct cache *k, struct node_info *n, struct slice name, struct rcbuf *json)
{
	*n = (struct node_info){.name = name};
	list_init(&n->pods);
	list_init(&n->nominees);
	node_read(k, n, json);
}

void node_info_release(struct node_info *n)
{
	rcbuf_unref(n->json);
	arena_release(&n->arena);
}

void cache_node_touch(struct cache *k, struct slice name, struct rcbuf *json)
{
	struct node_info *n = map_get(&k->nodes, name);
	CHECK(n && n->json);
	rcbuf_unref(n->json);
	n->json = rcbuf_ref(json);
	n->labels = json_find((struct slice){json->data, json->len}, "metadata", "labels", NULL);
	places_forget(n->places);
}

void cache_node_set(struct cache *k, struct slice name, struct rcbuf *json)
{
	struct node_info *n = cache_node_need(k, name);
	bool is_new = !n->json;
	node_reset(k, n);
	struct json *tree = node_read(k, n, json);
	read_images(k, n, json_path(tree, "status", "images", NULL));
	if (is_new)
		list_add(k, n);
}

/* The last node takes the empty slot. */
void cache_node_remove(struct cache *k, struct slice name)
{
	struct node_info *n = map_get(&k->nodes, name);
	if (!n || !n->json)
		return;
	struct node_info *last = k->list[k->count - 1];
	last->slot = n->slot;
	k->list[n->slot] = last;
	k->count--;
	node_reset(k, n);
	n->taints = NULL;
	n->n_taints = 0;
	n->labels = SLICE_NULL;
	n->allocatable = (struct amounts){0};
	cache_node_unneeded(k, n);
}

/* ---- pods ---- */

static void count_priority(struct cache *k, int32_t priority, int sign)
{
	size_t i = 0;
	while (i < k->n_priorities && k->priorities[i].priority != priority)
		i++;
	if (i == k->n_priorities) {
		k->priorities = xrealloc(k->priorities, (i + 1) * sizeof *k->priorities);
		k->priorities[k->n_priorities++] = (struct priority_count){.priority = priority};
	}
	k->priorities[i].pods += (size_t)sign;
	if (!k->priorities[i].pods)
		k->priorities[i] = k->priorities[--k->n_priorities];
}

bool cache_has_lower(const struct cache *k, int32_t priority)
{
	for (size_t i = 0; i < k->n_priorities; i++)
		if (k->priorities[i].priority < priority)
			return true;
	return false;
}

static void charge(struct cache *k, struct pod_info *p, int sign)
{
	struct node_info *n = p->node;
	amounts_add(&n->arena, &n->used, &p->requests, sign);
	n->nonzero_cpu_milli += sign * p->nonzero_cpu_milli;
	n->nonzero_memory += sign * p->nonzero_memory;
	n->n_pods += (size_t)sign;
	count_priority(k, p->priority, sign);
	if (p->has_preferences) {
		n->n_preferring += (size_t)sign;
		k->n_preferring += (size_t)sign;
	}
	if (p->has_anti_affinity) {
		n->n_anti_affinity += (size_t)sign;
		k->n_anti_affinity += (size_t)sign;
	}
}

struct pod_info *cache_pod(struct cache *k, struct slice key)
{
	return map_get(&k->pods, key);
}

void cache_pod_hide(struct cache *k, struct pod_info *p)
{
	charge(k, p, -1);
	list_del(&p->in_node);
}

void cache_pod_show(struct cache *k, struct pod_info *p)
{
	list_push_back(&p->node->pods, &p->in_node);
	charge(k, p, 1);
}

struct pod_info *cache_pod_take(struct cache *k, struct slice key)
{
	struct pod_info *p = map_del(&k->pods, key);
	if (!p)
		return NULL;
	charge(k, p, -1);
	list_del(&p->in_node);
	return p;
}

void cache_pod_free(struct cache *k, struct pod_info *p)
{
	struct node_info *n = p->node;
	rcbuf_unref(p->json);
	arena_release(&p->arena);
	free(p);
	cache_node_unneeded(k, n);
}

void cache_pod_remove(struct cache *k, struct slice key)
{
	struct pod_info *p = cache_pod_take(k, key);
	if (p)
		cache_pod_free(k, p);
}

/* What a placed pod asks for changes by a resize alone, which its node tells in the status. */
static bool may_be_resized(const struct rcbuf *now, const struct rcbuf *before)
{
	static const char mark[] = "\"allocatedResources\"";
	struct slice x = {now->data, now->len}, y = {before->data, before->len};
	return memmem(x.ptr, x.len, mark, sizeof mark - 1) || memmem(y.ptr, y.len, mark, sizeof mark - 1) ||
	       !slice_eq(json_find(x, "spec", "containers", NULL), json_find(y, "spec", "containers", NULL));
}

bool cache_pod_set(struct cache *k, struct slice key, struct slice node, struct rcbuf *json, bool assumed)
{
	struct pod_info *old = cache_pod(k, key);
	bool is_here = old && !assumed && slice_eq(old->node->name, node);
	struct amounts before = is_here ? old->requests : (struct amounts){0};
	if (is_here && !may_be_resized(json, old->json)) {
		rcbuf_unref(old->json);
		old->json = rcbuf_ref(json);
		pod_read_labels(old); /* they may have changed */
		old->assumed = false;
		return false;
	}
	cache_pod_remove(k, key);
	struct pod_info *p = MAP_ENTRY_NEW(struct pod_info, key, key);
	struct arena scratch = ARENA_INIT;
	p->json = rcbuf_ref(json);
	pod_read_labels(p);
	p->assumed = assumed;
	p->node = cache_node_need(k, node);
	struct json *tree = json_parse(&scratch, (struct slice){json->data, json->len}, NULL, NULL);
	pod_read_demands(k, tree, p, &p->arena);
	arena_release(&scratch);
	list_push_back(&p->node->pods, &p->in_node);
	map_put(&k->pods, p->key, p);
	charge(k, p, 1);
	return p->requests.cpu_milli < before.cpu_milli || p->requests.memory < before.memory;
}

void cache_release(struct cache *k)
{
	while (k->pods.count)
		MAP_FOREACH (slot, &k->pods) {
			cache_pod_remove(k, slot->key);
			break;
		}
	while (k->count)
		cache_node_remove(k, k->list[k->count - 1]->name);
	topologies_release(k);
	free(k->list);
	free(k->priorities);
	map_release(&k->nodes);
	map_release(&k->pods);
	map_release(&k->names);
	map_release(&k->images);
	arena_release(&k->arena);
}
