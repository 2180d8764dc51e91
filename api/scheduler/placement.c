/* Rules about other pods: required inter-pod affinity and anti-affinity, and topology spread with DoNotSchedule.
 *
 * Prepared once per attempt by a walk over the pods that exist: each rule keeps, per value of its topology key, how
 * many pods match. A node is then judged by its own labels alone. The walk costs a label match per pod and rule and is
 * only made for pods that have rules, or when pods with anti-affinity exist that they must heed. What would be if a pod
 * went, or came, is asked by counting it off or on (placement_count). */
#include "api/scheduler/scheduler_int.h"

/* In the order in which they are asked, which decides what a refused pod is told. */
enum rule_kind { RULE_SPREAD, RULE_AFFINITY, RULE_ANTI_AFFINITY, RULE_EXISTING_ANTI };

struct domain {
	int64_t pods;
	bool eligible; /* spread: a node of it may be chosen */
};

struct rule {
	struct rule *next;
	enum rule_kind kind;
	struct pod_term term;
	struct topology *by;
	struct domain *domains;               /* by the number of the label's value */
	int64_t max_skew, min_domains, least; /* spread */
	const struct json *constraint;        /* spread, too */
	bool *counts_on;                      /* by the node's slot: pods of it count */
	bool self;                            /* the pod itself matches the selector */
};

struct placement {
	struct rule *rules;
	int64_t affinity_found; /* pods that match all affinity rules */
	bool self_affinity;     /* the pod matches its own */
	bool has_affinity;
};

/* ---- reading rules ---- */

static struct rule *rule_read(struct candidate *p, enum rule_kind kind, const struct json *term)
{
	struct arena *a = &p->arena;
	struct rule *r = ARENA_NEW(a, struct rule);
	r->kind = kind;
	pod_term_read(a, term, &r->term);
	return r;
}

static struct rule *rule_add(struct scheduler *s, struct candidate *p, struct rule *r)
{
	struct rule **at = &p->placement->rules;
	r->by = topology_need(&s->cache, r->term.topology_key);
	r->domains = ARENA_ARRAY(&p->arena, struct domain, r->by->count + 1);
	while (*at && (*at)->kind < r->kind)
		at = &(*at)->next;
	r->next = *at;
	*at = r;
	return r;
}

static struct rule *rule_new(struct scheduler *s, struct candidate *p, enum rule_kind kind, const struct json *term)
{
	return rule_add(s, p, rule_read(p, kind, term));
}

static bool heeds_affinity(const struct candidate *p)
{
	return p->profile->filters & FILTER_POD_AFFINITY;
}

static void read_rules(struct scheduler *s, struct candidate *p)
{
	JSON_FOREACH (t, heeds_affinity(p) ? p->affinity : NULL) {
		rule_new(s, p, RULE_AFFINITY, t);
		p->placement->has_affinity = true;
	}
	JSON_FOREACH (t, heeds_affinity(p) ? p->anti_affinity : NULL)
		rule_new(s, p, RULE_ANTI_AFFINITY, t);
	JSON_FOREACH (t, p->profile->filters & FILTER_SPREAD ? p->spread : NULL) {
		if (!spread_is_hard(t))
			continue;
		struct rule *r = rule_new(s, p, RULE_SPREAD, t);
		r->constraint = t;
		r->max_skew = json_get_int(t, "maxSkew", 1);
		r->min_domains = json_get_int(t, "minDomains", 1);
		pod_term_match_keys(p, &r->term, json_get(t, "matchLabelKeys"));
		r->self = !r->term.nothing && label_selector_matches(&r->term.selector, p->meta.labels);
	}
}

/* ---- nodes that count for spread ---- */

static bool has_all_keys(const struct candidate *p, const struct node_info *n)
{
	for (const struct rule *r = p->placement->rules; r; r = r->next)
		if (r->kind == RULE_SPREAD && !topology_number(r->by, n))
			return false;
	return true;
}

/* Which nodes count for spread; their domains, also those without any matching pod, which count with 0. */
static void find_domains(struct scheduler *s, struct candidate *p)
{
	for (struct rule *r = p->placement->rules; r; r = r->next) {
		if (r->kind != RULE_SPREAD)
			continue;
		r->counts_on = ARENA_ARRAY(&p->arena, bool, s->cache.count + 1);
		for (size_t i = 0; i < s->cache.count; i++) {
			const struct node_info *n = s->cache.list[i];
			r->counts_on[n->slot] = has_all_keys(p, n) && spread_includes(p, r->constraint, n);
			if (r->counts_on[n->slot])
				r->domains[topology_number(r->by, n)].eligible = true;
		}
	}
}

/* ---- counting ---- */

static bool means(struct scheduler *s, const struct candidate *p, const struct rule *r, const struct pod_info *other)
{
	return pod_term_matches(s, &r->term, p->meta.ns, other->ns, other->labels);
}

static void count_pod(struct scheduler *s, struct candidate *p, const struct pod_info *other, int sign)
{
	bool all_affinity = p->placement->has_affinity;
	for (struct rule *r = p->placement->rules; r; r = r->next)
		if (r->kind == RULE_AFFINITY)
			all_affinity = all_affinity && means(s, p, r, other);
	p->placement->affinity_found += all_affinity ? sign : 0;
	for (struct rule *r = p->placement->rules; r; r = r->next) {
		uint32_t number = topology_number(r->by, other->node);
		if (!number || r->kind == RULE_EXISTING_ANTI)
			continue;
		bool counts = r->kind == RULE_AFFINITY ? all_affinity
		              : r->kind == RULE_SPREAD
		                      ? r->counts_on[other->node->slot] && !other->is_dying &&
		                                slice_eq(other->ns, p->meta.ns) && means(s, p, r, other)
		                      : means(s, p, r, other);
		if (counts)
			r->domains[number].pods += sign;
	}
}

/* One rule per topology key for all pods that forbid us. */
static struct rule *forbidden_by(struct scheduler *s, struct candidate *p, struct rule *r)
{
	for (struct rule *have = p->placement->rules; have; have = have->next)
		if (have->kind == RULE_EXISTING_ANTI && strcmp(have->term.topology_key, r->term.topology_key) == 0)
			return have;
	return rule_add(s, p, r);
}

/* Pods that do not want the like of us near them. */
static void heed(struct scheduler *s, struct candidate *p, const struct pod_info *other, int sign)
{
	struct slice text = {other->json->data, other->json->len};
	struct slice terms = json_find(
	        text, "spec", "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution", NULL);
	struct json *list = json_parse(&p->arena, terms, NULL, NULL);
	JSON_FOREACH (t, list) {
		struct rule *r = rule_read(p, RULE_EXISTING_ANTI, t);
		if (!pod_term_matches(s, &r->term, other->ns, p->meta.ns, p->meta.labels))
			continue;
		r = forbidden_by(s, p, r);
		uint32_t number = topology_number(r->by, other->node);
		r->domains[number].pods += number ? sign : 0;
	}
}

static bool must_spread(const struct candidate *p)
{
	JSON_FOREACH (t, p->profile->filters & FILTER_SPREAD ? p->spread : NULL)
		if (spread_is_hard(t))
			return true;
	return false;
}

static bool has_rules(const struct candidate *p)
{
	return (heeds_affinity(p) && (p->affinity || p->anti_affinity)) || must_spread(p);
}

static void count(struct scheduler *s, struct candidate *p, const struct pod_info *other, int sign)
{
	if (has_rules(p))
		count_pod(s, p, other, sign);
	if (other->has_anti_affinity && heeds_affinity(p))
		heed(s, p, other, sign);
}

static void walk_pods(struct scheduler *s, struct candidate *p)
{
	for (size_t i = 0; i < s->cache.count; i++) {
		struct node_info *n = s->cache.list[i];
		LIST_FOREACH (it, &n->pods)
			count(s, p, CONTAINER_OF(it, struct pod_info, in_node), 1);
	}
}

static void find_least(struct candidate *p)
{
	for (struct rule *r = p->placement->rules; r; r = r->next) {
		int64_t domains = 0;
		if (r->kind != RULE_SPREAD)
			continue;
		r->least = INT64_MAX;
		for (size_t i = 1; i <= r->by->count; i++) {
			const struct domain *d = &r->domains[i];
			domains += d->eligible;
			if (d->eligible && d->pods < r->least)
				r->least = d->pods;
		}
		if (domains < r->min_domains || r->least == INT64_MAX)
			r->least = 0;
	}
}

void placement_prepare(struct scheduler *s, struct candidate *p)
{
	p->placement = NULL;
	if (!has_rules(p) && !s->cache.n_anti_affinity)
		return;
	p->placement = ARENA_NEW(&p->arena, struct placement);
	read_rules(s, p);
	p->placement->self_affinity = p->placement->has_affinity;
	for (struct rule *r = p->placement->rules; r; r = r->next)
		if (r->kind == RULE_AFFINITY && !pod_term_matches(s, &r->term, p->meta.ns, p->meta.ns, p->meta.labels))
			p->placement->self_affinity = false;
	find_domains(s, p);
	walk_pods(s, p);
	find_least(p);
}

void placement_count(struct scheduler *s, struct candidate *p, const struct pod_info *other, int sign)
{
	if (!p->placement)
		return;
	count(s, p, other, sign);
	find_least(p);
}

/* ---- judging a node ---- */

/* False: it refuses. Where other pods' going could not help, pods are not preempted in vain. */
static bool judge(struct candidate *p, const struct rule *r, const struct node_info *n, struct verdict *v)
{
	uint32_t number = topology_number(r->by, n);
	int64_t pods = r->domains[number].pods; /* of none there are none */
	switch (r->kind) {
	case RULE_SPREAD:
		if (!number)
			return verdict_refuse(v, FILTER_SPREAD,
			        "node(s) didn't match pod topology spread constraints (missing required label)", false);
		return pods + r->self - r->least <= r->max_skew ||
		       verdict_refuse(v, FILTER_SPREAD, "node(s) didn't match pod topology spread constraints", true);
	case RULE_AFFINITY:
		return (number && (pods > 0 || (!p->placement->affinity_found && p->placement->self_affinity))) ||
		       verdict_refuse(v, FILTER_POD_AFFINITY, "node(s) didn't match pod affinity rules", false);
	case RULE_ANTI_AFFINITY:
		return pods <= 0 ||
		       verdict_refuse(v, FILTER_POD_AFFINITY, "node(s) didn't match pod anti-affinity rules", true);
	case RULE_EXISTING_ANTI:
		return pods <= 0 || verdict_refuse(v, FILTER_POD_AFFINITY,
		                            "node(s) didn't satisfy existing pods anti-affinity rules", true);
	}
	return true;
}

bool placement_filter(struct candidate *p, const struct node_info *n, struct verdict *v)
{
	for (const struct rule *r = p->placement->rules; r; r = r->next)
		if (!judge(p, r, n, v))
			return false;
	return true;
}
