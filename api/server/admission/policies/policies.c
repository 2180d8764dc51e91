/* See policy.h. Which policies there are: the cache's objects, compiled once for each of their revisions. What has not
 * changed is kept; whether anything has is told by the number of the cache's last event. */
#include "api/server/admission/policies/policy.h"

#include "api/server/state.h"
#include "base/check.h"

#include <stdlib.h>

#define GROUP SLICE("admissionregistration.k8s.io")

struct seen {
	uint64_t next_seq;
	int64_t horizon;
};

struct policy_store {
	struct policies all;
	struct seen policies, bindings;
};

static struct cache_resource *objects(struct api_server *s, const char *plural)
{
	const struct resource *r = resource_find_preferred(GROUP, slice_of(plural));
	return r ? cache_resource(s->cache, r) : NULL;
}

static bool is_as_seen(const struct cache_resource *cr, struct seen *seen)
{
	bool same = cr->next_seq == seen->next_seq && cr->horizon == seen->horizon;
	*seen = (struct seen){cr->next_seq, cr->horizon};
	return same;
}

static struct slice keep(struct arena *a, struct slice s)
{
	return (struct slice){arena_memdup(a, s.ptr ? s.ptr : "", s.len), s.len};
}

/* ---- policies ---- */

static struct policy *policy_new(struct object *o)
{
	struct policy *p = xcalloc(1, sizeof *p);
	struct err err = ERR_INIT;
	arena_init(&p->arena);
	struct json *tree = json_parse(&p->arena, object_text(o), NULL, &err);
	p->name = keep(&p->arena, object_name(o));
	p->revision = o->revision;
	p->spec = json_get(tree, "spec");
	p->ignores_failure = slice_is(json_get_str(p->spec, "failurePolicy"), "Ignore");
	p->program = policy_program_new(&p->arena, p->spec, NULL, NULL, NULL);
	if (admission_matcher_new(
	            &p->arena, json_get(p->spec, "matchConstraints"), "resourceRules", &p->matcher, &err) != 0)
		p->fault = arena_strdup(&p->arena, err.msg);
	return p;
}

static void policy_free(struct policy *p)
{
	struct arena a = p->arena;
	free(p);
	arena_release(&a);
}

static struct policy_binding *binding_new(struct object *o)
{
	struct policy_binding *b = xcalloc(1, sizeof *b);
	struct err err = ERR_INIT;
	arena_init(&b->arena);
	struct json *tree = json_parse(&b->arena, object_text(o), NULL, &err);
	b->name = keep(&b->arena, object_name(o));
	b->revision = o->revision;
	b->spec = json_get(tree, "spec");
	b->policy = json_get_str(b->spec, "policyName");
	if (admission_matcher_new(&b->arena, json_get(b->spec, "matchResources"), "resourceRules", &b->matcher, &err) !=
	        0)
		b->fault = arena_strdup(&b->arena, err.msg);
	return b;
}

static void binding_free(struct policy_binding *b)
{
	struct arena a = b->arena;
	free(b);
	arena_release(&a);
}

/* ---- following the cache ---- */

static size_t count_objects(struct cache_resource *cr)
{
	size_t n = 0;
	for (struct omap_node *it = omap_seek(&cr->objects, SLICE("")); it; it = omap_next(it))
		n++;
	return n;
}

static void renew_policies(struct policies *all, struct cache_resource *cr)
{
	struct policy **now = xcalloc(count_objects(cr) + 1, sizeof *now);
	size_t n = 0, old = 0;
	for (struct omap_node *it = omap_seek(&cr->objects, SLICE("")); it; it = omap_next(it)) {
		struct object *o = it->value;
		while (old < all->policy_count && slice_cmp(all->policies[old]->name, object_name(o)) < 0)
			policy_free(all->policies[old++]);
		bool is_there = old < all->policy_count && slice_eq(all->policies[old]->name, object_name(o));
		if (is_there && all->policies[old]->revision == o->revision) {
			now[n++] = all->policies[old++];
			continue;
		}
		if (is_there)
			policy_free(all->policies[old++]);
		now[n++] = policy_new(o);
	}
	while (old < all->policy_count)
		policy_free(all->policies[old++]);
	free(all->policies);
	all->policies = now;
	all->policy_count = n;
}

/* They are few, and quickly made. */
static void renew_bindings(struct policies *all, struct cache_resource *cr)
{
	for (size_t i = 0; i < all->binding_count; i++)
		binding_free(all->bindings[i]);
	free(all->bindings);
	all->bindings = xcalloc(count_objects(cr) + 1, sizeof *all->bindings);
	all->binding_count = 0;
	for (struct omap_node *it = omap_seek(&cr->objects, SLICE("")); it; it = omap_next(it))
		all->bindings[all->binding_count++] = binding_new(it->value);
}

const struct policies *policies_get(struct api_server *s)
{
	struct cache_resource *policies = objects(s, "validatingadmissionpolicies"),
	                      *bindings = objects(s, "validatingadmissionpolicybindings");
	LOOP_CHECK_OWNER(s->loop);
	if (!s->policies)
		s->policies = xcalloc(1, sizeof *s->policies);
	if (!is_as_seen(policies, &s->policies->policies))
		renew_policies(&s->policies->all, policies);
	if (!is_as_seen(bindings, &s->policies->bindings))
		renew_bindings(&s->policies->all, bindings);
	return &s->policies->all;
}

void policies_free(struct api_server *s)
{
	struct policy_store *store = s->policies;
	for (size_t i = 0; store && i < store->all.policy_count; i++)
		policy_free(store->all.policies[i]);
	for (size_t i = 0; store && i < store->all.binding_count; i++)
		binding_free(store->all.bindings[i]);
	if (store) {
		free(store->all.policies);
		free(store->all.bindings);
	}
	free(store);
	s->policies = NULL;
}
