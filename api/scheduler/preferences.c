/* What pods prefer of each other: preferred affinity and anti-affinity, and topology spread with ScheduleAnyway. See
 * scheduler_int.h.
 *
 * Affinity goes both ways: what the new pod prefers of those that are there, and what those prefer of it; a required
 * affinity of theirs counts as a preference of weight 1. Both give points to domains, by topology key and value, and a
 * node has the points of its domains; over all nodes they are brought to 0..100. All pods are walked when the new pod
 * prefers something, else only nodes where somebody does.
 *
 * Spread counts pods that match in each domain, as many nodes as have all the keys, and prefers where there are few; a
 * domain weighs more the more of them there are. Upstream: plugins/interpodaffinity and podtopologyspread, scoring.go.
 */
#include "api/scheduler/scheduler_int.h"

#include <math.h>

enum { SCORE_MAX = 100 };

/* ---- affinity ---- */

struct points {
	struct points *next;
	const char *topology_key;
	struct map by_value; /* label value -> int64_t */
};

struct preferences {
	struct points *points;
};

static void release_map(void *m)
{
	map_release(m);
}

static struct points *points_of(struct candidate *p, const char *key)
{
	struct points *x = p->preferences->points;
	while (x && strcmp(x->topology_key, key) != 0)
		x = x->next;
	if (x)
		return x;
	x = ARENA_NEW(&p->arena, struct points);
	x->topology_key = key;
	x->next = p->preferences->points;
	p->preferences->points = x;
	arena_on_release(&p->arena, release_map, &x->by_value);
	return x;
}

static void give(struct candidate *p, const char *key, const struct node_info *n, int64_t weight)
{
	struct slice value = node_label(n, key);
	struct points *x = value.ptr ? points_of(p, key) : NULL;
	int64_t *sum = x ? map_get(&x->by_value, value) : NULL;
	if (!x)
		return;
	if (!sum) {
		sum = ARENA_NEW(&p->arena, int64_t);
		map_put(&x->by_value, (struct slice){arena_memdup(&p->arena, value.ptr, value.len), value.len}, sum);
	}
	*sum += weight;
}

/* Of the new pod: read once. */
struct wish {
	struct wish *next;
	struct pod_term term;
	int64_t weight;
};

static void read_wishes(struct candidate *p, const struct json *kind, int sign, struct wish **ret)
{
	JSON_FOREACH (it, json_get(kind, "preferredDuringSchedulingIgnoredDuringExecution")) {
		struct wish *w = ARENA_NEW(&p->arena, struct wish);
		pod_term_read(&p->arena, json_get(it, "podAffinityTerm"), &w->term);
		w->weight = sign * json_get_int(it, "weight", 0);
		w->next = *ret;
		*ret = w;
	}
}

/* What a pod that is there prefers of the new one. */
static void weigh(
        struct scheduler *s, struct candidate *p, const struct pod_info *other, const struct json *term, int64_t weight)
{
	struct pod_term t;
	pod_term_read(&p->arena, term, &t);
	if (pod_term_matches(s, &t, other->ns, p->meta.ns, p->meta.labels))
		give(p, t.topology_key, other->node, weight);
}

static void hear(struct scheduler *s, struct candidate *p, const struct pod_info *other)
{
	struct slice text = {other->json->data, other->json->len};
	struct json *affinity = json_parse(&p->arena, json_find(text, "spec", "affinity", NULL), NULL, NULL),
	            *near = json_get(affinity, "podAffinity"), *apart = json_get(affinity, "podAntiAffinity");
	JSON_FOREACH (it, json_get(near, "requiredDuringSchedulingIgnoredDuringExecution"))
		weigh(s, p, other, it, p->profile->hard_affinity_weight);
	JSON_FOREACH (it, json_get(near, "preferredDuringSchedulingIgnoredDuringExecution"))
		weigh(s, p, other, json_get(it, "podAffinityTerm"), json_get_int(it, "weight", 0));
	JSON_FOREACH (it, json_get(apart, "preferredDuringSchedulingIgnoredDuringExecution"))
		weigh(s, p, other, json_get(it, "podAffinityTerm"), -json_get_int(it, "weight", 0));
}

static void walk_node(struct scheduler *s, struct candidate *p, const struct node_info *n, const struct wish *wishes)
{
	LIST_FOREACH (it, &n->pods) {
		const struct pod_info *other = CONTAINER_OF(it, struct pod_info, in_node);
		for (const struct wish *w = wishes; w; w = w->next)
			if (pod_term_matches(s, &w->term, p->meta.ns, other->ns, other->labels))
				give(p, w->term.topology_key, n, w->weight);
		if (other->has_preferences)
			hear(s, p, other);
	}
}

void preferences_prepare(struct scheduler *s, struct candidate *p)
{
	struct json *affinity = json_get(p->spec, "affinity");
	struct wish *wishes = NULL;
	read_wishes(p, json_get(affinity, "podAffinity"), 1, &wishes);
	read_wishes(p, json_get(affinity, "podAntiAffinity"), -1, &wishes);
	p->preferences = NULL;
	if (!wishes && (!s->cache.n_preferring || p->profile->ignores_wishes))
		return;
	p->preferences = ARENA_NEW(&p->arena, struct preferences);
	for (size_t i = 0; i < s->cache.count; i++)
		if (wishes || s->cache.list[i]->n_preferring)
			walk_node(s, p, s->cache.list[i], wishes);
}

static int64_t points_on(const struct candidate *p, const struct node_info *n)
{
	int64_t sum = 0;
	for (const struct points *x = p->preferences->points; x; x = x->next) {
		struct slice value = node_label(n, x->topology_key);
		const int64_t *points = value.ptr ? map_get(&x->by_value, value) : NULL;
		sum += points ? *points : 0;
	}
	return sum;
}

void preferences_score(const struct candidate *p, struct node_info *const *nodes, size_t n, int64_t *scores)
{
	int64_t least = INT64_MAX, most = INT64_MIN;
	for (size_t i = 0; i < n; i++)
		scores[i] = 0;
	if (!p->preferences || !p->preferences->points)
		return;
	for (size_t i = 0; i < n; i++) {
		scores[i] = points_on(p, nodes[i]);
		least = scores[i] < least ? scores[i] : least;
		most = scores[i] > most ? scores[i] : most;
	}
	for (size_t i = 0; i < n; i++)
		scores[i] = most > least ? SCORE_MAX * (scores[i] - least) / (most - least) : 0;
}

/* ---- spread ---- */

struct soft {
	struct soft *next;
	struct pod_term term;
	const struct json *constraint;
	int64_t max_skew;
	struct topology *by;
	int64_t *pods;   /* by the number of the value */
	bool *is_domain; /* the same: a node of it may be chosen */
	double weight;
	bool is_host;       /* of kubernetes.io/hostname */
	struct slice asked; /* labels that were asked after last, of a pod of the own namespace */
	bool answer;
};

static struct soft *read_soft(struct scheduler *s, struct candidate *p)
{
	struct soft *all = NULL;
	JSON_FOREACH (it, p->spread) {
		if (spread_is_hard(it))
			continue;
		struct soft *x = ARENA_NEW(&p->arena, struct soft);
		pod_term_read(&p->arena, it, &x->term);
		pod_term_match_keys(p, &x->term, json_get(it, "matchLabelKeys"));
		x->constraint = it;
		x->is_host = strcmp(x->term.topology_key, "kubernetes.io/hostname") == 0;
		x->max_skew = json_get_int(it, "maxSkew", 1);
		x->by = topology_need(&s->cache, x->term.topology_key);
		x->pods = ARENA_ARRAY(&p->arena, int64_t, x->by->count + 1);
		x->is_domain = ARENA_ARRAY(&p->arena, bool, x->by->count + 1);
		x->next = all;
		all = x;
	}
	return all;
}

/* A node is judged if it has all the keys; by the system's defaults, also one that is in no zone. */
static bool is_judged(const struct candidate *p, const struct soft *all, const struct node_info *n)
{
	if (p->spreads_by_system)
		return true;
	for (const struct soft *x = all; x; x = x->next)
		if (!topology_number(x->by, n))
			return false;
	return true;
}

/* The domains are those of nodes that may be chosen; pods of all their nodes count. Nodes without the label are one
 * domain more. Hosts need no domains: each is its own, and its pods are counted when it is judged. */
static void find_soft_domains(
        struct candidate *p, const struct soft *all, struct soft *x, struct node_info *const *nodes, size_t n)
{
	size_t judged = 0, domains = 0;
	for (size_t i = 0; i < n; i++) {
		if (!is_judged(p, all, nodes[i]))
			continue;
		uint32_t number = topology_number(x->by, nodes[i]);
		judged++;
		domains += !x->is_domain[number];
		x->is_domain[number] = true;
	}
	x->weight = log((double)(x->is_host ? judged : domains) + 2);
}

/* Replicas have the labels of the one before them: what was said of these is not asked again. */
static bool soft_means(struct scheduler *s, const struct candidate *p, struct soft *x, const struct pod_info *other)
{
	if (!x->asked.ptr || !slice_eq(x->asked, other->labels)) {
		x->asked = other->labels;
		x->answer = pod_term_matches(s, &x->term, p->meta.ns, other->ns, other->labels);
	}
	return x->answer;
}

static int64_t count_on(struct scheduler *s, const struct candidate *p, struct soft *x, const struct node_info *n)
{
	int64_t count = 0;
	LIST_FOREACH (it, &n->pods) {
		const struct pod_info *other = CONTAINER_OF(it, struct pod_info, in_node);
		count += !other->is_dying && slice_eq(other->ns, p->meta.ns) && soft_means(s, p, x, other);
	}
	return count;
}

static void count_soft(struct scheduler *s, struct candidate *p, struct soft *all, const struct node_info *n)
{
	for (struct soft *x = all; x; x = x->next) {
		if (x->is_host || list_empty(&n->pods))
			continue;
		uint32_t number = topology_number(x->by, n);
		if (number && x->is_domain[number] && spread_includes(p, x->constraint, n))
			x->pods[number] += count_on(s, p, x, n);
	}
}

/* -1: a node without one of the keys. */
static int64_t crowd_on(struct scheduler *s, const struct candidate *p, struct soft *all, const struct node_info *n)
{
	double sum = 0;
	if (!is_judged(p, all, n))
		return -1;
	for (struct soft *x = all; x; x = x->next) {
		uint32_t number = topology_number(x->by, n);
		if (!number)
			continue;
		int64_t count = x->is_host ? count_on(s, p, x, n) : x->pods[number];
		sum += (double)count * x->weight + (double)(x->max_skew - 1);
	}
	return (int64_t)lround(sum);
}

void soft_spread_score(
        struct scheduler *s, struct candidate *p, struct node_info *const *nodes, size_t n, int64_t *scores)
{
	struct soft *all = read_soft(s, p);
	int64_t least = INT64_MAX, most = 0;
	if (!all) {
		memset(scores, 0, n * sizeof *scores);
		return;
	}
	for (struct soft *x = all; x; x = x->next)
		find_soft_domains(p, all, x, nodes, n);
	for (size_t i = 0; i < s->cache.count; i++)
		if (is_judged(p, all, s->cache.list[i]))
			count_soft(s, p, all, s->cache.list[i]);
	for (size_t i = 0; i < n; i++) {
		scores[i] = crowd_on(s, p, all, nodes[i]);
		if (scores[i] < 0)
			continue;
		least = scores[i] < least ? scores[i] : least;
		most = scores[i] > most ? scores[i] : most;
	}
	for (size_t i = 0; i < n; i++)
		scores[i] = scores[i] < 0 ? 0 : !most ? SCORE_MAX : SCORE_MAX * (most + least - scores[i]) / most;
}
