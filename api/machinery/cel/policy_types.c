/* See policy_types.h. Upstream: apiserver pkg/admission/plugin/policy/validating/typechecking.go. Of the rules only
 * names are looked at, no stars, and ten kinds at most. */
#include "api/machinery/cel/policy_types.h"

#include "api/machinery/cel/kind_type.h"
#include "api/machinery/cel/policy_program.h"
#include "api/machinery/schema/resources.h"

enum { KINDS_MAX = 10 };

struct checking {
	struct arena *arena;
	const struct resource *kinds[KINDS_MAX];
	size_t kind_count;
	const struct resource *kind; /* that is looked at */
	struct json *warnings;       /* by field: an object of texts */
};

static bool is_name(struct slice s)
{
	return !slice_is(s, "*") && !(s.len && memchr(s.ptr, '/', s.len));
}

static void add_kind(struct checking *c, const struct resource *r)
{
	for (size_t i = 0; i < c->kind_count; i++)
		if (c->kinds[i] == r)
			return;
	if (r && c->kind_count < KINDS_MAX)
		c->kinds[c->kind_count++] = r;
}

static void add_rule(struct checking *c, const struct resource_snapshot *s, const struct json *rule)
{
	JSON_FOREACH (group, json_get(rule, "apiGroups"))
		JSON_FOREACH (version, json_get(rule, "apiVersions"))
			JSON_FOREACH (resource, json_get(rule, "resources"))
				if (!slice_is(json_str(group), "*") && is_name(json_str(version)) &&
				        is_name(json_str(resource)))
					add_kind(c, resources_snapshot_find(
					                    s, json_str(group), json_str(version), json_str(resource)));
}

/* A line of a field's warning. */
static void tell(void *arg, const char *field, struct slice expression, const char *words)
{
	static const char prefix[] = "compilation failed: ";
	struct checking *c = arg;
	const struct resource *r = c->kind;
	const char *before = json_cstr(c->arena, json_get(c->warnings, field));
	if (strncmp(field, "validations[", 12) != 0 || strncmp(words, prefix, sizeof prefix - 1) != 0)
		return;
	json_set_cstr(c->arena, c->warnings, arena_strdup(c->arena, field),
	        arena_printf(c->arena, "%s%s/%s, Kind=%s: %s\n", before, r->group, r->version, r->kind,
	                words + sizeof prefix - 1));
}

static void check_kind(struct checking *c, const struct json *spec, const struct cel_type *params)
{
	struct policy_faults faults = {tell, c};
	policy_program_new(c->arena, spec, kind_cel_type(c->arena, c->kind->type), params, &faults);
}

static void add_warning(struct checking *c, struct json *list, const char *field)
{
	const struct json *text = json_get(c->warnings, field);
	if (!text)
		return;
	struct json *w = json_new(c->arena, JSON_OBJECT);
	json_set_cstr(c->arena, w, "fieldRef", arena_printf(c->arena, "spec.%s", field));
	json_set_str(c->arena, w, "warning", text->text);
	json_append(list, w);
}

struct json *policy_type_check(struct arena *a, const struct json *spec)
{
	struct checking c = {.arena = a, .warnings = json_new(a, JSON_OBJECT)};
	struct resource_snapshot *s = resources_snapshot();
	const struct json *kind = json_get(spec, "paramKind");
	JSON_FOREACH (it, json_path(spec, "matchConstraints", "resourceRules", NULL))
		add_rule(&c, s, it);
	const struct resource *p =
	        kind ? resources_snapshot_find_kind(s, json_get_str(kind, "apiVersion"), json_get_str(kind, "kind"))
	             : NULL;
	const struct cel_type *params = p ? kind_cel_type(a, p->type) : NULL;
	for (size_t i = 0; i < c.kind_count; i++) {
		c.kind = c.kinds[i];
		check_kind(&c, spec, params);
	}
	resources_snapshot_unref(s);
	struct json *out = json_new(a, JSON_OBJECT), *list = json_new(a, JSON_ARRAY);
	const struct json *checks = json_get(spec, "validations");
	for (unsigned i = 0; checks && i < checks->count; i++) {
		add_warning(&c, list, arena_printf(a, "validations[%u].expression", i));
		add_warning(&c, list, arena_printf(a, "validations[%u].messageExpression", i));
	}
	if (list->count)
		json_set(a, out, "expressionWarnings", list);
	return out;
}
