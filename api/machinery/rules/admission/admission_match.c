/* See admission_match.h. Upstream: pkg/apis/admissionregistration, defaults and validation. */
#include "api/machinery/rules/admission/admission_match.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_value.h"

#include "api/machinery/cel/policy_env.h"
#include "base/check.h"

enum { CONDITIONS_MAX = 64 };

/* ---- defaults ---- */

void admission_match_defaults(struct arena *a, struct json *v, const char *rules)
{
	if (!json_is(v, JSON_OBJECT))
		return;
	if (!json_get(v, "matchPolicy"))
		json_set_cstr(a, v, "matchPolicy", "Equivalent");
	json_need(a, v, "namespaceSelector", JSON_OBJECT);
	json_need(a, v, "objectSelector", JSON_OBJECT);
	JSON_FOREACH (it, json_get(v, rules))
		if (it->type == JSON_OBJECT && !json_get(it, "scope"))
			json_set_cstr(a, it, "scope", "*");
	JSON_FOREACH (it, json_get(v, "excludeResourceRules"))
		if (it->type == JSON_OBJECT && !json_get(it, "scope"))
			json_set_cstr(a, it, "scope", "*");
}

/* ---- rules ---- */

static bool has(const struct json *list, const char *text)
{
	JSON_FOREACH (it, list)
		if (slice_is(json_str(it), text))
			return true;
	return false;
}

static void bad_list(
        struct field_errors *e, const char *field, const char *type, const struct json *list, const char *detail)
{
	field_error_add(
	        e, "FieldValueInvalid", field, "Invalid value: %s: %s", go_list_text(e->arena, type, list), detail);
}

/* A list that is needed, in which a star stands alone. */
static void check_list(
        struct field_errors *e, const struct json *list, const char *field, const char *type, const char *words)
{
	if (!list || !list->count)
		bad_required(e, field, "");
	else if (list->count > 1 && has(list, "*"))
		bad_list(e, field, type, list, at(e, "if '*' is present, must not specify other %s", words));
}

/* What stands before a resource in its list decides, as upstream has it: "pods/x", where x is a star, forbids a later
 * "pods/log". */
static void check_resource(struct field_errors *e, struct slice text, const struct name_set *stars, const char *field)
{
	struct slice sub = text, resource = slice_cut(&sub, '/');
	if (name_set_has(stars, slice_of(at(e, "%.*s/*", SLICE_FMT(resource)))))
		bad_value(e, field, text,
		        at(e, "if '%.*s/*' is present, must not specify %.*s", SLICE_FMT(resource), SLICE_FMT(text)));
	if (name_set_has(stars, slice_of(at(e, "*/%.*s", SLICE_FMT(sub)))))
		bad_value(e, field, text,
		        at(e, "if '*/%.*s' is present, must not specify %.*s", SLICE_FMT(sub), SLICE_FMT(text)));
}

/* "pods", "pods/log", "pods/x", "x/log", "x/x" where x is a star. Of the resources without a subresource upstream looks
 * at the last: a star behind "pods" passes, and so it does here. */
static void check_resources(struct field_errors *e, const struct json *list, const char *path)
{
	struct name_set stars = {MAP_INIT};
	bool last_is_plain = false;
	int i = 0;
	if (!list || !list->count)
		bad_required(e, path, "");
	JSON_FOREACH (it, list) {
		struct slice text = json_str(it);
		if (!text.len) {
			bad_required(e, at(e, "%s[%d]", path, i), "");
		} else if (!memchr(text.ptr, '/', text.len)) {
			last_is_plain = !slice_is(text, "*");
		} else {
			if (stars.map.count)
				check_resource(e, text, &stars, at(e, "%s[%d]", path, i));
			if (slice_starts(text, "*/") || slice_ends(text, "/*"))
				name_set_add(&stars, text);
		}
		i++;
	}
	name_set_release(&stars);
	if (list && list->count > 1 && has(list, "*/*"))
		bad_list(e, path, "[]string", list, "if '*/*' is present, must not specify other resources");
	if (last_is_plain && has(list, "*"))
		bad_list(e, path, "[]string", list,
		        "if '*' is present, must not specify other resources without subresources");
}

void admission_check_rule(struct field_errors *e, const struct json *rule, const char *path)
{
	const struct json *operations = json_get(rule, "operations"), *versions = json_get(rule, "apiVersions");
	int i = 0;
	check_list(e, operations, at(e, "%s.operations", path), "[]admissionregistration.OperationType", "operations");
	JSON_FOREACH (it, operations)
		check_supported(
		        e, at(e, "%s.operations[%d]", path, i++), json_str(it), "*,CONNECT,CREATE,DELETE,UPDATE");
	check_list(e, json_get(rule, "apiGroups"), at(e, "%s.apiGroups", path), "[]string", "API groups");
	check_list(e, versions, at(e, "%s.apiVersions", path), "[]string", "API versions");
	i = 0;
	JSON_FOREACH (it, versions) {
		if (!json_str(it).len)
			bad_required(e, at(e, "%s.apiVersions[%d]", path, i), "");
		i++;
	}
	check_resources(e, json_get(rule, "resources"), at(e, "%s.resources", path));
	if (json_get(rule, "scope"))
		check_supported(e, at(e, "%s.scope", path), json_get_str(rule, "scope"), "*,Cluster,Namespaced");
}

static void check_rules(struct field_errors *e, const struct json *list, const char *path)
{
	int i = 0;
	JSON_FOREACH (it, list) {
		struct name_set seen = {MAP_INIT};
		const char *here = at(e, "%s[%d]", path, i++);
		int k = 0;
		JSON_FOREACH (name, json_get(it, "resourceNames")) {
			const char *field = at(e, "%s.resourceNames[%d]", here, k++);
			const char *why = check_path_segment(json_str(name));
			if (why)
				bad_value(e, field, json_str(name), why);
			if (!name_set_add(&seen, json_str(name)))
				bad_duplicate(e, field, json_str(name));
		}
		name_set_release(&seen);
		admission_check_rule(e, it, here);
	}
}

void admission_check_match(struct field_errors *e, const struct json *v, const char *path)
{
	check_supported(e, at(e, "%s.matchPolicy", path), json_get_str(v, "matchPolicy"), "Equivalent,Exact");
	check_selector(e, at(e, "%s.namespaceSelector", path), json_get(v, "namespaceSelector"));
	check_selector(e, at(e, "%s.objectSelector", path), json_get(v, "objectSelector"));
	check_rules(e, json_get(v, "resourceRules"), at(e, "%s.resourceRules", path));
	check_rules(e, json_get(v, "excludeResourceRules"), at(e, "%s.excludeResourceRules", path));
}

/* ---- conditions ---- */

void admission_check_condition_names(struct field_errors *e, const struct json *list, const char *path)
{
	struct name_set seen = {MAP_INIT};
	int i = 0;
	check_not_too_many(e, path, list, CONDITIONS_MAX);
	JSON_FOREACH (it, list) {
		const char *here = at(e, "%s[%d]", path, i++), *field = at(e, "%s.name", here);
		struct slice name = json_get_str(it, "name");
		const char *why = name.len ? check_qualified_name(name) : NULL;
		if (!slice_trim(json_get_str(it, "expression")).len)
			bad_required(e, at(e, "%s.expression", here), "");
		if (!name.len)
			bad_required(e, field, "");
		else if (why)
			bad_value(e, field, name, why);
		if (name.len && !name_set_add(&seen, name))
			bad_duplicate(e, field, name);
	}
	name_set_release(&seen);
}

struct conditions {
	struct field_errors *e;
	const struct json *list;
	const char *path;
};

/* Of one that is not there enough is said. */
static void condition_is_bad(void *arg, size_t index, const char *words)
{
	const struct conditions *c = arg;
	struct slice expression = slice_trim(json_get_str(json_at(c->list, index), "expression"));
	if (expression.len)
		bad_value(c->e, at(c->e, "%s[%zu].expression", c->path, index), expression, words);
}

void admission_check_conditions(struct field_errors *e, const struct json *list, const char *path)
{
	struct conditions c = {e, list, path};
	struct policy_env env;
	if (!list)
		return;
	admission_check_condition_names(e, list, path);
	policy_env_init(&env, false, true);
	match_conditions_new(e->arena, &env, list, condition_is_bad, &c);
}
