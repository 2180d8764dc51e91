/* Scores: each 0 to 100 for a node, times its weight, as upstream's default profile: LeastAllocated (1), balanced
 * allocation (1), TaintToleration (3), NodeAffinity (2), and spreading of one controller's pods over nodes (2). */
#include "api/scheduler/scheduler_int.h"

enum { SCORE_MAX = 100, WEIGHT_TAINTS = 3, WEIGHT_AFFINITY = 2, WEIGHT_SPREAD = 2 };

struct raw {
	int64_t taints, affinity, spread; /* to be brought to 0..100 over all nodes */
};

static int64_t free_share(int64_t used, int64_t all)
{
	return all <= 0 || used > all ? 0 : (all - used) * SCORE_MAX / all;
}

static int64_t score_resources(const struct candidate *p, const struct node_info *n)
{
	int64_t cpu = n->nonzero_cpu_milli + p->demands.nonzero_cpu_milli,
	        memory = n->nonzero_memory + p->demands.nonzero_memory;
	const struct amounts *all = &n->allocatable;
	int64_t least = (free_share(cpu, all->cpu_milli) + free_share(memory, all->memory)) / 2;
	/* Balanced: real requests; with two fractions the standard deviation is half their distance. */
	double f = all->cpu_milli ? (double)(n->used.cpu_milli + p->demands.requests.cpu_milli) / (double)all->cpu_milli
	                          : 1;
	double g = all->memory ? (double)(n->used.memory + p->demands.requests.memory) / (double)all->memory : 1;
	f = f > 1 ? 1 : f;
	g = g > 1 ? 1 : g;
	double deviation = f > g ? (f - g) / 2 : (g - f) / 2;
	return least + (int64_t)((1 - deviation) * SCORE_MAX);
}

static int64_t count_avoided(const struct candidate *p, const struct node_info *n)
{
	int64_t count = 0;
	for (size_t i = 0; i < n->n_taints; i++)
		count += n->taints[i].effect == 'P' && !toleration_matches(p->tolerations, &n->taints[i]);
	return count;
}

static int64_t sum_preferred(const struct candidate *p, const struct node_info *n)
{
	int64_t sum = 0;
	JSON_FOREACH (it, p->preferred_terms)
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

struct node_info *scores_pick(struct scheduler *s, struct candidate *p, struct node_info **nodes, size_t n)
{
	struct raw *raw = ARENA_ARRAY(&p->arena, struct raw, n + 1), most = {0};
	for (size_t i = 0; i < n; i++) {
		raw[i] = (struct raw){count_avoided(p, nodes[i]), sum_preferred(p, nodes[i]),
		        cache_family_on(&s->cache, p->demands.family, nodes[i])};
		most.taints = raw[i].taints > most.taints ? raw[i].taints : most.taints;
		most.affinity = raw[i].affinity > most.affinity ? raw[i].affinity : most.affinity;
		most.spread = raw[i].spread > most.spread ? raw[i].spread : most.spread;
	}
	struct node_info *best = NULL;
	int64_t best_score = -1;
	uint32_t ties = 0;
	for (size_t i = 0; i < n; i++) {
		int64_t score = score_resources(p, nodes[i]) +
		                WEIGHT_TAINTS * share_of(raw[i].taints, most.taints, true) +
		                WEIGHT_AFFINITY * share_of(raw[i].affinity, most.affinity, false) +
		                WEIGHT_SPREAD * share_of(raw[i].spread, most.spread, true);
		if (score < best_score)
			continue;
		ties = score == best_score ? ties + 1 : 1;
		if (score > best_score || next_random(s) % ties == 0)
			best = nodes[i];
		best_score = score;
	}
	return best;
}
