/* Preemption: a pod that fits nowhere takes the place of pods of lower priority. See scheduler_int.h.
 *
 * On each node where the going of pods could help, all of lower priority are taken off, and if the pod fits then, they
 * are put back one after the other, the most important first, as long as it still fits; those for which it does not are
 * the victims. Pods whose disruption budget would be violated are put back before the others, for they should stay if
 * anything does. All that is kept for the extenders that have a say in it; of the nodes that is chosen where least harm
 * is done:
 *
 *     fewest violated budgets, then the lowest priority of the highest victim, then the smallest sum of priorities,
 * then the fewest victims, then the latest start of the oldest of the highest victims, then the first
 *
 * Not all nodes of a large cluster are tried: a tenth, a hundred at least (or as configured), from a random one on. The
 * pods are taken off in the cache itself and are all back when preempt() returns. Upstream:
 * pkg/scheduler/framework/preemption. */
#include "api/scheduler/scheduler_int.h"

#include "api/client/jitter.h"

static const char no_victims[] = "No preemption victims found for incoming pod",
                  not_helpful[] = "Preemption is not helpful for scheduling";

/* ---- may it ---- */

static bool was_preempted(const struct pod_info *other)
{
	struct slice list =
	        json_find((struct slice){other->json->data, other->json->len}, "status", "conditions", NULL);
	return memmem(list.ptr ? list.ptr : "", list.len, "\"PreemptionByScheduler\"", 23) != NULL;
}

/* It waits for those that go already. */
static bool waits_for_victims(const struct candidate *p, const struct node_info *n)
{
	LIST_FOREACH (it, &n->pods) {
		const struct pod_info *other = CONTAINER_OF(it, struct pod_info, in_node);
		bool is_going = other->is_dying && was_preempted(other);
		if (other->priority < p->demands.priority && (other->is_victim || is_going))
			return true;
	}
	return false;
}

/* NULL, or why it may not. */
static const char *why_not(struct scheduler *s, struct candidate *p, const struct tally *t)
{
	struct slice nominated = nominee_node(s, p->key);
	const struct node_info *n = nominated.len ? map_get(&s->cache.nodes, nominated) : NULL;
	if (slice_is(json_get_str(p->spec, "preemptionPolicy"), "Never"))
		return "not eligible due to preemptionPolicy=Never.";
	if (n && n->json && t->may_help[n->slot] && waits_for_victims(p, n))
		return "not eligible due to a terminating pod on the nominated node.";
	return NULL;
}

/* ---- who might go ---- */

int preempt_most_important_first(const void *l, const void *r)
{
	const struct lesser *a = l, *b = r;
	if (a->pod->priority != b->pod->priority)
		return a->pod->priority > b->pod->priority ? -1 : 1;
	return slice_cmp(a->started, b->started);
}

static struct lesser *lessers_of(struct candidate *p, struct node_info *n, size_t *ret_count)
{
	struct lesser *all = ARENA_ARRAY(&p->arena, struct lesser, n->n_pods + 1);
	*ret_count = 0;
	LIST_FOREACH (it, &n->pods) {
		struct pod_info *other = CONTAINER_OF(it, struct pod_info, in_node);
		if (other->priority < p->demands.priority)
			all[(*ret_count)++] = (struct lesser){other, pod_started(other), false};
	}
	qsort(all, *ret_count, sizeof *all, preempt_most_important_first);
	return all;
}

/* A budget with what it allows still, while pods are counted against it. */
struct allowance {
	struct slice ns;
	struct label_selector selector;
	const struct json *disrupted; /* by name: those that the API knows of */
	int64_t allowed, left;
};

struct allowances {
	struct allowance *items;
	size_t count;
};

static struct allowances read_budgets(struct scheduler *s, struct candidate *p)
{
	struct informer *budgets = s->budgets ? shared_informer_base(s->budgets) : NULL;
	struct arena *a = &p->arena;
	struct allowances all = {0};
	if (!budgets)
		return all;
	all.items = ARENA_ARRAY(a, struct allowance, informer_count(budgets) + 1);
	INFORMER_FOREACH(o, budgets)
	{
		struct json *budget = informer_parse(a, o), *selector = json_path(budget, "spec", "selector", NULL);
		struct allowance *x = &all.items[all.count];
		bool nothing = false;
		/* one that selects everything is passed over, too: upstream's word */
		if (!selector || label_selector_from_json(a, selector, &x->selector, &nothing, NULL) != 0 || nothing ||
		        !x->selector.count)
			continue;
		x->ns = json_get_str(json_get(budget, "metadata"), "namespace");
		x->disrupted = json_path(budget, "status", "disruptedPods", NULL);
		x->allowed = json_int(json_path(budget, "status", "disruptionsAllowed", NULL), 0);
		all.count++;
	}
	return all;
}

/* In the order of the pods, each is counted against its budgets. */
static void find_violations(struct allowances *budgets, struct lesser *pods, size_t n)
{
	for (size_t k = 0; k < budgets->count; k++)
		budgets->items[k].left = budgets->items[k].allowed;
	for (size_t i = 0; i < n; i++) {
		const struct pod_info *pod = pods[i].pod;
		struct slice name = pod->key;
		slice_cut(&name, '/');
		for (size_t k = 0; pod->labels.len && k < budgets->count; k++) {
			struct allowance *b = &budgets->items[k];
			if (slice_eq(b->ns, pod->ns) && label_selector_matches(&b->selector, pod->labels) &&
			        !json_get_slice(b->disrupted, name))
				pods[i].violates |= --b->left < 0;
		}
	}
}

/* ---- one node ---- */

static void hide(struct scheduler *s, struct candidate *p, struct pod_info *other)
{
	cache_pod_hide(&s->cache, other);
	placement_count(s, p, other, -1);
}

static void show(struct scheduler *s, struct candidate *p, struct pod_info *other)
{
	cache_pod_show(&s->cache, other);
	placement_count(s, p, other, 1);
}

/* Puts back whom it can; the others, of those that violate budgets or of the rest, are victims. */
static void reprieve(
        struct scheduler *s, struct candidate *p, struct offer *o, struct lesser *all, size_t n, bool violating)
{
	for (size_t i = 0; i < n; i++) {
		struct verdict v;
		if (all[i].violates != violating)
			continue;
		show(s, p, all[i].pod);
		if (filters_pass_beside(s, p, o->node, &v))
			continue;
		hide(s, p, all[i].pod);
		o->victims[o->count++] = all[i];
		o->violations += violating;
	}
}

/* False: it does not work there; why is added to the tally. */
static bool try_node(struct scheduler *s, struct candidate *p, struct allowances *budgets, struct node_info *node,
        struct tally *t, struct offer *ret)
{
	size_t n;
	const struct verdict nobody = {.reasons = {no_victims}, .count = 1};
	struct verdict v = nobody;
	struct lesser *all = lessers_of(p, node, &n);
	*ret = (struct offer){.node = node, .victims = ARENA_ARRAY(&p->arena, struct lesser, n + 1)};
	for (size_t i = 0; i < n; i++)
		hide(s, p, all[i].pod);
	bool fits = n && filters_pass_beside(s, p, node, &v);
	if (fits) {
		find_violations(budgets, all, n);
		reprieve(s, p, ret, all, n, true);
		reprieve(s, p, ret, all, n, false);
		for (size_t i = 0; i < ret->count; i++)
			show(s, p, ret->victims[i].pod);
		qsort(ret->victims, ret->count, sizeof *ret->victims, preempt_most_important_first);
	} else {
		for (size_t i = 0; i < n; i++)
			show(s, p, all[i].pod);
	}
	if (!ret->count) /* also when it fits beside all of them, and an extender alone refuses it */
		tally_add(t, fits ? &nobody : &v);
	return ret->count > 0;
}

/* ---- all of them ---- */

static int64_t sum_of(const struct offer *o)
{
	int64_t sum = 0;
	for (size_t i = 0; i < o->count; i++)
		sum += (int64_t)o->victims[i].pod->priority + INT32_MAX + 1; /* so that more victims are more */
	return sum;
}

/* The highest victims come first, and of them the one that has been there longest. */
static bool is_better(const struct offer *a, const struct offer *b)
{
	int32_t high = a->victims[0].pod->priority, other = b->victims[0].pod->priority;
	if (a->violations != b->violations)
		return a->violations < b->violations;
	if (high != other)
		return high < other;
	if (sum_of(a) != sum_of(b))
		return sum_of(a) < sum_of(b);
	if (a->count != b->count)
		return a->count < b->count;
	return slice_cmp(a->victims[0].started, b->victims[0].started) > 0;
}

static size_t enough_offers(const struct candidate *p, size_t nodes)
{
	size_t n = nodes * (size_t)p->profile->candidates_percent / 100, min = (size_t)p->profile->candidates_min;
	n = n > min ? n : min ? min : 1;
	return n < nodes ? n : nodes;
}

static void find_offers(
        struct scheduler *s, struct candidate *p, const struct tally *t, struct tally *why, struct preemption *ret)
{
	size_t n = s->cache.count, first = n ? jitter_below((uint32_t)n) : 0, enough = enough_offers(p, n);
	struct verdict hopeless = {.reasons = {not_helpful}, .count = 1};
	bool any = cache_has_lower(&s->cache, p->demands.priority);
	struct verdict nobody = {.reasons = {no_victims}, .count = 1};
	struct allowances budgets = any ? read_budgets(s, p) : (struct allowances){0};
	ret->offers = ARENA_ARRAY(&p->arena, struct offer, enough + 1);
	for (size_t i = 0; i < n && ret->count < enough; i++) {
		struct node_info *node = s->cache.list[(first + i) % n];
		if (!t->may_help[node->slot])
			tally_add(why, &hopeless);
		else if (!any)
			tally_add(why, &nobody);
		else if (try_node(s, p, &budgets, node, why, &ret->offers[ret->count]))
			ret->count++;
	}
}

void preempt(struct scheduler *s, struct candidate *p, const struct tally *t, struct preemption *ret)
{
	struct tally why = {0};
	*ret = (struct preemption){.message = why_not(s, p, t)};
	if (ret->message)
		return;
	find_offers(s, p, t, &why, ret);
	if (!ret->count) {
		ret->message = tally_text(&p->arena, &why, s->cache.count);
		ret->drops_nomination = nominee_node(s, p->key).len > 0;
	}
}

const struct offer *preempt_best(const struct preemption *x)
{
	const struct offer *best = x->count ? &x->offers[0] : NULL;
	for (size_t i = 1; i < x->count; i++)
		if (is_better(&x->offers[i], best))
			best = &x->offers[i];
	return best;
}

void preempt_carry_out(struct scheduler *s, struct candidate *p, const struct offer *o)
{
	for (size_t i = 0; i < o->count; i++) {
		o->victims[i].pod->is_victim = true;
		bind_evict(s, p, o->victims[i].pod, o->node);
	}
	nominees_displace(s, p->demands.priority, o->node);
	nominee_set(s, p->key, o->node->name, p->json);
}
