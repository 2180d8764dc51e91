/* The rbac.authorization.k8s.io group: roles and bindings. Their names may be any segment of a path. */
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
		if (!slice_is(json_get_str(s, "kind"), "ServiceAccount"))
			default_str(a, s, "apiGroup", "rbac.authorization.k8s.io");
}

static void validate_role_binding(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json *ref = json_get(object, "roleRef");
	if (!json_get_str(ref, "name").len)
		bad_required(e, "roleRef.name", "");
	check_choice(e, "roleRef.kind", json_get_str(ref, "kind"), "Role,ClusterRole", true);
	if (old && !json_equal(ref, json_get(old, "roleRef")))
		bad_value(e, "roleRef", json_get_str(ref, "name"), "cannot change roleRef");
}

const struct kind_ops kinds_rbac[] = {
        {.kind = "Role",
                .traits = KIND_IS_ROLE,
                .check_name = check_path_segment,
                .columns = "Name,Created At",
                .cells = table_role},
        {.kind = "ClusterRole",
                .traits = KIND_IS_ROLE,
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
                .validate = validate_role_binding,
                .check_name = check_path_segment,
                .columns = "Name,Role,Age",
                .cells = table_role_binding},
        {0},
};
