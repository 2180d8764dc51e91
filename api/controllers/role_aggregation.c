/* Cluster roles that are put together of others: whoever has an aggregationRule gets the rules of all cluster roles
 * with the labels it selects, in the order of their names, each rule once. A change of any cluster role may concern any
 * of those, and they are few: there is one key, and a run looks at all of them.
 *
 * Upstream: pkg/controller/clusterroleaggregation. */
#include "api/controllers/controllers_int.h"

#include "api/machinery/schema/selector.h"

#define CLUSTER_ROLES "/apis/rbac.authorization.k8s.io/v1/clusterroles"

struct aggregation {
	struct shared_informer *roles;
	struct work_queue *queue;
};

/* The roles that a run has found, to be put in order. */
struct found {
	struct informer_object **roles;
	size_t count;
};

static void role_changed(void *arg, struct informer_object *o)
{
	struct aggregation *s = arg;
	work_queue_add(s->queue, SLICE("all"));
}

static void role_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	role_changed(arg, o);
}

/* ---- a run ---- */

struct search {
	struct arena *arena;
	const struct json *selectors;
	struct slice self;
	struct found found;
};

static bool is_selected(const struct search *x, const struct json *role)
{
	JSON_FOREACH (it, x->selectors) {
		struct label_selector selector;
		bool nothing;
		if (label_selector_from_json(x->arena, it, &selector, &nothing, NULL) == 0 && !nothing &&
		        label_selector_matches_tree(&selector, json_path(role, "metadata", "labels", NULL)))
			return true;
	}
	return false;
}

static void find(struct search *x, const struct informer *roles)
{
	struct found *f = &x->found;
	f->roles = ARENA_ARRAY(x->arena, struct informer_object *, informer_count(roles));
	INFORMER_FOREACH(o, roles)
	if (!slice_eq(o->key, x->self) && is_selected(x, informer_parse(x->arena, o)))
		f->roles[f->count++] = o;
}

static int by_name(const void *a, const void *b)
{
	return slice_cmp((*(struct informer_object *const *)a)->key, (*(struct informer_object *const *)b)->key);
}

static bool is_in(const struct json *rules, const struct json *rule)
{
	JSON_FOREACH (it, rules)
		if (json_equal(it, rule))
			return true;
	return false;
}

static struct json *rules_of(struct search *x)
{
	struct json *rules = json_new(x->arena, JSON_ARRAY);
	if (x->found.count)
		qsort(x->found.roles, x->found.count, sizeof *x->found.roles, by_name);
	for (size_t i = 0; i < x->found.count; i++)
		JSON_FOREACH (it, json_get(informer_parse(x->arena, x->found.roles[i]), "rules"))
			if (!is_in(rules, it))
				json_append(rules, json_copy(x->arena, it));
	return rules;
}

static bool is_as_it_should_be(const struct json *have, const struct json *want)
{
	return want->count ? json_equal(have, want) : !have || !have->first;
}

static void aggregate(struct aggregation *s, struct work *w, struct informer_object *o)
{
	struct arena *a = &w->arena;
	struct json *role = informer_parse(a, o);
	struct search x = {.arena = a, .self = o->key};
	x.selectors = json_path(role, "aggregationRule", "clusterRoleSelectors", NULL);
	find(&x, shared_informer_base(s->roles));
	struct json *rules = rules_of(&x);
	if (is_as_it_should_be(json_get(role, "rules"), rules))
		return;
	struct json *patch = patch_new(a, json_str(json_path(role, "metadata", "resourceVersion", NULL)));
	json_set(a, patch, "rules", rules);
	work_patch(w, kube_path(a, "rbac.authorization.k8s.io/v1", "clusterroles", SLICE_NULL, o->key, NULL),
	        merge_patch, patch, work_done_ignore_missing);
}

/* One that is put together of others may be a part of one more: its change brings the next run. */
static void run(struct work *w)
{
	struct aggregation *s = w->arg;
	INFORMER_FOREACH(o, shared_informer_base(s->roles))
	if (json_find(informer_text(o), "aggregationRule", NULL).len &&
	        !json_find(informer_text(o), "metadata", "deletionTimestamp", NULL).len)
		aggregate(s, w, o);
}

void *role_aggregation_controller_start(struct controllers *c)
{
	struct aggregation *s = xcalloc(1, sizeof *s);
	s->queue = controllers_queue(c, "clusterrole-aggregation", 1, run, s);
	s->roles = controllers_listen(c, CLUSTER_ROLES,
	        &(struct informer_handler){
	                .added = role_changed, .updated = role_updated, .deleted = role_changed, .arg = s});
	return s;
}

void role_aggregation_controller_release(void *state)
{
	free(state);
}
