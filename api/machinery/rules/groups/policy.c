/* The policy group: pod disruption budgets. */
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_value.h"
#include "api/machinery/rules/groups/workload.h"
#include "api/machinery/table/printers.h"

static void validate_budget(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json *spec = json_get(object, "spec"), *available = json_get(spec, "minAvailable");
	struct json *unavailable = json_get(spec, "maxUnavailable");
	if (available && unavailable)
		field_error_add(e, "FieldValueInvalid", "spec",
		        "Invalid value: policy.PodDisruptionBudgetSpec{...}: minAvailable and maxUnavailable cannot be "
		        "both set");
	check_count_or_part(e, "spec.minAvailable", available);
	check_count_or_part(e, "spec.maxUnavailable", unavailable);
	check_selector(e, "spec.selector", json_get(spec, "selector"));
	if (json_get(spec, "unhealthyPodEvictionPolicy"))
		check_supported(e, "spec.unhealthyPodEvictionPolicy", json_get_str(spec, "unhealthyPodEvictionPolicy"),
		        "AlwaysAllow,IfHealthyBudget");
}

static void validate_budget_status(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *status = json_get(object, "status");
	check_meta_conditions(e, "status.conditions", json_get(status, "conditions"));
	check_counters(e, status, "disruptionsAllowed,currentHealthy,desiredHealthy,expectedPods");
}

const struct kind_ops kinds_policy[] = {
        {.kind = "PodDisruptionBudget",
                .check_name = check_path_segment,
                .validate = validate_budget,
                .validate_part = validate_budget_status,
                .columns = "Name,Min Available,Max Unavailable,Allowed Disruptions:integer,Age",
                .cells = table_budget},
        {0},
};
