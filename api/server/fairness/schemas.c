/* See schemas.h. Upstream: apiserver/pkg/util/flowcontrol/rule.go. */
#include "api/server/fairness/schemas.h"

#include "base/check.h"

#include <stdlib.h>

enum subject_kind { SUBJECT_USER, SUBJECT_GROUP, SUBJECT_ACCOUNT };

struct subject {
	enum subject_kind kind;
	struct slice ns, name;
};

struct texts {
	struct slice *items;
	size_t count;
};

struct what { /* a resource rule or, with urls, a non-resource rule */
	struct texts verbs, groups, resources, namespaces, urls;
	bool has_cluster_scope;
};

struct schema_rule {
	struct subject *subjects;
	size_t n_subjects;
	struct what *whats;
	size_t n_whats;
};

/* ---- reading ---- */

static struct slice keep(struct arena *a, struct slice s)
{
	return (struct slice){arena_memdup(a, s.ptr ? s.ptr : "", s.len), s.len};
}

static struct texts texts_of(struct arena *a, const struct json *object, const char *name)
{
	const struct json *array = json_get(object, name);
	struct texts t = {0};
	if (!json_is(array, JSON_ARRAY))
		return t;
	t.items = ARENA_ARRAY(a, struct slice, array->count + 1);
	JSON_FOREACH (it, array)
		t.items[t.count++] = keep(a, json_str(it));
	return t;
}

static bool read_subject(struct arena *a, const struct json *v, struct subject *ret)
{
	static const char *const kinds[][2] = {
	        [SUBJECT_USER] = {"User", "user"},
	        [SUBJECT_GROUP] = {"Group", "group"},
	        [SUBJECT_ACCOUNT] = {"ServiceAccount", "serviceAccount"},
	};
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (slice_is(json_get_str(v, "kind"), kinds[i][0])) {
			const struct json *of = json_get(v, kinds[i][1]);
			*ret = (struct subject){(enum subject_kind)i, keep(a, json_get_str(of, "namespace")),
			        keep(a, json_get_str(of, "name"))};
			return true;
		}
	return false;
}

static size_t count_of(const struct json *array)
{
	return json_is(array, JSON_ARRAY) ? array->count : 0;
}

static void read_rule(struct arena *a, const struct json *v, struct schema_rule *r)
{
	const struct json *subjects = json_get(v, "subjects"), *resources = json_get(v, "resourceRules"),
	                  *paths = json_get(v, "nonResourceRules");
	r->subjects = ARENA_ARRAY(a, struct subject, count_of(subjects) + 1);
	r->whats = ARENA_ARRAY(a, struct what, count_of(resources) + count_of(paths) + 1);
	JSON_FOREACH (it, subjects)
		r->n_subjects += read_subject(a, it, &r->subjects[r->n_subjects]);
	JSON_FOREACH (it, resources)
		r->whats[r->n_whats++] = (struct what){texts_of(a, it, "verbs"), texts_of(a, it, "apiGroups"),
		        texts_of(a, it, "resources"), texts_of(a, it, "namespaces"), {0},
		        json_get_bool(it, "clusterScope", false)};
	JSON_FOREACH (it, paths)
		r->whats[r->n_whats++] =
		        (struct what){.verbs = texts_of(a, it, "verbs"), .urls = texts_of(a, it, "nonResourceURLs")};
}

struct schema *schema_new(const struct json *object)
{
	const struct json *meta = json_get(object, "metadata"), *spec = json_get(object, "spec"),
	                  *rules = json_get(spec, "rules");
	struct slice by = json_str(json_path(spec, "distinguisherMethod", "type", NULL));
	struct slice level = json_str(json_path(spec, "priorityLevelConfiguration", "name", NULL));
	if (!json_get_str(meta, "name").len || !level.len)
		return NULL;
	struct schema *s = xcalloc(1, sizeof *s);
	struct arena *a = &s->arena;
	s->refs = 1;
	s->name = keep(a, json_get_str(meta, "name"));
	s->uid = keep(a, json_get_str(meta, "uid"));
	s->level = keep(a, level);
	s->precedence = json_get_int(spec, "matchingPrecedence", 1000);
	s->by = slice_is(by, "ByUser") ? FLOW_BY_USER : slice_is(by, "ByNamespace") ? FLOW_BY_NAMESPACE : FLOW_OF_ALL;
	s->rules = ARENA_ARRAY(a, struct schema_rule, count_of(rules) + 1);
	JSON_FOREACH (it, rules)
		read_rule(a, it, &s->rules[s->n_rules++]);
	return s;
}

struct schema *schema_ref(struct schema *s)
{
	CHECK(s->refs > 0);
	s->refs++;
	return s;
}

void schema_unref(struct schema *s)
{
	if (!s || --s->refs)
		return;
	arena_release(&s->arena);
	free(s);
}

void schema_take_counts(struct schema *s, const struct schema *before)
{
	CHECK(slice_eq(s->name, before->name));
	s->dispatched = before->dispatched;
	memcpy(s->refused, before->refused, sizeof s->refused);
}

/* ---- asking ---- */

static bool has(const struct texts *t, struct slice s)
{
	for (size_t i = 0; i < t->count; i++)
		if (slice_eq(t->items[i], s))
			return true;
	return false;
}

static bool has_or_all(const struct texts *t, struct slice s)
{
	return has(t, SLICE("*")) || has(t, s);
}

/* "system:serviceaccount:NS:NAME", NAME perhaps "*". */
static bool is_account(const struct subject *s, struct slice user)
{
	struct slice rest = user;
	if (!slice_is(slice_cut(&rest, ':'), "system") || !slice_is(slice_cut(&rest, ':'), "serviceaccount") ||
	        !slice_eq(slice_cut(&rest, ':'), s->ns))
		return false;
	return rest.len && (slice_is(s->name, "*") || slice_eq(s->name, rest));
}

static bool is_meant(const struct subject *s, const struct user *u)
{
	if (s->kind == SUBJECT_ACCOUNT)
		return is_account(s, u->name);
	if (slice_is(s->name, "*"))
		return true;
	if (s->kind == SUBJECT_USER)
		return slice_eq(s->name, u->name);
	for (size_t i = 0; i < u->n_groups; i++)
		if (slice_eq(s->name, u->groups[i]))
			return true;
	return false;
}

static bool resource_fits(const struct texts *t, const struct attributes *a)
{
	for (size_t i = 0; i < t->count; i++) {
		struct slice sub = t->items[i], resource = slice_cut(&sub, '/');
		if (slice_is(t->items[i], "*"))
			return true;
		if (slice_eq(resource, a->resource) && (sub.ptr ? slice_eq(sub, a->subresource) : !a->subresource.len))
			return true;
	}
	return false;
}

static bool path_fits(const struct texts *t, struct slice path)
{
	for (size_t i = 0; i < t->count; i++) {
		struct slice url = t->items[i];
		if (slice_is(url, "*") || slice_eq(url, path))
			return true;
		if (slice_ends(url, "/*") && path.len >= url.len - 1 && memcmp(path.ptr, url.ptr, url.len - 1) == 0)
			return true;
	}
	return false;
}

static bool what_fits(const struct what *w, const struct attributes *a)
{
	if (!has_or_all(&w->verbs, a->verb))
		return false;
	if (!a->is_resource)
		return path_fits(&w->urls, a->path);
	if (!has_or_all(&w->groups, a->group) || !resource_fits(&w->resources, a))
		return false;
	return a->ns.len ? has_or_all(&w->namespaces, a->ns) : w->has_cluster_scope;
}

static bool rule_fits(const struct schema_rule *r, const struct attributes *a)
{
	bool is_subject = false;
	for (size_t i = 0; !is_subject && i < r->n_subjects; i++)
		is_subject = is_meant(&r->subjects[i], a->user);
	for (size_t i = 0; is_subject && i < r->n_whats; i++)
		if (what_fits(&r->whats[i], a))
			return true;
	return false;
}

bool schema_matches(const struct schema *s, const struct attributes *a)
{
	CHECK(a->user != NULL);
	for (size_t i = 0; i < s->n_rules; i++)
		if (rule_fits(&s->rules[i], a))
			return true;
	return false;
}

int schema_compare(const struct schema *x, const struct schema *y)
{
	if (x->precedence != y->precedence)
		return x->precedence < y->precedence ? -1 : 1;
	return slice_cmp(x->name, y->name);
}

/* FNV-1a (Fowler, Noll, Vo), and a last mixing, for its low bits are what the first card is dealt by. */
static uint64_t mix_in(uint64_t h, struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.ptr[i]) * 0x100000001b3;
	return (h ^ 0xff) * 0x100000001b3; /* where one text ends */
}

uint64_t schema_flow_hash(const struct schema *s, const struct attributes *a)
{
	uint64_t h = mix_in(0xcbf29ce484222325, s->name);
	if (s->by != FLOW_OF_ALL)
		h = mix_in(h, s->by == FLOW_BY_USER ? a->user->name : a->ns);
	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15;
	return h ^ h >> 29;
}
