/* See rbac_index.h.
 *
 *     user or group --> bindings, cluster-wide and by namespace --> role --> rules
 *
 * A decision looks up the user's name and each of his groups, one hash each, and walks the few bindings that it finds
 * there, whatever number of others there are. A service account is its user's name, system:serviceaccount:NS:NAME.
 *
 * Everything belongs to one loop, so nothing is locked. A role's rules are compiled once and never changed: another
 * version takes their place in the role's slot, to which bindings point whether it is filled or not, so that a role
 * that many are bound to costs the same to change as one of nobody. A binding that changes is taken out and put in
 * anew.
 *
 * What can go wrong: the cache loses track and tells everything anew; then one kind is emptied and filled again. An
 * object that is stored and makes no sense (a subject without a name) binds nobody. */
#include "api/server/auth/rights/rbac_index.h"

#include "api/server/cache/follower.h"
#include "base/check.h"

#include <stdlib.h>

/* A role as bindings see it, there or not. */
struct role {
	struct slice key;          /* "Role/NS/NAME" or "ClusterRole/NAME" */
	unsigned bindings;         /* that point here */
	struct compiled *compiled; /* NULL: there is no such role */
};

struct compiled {
	struct arena arena;
	struct rbac_rules rules;
};

struct binding {
	struct slice key; /* "NS/NAME" or "NAME" */
	struct arena arena;
	struct slice name, ns, role_kind, role_name;
	struct role *role;
	struct rbac_subject *subjects;
	size_t n_subjects;
};

/* Bindings of one subject in one scope. */
struct place {
	struct slice key; /* the namespace */
	struct bound {
		const struct binding *binding;
		const struct rbac_subject *subject;
	} * items;
	size_t count, cap;
};

struct subject {
	struct slice key; /* of the user or the group */
	struct place everywhere;
	struct map by_namespace; /* of struct place */
};

struct kind {
	struct cache_follower follower;
	struct rbac_index *index;
	struct map bindings; /* of struct binding, by key */
};

struct rbac_index {
	struct cache *cache; /* NULL: whoever made it tells it */
	struct kind kinds[RBAC_KINDS];
	struct map roles;         /* of struct role */
	struct map users, groups; /* of struct subject */
};

/* ---- roles ---- */

static struct slice role_key(struct strbuf *out, struct slice kind, struct slice ns, struct slice name)
{
	strbuf_reset(out);
	strbuf_add_slice(out, kind);
	strbuf_addc(out, '/');
	if (slice_is(kind, "Role")) {
		strbuf_add_slice(out, ns);
		strbuf_addc(out, '/');
	}
	strbuf_add_slice(out, name);
	return strbuf_slice(out);
}

static struct role *need_role(struct rbac_index *x, struct slice kind, struct slice ns, struct slice name)
{
	CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT;
	struct slice key = role_key(&text, kind, ns, name);
	struct role *r = map_get(&x->roles, key);
	if (r)
		return r;
	r = MAP_ENTRY_NEW(struct role, key, key);
	map_put(&x->roles, r->key, r);
	return r;
}

static void drop_role_if_unused(struct rbac_index *x, struct role *r)
{
	if (r->bindings || r->compiled)
		return;
	map_del(&x->roles, r->key);
	free(r);
}

static void compiled_free(struct compiled *c)
{
	if (!c)
		return;
	arena_release(&c->arena);
	free(c);
}

static struct compiled *compile(const struct object *o)
{
	struct compiled *c = xcalloc(1, sizeof *c);
	struct arena scratch = ARENA_INIT;
	struct json *tree = json_parse(&scratch, object_text(o), NULL, NULL);
	c->rules = rbac_rules_of_json(&c->arena, json_get(tree, "rules"));
	arena_release(&scratch);
	return c;
}

static void role_changed(struct kind *k, const struct object *before, const struct object *now)
{
	const struct object *o = now ? now : before;
	struct slice kind = k == &k->index->kinds[RBAC_ROLE] ? SLICE("Role") : SLICE("ClusterRole");
	struct role *r = need_role(k->index, kind, object_namespace(o), object_name(o));
	compiled_free(r->compiled);
	r->compiled = now ? compile(now) : NULL;
	drop_role_if_unused(k->index, r);
}

static void forget_roles(struct kind *k)
{
	struct rbac_index *x = k->index;
	const char *prefix = k == &x->kinds[RBAC_ROLE] ? "Role/" : "ClusterRole/";
	struct strbuf unused = STRBUF_INIT; /* pointers: the map must not change while it is walked */
	MAP_FOREACH (slot, &x->roles) {
		struct role *r = slot->value;
		if (!slice_starts(r->key, prefix))
			continue;
		compiled_free(TAKE(r->compiled));
		strbuf_add(&unused, &r, sizeof r);
	}
	for (size_t i = 0; i < unused.len; i += sizeof(struct role *)) {
		struct role *r;
		memcpy(&r, unused.data + i, sizeof r);
		drop_role_if_unused(x, r);
	}
	strbuf_release(&unused);
}

/* ---- subjects ---- */

static struct place *place_of(struct subject *s, struct slice ns, bool make)
{
	if (!ns.len)
		return &s->everywhere;
	struct place *p = map_get(&s->by_namespace, ns);
	if (!p && make) {
		p = MAP_ENTRY_NEW(struct place, key, ns);
		map_put(&s->by_namespace, p->key, p);
	}
	return p;
}

static void place_add(struct place *p, const struct binding *b, const struct rbac_subject *subject)
{
	if (p->count == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 2;
		p->items = xrealloc(p->items, p->cap * sizeof *p->items);
	}
	p->items[p->count++] = (struct bound){b, subject};
}

static void place_remove(struct place *p, const struct binding *b)
{
	size_t kept = 0;
	for (size_t i = 0; i < p->count; i++)
		if (p->items[i].binding != b)
			p->items[kept++] = p->items[i];
	p->count = kept;
}

/* The map and the name in it; NULL when the subject is nobody. */
static struct map *find_map(
        struct rbac_index *x, const struct binding *b, const struct rbac_subject *s, struct strbuf *name)
{
	struct slice ns = s->ns.len ? s->ns : b->ns;
	strbuf_reset(name);
	if (!s->name.len)
		return NULL;
	if (slice_is(s->kind, "ServiceAccount") && ns.len)
		strbuf_addf(name, "system:serviceaccount:%.*s:", SLICE_FMT(ns));
	else if (!slice_is(s->kind, "User") && !slice_is(s->kind, "Group"))
		return NULL;
	strbuf_add_slice(name, s->name);
	return slice_is(s->kind, "Group") ? &x->groups : &x->users;
}

static void bind_subject(struct rbac_index *x, const struct binding *b, const struct rbac_subject *s)
{
	CLEANUP(cleanup_strbuf) struct strbuf name = STRBUF_INIT;
	struct map *m = find_map(x, b, s, &name);
	struct subject *subject = m ? map_get(m, strbuf_slice(&name)) : NULL;
	if (!m)
		return;
	if (!subject) {
		subject = MAP_ENTRY_NEW(struct subject, key, strbuf_slice(&name));
		map_put(m, subject->key, subject);
	}
	place_add(place_of(subject, b->ns, true), b, s);
}

static void place_free(struct place *p)
{
	free(p->items);
	free(p);
}

static void subject_free(struct subject *s)
{
	MAP_FOREACH (slot, &s->by_namespace)
		place_free(slot->value);
	map_release(&s->by_namespace);
	free(s->everywhere.items);
	free(s);
}

static void unbind_subject(struct rbac_index *x, const struct binding *b, const struct rbac_subject *s)
{
	CLEANUP(cleanup_strbuf) struct strbuf name = STRBUF_INIT;
	struct map *m = find_map(x, b, s, &name);
	struct subject *subject = m ? map_get(m, strbuf_slice(&name)) : NULL;
	struct place *p = subject ? place_of(subject, b->ns, false) : NULL;
	if (!p)
		return; /* the binding named it twice */
	place_remove(p, b);
	if (!p->count && p != &subject->everywhere) {
		map_del(&subject->by_namespace, p->key);
		place_free(p);
	}
	if (!subject->everywhere.count && !subject->by_namespace.count) {
		map_del(m, subject->key);
		subject_free(subject);
	}
}

/* ---- bindings ---- */

static struct slice keep(struct binding *b, struct slice s)
{
	return s.len ? (struct slice){arena_memdup(&b->arena, s.ptr, s.len), s.len} : SLICE_NULL;
}

static struct binding *binding_new(const struct object *o)
{
	struct binding *b = MAP_ENTRY_NEW(struct binding, key, o->key);
	struct arena scratch = ARENA_INIT;
	struct json *tree = json_parse(&scratch, object_text(o), NULL, NULL), *subjects = json_get(tree, "subjects");
	b->name = keep(b, object_name(o));
	b->ns = keep(b, object_namespace(o));
	b->role_kind = keep(b, json_str(json_path(tree, "roleRef", "kind", NULL)));
	b->role_name = keep(b, json_str(json_path(tree, "roleRef", "name", NULL)));
	b->subjects = ARENA_ARRAY(&b->arena, struct rbac_subject, json_is(subjects, JSON_ARRAY) ? subjects->count : 0);
	JSON_FOREACH (it, subjects)
		b->subjects[b->n_subjects++] = (struct rbac_subject){keep(b, json_get_str(it, "kind")),
		        keep(b, json_get_str(it, "name")), keep(b, json_get_str(it, "namespace"))};
	arena_release(&scratch);
	return b;
}

static void add_binding(struct kind *k, const struct object *o)
{
	struct binding *b = binding_new(o);
	b->role = need_role(k->index, b->role_kind, b->ns, b->role_name);
	b->role->bindings++;
	for (size_t i = 0; i < b->n_subjects; i++)
		bind_subject(k->index, b, &b->subjects[i]);
	CHECK(!map_put(&k->bindings, b->key, b));
}

static void binding_free(struct binding *b)
{
	arena_release(&b->arena);
	free(b);
}

static void remove_binding(struct kind *k, struct slice key)
{
	struct binding *b = map_del(&k->bindings, key);
	if (!b)
		return;
	for (size_t i = 0; i < b->n_subjects; i++)
		unbind_subject(k->index, b, &b->subjects[i]);
	b->role->bindings--;
	drop_role_if_unused(k->index, b->role);
	binding_free(b);
}

static void forget_bindings(struct kind *k)
{
	while (k->bindings.count)
		MAP_FOREACH (slot, &k->bindings) {
			remove_binding(k, slot->key);
			break; /* it has changed */
		}
}

/* ---- the cache ---- */

static struct kind *kind_of(struct cache_follower *f)
{
	return CONTAINER_OF(f, struct kind, follower);
}

static bool is_of_bindings(const struct kind *k)
{
	return k - k->index->kinds >= RBAC_ROLE_BINDING;
}

void rbac_index_change(struct rbac_index *x, enum rbac_kind kind, const struct object *before, const struct object *now)
{
	struct kind *k = &x->kinds[kind];
	CHECK(before || now);
	if (!is_of_bindings(k)) {
		role_changed(k, before, now);
		return;
	}
	remove_binding(k, now ? now->key : before->key);
	if (now)
		add_binding(k, now);
}

static void changed(struct cache_follower *f, const struct object *before, const struct object *now)
{
	struct kind *k = kind_of(f);
	rbac_index_change(k->index, (enum rbac_kind)(k - k->index->kinds), before, now);
}

static void forget(struct cache_follower *f)
{
	struct kind *k = kind_of(f);
	if (is_of_bindings(k))
		forget_bindings(k);
	else
		forget_roles(k);
}

static void catch_up(struct rbac_index *x)
{
	for (size_t i = 0; x->cache && i < RBAC_KINDS; i++)
		cache_follower_catch_up(&x->kinds[i].follower);
}

struct rbac_index *rbac_index_new(struct cache *c)
{
	static const char *const plurals[RBAC_KINDS] = {
	        [RBAC_ROLE] = "roles", "clusterroles", "rolebindings", "clusterrolebindings"};
	struct rbac_index *x = xcalloc(1, sizeof *x);
	x->cache = c;
	for (size_t i = 0; i < RBAC_KINDS; i++) {
		x->kinds[i].index = x;
		x->kinds[i].follower = (struct cache_follower){.changed = changed, .forget = forget};
		if (c)
			cache_follower_init(&x->kinds[i].follower, c,
			        resource_find_preferred(SLICE("rbac.authorization.k8s.io"), slice_of(plurals[i])));
	}
	return x;
}

void rbac_index_free(struct rbac_index *x)
{
	if (!x)
		return;
	for (size_t i = RBAC_KINDS; i-- > 0;) {
		cache_follower_stop(&x->kinds[i].follower);
		forget(&x->kinds[i].follower);
		map_release(&x->kinds[i].bindings);
	}
	CHECK(!x->roles.count && !x->users.count && !x->groups.count);
	map_release(&x->roles);
	map_release(&x->users);
	map_release(&x->groups);
	free(x);
}

/* ---- asking ---- */

static const struct rbac_rules *rules_of(const struct role *r)
{
	return r && r->compiled ? &r->compiled->rules : NULL;
}

const struct rbac_rules *rbac_index_role(struct rbac_index *x, struct slice kind, struct slice ns, struct slice name)
{
	CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT;
	catch_up(x);
	return rules_of(map_get(&x->roles, role_key(&text, kind, ns, name)));
}

static struct rbac_grant grant_of(const struct bound *b)
{
	const struct binding *binding = b->binding;
	return (struct rbac_grant){binding->name, binding->ns, binding->role_kind, binding->role_name, b->subject,
	        rules_of(binding->role)};
}

struct walk {
	struct subject *subjects[1 + USER_GROUPS_MAX]; /* those of the user's names that are bound at all */
	size_t count;
};

static void find_subjects(struct rbac_index *x, const struct user *u, struct walk *w)
{
	struct subject *s = map_get(&x->users, u->name);
	w->count = 0;
	if (s)
		w->subjects[w->count++] = s;
	for (size_t i = 0; i < u->n_groups; i++)
		if ((s = map_get(&x->groups, u->groups[i])))
			w->subjects[w->count++] = s;
}

void rbac_index_each(struct rbac_index *x, const struct user *u, struct slice ns,
        bool (*fn)(void *arg, const struct rbac_grant *g), void *arg)
{
	struct walk w;
	catch_up(x);
	find_subjects(x, u, &w);
	for (int in_ns = 0; in_ns <= (ns.len > 0); in_ns++)
		for (size_t i = 0; i < w.count; i++) {
			struct place *p = place_of(w.subjects[i], in_ns ? ns : SLICE_NULL, false);
			for (size_t k = 0; p && k < p->count; k++) {
				struct rbac_grant g = grant_of(&p->items[k]);
				if (!fn(arg, &g))
					return;
			}
		}
}

bool rbac_index_allows(struct rbac_index *x, const struct attributes *a, struct rbac_grant *ret)
{
	struct walk w;
	catch_up(x);
	find_subjects(x, a->user, &w);
	for (int in_ns = 0; in_ns <= (a->is_resource && a->ns.len > 0); in_ns++)
		for (size_t i = 0; i < w.count; i++) {
			struct place *p = place_of(w.subjects[i], in_ns ? a->ns : SLICE_NULL, false);
			for (size_t k = 0; p && k < p->count; k++) {
				const struct rbac_rules *rules = rules_of(p->items[k].binding->role);
				if (rules && rbac_rules_allow(rules, a)) {
					*ret = grant_of(&p->items[k]);
					return true;
				}
			}
		}
	return false;
}
