/* The policy group: pod disruption budgets. */
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/table/printers.h"

static void check_amount(struct field_errors *e, const char *field, const struct json *v)
{
	struct slice text = json_str(v);
	uint64_t percent;
	if (!v || v->type == JSON_NUMBER) {
		check_non_negative(e, field, v);
		return;
	}
	if (text.len < 2 || text.ptr[text.len - 1] != '%' ||
	        !slice_to_u64((struct slice){text.ptr, text.len - 1}, &percent))
		bad_value(e, field, text, "a valid percent string must be a numeric string followed by an ending '%'");
	else if (percent > 100)
		bad_value(e, field, text, "must not be greater than 100%");
}

static void validate_budget(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json *spec = json_get(object, "spec"), *available = json_get(spec, "minAvailable");
	struct json *unavailable = json_get(spec, "maxUnavailable");
	if (available && unavailable)
		bad_value(e, "spec", SLICE("{}"), "minAvailable and maxUnavailable cannot be both set");
	check_amount(e, "spec.minAvailable", available);
	check_amount(e, "spec.maxUnavailable", unavailable);
	check_selector(e, "spec.selector", json_get(spec, "selector"));
	check_choice(e, "spec.unhealthyPodEvictionPolicy", json_get_str(spec, "unhealthyPodEvictionPolicy"),
	        "AlwaysAllow,IfHealthyBudget", false);
}

const struct kind_ops kinds_policy[] = {
        {.kind = "PodDisruptionBudget",
                .validate = validate_budget,
                .columns = "Name,Min Available,Max Unavailable,Allowed Disruptions:integer,Age",
                .cells = table_budget},
        {0},
};
