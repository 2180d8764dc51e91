/* The coordination.k8s.io group: leases (upstream: pkg/apis/coordination/validation). */
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/table/printers.h"

static void validate_lease(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *duration = json_get(spec, "leaseDurationSeconds");
	const struct json *strategy = json_get(spec, "strategy");
	struct slice name = json_str(strategy);
	if (duration && json_int(duration, 0) <= 0)
		bad_number(e, "spec.leaseDurationSeconds", json_int(duration, 0), "must be greater than 0");
	check_non_negative(e, "spec.leaseTransitions", json_get(spec, "leaseTransitions"));
	if (strategy && name.len && memchr(name.ptr, '/', name.len)) {
		const char *bad = check_qualified_name(name);
		if (bad)
			bad_value(e, "spec.strategy.strategy", name, bad); /* twice, as upstream has it */
	} else if (strategy && !slice_is(name, "OldestEmulationVersion"))
		bad_choice(e, "spec.strategy.strategy", name, "OldestEmulationVersion");
	if (json_get_str(spec, "preferredHolder").len && !name.len)
		bad_forbidden(e, "spec.preferredHolder", "may only be specified if `strategy` is defined");
}

const struct kind_ops kinds_coordination[] = {
        {.kind = "Lease", .validate = validate_lease, .columns = "Name,Holder,Age", .cells = table_lease},
        {0},
};
