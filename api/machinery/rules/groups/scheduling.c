/* The scheduling.k8s.io group: priority classes. */
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/table/printers.h"
#include "base/check.h"

enum { USER_VALUE_MAX = 1000000000 };

static void priority_class_defaults(struct arena *a, struct json *o)
{
	default_str(a, o, "preemptionPolicy", "PreemptLowerPriority");
}

/* Names with "system-" are those of the two classes that are there from the start, as they are. */
static const struct {
	const char *name;
	int64_t value;
} system_classes[] = {{"system-node-critical", 2000001000}, {"system-cluster-critical", 2000000000}};

static const char *why_not_system(struct arena *a, struct slice name, int64_t value, bool is_default)
{
	for (size_t i = 0; i < COUNT_OF(system_classes); i++) {
		if (!slice_is(name, system_classes[i].name))
			continue;
		if (value != system_classes[i].value)
			return arena_printf(a, "value of %s PriorityClass must be %lld", system_classes[i].name,
			        (long long)system_classes[i].value);
		return is_default ? arena_printf(a, "globalDefault of %s PriorityClass must be false",
		                            system_classes[i].name)
		                  : NULL;
	}
	return arena_printf(a, "%.*s is not a known system priority class", SLICE_FMT(name));
}

static void check_class(struct field_errors *e, const struct json *object)
{
	int64_t value = json_get_int(object, "value", 0);
	struct slice name = json_str(json_path(object, "metadata", "name", NULL));
	const char *why = slice_starts(name, "system-")
	                          ? why_not_system(e->arena, name, value, json_get_bool(object, "globalDefault", false))
	                          : NULL;
	if (why)
		bad_forbidden(e, "metadata.name",
		        at(e, "priority class names with 'system-' prefix are reserved for system use only. error: %s",
		                why));
	else if (value > USER_VALUE_MAX && !slice_starts(name, "system-"))
		bad_forbidden(e, "value", "maximum allowed value of a user defined priority is 1000000000");
	check_choice(e, "preemptionPolicy", json_get_str(object, "preemptionPolicy"), "PreemptLowerPriority,Never",
	        json_get(object, "preemptionPolicy") != NULL);
}

static void validate_priority_class(struct field_errors *e, const struct json *object, const struct json *old)
{
	if (!old)
		check_class(e, object);
	else if (json_get_int(object, "value", 0) != json_get_int(old, "value", 0))
		bad_forbidden(e, "value", "may not be changed in an update.");
}

const struct kind_ops kinds_scheduling[] = {
        {.kind = "PriorityClass",
                .traits = KIND_IS_PRIORITY_CLASS,
                .defaults = priority_class_defaults,
                .validate = validate_priority_class,
                .immutable = "preemptionPolicy",
                .columns = "Name,Value:integer,Global-Default:boolean,Age,PreemptionPolicy",
                .cells = table_priority_class},
        {0},
};
