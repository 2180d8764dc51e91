/* The scheduling.k8s.io group: priority classes. */
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/table/printers.h"

static void priority_class_defaults(struct arena *a, struct json *o)
{
	default_str(a, o, "preemptionPolicy", "PreemptLowerPriority");
}

static void validate_priority_class(struct field_errors *e, const struct json *object, const struct json *old)
{
	int64_t value = json_get_int(object, "value", 0);
	bool is_system = slice_starts(json_str(json_path(object, "metadata", "name", NULL)), "system-");
	if (value > 1000000000 && !is_system)
		bad_forbidden(e, "value", "maximum allowed value of a user defined priority is 1000000000");
	if (old && value != json_get_int(old, "value", 0))
		bad_forbidden(e, "value", "may not be changed in an update.");
	if (old && !slice_eq(json_get_str(object, "preemptionPolicy"), json_get_str(old, "preemptionPolicy")))
		bad_forbidden(e, "preemptionPolicy", "may not be changed in an update.");
}

const struct kind_ops kinds_scheduling[] = {
        {.kind = "PriorityClass",
                .defaults = priority_class_defaults,
                .validate = validate_priority_class,
                .columns = "Name,Value:integer,Global-Default:boolean,Age,PreemptionPolicy",
                .cells = table_priority_class},
        {0},
};
