/* See policy.h. Upstream: apiserver/pkg/audit/policy/checker.go and apis/audit/validation.
 *
 * A rule is read into lists of slices in the policy's arena, so that asking allocates nothing. What can go wrong is the
 * file: it is not YAML, a field is misspelt, a level unknown, a rule speaks of resources and paths at once. A misspelt
 * field would audit less than was meant without a word, so it is refused (upstream warns and goes on). */
#include "api/server/audit/policy.h"

#include "base/check.h"
#include "base/pki/pki.h"
#include "base/yaml.h"

#include <stdarg.h>
#include <stdlib.h>

enum { POLICY_RULES_MAX = 10000 };

struct texts {
	struct slice *items;
	size_t count;
};

struct group_resources {
	struct slice group;
	struct texts resources, names;
};

struct rule {
	struct audit_decision decision;
	struct texts users, groups, verbs, namespaces, urls;
	struct group_resources *resources;
	size_t n_resources;
};

struct audit_policy {
	struct arena arena;
	struct rule *rules;
	size_t n_rules;
	unsigned omitted;
};

static const char *const level_names[AUDIT_LEVELS] = {"None", "Metadata", "Request", "RequestResponse"};
static const char *const stage_names[AUDIT_STAGES] = {
        "RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"};

const char *audit_level_name(enum audit_level level)
{
	CHECK(level < AUDIT_LEVELS);
	return level_names[level];
}

const char *audit_stage_name(enum audit_stage stage)
{
	CHECK(stage < AUDIT_STAGES);
	return stage_names[stage];
}

/* ---- reading ---- */

/* Where in the file we are, for messages: "rules[3].resources[0]". */
struct place {
	struct arena *arena;
	const char *path;
	struct err *err;
};

__attribute__((format(printf, 2, 3))) static struct place below(const struct place *p, const char *fmt, ...)
{
	struct strbuf text = STRBUF_INIT;
	char tail[64];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(tail, sizeof tail, fmt, ap);
	va_end(ap);
	strbuf_addf(&text, "%s%s", p->path, tail);
	struct place inner = {p->arena, arena_strdup(p->arena, strbuf_cstr(&text)), p->err};
	strbuf_release(&text);
	return inner;
}

static int not_a(const struct place *p, const char *what)
{
	return err_set(p->err, ERR_INVAL, "%s: must be %s", p->path, what);
}

/* Every member is one of these names. */
static int check_members(const struct place *p, const struct json *object, const char *const *names)
{
	if (!json_is(object, JSON_OBJECT))
		return not_a(p, "an object");
	JSON_FOREACH (it, object) {
		const char *const *n = names;
		while (*n && !slice_is(it->key, *n))
			n++;
		if (!*n)
			return err_set(p->err, ERR_INVAL, "%s%s%.*s: unknown field", p->path, *p->path ? "." : "",
			        SLICE_FMT(it->key));
	}
	return 0;
}

static int read_texts(const struct place *p, const struct json *object, const char *name, struct texts *ret)
{
	const struct json *array = json_get(object, name);
	struct place here = below(p, ".%s", name);
	if (!array || array->type == JSON_NULL)
		return 0;
	if (array->type != JSON_ARRAY)
		return not_a(&here, "a list of strings");
	ret->items = ARENA_ARRAY(p->arena, struct slice, array->count + 1);
	JSON_FOREACH (it, array) {
		if (it->type != JSON_STRING)
			return not_a(&here, "a list of strings");
		ret->items[ret->count++] = it->text;
	}
	return 0;
}

static int read_stages(const struct place *p, const struct json *object, unsigned *ret)
{
	struct texts stages = {0};
	if (read_texts(p, object, "omitStages", &stages) != 0)
		return p->err->code;
	for (size_t i = 0; i < stages.count; i++) {
		size_t k = 0;
		while (k < AUDIT_STAGES && !slice_is(stages.items[i], stage_names[k]))
			k++;
		if (k == AUDIT_STAGES)
			return err_set(p->err, ERR_INVAL,
			        "%s.omitStages: \"%.*s\" is no stage: RequestReceived, ResponseStarted, "
			        "ResponseComplete or Panic",
			        p->path, SLICE_FMT(stages.items[i]));
		*ret |= 1u << k;
	}
	return 0;
}

static int read_level(const struct place *p, const struct json *rule, enum audit_level *ret)
{
	struct slice level = json_get_str(rule, "level");
	for (size_t i = 0; i < AUDIT_LEVELS; i++)
		if (slice_is(level, level_names[i])) {
			*ret = (enum audit_level)i;
			return 0;
		}
	return err_set(p->err, ERR_INVAL, "%s.level: \"%.*s\" is no level: None, Metadata, Request or RequestResponse",
	        p->path, SLICE_FMT(level));
}

static int read_bool(const struct place *p, const struct json *object, const char *name, bool *ret)
{
	const struct json *v = json_get(object, name);
	struct place here = below(p, ".%s", name);
	if (!v || v->type == JSON_NULL)
		return 0;
	if (v->type != JSON_BOOL)
		return not_a(&here, "true or false");
	*ret = v->boolean;
	return 0;
}

static int check_urls(const struct place *p, const struct rule *r)
{
	if (r->urls.count && (r->n_resources || r->namespaces.count))
		return err_set(p->err, ERR_INVAL,
		        "%s.nonResourceURLs: a rule is for resources or for non-resource URLs, not for both", p->path);
	for (size_t i = 0; i < r->urls.count; i++) {
		struct slice url = r->urls.items[i];
		const char *star = memchr(url.ptr, '*', url.len);
		if (slice_is(url, "*"))
			continue;
		if (!url.len || url.ptr[0] != '/')
			return err_set(p->err, ERR_INVAL, "%s.nonResourceURLs: \"%.*s\" must begin with a '/'", p->path,
			        SLICE_FMT(url));
		if (star && star != url.ptr + url.len - 1)
			return err_set(p->err, ERR_INVAL,
			        "%s.nonResourceURLs: \"%.*s\": the wildcard '*' must be the final character", p->path,
			        SLICE_FMT(url));
	}
	return 0;
}

static int read_resources(const struct place *p, const struct json *rule, struct rule *r)
{
	static const char *const names[] = {"group", "resources", "resourceNames", NULL};
	const struct json *array = json_get(rule, "resources");
	struct place list = below(p, ".resources");
	if (!array || array->type == JSON_NULL)
		return 0;
	if (array->type != JSON_ARRAY)
		return not_a(&list, "a list of groups with their resources");
	r->resources = ARENA_ARRAY(p->arena, struct group_resources, array->count + 1);
	JSON_FOREACH (it, array) {
		struct place here = below(&list, "[%zu]", r->n_resources);
		struct group_resources *g = &r->resources[r->n_resources++];
		const struct json *group = json_get(it, "group");
		if (check_members(&here, it, names) != 0 || read_texts(&here, it, "resources", &g->resources) != 0 ||
		        read_texts(&here, it, "resourceNames", &g->names) != 0)
			return p->err->code;
		if (group && group->type != JSON_STRING)
			return err_set(p->err, ERR_INVAL, "%s.group: must be a string", here.path);
		g->group = json_str(group);
		if (memchr(g->group.ptr ? g->group.ptr : "", '/', g->group.len))
			return err_set(p->err, ERR_INVAL, "%s.group: \"%.*s\" is a group and version: the group alone",
			        here.path, SLICE_FMT(g->group));
		if (g->names.count && !g->resources.count)
			return err_set(p->err, ERR_INVAL,
			        "%s.resourceNames: using resourceNames requires at least one resource", here.path);
	}
	return 0;
}

static int read_rule(const struct place *p, const struct json *rule, const struct audit_decision *all, struct rule *r)
{
	static const char *const names[] = {"level", "users", "userGroups", "verbs", "resources", "namespaces",
	        "nonResourceURLs", "omitStages", "omitManagedFields", NULL};
	r->decision = *all;
	if (check_members(p, rule, names) != 0 || read_level(p, rule, &r->decision.level) != 0 ||
	        read_texts(p, rule, "users", &r->users) != 0 || read_texts(p, rule, "userGroups", &r->groups) != 0 ||
	        read_texts(p, rule, "verbs", &r->verbs) != 0 || read_resources(p, rule, r) != 0 ||
	        read_texts(p, rule, "namespaces", &r->namespaces) != 0 ||
	        read_texts(p, rule, "nonResourceURLs", &r->urls) != 0 ||
	        read_stages(p, rule, &r->decision.omitted) != 0 ||
	        read_bool(p, rule, "omitManagedFields", &r->decision.omits_managed) != 0)
		return p->err->code;
	return check_urls(p, r);
}

static int read_policy(struct audit_policy *p, const struct json *tree, struct err *err)
{
	static const char *const names[] = {
	        "apiVersion", "kind", "metadata", "rules", "omitStages", "omitManagedFields", NULL};
	struct place top = {&p->arena, "", err};
	struct audit_decision all = {0};
	const struct json *rules = json_get(tree, "rules");
	if (!slice_is(json_get_str(tree, "apiVersion"), "audit.k8s.io/v1") ||
	        !slice_is(json_get_str(tree, "kind"), "Policy"))
		return err_set(err, ERR_INVAL, "it must be of apiVersion audit.k8s.io/v1 and kind Policy");
	if (check_members(&top, tree, names) != 0 || read_stages(&top, tree, &all.omitted) != 0 ||
	        read_bool(&top, tree, "omitManagedFields", &all.omits_managed) != 0)
		return err->code;
	p->omitted = all.omitted;
	if (!json_is(rules, JSON_ARRAY) || !rules->count)
		return err_set(err, ERR_INVAL, "rules: there must be one at least");
	if (rules->count > POLICY_RULES_MAX)
		return err_set(err, ERR_INVAL, "rules: at most %d", POLICY_RULES_MAX);
	p->rules = ARENA_ARRAY(&p->arena, struct rule, rules->count);
	JSON_FOREACH (it, rules) {
		struct place here = below(&top, "rules[%zu]", p->n_rules);
		if (read_rule(&here, it, &all, &p->rules[p->n_rules++]) != 0)
			return err->code;
	}
	return 0;
}

int audit_policy_parse(struct slice text, struct audit_policy **ret, struct err *err)
{
	struct audit_policy *p = xcalloc(1, sizeof *p);
	const struct json *tree = yaml_parse(&p->arena, text, NULL, err);
	if (!tree || read_policy(p, tree, err) != 0) {
		audit_policy_free(p);
		return err_wrap(err, "audit policy");
	}
	*ret = p;
	return 0;
}

int audit_policy_load(const char *path, struct audit_policy **ret, struct err *err)
{
	char *text;
	size_t len;
	if (pki_file_read(path, &text, &len, err) != 0)
		return err_wrap(err, "audit policy");
	int rc = audit_policy_parse((struct slice){text, len}, ret, err);
	free(text);
	return rc == 0 ? 0 : err_wrap(err, "%s", path);
}

void audit_policy_free(struct audit_policy *p)
{
	if (!p)
		return;
	arena_release(&p->arena);
	free(p);
}

/* ---- asking ---- */

static bool has(const struct texts *t, struct slice s)
{
	for (size_t i = 0; i < t->count; i++)
		if (slice_eq(t->items[i], s))
			return true;
	return false;
}

static bool has_group(const struct texts *t, const struct user *u)
{
	for (size_t i = 0; i < u->n_groups; i++)
		if (has(t, u->groups[i]))
			return true;
	return false;
}

/* "pods", "pods/log", "pods/ *", "* /log" or "*". */
static bool resource_fits(struct slice wanted, const struct attributes *a)
{
	if (slice_is(wanted, "*"))
		return true;
	struct slice sub = wanted, resource = slice_cut(&sub, '/');
	if (!sub.ptr)
		return slice_eq(resource, a->resource) && !a->subresource.len;
	if (slice_is(sub, "*") && slice_eq(resource, a->resource))
		return true;
	bool resource_is = slice_eq(resource, a->resource) || slice_is(resource, "*");
	return resource_is && a->subresource.len && slice_eq(sub, a->subresource);
}

static bool group_fits(const struct group_resources *g, const struct attributes *a)
{
	if (!slice_eq(g->group, a->group))
		return false;
	if (!g->resources.count)
		return true;
	if (g->names.count && !has(&g->names, a->name))
		return false;
	for (size_t i = 0; i < g->resources.count; i++)
		if (resource_fits(g->resources.items[i], a))
			return true;
	return false;
}

static bool fits_resource(const struct rule *r, const struct attributes *a)
{
	if (!a->is_resource || (r->namespaces.count && !has(&r->namespaces, a->ns)))
		return false;
	if (!r->n_resources)
		return true;
	for (size_t i = 0; i < r->n_resources; i++)
		if (group_fits(&r->resources[i], a))
			return true;
	return false;
}

static bool fits_path(const struct rule *r, const struct attributes *a)
{
	if (a->is_resource)
		return false;
	for (size_t i = 0; i < r->urls.count; i++) {
		struct slice url = r->urls.items[i];
		bool is_prefix = url.ptr[url.len - 1] == '*';
		if (is_prefix && a->path.len >= url.len - 1 && memcmp(a->path.ptr, url.ptr, url.len - 1) == 0)
			return true;
		if (!is_prefix && slice_eq(url, a->path))
			return true;
	}
	return false;
}

static bool fits(const struct rule *r, const struct attributes *a)
{
	if ((r->users.count && !has(&r->users, a->user->name)) ||
	        (r->groups.count && !has_group(&r->groups, a->user)) || (r->verbs.count && !has(&r->verbs, a->verb)))
		return false;
	if (r->namespaces.count || r->n_resources)
		return fits_resource(r, a);
	return !r->urls.count || fits_path(r, a);
}

struct audit_decision audit_policy_judge(const struct audit_policy *p, const struct attributes *a)
{
	CHECK(a->user != NULL);
	for (size_t i = 0; i < p->n_rules; i++)
		if (fits(&p->rules[i], a))
			return p->rules[i].decision;
	return (struct audit_decision){.level = AUDIT_NONE, .omitted = p->omitted};
}
