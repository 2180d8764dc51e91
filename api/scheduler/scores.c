/* Scores: each 0 to 100 for a node, times its weight, as the pod's profile says (configuration.h), by default:
 * LeastAllocated (1), balanced allocation (1), ImageLocality (1), TaintToleration (3), NodeAffinity (2),
 * InterPodAffinity (2) and PodTopologySpread (2). Extenders add theirs. */
#include "api/scheduler/scheduler_int.h"

#include <math.h>

enum { SCORE_MAX = 100, POINT_MAX = 10 };

/* Upstream's: images below are as good as none, and beyond, for each container, it makes no difference. */
enum { IMAGES_BYTES_MIN = 23 * 1024 * 1024, IMAGES_BYTES_MAX = 1000 * 1024 * 1024 };

struct raw {
	int64_t taints, affinity; /* to be brought to 0..100 over all nodes */
};

/* ---- resources ---- */

/* What the node would have given away with the pod, and what it has. */
struct taken {
	int64_t used, all;
};

static struct taken taken_of(const struct candidate *p, const struct node_info *n, const char *name)
{
	const struct amounts *want = &p->demands.requests, *used = &n->used, *all = &n->allocatable;
	if (strcmp(name, "cpu") == 0)
		return (struct taken){n->nonzero_cpu_milli + p->demands.nonzero_cpu_milli, all->cpu_milli};
	if (strcmp(name, "memory") == 0)
		return (struct taken){n->nonzero_memory + p->demands.nonzero_memory, all->memory};
	if (strcmp(name, "ephemeral-storage") == 0)
		return (struct taken){used->storage + want->storage, all->storage};
	for (const struct extended *e = want->extended; e && e->name;
	        e++) /* others count for those that ask for them */
		if (strcmp(e->name, name) == 0)
			return (struct taken){
			        amounts_extended(used, e->name) + e->amount, amounts_extended(all, e->name)};
	return (struct taken){0, 0};
}

/* Between two points of the curve in a straight line. */
static int64_t on_curve(const struct scheduler_profile *f, int64_t utilization)
{
	const struct fit_point *at = f->shape;
	size_t i = 0;
	while (i < f->n_shape && at[i].utilization < utilization)
		i++;
	if (i == f->n_shape)
		return at[i - 1].score * SCORE_MAX / POINT_MAX;
	if (i == 0 || at[i].utilization == utilization)
		return at[i].score * SCORE_MAX / POINT_MAX;
	int64_t rise = at[i].score - at[i - 1].score, run = at[i].utilization - at[i - 1].utilization;
	return at[i - 1].score * SCORE_MAX / POINT_MAX +
	       rise * SCORE_MAX / POINT_MAX * (utilization - at[i - 1].utilization) / run;
}

static int64_t score_one(const struct scheduler_profile *f, struct taken t)
{
	switch (f->strategy) {
	case FIT_LEAST:
		return t.used > t.all ? 0 : (t.all - t.used) * SCORE_MAX / t.all;
	case FIT_MOST:
		return t.used > t.all ? 0 : t.used * SCORE_MAX / t.all;
	case FIT_RATIO:
		return on_curve(f, t.used > t.all ? 100 : t.used * 100 / t.all);
	}
	return 0;
}

static int64_t score_fit(const struct candidate *p, const struct node_info *n)
{
	const struct scheduler_profile *f = p->profile;
	int64_t sum = 0, weights = 0;
	for (size_t i = 0; i < f->n_resources; i++) {
		struct taken t = taken_of(p, n, f->resources[i].name);
		if (t.all <= 0)
			continue;
		sum += score_one(f, t) * f->resources[i].weight;
		weights += f->resources[i].weight;
	}
	return weights ? sum / weights : 0;
}

/* Real requests. */
static struct taken really_taken_of(const struct candidate *p, const struct node_info *n, const char *name)
{
	const struct amounts *want = &p->demands.requests, *used = &n->used, *all = &n->allocatable;
	if (strcmp(name, "cpu") == 0)
		return (struct taken){used->cpu_milli + want->cpu_milli, all->cpu_milli};
	if (strcmp(name, "memory") == 0)
		return (struct taken){used->memory + want->memory, all->memory};
	return taken_of(p, n, name);
}

/* The share of the i-th resource that would be given away; less than 0: it does not count here. */
static double share_at(const struct candidate *p, const struct node_info *n, size_t i)
{
	struct taken t = really_taken_of(p, n, p->profile->balanced[i].name);
	return t.all <= 0 ? -1 : t.used > t.all ? 1 : (double)t.used / (double)t.all;
}

/* How far the shares of the resources lie apart: their standard deviation, which of two is half their distance. */
static int64_t score_balance(const struct candidate *p, const struct node_info *n)
{
	double shares[2] = {0}, sum = 0, squares = 0;
	size_t count = 0;
	for (size_t i = 0; i < p->profile->n_balanced; i++) {
		double share = share_at(p, n, i);
		if (share < 0)
			continue;
		shares[count % 2] = share;
		sum += share;
		count++;
	}
	if (count <= 2)
		return (int64_t)((1 - (count == 2 ? fabs(shares[0] - shares[1]) / 2 : 0)) * SCORE_MAX);
	for (size_t i = 0; i < p->profile->n_balanced; i++) {
		double share = share_at(p, n, i), off = share - sum / (double)count;
		squares += share < 0 ? 0 : off * off;
	}
	return (int64_t)((1 - sqrt(squares / (double)count)) * SCORE_MAX);
}

static int64_t count_avoided(const struct candidate *p, const struct node_info *n)
{
	int64_t count = 0;
	for (size_t i = 0; i < n->n_taints; i++)
		count += n->taints[i].effect == 'P' && !toleration_matches(p->tolerations, &n->taints[i]);
	return count;
}

static int64_t sum_preferred(const struct json *terms, const struct node_info *n)
{
	int64_t sum = 0;
	JSON_FOREACH (it, terms)
		if (node_term_matches(json_get(it, "preference"), n))
			sum += json_get_int(it, "weight", 0);
	return sum;
}

static int64_t share_of(int64_t v, int64_t most, bool less_is_better)
{
	if (most == 0)
		return less_is_better ? SCORE_MAX : 0;
	int64_t part = v * SCORE_MAX / most;
	return less_is_better ? SCORE_MAX - part : part;
}

static uint32_t next_random(struct scheduler *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 17;
	s->random ^= s->random << 5;
	return s->random;
}

/* ---- images ---- */

/* An image of the pod. A large one on few nodes would draw all pods there: it counts by the share of nodes that have
 * it.
 */
struct wanted_image {
	uint64_t name;
	double share;
};

struct wanted_images {
	struct wanted_image *items; /* those that some node has */
	size_t count, containers;
};

static int64_t image_bytes(const struct node_info *n, const struct wanted_image *w)
{
	for (const struct image *i = n->images; i && i->name; i++)
		if (i->name == w->name)
			return (int64_t)((double)i->bytes * w->share);
	return 0;
}

static struct wanted_images images_of(const struct scheduler *s, struct candidate *p)
{
	static const char *const lists[] = {"containers", "initContainers"};
	struct wanted_images all = {0};
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		all.containers += json_get(p->spec, lists[i]) ? json_get(p->spec, lists[i])->count : 0;
	all.items = ARENA_ARRAY(&p->arena, struct wanted_image, all.containers + 1);
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (c, json_get(p->spec, lists[i])) {
			uint64_t name = image_hash(json_get_str(c, "image"));
			int64_t nodes = cache_image_nodes(&s->cache, name);
			if (nodes)
				all.items[all.count++] =
				        (struct wanted_image){name, (double)nodes / (double)s->cache.count};
		}
	return all;
}

static int64_t score_images(const struct wanted_images *all, const struct node_info *n)
{
	int64_t sum = 0, most = (int64_t)all->containers * IMAGES_BYTES_MAX;
	for (size_t i = 0; i < all->count; i++)
		sum += image_bytes(n, &all->items[i]);
	sum = sum < IMAGES_BYTES_MIN ? IMAGES_BYTES_MIN : sum > most ? most : sum;
	return most > IMAGES_BYTES_MIN ? SCORE_MAX * (sum - IMAGES_BYTES_MIN) / (most - IMAGES_BYTES_MIN) : 0;
}

/* ---- all of them ---- */

struct node_info *scores_pick(
        struct scheduler *s, struct candidate *p, struct node_info **nodes, size_t n, const int64_t *more)
{
	struct raw *raw = ARENA_ARRAY(&p->arena, struct raw, n + 1), most = {0};
	int64_t *pods = ARENA_ARRAY(&p->arena, int64_t, n + 1), *spread = ARENA_ARRAY(&p->arena, int64_t, n + 1);
	const int64_t *w = p->profile->weights;
	struct wanted_images images = images_of(s, p);
	if (w[SCORE_POD_AFFINITY]) {
		preferences_prepare(s, p);
		preferences_score(p, nodes, n, pods);
	}
	if (w[SCORE_SPREAD])
		soft_spread_score(s, p, nodes, n, spread);
	for (size_t i = 0; i < n; i++) {
		raw[i] = (struct raw){
		        count_avoided(p, nodes[i]), sum_preferred(p->preferred_terms, nodes[i]) +
		                                            sum_preferred(p->profile->added_preferences, nodes[i])};
		most.taints = raw[i].taints > most.taints ? raw[i].taints : most.taints;
		most.affinity = raw[i].affinity > most.affinity ? raw[i].affinity : most.affinity;
	}
	struct node_info *best = NULL;
	int64_t best_score = -1;
	uint32_t ties = 0;
	for (size_t i = 0; i < n; i++) {
		int64_t score = w[SCORE_FIT] * score_fit(p, nodes[i]) + w[SCORE_BALANCED] * score_balance(p, nodes[i]) +
		                w[SCORE_IMAGES] * score_images(&images, nodes[i]) +
		                w[SCORE_TAINTS] * share_of(raw[i].taints, most.taints, true) +
		                w[SCORE_NODE_AFFINITY] * share_of(raw[i].affinity, most.affinity, false) +
		                w[SCORE_POD_AFFINITY] * pods[i] + w[SCORE_SPREAD] * spread[i] + (more ? more[i] : 0);
		if (score < best_score)
			continue;
		ties = score == best_score ? ties + 1 : 1;
		if (score > best_score || next_random(s) % ties == 0)
			best = nodes[i];
		best_score = score;
	}
	return best;
}
