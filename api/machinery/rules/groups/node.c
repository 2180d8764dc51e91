/* The node.k8s.io group: runtime classes. */
#include "api/machinery/rules/groups.h"
#include "api/machinery/table/printers.h"
#include "api/machinery/rules/checks.h"

static void validate_runtime_class(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct slice handler = json_get_str(object, "handler");
	const char *bad = validate_dns1123_label(handler);
	if (bad)
		bad_value(e, "handler", handler, bad);
	check_labels(e, "scheduling.nodeSelector", json_path(object, "scheduling", "nodeSelector", NULL));
}

const struct kind_ops kinds_node[] = {
        {.kind = "RuntimeClass",
                .validate = validate_runtime_class,
                .immutable = "handler",
                .columns = "Name,Handler,Age",
                .cells = table_runtime_class},
        {0},
};
