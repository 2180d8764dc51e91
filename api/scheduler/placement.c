/* Rules about other pods: required inter-pod affinity and anti-affinity, and topology spread with DoNotSchedule.
 *
 * Prepared once per attempt by a walk over the pods that exist: each rule keeps, per value of its topology key, how
 * many pods match. A node is then judged by its own labels alone. The walk costs a label match per pod and rule and is
 * only made for pods that have rules, or when pods with anti-affinity exist that they must heed. */
#include "api/scheduler/scheduler_int.h"

enum rule_kind { RULE_AFFINITY, RULE_ANTI_AFFINITY, RULE_EXISTING_ANTI, RULE_SPREAD };

struct domain {
	int64_t pods;
	bool eligible; /* spread: a node of it may be chosen */
};

struct rule {
	struct rule *next;
	enum rule_kind kind;
	const char *topology_key;
	struct label_selector selector;
	bool nothing;
	const struct json *namespaces; /* names; NULL: the pod's own */
	struct label_selector namespace_selector;
	bool has_namespace_selector;
	struct map domains;                   /* by label value */
	int64_t max_skew, min_domains, least; /* spread */
	bool self;                            /* the pod itself matches the selector */
};

struct placement {
	struct rule *rules;
	bool affinity_found; /* some pod matches all affinity rules */
	bool self_affinity;  /* the pod matches its own */
	bool has_affinity;
};

static struct slice node_label(const struct node_info *n, const char *key)
{
	return n->labels.len ? json_find(n->labels, key, NULL) : SLICE_NULL;
}

static struct domain *domain_need(struct candidate *p, struct rule *r, struct slice value)
{
	struct domain *d = map_get(&r->domains, value);
	if (d)
		return d;
	d = ARENA_NEW(&p->arena, struct domain);
	map_put(&r->domains, (struct slice){arena_memdup(&p->arena, value.ptr, value.len), value.len}, d);
	return d;
}

static void release_map(void *m)
{
	map_release(m);
}

/* ---- reading rules ---- */

static void add_match_label_keys(struct candidate *p, struct rule *r, const struct json *keys)
{
	struct json *labels = json_path(p->pod, "metadata", "labels", NULL);
	JSON_FOREACH (k, keys) {
		struct json *v = json_get_slice(labels, json_str(k));
		if (!v)
			continue;
		struct selector_requirement *list =
		        ARENA_ARRAY(&p->arena, struct selector_requirement, r->selector.count + 1);
		if (r->selector.count)
			memcpy(list, r->selector.requirements, r->selector.count * sizeof *list);
		struct slice *value = ARENA_NEW(&p->arena, struct slice);
		*value = json_str(v);
		list[r->selector.count] = (struct selector_requirement){
		        .key = json_str(k), .op = SELECTOR_IN, .values = value, .count = 1};
		r->selector.requirements = list;
		r->selector.count++;
	}
}

static struct rule *rule_new(struct candidate *p, enum rule_kind kind, const struct json *term)
{
	struct arena *a = &p->arena;
	struct rule *r = ARENA_NEW(a, struct rule);
	bool nothing;
	r->kind = kind;
	r->topology_key = json_cstr(a, json_get(term, "topologyKey"));
	if (label_selector_from_json(a, json_get(term, "labelSelector"), &r->selector, &r->nothing, NULL) != 0)
		r->nothing = true;
	struct json *names = json_get(term, "namespaces"), *by_label = json_get(term, "namespaceSelector");
	r->namespaces = names && names->first ? names : NULL;
	if (by_label && label_selector_from_json(a, by_label, &r->namespace_selector, &nothing, NULL) == 0 && !nothing)
		r->has_namespace_selector = true;
	arena_on_release(a, release_map, &r->domains);
	r->next = p->placement->rules;
	p->placement->rules = r;
	return r;
}

static bool in_namespaces(struct scheduler *s, const struct rule *r, struct slice own, struct slice ns)
{
	JSON_FOREACH (it, r->namespaces)
		if (slice_eq(json_str(it), ns))
			return true;
	if (r->has_namespace_selector) {
		struct informer_object *o = informer_get_named(shared_informer_base(s->namespaces), SLICE_NULL, ns);
		return o && label_selector_matches(
		                    &r->namespace_selector, json_find(informer_text(o), "metadata", "labels", NULL));
	}
	return !r->namespaces && slice_eq(own, ns);
}

static bool rule_matches(struct scheduler *s, const struct rule *r, struct slice own_ns, const struct meta *pod)
{
	return !r->nothing && in_namespaces(s, r, own_ns, pod->ns) && label_selector_matches(&r->selector, pod->labels);
}

static void read_rules(struct candidate *p)
{
	JSON_FOREACH (t, p->affinity) {
		rule_new(p, RULE_AFFINITY, t);
		p->placement->has_affinity = true;
	}
	JSON_FOREACH (t, p->anti_affinity)
		rule_new(p, RULE_ANTI_AFFINITY, t);
	JSON_FOREACH (t, p->spread) {
		if (!slice_is(json_get_str(t, "whenUnsatisfiable"), "DoNotSchedule"))
			continue;
		struct rule *r = rule_new(p, RULE_SPREAD, t);
		r->max_skew = json_get_int(t, "maxSkew", 1);
		r->min_domains = json_get_int(t, "minDomains", 1);
		add_match_label_keys(p, r, json_get(t, "matchLabelKeys"));
		r->self = !r->nothing && label_selector_matches(&r->selector, p->meta.labels);
	}
}

/* ---- counting ---- */

static void count_pod(struct scheduler *s, struct candidate *p, const struct pod_info *other)
{
	struct meta m;
	bool all_affinity = p->placement->has_affinity;
	meta_read((struct slice){other->json->data, other->json->len}, &m);
	for (struct rule *r = p->placement->rules; r; r = r->next)
		if (r->kind == RULE_AFFINITY)
			all_affinity = all_affinity && rule_matches(s, r, p->meta.ns, &m);
	p->placement->affinity_found = p->placement->affinity_found || all_affinity;
	for (struct rule *r = p->placement->rules; r; r = r->next) {
		struct slice value = node_label(other->node, r->topology_key);
		if (!value.ptr || r->kind == RULE_EXISTING_ANTI)
			continue;
		bool counts = r->kind == RULE_AFFINITY ? all_affinity
		              : r->kind == RULE_SPREAD ? !m.deletion_timestamp.len && slice_eq(m.ns, p->meta.ns) &&
		                                                 rule_matches(s, r, p->meta.ns, &m)
		                                       : rule_matches(s, r, p->meta.ns, &m);
		if (counts)
			domain_need(p, r, value)->pods++;
	}
}

/* One rule per topology key for all pods that forbid us. */
static struct rule *forbidden_by(struct candidate *p, struct rule *r)
{
	for (struct rule *have = p->placement->rules; have; have = have->next)
		if (have->kind == RULE_EXISTING_ANTI && strcmp(have->topology_key, r->topology_key) == 0)
			return have;
	p->placement->rules = r; /* its `next` is what the list was */
	return r;
}

/* Pods that do not want the like of us near them. */
static void heed(struct scheduler *s, struct candidate *p, const struct pod_info *other)
{
	struct meta m;
	struct slice text = {other->json->data, other->json->len};
	struct slice terms = json_find(
	        text, "spec", "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution", NULL);
	struct json *list = json_parse(&p->arena, terms, NULL, NULL);
	meta_read(text, &m);
	JSON_FOREACH (t, list) {
		struct rule *r = rule_new(p, RULE_EXISTING_ANTI, t);
		struct slice value = node_label(other->node, r->topology_key);
		p->placement->rules = r->next; /* it only told whether it means us */
		if (value.ptr && rule_matches(s, r, m.ns, &p->meta))
			domain_need(p, forbidden_by(p, r), value)->pods++;
	}
}

static void walk_pods(struct scheduler *s, struct candidate *p, bool has_rules)
{
	for (size_t i = 0; i < s->cache.count; i++) {
		struct node_info *n = s->cache.list[i];
		LIST_FOREACH (it, &n->pods) {
			struct pod_info *other = CONTAINER_OF(it, struct pod_info, in_node);
			if (has_rules)
				count_pod(s, p, other);
			if (other->has_anti_affinity)
				heed(s, p, other);
		}
	}
}

static bool may_be_chosen(struct candidate *p, const struct node_info *n)
{
	JSON_FOREACH (it, p->node_selector) {
		const char *key = arena_memdup(&p->arena, it->key.ptr, it->key.len);
		if (!slice_eq(node_label(n, key), json_str(it)))
			return false;
	}
	if (!p->required_terms)
		return true;
	JSON_FOREACH (term, p->required_terms)
		if (node_term_matches(term, n))
			return true;
	return false;
}

/* The smallest domain; domains without any matching pod count with 0. */
static void find_least(struct scheduler *s, struct candidate *p)
{
	for (struct rule *r = p->placement->rules; r; r = r->next) {
		int64_t domains = 0;
		if (r->kind != RULE_SPREAD)
			continue;
		for (size_t i = 0; i < s->cache.count; i++) {
			struct slice value = node_label(s->cache.list[i], r->topology_key);
			if (value.ptr && may_be_chosen(p, s->cache.list[i]))
				domain_need(p, r, value)->eligible = true;
		}
		r->least = INT64_MAX;
		MAP_FOREACH (slot, &r->domains) {
			struct domain *d = slot->value;
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
	bool has_rules = p->affinity || p->anti_affinity || p->spread;
	p->placement = NULL;
	if (!has_rules && !s->cache.n_anti_affinity)
		return;
	p->placement = ARENA_NEW(&p->arena, struct placement);
	read_rules(p);
	p->placement->self_affinity = p->placement->has_affinity;
	for (struct rule *r = p->placement->rules; r; r = r->next)
		if (r->kind == RULE_AFFINITY && !rule_matches(s, r, p->meta.ns, &p->meta))
			p->placement->self_affinity = false;
	walk_pods(s, p, has_rules);
	find_least(s, p);
}

/* ---- judging a node ---- */

static const char *judge(struct candidate *p, const struct rule *r, const struct node_info *n)
{
	struct slice value = node_label(n, r->topology_key);
	struct domain *d = value.ptr ? map_get(&r->domains, value) : NULL;
	int64_t pods = d ? d->pods : 0;
	switch (r->kind) {
	case RULE_AFFINITY:
		if (value.ptr && (pods > 0 || (!p->placement->affinity_found && p->placement->self_affinity)))
			return NULL;
		return "node(s) didn't match pod affinity rules";
	case RULE_ANTI_AFFINITY:
		return pods > 0 ? "node(s) didn't match pod anti-affinity rules" : NULL;
	case RULE_EXISTING_ANTI:
		return pods > 0 ? "node(s) didn't satisfy existing pods anti-affinity rules" : NULL;
	case RULE_SPREAD:
		if (!value.ptr)
			return "node(s) didn't match pod topology spread constraints (missing required label)";
		return pods + r->self - r->least > r->max_skew ? "node(s) didn't match pod topology spread constraints"
		                                               : NULL;
	}
	return NULL;
}

const char *placement_filter(struct candidate *p, const struct node_info *n)
{
	for (const struct rule *r = p->placement->rules; r; r = r->next) {
		const char *problem = judge(p, r, n);
		if (problem)
			return problem;
	}
	return NULL;
}
