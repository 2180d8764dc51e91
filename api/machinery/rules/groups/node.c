/* The node.k8s.io group: runtime classes. What they say of pods' placement and overhead is checked as in pods. */
#include "api/machinery/rules/groups.h"
#include "api/machinery/table/printers.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_value.h"
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/warnings.h"

/* As limits of a container are. */
static void check_overhead(struct field_errors *e, const struct json *amounts)
{
	bool has_pages = false, has_more = false;
	JSON_FOREACH (it, amounts) {
		const char *field = at(e, "overhead.limits[%.*s]", SLICE_FMT(it->key));
		check_container_resource_name(e, field, it->key);
		check_resource_amount(e, field, it->key, it->text);
		has_pages |= slice_starts(it->key, "hugepages-");
		has_more |= slice_is(it->key, "cpu") || slice_is(it->key, "memory");
	}
	if (has_pages && !has_more)
		bad_forbidden(e, "overhead", "HugePages require cpu or memory");
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
