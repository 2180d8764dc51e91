/* The rbac.authorization.k8s.io group: roles and bindings. Their names may be any segment of a path. What a rule, a
 * subject and a reference must have is upstream's pkg/apis/rbac/validation; who may write which of them is admission's
 * (rbac_escalation.c). */
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/table/printers.h"

static void role_binding_defaults(struct arena *a, struct json *o)
{
	struct json *ref = json_get(o, "roleRef");
	if (ref)
		default_str(a, ref, "apiGroup", "rbac.authorization.k8s.io");
	JSON_FOREACH (s, json_get(o, "subjects"))
		if (slice_is(json_get_str(s, "kind"), "User") || slice_is(json_get_str(s, "kind"), "Group"))
			default_str(a, s, "apiGroup", "rbac.authorization.k8s.io");
}

/* ---- roles ---- */

static bool is_empty(const struct json *rule, const char *member)
{
	const struct json *list = json_get(rule, member);
	return !list || !list->first;
}

/* Of paths alone, or of resources alone; a Role has no paths. */
static void validate_rule(struct field_errors *e, const char *base, const struct json *rule, bool is_namespaced)
{
	const struct json *paths = json_get(rule, "nonResourceURLs");
	const char *field = at(e, "%s.nonResourceURLs", base);
	if (is_empty(rule, "verbs"))
		bad_required(e, at(e, "%s.verbs", base), "verbs must contain at least one value");
	if (!is_empty(rule, "nonResourceURLs")) {
		if (is_namespaced)
			field_error_add(e, "FieldValueInvalid", field,
			        "Invalid value: %s: namespaced rules cannot apply to non-resource URLs",
			        go_list_text(e->arena, "[]string", paths));
		if (!is_empty(rule, "apiGroups") || !is_empty(rule, "resources") || !is_empty(rule, "resourceNames"))
			field_error_add(e, "FieldValueInvalid", field,
			        "Invalid value: %s: rules cannot apply to both regular resources and non-resource URLs",
			        go_list_text(e->arena, "[]string", paths));
		return;
	}
	if (is_empty(rule, "apiGroups"))
		bad_required(e, at(e, "%s.apiGroups", base), "resource rules must supply at least one api group");
	if (is_empty(rule, "resources"))
		bad_required(e, at(e, "%s.resources", base), "resource rules must supply at least one resource");
}

static void validate_rules(struct field_errors *e, const struct json *object, bool is_namespaced)
{
	int i = 0;
	JSON_FOREACH (rule, json_get(object, "rules"))
		validate_rule(e, at(e, "rules[%d]", i++), rule, is_namespaced);
}

static void validate_role(struct field_errors *e, const struct json *object, const struct json *old)
{
	validate_rules(e, object, true);
}

static void validate_cluster_role(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *aggregation = json_get(object, "aggregationRule");
	int i = 0;
	validate_rules(e, object, false);
	if (!json_is(aggregation, JSON_OBJECT))
		return;
	if (is_empty(aggregation, "clusterRoleSelectors"))
		bad_required(e, "aggregationRule.clusterRoleSelectors",
		        "at least one clusterRoleSelector required if aggregationRule is non-nil");
	JSON_FOREACH (selector, json_get(aggregation, "clusterRoleSelectors"))
		check_selector(e, at(e, "aggregationRule.clusterRoleSelectors[%d]", i++), selector);
}

/* ---- bindings ---- */

#define RBAC_GROUP "rbac.authorization.k8s.io"

/* One of the choices, of which "" may be one. */
static void check_one_of(struct field_errors *e, const char *field, struct slice value, const char *supported)
{
	if (value.len && *supported)
		check_choice(e, field, value, supported, true);
	else if (value.len || *supported)
		bad_choice(e, field, value, supported);
}

static void validate_subject(struct field_errors *e, const char *base, const struct json *s, bool is_namespaced)
{
	struct slice kind = json_get_str(s, "kind"), name = json_get_str(s, "name"),
	             group = json_get_str(s, "apiGroup");
	const char *bad = NULL;
	if (!name.len)
		bad_required(e, at(e, "%s.name", base), "");
	if (slice_is(kind, "ServiceAccount")) {
		if (name.len && (bad = validate_dns1123_subdomain(name)))
			bad_value(e, at(e, "%s.name", base), name, bad);
		check_one_of(e, at(e, "%s.apiGroup", base), group, "");
		if (!is_namespaced && !json_get_str(s, "namespace").len)
			bad_required(e, at(e, "%s.namespace", base), "");
	} else if (slice_is(kind, "User") || slice_is(kind, "Group")) {
		check_one_of(e, at(e, "%s.apiGroup", base), group, RBAC_GROUP);
	} else {
		bad_choice(e, at(e, "%s.kind", base), kind, "ServiceAccount,User,Group");
	}
}

static void validate_binding(
        struct field_errors *e, const struct json *object, const struct json *old, bool is_namespaced)
{
	struct json *ref = json_get(object, "roleRef");
	struct slice name = json_get_str(ref, "name");
	const char *bad = NULL;
	int i = 0;
	check_one_of(e, "roleRef.apiGroup", json_get_str(ref, "apiGroup"), RBAC_GROUP);
	check_one_of(e, "roleRef.kind", json_get_str(ref, "kind"), is_namespaced ? "Role,ClusterRole" : "ClusterRole");
	if (!name.len)
		bad_required(e, "roleRef.name", "");
	else if ((bad = check_path_segment(name)))
		bad_value(e, "roleRef.name", name, bad);
	JSON_FOREACH (s, json_get(object, "subjects"))
		validate_subject(e, at(e, "subjects[%d]", i++), s, is_namespaced);
	if (old && !json_equal(ref, json_get(old, "roleRef")))
		field_error_add(e, "FieldValueInvalid", "roleRef",
		        "Invalid value: rbac.RoleRef{APIGroup:\"%.*s\", Kind:\"%.*s\", Name:\"%.*s\"}: cannot change "
		        "roleRef",
		        SLICE_FMT(json_get_str(ref, "apiGroup")), SLICE_FMT(json_get_str(ref, "kind")),
		        SLICE_FMT(name));
}

static void validate_role_binding(struct field_errors *e, const struct json *object, const struct json *old)
{
	validate_binding(e, object, old, true);
}

static void validate_cluster_role_binding(struct field_errors *e, const struct json *object, const struct json *old)
{
	validate_binding(e, object, old, false);
}

const struct kind_ops kinds_rbac[] = {
        {.kind = "Role",
                .traits = KIND_IS_ROLE,
                .validate = validate_role,
                .check_name = check_path_segment,
                .columns = "Name,Created At",
                .cells = table_role},
        {.kind = "ClusterRole",
                .traits = KIND_IS_ROLE,
                .validate = validate_cluster_role,
                .check_name = check_path_segment,
                .columns = "Name,Created At",
                .cells = table_role},
        {.kind = "RoleBinding",
                .traits = KIND_IS_ROLE_BINDING,
                .defaults = role_binding_defaults,
                .validate = validate_role_binding,
                .check_name = check_path_segment,
                .columns = "Name,Role,Age",
                .cells = table_role_binding},
        {.kind = "ClusterRoleBinding",
                .traits = KIND_IS_ROLE_BINDING,
                .defaults = role_binding_defaults,
                .validate = validate_cluster_role_binding,
                .check_name = check_path_segment,
                .columns = "Name,Role,Age",
                .cells = table_role_binding},
        {0},
};
