/* What a pod's claims ask of its node. In upstream's order and words: VolumeRestrictions (a ReadWriteOncePod claim has
 * one pod), NodeVolumeLimits (how many volumes of a driver a node takes), VolumeBinding and VolumeZone.
 *
 * Prepared once per attempt: each claim with its volume when it is bound, and else with the volumes that could be. A
 * claim of a class that waits for its first consumer is judged node by node: a volume that exists and reaches the node,
 * or one that can be made there. A claim whose volume was to be made on a node already stays with this node.
 *
 * Upstream: pkg/scheduler/framework/plugins/{volumebinding,volumezone,volumerestrictions,nodevolumelimits}. */
#include "api/scheduler/scheduler_int.h"

#include "api/machinery/codec/quantity.h"
#include "api/machinery/rules/volume_binding.h"

struct pod_claim {
	struct pod_claim *next;
	struct claim_view claim;
	bool is_bound, has_volume;
	struct volume_view volume;   /* of a bound one, when it is there */
	struct slice storage_class;  /* text, of one that waits */
	struct volume_view *choices; /* of one that waits: volumes that could be its own */
	size_t n_choices;
	struct slice driver; /* of the volume that it is or will be; empty: unknown, or no CSI driver */
};

struct pod_volumes {
	struct pod_claim *claims; /* those that wait: the smallest first */
	bool is_taken;            /* a ReadWriteOncePod claim that another pod uses */
	bool has_driver;
};

/* ---- reading ---- */

/* The claim a volume of a pod stands for; SLICE_NULL: none. */
static struct slice claim_name(struct arena *a, const struct json *volume, struct slice pod)
{
	if (json_get(volume, "ephemeral"))
		return slice_of(arena_printf(a, "%.*s-%.*s", SLICE_FMT(pod), SLICE_FMT(json_get_str(volume, "name"))));
	return json_str(json_path(volume, "persistentVolumeClaim", "claimName", NULL));
}

static struct slice find_object(struct shared_informer *i, struct slice ns, struct slice name)
{
	struct informer_object *o = i ? informer_get_named(shared_informer_base(i), ns, name) : NULL;
	return o ? informer_text(o) : SLICE_NULL;
}

static bool is_owned(struct slice claim, struct slice uid)
{
	struct meta m;
	struct owner_ref owner;
	meta_read(claim, &m);
	return owner_ref_controller(m.owners, &owner) && slice_eq(owner.uid, uid);
}

static const char *claim_problem(
        struct candidate *p, const struct json *volume, struct slice name, struct slice text, struct claim_view *c)
{
	struct arena *a = &p->arena;
	bool is_own = json_get(volume, "ephemeral") != NULL;
	if (!text.ptr)
		return is_own ? arena_printf(a,
		                        "waiting for ephemeral volume controller to create the persistentvolumeclaim "
		                        "\"%.*s\"",
		                        SLICE_FMT(name))
		              : arena_printf(a, "persistentvolumeclaim \"%.*s\" not found", SLICE_FMT(name));
	claim_view_read(text, c);
	if (slice_is(c->phase, "Lost"))
		return arena_printf(a, "persistentvolumeclaim \"%.*s\" bound to non-existent persistentvolume \"%.*s\"",
		        SLICE_FMT(name), SLICE_FMT(c->volume));
	if (c->is_dying)
		return arena_printf(a, "persistentvolumeclaim \"%.*s\" is being deleted", SLICE_FMT(name));
	if (is_own && !is_owned(text, p->meta.uid))
		return arena_printf(a, "PVC %.*s/%.*s was not created for pod %.*s/%.*s (pod is not owner)",
		        SLICE_FMT(c->ns), SLICE_FMT(name), SLICE_FMT(p->meta.ns), SLICE_FMT(p->meta.name));
	return NULL;
}

static void add_choices(struct scheduler *s, struct pod_claim *c, const struct informer_group *group, struct slice key)
{
	INFORMER_GROUP_FOREACH(o, group)
	{
		struct slice taken_by = volume_bind_taken_by(s, o->key);
		if (!taken_by.len || slice_eq(taken_by, key))
			volume_view_read(informer_text(o), &c->choices[c->n_choices++]);
	}
}

static void read_choices(struct scheduler *s, struct candidate *p, struct pod_claim *c)
{
	struct arena *a = &p->arena;
	struct slice key = slice_of(arena_printf(a, "%.*s/%.*s", SLICE_FMT(c->claim.ns), SLICE_FMT(c->claim.name)));
	struct slice class = slice_of(arena_printf(a, "/%.*s", SLICE_FMT(c->claim.class)));
	const struct informer_group *own = informer_index_group(s->pointing_volumes, key),
	                            *free_ones = informer_index_group(s->free_volumes, class);
	c->choices =
	        ARENA_ARRAY(a, struct volume_view, informer_group_count(own) + informer_group_count(free_ones) + 1);
	add_choices(s, c, own, key);
	add_choices(s, c, free_ones, key);
	struct slice node = volume_bind_node_of(s, key);
	if (node.len)
		c->claim.selected_node = node;
}

/* Smaller claims choose first, and leave the larger volumes to the larger ones. */
static void insert(struct pod_volumes *v, struct pod_claim *c)
{
	struct pod_claim **at = &v->claims;
	while (*at && (*at)->claim.size <= c->claim.size)
		at = &(*at)->next;
	c->next = *at;
	*at = c;
}

static const char *add_claim(struct scheduler *s, struct candidate *p, const struct json *volume, struct slice name)
{
	struct slice text = find_object(s->claims, p->meta.ns, name);
	struct pod_claim *c = ARENA_NEW(&p->arena, struct pod_claim);
	const char *problem = claim_problem(p, volume, name, text, &c->claim);
	if (problem)
		return problem;
	c->is_bound = c->claim.volume.len && c->claim.was_bound;
	struct slice bound = c->is_bound ? find_object(s->volumes, SLICE_NULL, c->claim.volume) : SLICE_NULL;
	if (bound.ptr) {
		c->has_volume = true;
		volume_view_read(bound, &c->volume);
		c->driver = json_find(bound, "spec", "csi", "driver", NULL);
	}
	if (!c->is_bound) {
		c->storage_class = find_object(s->classes, SLICE_NULL, c->claim.class);
		if (c->claim.volume.len || !c->claim.class.len || !storage_class_waits(c->storage_class))
			return "pod has unbound immediate PersistentVolumeClaims";
		c->driver = json_find(c->storage_class, "provisioner", NULL);
		read_choices(s, p, c);
	}
	p->volumes->has_driver |= c->driver.len > 0;
	insert(p->volumes, c);
	return NULL;
}

bool pod_uses_claim(struct slice pod, struct slice ns, struct slice claim)
{
	struct slice volumes = json_find(pod, "spec", "volumes", NULL), name = json_find(pod, "metadata", "name", NULL);
	struct arena a = ARENA_INIT;
	bool found = false;
	if (!volumes.len || !slice_eq(json_find(pod, "metadata", "namespace", NULL), ns))
		return false;
	JSON_FOREACH (it, json_parse(&a, volumes, NULL, NULL)) {
		struct slice mounted = claim_name(&a, it, name);
		found = found || (mounted.len && (!claim.len || slice_eq(mounted, claim)));
	}
	arena_release(&a);
	return found;
}

static bool is_used(struct scheduler *s, const struct claim_view *c)
{
	for (size_t i = 0; i < s->cache.count; i++)
		LIST_FOREACH (it, &s->cache.list[i]->pods) {
			const struct rcbuf *json = CONTAINER_OF(it, struct pod_info, in_node)->json;
			if (pod_uses_claim((struct slice){json->data, json->len}, c->ns, c->name))
				return true;
		}
	return false;
}

const char *volumes_prepare(struct scheduler *s, struct candidate *p)
{
	p->volumes = NULL;
	JSON_FOREACH (volume, json_get(p->spec, "volumes")) {
		struct slice name = claim_name(&p->arena, volume, p->meta.name);
		if (!name.len)
			continue;
		if (!p->volumes)
			p->volumes = ARENA_NEW(&p->arena, struct pod_volumes);
		const char *problem = add_claim(s, p, volume, name);
		if (problem)
			return problem;
	}
	for (struct pod_claim *c = p->volumes ? p->volumes->claims : NULL; c; c = c->next)
		if (c->claim.access & ACCESS_READ_WRITE_ONCE_POD)
			p->volumes->is_taken = p->volumes->is_taken || is_used(s, &c->claim);
	return NULL;
}

/* ---- how many volumes a node takes ---- */

/* -1: the driver sets none, or is not on the node. */
static int64_t limit_of(struct scheduler *s, struct candidate *p, const struct node_info *n, struct slice driver)
{
	struct slice text = find_object(s->csi_nodes, SLICE_NULL, n->name);
	struct json *drivers =
	        text.ptr ? json_parse(&p->arena, json_find(text, "spec", "drivers", NULL), NULL, NULL) : NULL;
	JSON_FOREACH (it, drivers)
		if (slice_eq(json_get_str(it, "name"), driver))
			return json_int(json_path(it, "allocatable", "count", NULL), -1);
	return -1;
}

/* Volumes of the driver, each once however many pods use it: names by "ns/claim". */
static void count_claims(
        struct scheduler *s, struct arena *a, struct slice pod_text, struct slice driver, struct map *seen)
{
	struct slice volumes = json_find(pod_text, "spec", "volumes", NULL),
	             ns = json_find(pod_text, "metadata", "namespace", NULL),
	             pod = json_find(pod_text, "metadata", "name", NULL);
	JSON_FOREACH (it, volumes.len ? json_parse(a, volumes, NULL, NULL) : NULL) {
		struct slice name = claim_name(a, it, pod),
		             text = name.len ? find_object(s->claims, ns, name) : SLICE_NULL;
		struct slice volume = text.ptr ? json_find(text, "spec", "volumeName", NULL) : SLICE_NULL;
		struct slice by = volume.len ? json_find(find_object(s->volumes, SLICE_NULL, volume), "spec", "csi",
		                                       "driver", NULL)
		                             : json_find(find_object(s->classes, SLICE_NULL,
		                                                 json_find(text, "spec", "storageClassName", NULL)),
		                                       "provisioner", NULL);
		if (text.ptr && slice_eq(by, driver))
			map_put(seen, slice_of(arena_printf(a, "%.*s/%.*s", SLICE_FMT(ns), SLICE_FMT(name))), it);
	}
}

static bool has_room(struct scheduler *s, struct candidate *p, const struct node_info *n, struct slice driver)
{
	int64_t limit = limit_of(s, p, n, driver);
	struct map seen = MAP_INIT;
	struct arena a = ARENA_INIT;
	if (limit < 0)
		return true;
	LIST_FOREACH (it, &n->pods) {
		struct rcbuf *json = CONTAINER_OF(it, struct pod_info, in_node)->json;
		count_claims(s, &a, (struct slice){json->data, json->len}, driver, &seen);
	}
	size_t before = seen.count;
	count_claims(s, &a, (struct slice){p->json->data, p->json->len}, driver, &seen);
	bool fits = seen.count == before || (int64_t)seen.count <= limit;
	map_release(&seen);
	arena_release(&a);
	return fits;
}

/* ---- volumes that are to be made ---- */

static bool topology_admits(struct candidate *p, struct slice storage_class, const struct node_info *n)
{
	struct slice text = json_find(storage_class, "allowedTopologies", NULL);
	struct json *terms = text.len ? json_parse(&p->arena, text, NULL, NULL) : NULL;
	if (!terms || !terms->first)
		return true;
	JSON_FOREACH (term, terms) {
		bool all = true;
		JSON_FOREACH (e, json_get(term, "matchLabelExpressions")) {
			struct slice have =
			        n->labels.len ? json_find(n->labels, json_cstr(&p->arena, json_get(e, "key")), NULL)
			                      : SLICE_NULL;
			bool any = false;
			JSON_FOREACH (value, json_get(e, "values"))
				any = any || (have.ptr && slice_eq(json_str(value), have));
			all = all && any;
		}
		if (all)
			return true;
	}
	return false;
}

static bool reaches(struct candidate *p, struct slice capacity, const struct node_info *n)
{
	struct label_selector selector;
	bool nothing = true;
	struct slice text = json_find(capacity, "nodeTopology", NULL);
	struct json *topology = text.len ? json_parse(&p->arena, text, NULL, NULL) : NULL;
	return topology && label_selector_from_json(&p->arena, topology, &selector, &nothing, NULL) == 0 && !nothing &&
	       label_selector_matches(&selector, n->labels);
}

/* Drivers that publish what they can hold are believed. */
static bool has_capacity(struct scheduler *s, struct candidate *p, const struct pod_claim *c, const struct node_info *n)
{
	struct slice driver = find_object(s->csi_drivers, SLICE_NULL, c->driver);
	if (!s->capacities || !slice_is(json_find(driver, "spec", "storageCapacity", NULL), "true"))
		return true;
	INFORMER_FOREACH(o, shared_informer_base(s->capacities))
	{
		struct slice text = informer_text(o), largest = json_find(text, "maximumVolumeSize", NULL);
		struct slice limit = largest.ptr ? largest : json_find(text, "capacity", NULL);
		if (slice_eq(json_find(text, "storageClassName", NULL), c->claim.class) && limit.ptr &&
		        quantity_text_value(limit) >= c->claim.size && reaches(p, text, n))
			return true;
	}
	return false;
}

static const char cannot_bind[] = "node(s) didn't find available persistent volumes to bind";

static const char *can_be_made(
        struct scheduler *s, struct candidate *p, const struct pod_claim *c, const struct node_info *n)
{
	if (!c->driver.len || slice_is(c->driver, VOLUME_NO_PROVISIONER) || !topology_admits(p, c->storage_class, n))
		return cannot_bind;
	return has_capacity(s, p, c, n) ? NULL : "node(s) did not have enough free storage";
}

/* ---- a node ---- */

/* The volume for a claim that waits; `chosen` are those that the pod's other claims have got. */
static const struct volume_view *match(
        struct candidate *p, struct pod_claim *c, const struct node_info *n, const struct volume_choice *chosen)
{
	struct volume_search search = {.claim = &c->claim, .on_node = true, .node = n->name, .labels = n->labels};
	volume_search_start(&search, &p->arena);
	for (size_t i = 0; i < c->n_choices; i++) {
		bool is_free = true;
		for (const struct volume_choice *x = chosen; x; x = x->next)
			is_free = is_free && !slice_eq(x->volume, c->choices[i].name);
		if (is_free)
			volume_search_offer(&search, &c->choices[i]);
	}
	const struct volume_view *best = volume_search_end(&search);
	struct volume_view *copy = best ? ARENA_NEW(&p->arena, struct volume_view) : NULL;
	if (copy)
		*copy = *best;
	return copy;
}

/* NULL, or why not; the choices, for whoever wants them. */
static const char *bind_on(
        struct scheduler *s, struct candidate *p, const struct node_info *n, struct volume_choice **ret)
{
	*ret = NULL;
	for (struct pod_claim *c = p->volumes->claims; c; c = c->next) {
		if (c->is_bound)
			continue;
		bool is_chosen = c->claim.selected_node.len > 0;
		if (is_chosen && !slice_eq(c->claim.selected_node, n->name))
			return cannot_bind;
		const struct volume_view *v = is_chosen ? NULL : match(p, c, n, *ret);
		const char *problem = v ? NULL : can_be_made(s, p, c, n);
		if (problem)
			return problem;
		struct volume_choice *choice = ARENA_NEW(&p->arena, struct volume_choice);
		*choice = (struct volume_choice){*ret, c->claim.name, v ? v->name : SLICE_NULL};
		*ret = choice;
	}
	return NULL;
}

/* "a__b" is a set. */
static bool zone_admits(struct slice zones, struct slice have)
{
	while (zones.len) {
		size_t n = 0;
		while (n < zones.len && !(n + 1 < zones.len && zones.ptr[n] == '_' && zones.ptr[n + 1] == '_'))
			n++;
		if (slice_eq((struct slice){zones.ptr, n}, have))
			return true;
		n = n < zones.len ? n + 2 : n;
		zones = (struct slice){zones.ptr + n, zones.len - n};
	}
	return false;
}

static bool in_zone(const struct volume_view *v, const struct node_info *n)
{
	static const char *const keys[][2] = {{"topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"},
	        {"topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"}};
	bool is_somewhere = false, fits = true;
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		struct slice have = SLICE_NULL, want = SLICE_NULL;
		for (size_t k = 2; k--;) {
			struct slice of_node = n->labels.len ? json_find(n->labels, keys[i][k], NULL) : SLICE_NULL;
			struct slice of_volume = v->labels.len ? json_find(v->labels, keys[i][k], NULL) : SLICE_NULL;
			have = of_node.ptr ? of_node : have;
			want = of_volume.ptr ? of_volume : want;
		}
		is_somewhere = is_somewhere || have.ptr;
		fits = fits && (!want.ptr || (have.ptr && zone_admits(want, have)));
	}
	return fits || !is_somewhere; /* a node without zones takes all */
}

/* VolumeBinding: NULL, or why not. */
static const char *binding_problem(struct scheduler *s, struct candidate *p, const struct node_info *n)
{
	struct volume_choice *choices;
	for (struct pod_claim *c = p->volumes->claims; c; c = c->next)
		if (c->is_bound && !c->has_volume)
			return "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)";
	for (struct pod_claim *c = p->volumes->claims; c; c = c->next)
		if (c->is_bound && !volume_reaches_node(&c->volume, n->name, n->labels))
			return "node(s) had volume node affinity conflict";
	return bind_on(s, p, n, &choices);
}

bool volumes_filter(struct scheduler *s, struct candidate *p, const struct node_info *n, struct verdict *ret)
{
	struct pod_volumes *v = p->volumes;
	if (v->is_taken)
		return verdict_refuse(ret, FILTER_VOLUME_RESTRICTIONS,
		        "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode",
		        true);
	for (struct pod_claim *c = v->has_driver ? v->claims : NULL; c; c = c->next)
		if (c->driver.len && !has_room(s, p, n, c->driver))
			return verdict_refuse(ret, FILTER_VOLUME_LIMITS, "node(s) exceed max volume count", true);
	const char *problem = binding_problem(s, p, n);
	if (problem)
		return verdict_refuse(ret, FILTER_VOLUME_BINDING, problem, false);
	for (struct pod_claim *c = v->claims; c; c = c->next)
		if (c->is_bound && !in_zone(&c->volume, n))
			return verdict_refuse(ret, FILTER_VOLUME_ZONE, "node(s) had no available volume zone", false);
	return true;
}

struct volume_choice *volumes_choose(struct scheduler *s, struct candidate *p, const struct node_info *n)
{
	struct volume_choice *choices;
	return bind_on(s, p, n, &choices) ? NULL : choices;
}
