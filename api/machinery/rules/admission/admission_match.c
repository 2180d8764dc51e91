/* See admission_match.h. Upstream: pkg/apis/admissionregistration, defaults and validation. */
#include "api/machinery/rules/admission/admission_match.h"
#include "api/machinery/rules/checks.h"

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

/* A list that is needed, in which a star stands alone. */
static void check_list(struct field_errors *e, const struct json *rule, const char *path, const char *name)
{
	const struct json *list = json_get(rule, name);
	const char *field = at(e, "%s.%s", path, name);
	int i = 0;
	if (!list || !list->count)
		bad_required(e, field, "");
	if (list && list->count > 1 && has(list, "*"))
		field_error_add(e, "FieldValueInvalid", field,
		        "Invalid value: [...]: if '*' is present, must not specify other %s",
		        strcmp(name, "apiGroups") == 0     ? "API groups"
		        : strcmp(name, "apiVersions") == 0 ? "API versions"
		                                           : name);
	JSON_FOREACH (it, list) {
		if (strcmp(name, "apiVersions") == 0 && !json_str(it).len)
			bad_required(e, at(e, "%s[%d]", field, i), "");
		i++;
	}
}

/* "pods", "pods/log", "pods/x", "x/log", "x/x" where x is a star. */
static void check_resources(struct field_errors *e, const struct json *list, const char *path)
{
	bool all = has(list, "*/*"), all_resources = has(list, "*");
	int i = 0;
	if (all && list->count > 1)
		field_error_add(e, "FieldValueInvalid", path,
		        "Invalid value: [...]: if '*/*' is present, must not specify other resources");
	JSON_FOREACH (it, list) {
		struct slice sub = json_str(it), resource = slice_cut(&sub, '/');
		const char *field = at(e, "%s[%d]", path, i++);
		if (!json_str(it).len)
			bad_required(e, field, "");
		else if (all_resources && !sub.ptr && !slice_is(resource, "*"))
			bad_value(e, field, json_str(it),
			        "if '*' is present, must not specify other resources without subresources");
		else if (sub.ptr && !slice_is(sub, "*") && !slice_is(resource, "*") &&
		         has(list, at(e, "%.*s/*", SLICE_FMT(resource))))
			bad_value(e, field, json_str(it),
			        at(e, "if '%.*s/*' is present, must not specify %.*s", SLICE_FMT(resource),
			                SLICE_FMT(json_str(it))));
		else if (sub.ptr && !slice_is(sub, "*") && !slice_is(resource, "*") &&
		         has(list, at(e, "*/%.*s", SLICE_FMT(sub))))
			bad_value(e, field, json_str(it),
			        at(e, "if '*/%.*s' is present, must not specify %.*s", SLICE_FMT(sub),
			                SLICE_FMT(json_str(it))));
	}
}

void admission_check_rule(struct field_errors *e, const struct json *rule, const char *path)
{
	const struct json *operations = json_get(rule, "operations");
	const char *field = at(e, "%s.operations", path);
	int i = 0;
	check_list(e, rule, path, "apiGroups");
	check_list(e, rule, path, "apiVersions");
	if (!json_get(rule, "resources") || !json_get(rule, "resources")->count)
		bad_required(e, at(e, "%s.resources", path), "");
	check_resources(e, json_get(rule, "resources"), at(e, "%s.resources", path));
	if (!operations || !operations->count)
		bad_required(e, field, "");
	if (operations && operations->count > 1 && has(operations, "*"))
		field_error_add(e, "FieldValueInvalid", field,
		        "Invalid value: [...]: if '*' is present, must not specify other operations");
	JSON_FOREACH (it, operations)
		check_choice(e, at(e, "%s[%d]", field, i++), json_str(it), "*,CONNECT,CREATE,DELETE,UPDATE", true);
	if (json_get(rule, "scope"))
		check_choice(e, at(e, "%s.scope", path), json_get_str(rule, "scope"), "*,Cluster,Namespaced", true);
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

void admission_check_match(struct field_errors *e, const struct json *v, const char *path, bool needs_rules)
{
	const struct json *rules = json_get(v, "resourceRules");
	check_choice(e, at(e, "%s.matchPolicy", path), json_get_str(v, "matchPolicy"), "Equivalent,Exact", true);
	check_selector(e, at(e, "%s.namespaceSelector", path), json_get(v, "namespaceSelector"));
	check_selector(e, at(e, "%s.objectSelector", path), json_get(v, "objectSelector"));
	check_rules(e, rules, at(e, "%s.resourceRules", path));
	check_rules(e, json_get(v, "excludeResourceRules"), at(e, "%s.excludeResourceRules", path));
	if (needs_rules && (!rules || !rules->count))
		bad_required(e, at(e, "%s.resourceRules", path), "");
}

/* ---- conditions ---- */

void admission_check_conditions(struct field_errors *e, const struct json *list, const char *path)
{
	struct name_set seen = {MAP_INIT};
	int i = 0;
	if (list && list->count > CONDITIONS_MAX)
		field_error_add(e, "FieldValueTooMany", path, "Too many: %u: must have at most %d items", list->count,
		        CONDITIONS_MAX);
	JSON_FOREACH (it, list) {
		const char *here = at(e, "%s[%d]", path, i++);
		struct slice name = json_get_str(it, "name");
		const char *why = name.len ? check_qualified_name(name) : NULL;
		if (!slice_trim(json_get_str(it, "expression")).len)
			bad_required(e, at(e, "%s.expression", here), "");
		if (!name.len)
			bad_required(e, at(e, "%s.name", here), "");
		else if (why)
			bad_value(e, at(e, "%s.name", here), name, why);
		if (name.len && !name_set_add(&seen, name))
			bad_duplicate(e, at(e, "%s.name", here), name);
	}
	name_set_release(&seen);
}
