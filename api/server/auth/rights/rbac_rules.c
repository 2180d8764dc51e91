/* See rbac_rules.h.
 *
 * A rule is about resources or about paths. Of resources it matches when its verbs, groups, resources and names all do:
 * "*" is any verb, group or resource; "pods" is not "pods/log"; a star before "/scale" is that subresource of whatever
 * resource; no names are all names, and a request that names nothing (a list, a creation) is matched by no rule with
 * names. Of paths "*" and a "*" at the end stand for any rest.
 *
 * Covering is stricter than matching by some rule of several: each wanted piece must be covered by one held rule, so
 * that what is granted can be read off a role. */
#include "api/server/auth/rights/rbac_rules.h"

#include "base/check.h"

static bool has(const struct rbac_list *l, struct slice text)
{
	for (size_t i = 0; i < l->count; i++)
		if (slice_eq(l->items[i], text))
			return true;
	return false;
}

static bool is_star(struct slice s)
{
	return s.len == 1 && s.ptr[0] == '*';
}

static bool has_or_star(const struct rbac_list *l, struct slice text)
{
	for (size_t i = 0; i < l->count; i++)
		if (is_star(l->items[i]) || slice_eq(l->items[i], text))
			return true;
	return false;
}

/* ---- matching ---- */

/* Is `text` "RESOURCE/SUB", or RESOURCE alone when there is no sub? */
static bool is_resource(struct slice text, struct slice resource, struct slice sub)
{
	if (!sub.len)
		return slice_eq(text, resource);
	return text.len == resource.len + 1 + sub.len && text.ptr[resource.len] == '/' &&
	       memcmp(text.ptr, resource.ptr, resource.len) == 0 &&
	       memcmp(text.ptr + resource.len + 1, sub.ptr, sub.len) == 0;
}

static bool allows_resource(const struct rbac_list *l, struct slice resource, struct slice sub)
{
	for (size_t i = 0; i < l->count; i++) {
		struct slice t = l->items[i];
		if (is_star(t) || is_resource(t, resource, sub) || (sub.len && is_resource(t, SLICE("*"), sub)))
			return true;
	}
	return false;
}

static bool url_covers(struct slice pattern, struct slice path)
{
	struct slice stem = pattern;
	if (is_star(pattern) || slice_eq(pattern, path))
		return true;
	while (stem.len && stem.ptr[stem.len - 1] == '*')
		stem.len--;
	return stem.len < pattern.len && path.len >= stem.len && memcmp(path.ptr, stem.ptr, stem.len) == 0;
}

static bool allows_url(const struct rbac_list *l, struct slice path)
{
	for (size_t i = 0; i < l->count; i++)
		if (url_covers(l->items[i], path))
			return true;
	return false;
}

/* The group first: most rules end there. */
bool rbac_rule_allows(const struct rbac_rule *r, const struct attributes *a)
{
	if (!a->is_resource)
		return allows_url(&r->urls, a->path) && has_or_star(&r->verbs, a->verb);
	return has_or_star(&r->groups, a->group) && allows_resource(&r->resources, a->resource, a->subresource) &&
	       has_or_star(&r->verbs, a->verb) && (!r->names.count || has(&r->names, a->name));
}

bool rbac_rules_allow(const struct rbac_rules *r, const struct attributes *a)
{
	for (size_t i = 0; i < r->count; i++)
		if (rbac_rule_allows(&r->items[i], a))
			return true;
	return false;
}

/* ---- covering ---- */

/* `text` is "pods", "pods/log" or "*". */
static bool covers_resource(const struct rbac_list *l, struct slice text)
{
	struct slice sub = text;
	if (has_or_star(l, text))
		return true;
	slice_cut(&sub, '/');
	for (size_t i = 0; sub.len && i < l->count; i++)
		if (is_resource(l->items[i], SLICE("*"), sub))
			return true;
	return false;
}

/* `piece` has one of everything. */
static bool covers(const struct rbac_rule *held, const struct rbac_rule *piece)
{
	if (!has_or_star(&held->verbs, piece->verbs.items[0]))
		return false;
	if (piece->urls.count)
		return allows_url(&held->urls, piece->urls.items[0]);
	if (!has_or_star(&held->groups, piece->groups.items[0]) ||
	        !covers_resource(&held->resources, piece->resources.items[0]))
		return false;
	return !held->names.count || (piece->names.count && has(&held->names, piece->names.items[0]));
}

static bool any_covers(const struct rbac_rules *held, const struct rbac_rule *piece)
{
	for (size_t i = 0; i < held->count; i++)
		if (covers(&held->items[i], piece))
			return true;
	return false;
}

struct growing {
	struct arena *arena;
	struct rbac_rules rules;
	size_t cap;
};

static void add_rule(struct growing *g, const struct rbac_rule *r)
{
	if (g->rules.count == g->cap) {
		size_t cap = g->cap ? 2 * g->cap : 8;
		struct rbac_rule *items = ARENA_ARRAY(g->arena, struct rbac_rule, cap);
		if (g->rules.count)
			memcpy(items, g->rules.items, g->rules.count * sizeof *items);
		g->rules.items = items;
		g->cap = cap;
	}
	g->rules.items[g->rules.count++] = *r;
}

static struct rbac_list one_of(const struct rbac_list *l, size_t i)
{
	return i < l->count ? (struct rbac_list){&l->items[i], 1} : (struct rbac_list){0};
}

static void take_missing(struct growing *g, const struct rbac_rules *held, const struct rbac_rule *piece)
{
	if (!any_covers(held, piece))
		add_rule(g, piece);
}

static void missing_resources(
        struct growing *g, const struct rbac_rules *held, const struct rbac_rule *w, const struct rbac_list *verb)
{
	for (size_t i = 0; i < w->groups.count; i++)
		for (size_t k = 0; k < w->resources.count; k++)
			for (size_t n = 0; n < w->names.count || n == 0; n++)
				take_missing(g, held,
				        &(struct rbac_rule){.verbs = *verb,
				                .groups = one_of(&w->groups, i),
				                .resources = one_of(&w->resources, k),
				                .names = one_of(&w->names, n)});
}

struct rbac_rules rbac_rules_missing(struct arena *a, const struct rbac_rules *held, const struct rbac_rules *wanted)
{
	struct growing g = {.arena = a};
	for (size_t i = 0; i < wanted->count; i++)
		for (size_t v = 0; v < wanted->items[i].verbs.count; v++) {
			const struct rbac_rule *w = &wanted->items[i];
			struct rbac_list verb = one_of(&w->verbs, v);
			missing_resources(&g, held, w, &verb);
			for (size_t u = 0; u < w->urls.count; u++)
				take_missing(&g, held, &(struct rbac_rule){.verbs = verb, .urls = one_of(&w->urls, u)});
		}
	return g.rules;
}

/* ---- comparing and joining ---- */

static bool list_equal(const struct rbac_list *a, const struct rbac_list *b)
{
	for (size_t i = 0; a->count == b->count && i < a->count; i++)
		if (!slice_eq(a->items[i], b->items[i]))
			return false;
	return a->count == b->count;
}

static bool equal_but_verbs(const struct rbac_rule *a, const struct rbac_rule *b)
{
	return list_equal(&a->groups, &b->groups) && list_equal(&a->resources, &b->resources) &&
	       list_equal(&a->names, &b->names) && list_equal(&a->urls, &b->urls);
}

bool rbac_rule_equal(const struct rbac_rule *a, const struct rbac_rule *b)
{
	return list_equal(&a->verbs, &b->verbs) && equal_but_verbs(a, b);
}

static struct rbac_list joined(struct arena *a, const struct rbac_list *x, const struct rbac_list *y)
{
	struct slice *items = ARENA_ARRAY(a, struct slice, x->count + y->count);
	struct rbac_list ret = {items, x->count};
	memcpy(items, x->items, x->count * sizeof *items);
	for (size_t i = 0; i < y->count; i++)
		if (!has(&ret, y->items[i]))
			items[ret.count++] = y->items[i];
	return ret;
}

struct rbac_rules rbac_rules_compact(struct arena *a, const struct rbac_rules *rules)
{
	struct growing g = {.arena = a};
	for (size_t i = 0; i < rules->count; i++) {
		const struct rbac_rule *r = &rules->items[i];
		size_t k = 0;
		while (k < g.rules.count && !equal_but_verbs(&g.rules.items[k], r))
			k++;
		if (k < g.rules.count)
			g.rules.items[k].verbs = joined(a, &g.rules.items[k].verbs, &r->verbs);
		else
			add_rule(&g, r);
	}
	return g.rules;
}

/* ---- text ---- */

static void describe_list(struct strbuf *out, const char *name, const struct rbac_list *l)
{
	if (!l->count)
		return;
	strbuf_addf(out, "%s%s:[", out->len && out->data[out->len - 1] == '{' ? "" : ", ", name);
	for (size_t i = 0; i < l->count; i++) {
		strbuf_adds(out, i ? " " : "");
		json_write_str(out, l->items[i]);
	}
	strbuf_addc(out, ']');
}

void rbac_rule_describe(const struct rbac_rule *r, struct strbuf *out)
{
	strbuf_addc(out, '{');
	describe_list(out, "APIGroups", &r->groups);
	describe_list(out, "Resources", &r->resources);
	describe_list(out, "NonResourceURLs", &r->urls);
	describe_list(out, "ResourceNames", &r->names);
	describe_list(out, "Verbs", &r->verbs);
	strbuf_addc(out, '}');
}

/* ---- JSON ---- */

static struct rbac_list list_of_json(struct arena *a, const struct json *array)
{
	if (!json_is(array, JSON_ARRAY))
		return (struct rbac_list){0};
	struct slice *items = ARENA_ARRAY(a, struct slice, array->count);
	struct rbac_list ret = {items, 0};
	JSON_FOREACH (it, array) {
		struct slice s = json_str(it);
		if (it->type == JSON_STRING)
			items[ret.count++] = (struct slice){arena_memdup(a, s.ptr, s.len), s.len};
	}
	return ret;
}

struct rbac_rules rbac_rules_of_json(struct arena *a, const struct json *rules)
{
	struct rbac_rules ret = {0};
	if (!json_is(rules, JSON_ARRAY))
		return ret;
	ret.items = ARENA_ARRAY(a, struct rbac_rule, rules->count);
	JSON_FOREACH (it, rules)
		if (it->type == JSON_OBJECT)
			ret.items[ret.count++] = (struct rbac_rule){.verbs = list_of_json(a, json_get(it, "verbs")),
			        .groups = list_of_json(a, json_get(it, "apiGroups")),
			        .resources = list_of_json(a, json_get(it, "resources")),
			        .names = list_of_json(a, json_get(it, "resourceNames")),
			        .urls = list_of_json(a, json_get(it, "nonResourceURLs"))};
	return ret;
}

static void list_to_json(struct arena *a, struct json *rule, const char *key, const struct rbac_list *l)
{
	struct json *array = l->count ? json_set(a, rule, key, json_new(a, JSON_ARRAY)) : NULL;
	for (size_t i = 0; i < l->count; i++)
		json_append(array, json_new_str(a, l->items[i]));
}

struct json *rbac_rule_to_json(struct arena *a, const struct rbac_rule *r)
{
	struct json *o = json_new(a, JSON_OBJECT);
	list_to_json(a, o, "verbs", &r->verbs);
	list_to_json(a, o, "apiGroups", &r->groups);
	list_to_json(a, o, "resources", &r->resources);
	list_to_json(a, o, "resourceNames", &r->names);
	list_to_json(a, o, "nonResourceURLs", &r->urls);
	return o;
}
