/* The node.k8s.io group: runtime classes. What they say of pods' placement and overhead is checked as in pods. */
#include "api/machinery/rules/groups.h"
#include "api/machinery/table/printers.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/warnings.h"

/* As limits of a container are. */
static void check_overhead(struct field_errors *e, const struct json *amounts)
{
	struct json *resources = json_new(e->arena, JSON_OBJECT);
	if (!amounts)
		return;
	json_set(e->arena, resources, "limits", json_copy(e->arena, amounts));
	validate_resources(e, "overhead", resources);
}

static void validate_runtime_class(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct slice handler = json_get_str(object, "handler");
	const struct json *scheduling = json_get(object, "scheduling");
	const char *bad = validate_dns1123_label(handler);
	if (bad)
		bad_value(e, "handler", handler, bad);
	check_overhead(e, json_path(object, "overhead", "podFixed", NULL));
	check_labels(e, "scheduling.nodeSelector", json_get(scheduling, "nodeSelector"));
	validate_tolerations(e, "scheduling", scheduling);
}

static void warn_of_runtime_class(struct warnings *w, const struct json *object, const struct json *old)
{
	JSON_FOREACH (it, json_path(object, "scheduling", "nodeSelector", NULL)) {
		const char *before = old_node_label(it->key);
		if (before)
			warning_add(w, "scheduling.nodeSelector: %s", before);
	}
}

const struct kind_ops kinds_node[] = {
        {.kind = "RuntimeClass",
                .validate = validate_runtime_class,
                .warn = warn_of_runtime_class,
                .immutable = "handler",
                .columns = "Name,Handler,Age",
                .cells = table_runtime_class},
        {0},
};
