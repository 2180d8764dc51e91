/* The networking.k8s.io group. */
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/table/printers.h"

static void network_policy_defaults(struct arena *a, struct json *o)
{
	struct json *spec = json_get(o, "spec");
	static const char *const lists[] = {"ingress", "egress"};
	for (size_t i = 0; spec && i < 2; i++)
		JSON_FOREACH (rule, json_get(spec, lists[i]))
			JSON_FOREACH (p, json_get(rule, "ports"))
				default_str(a, p, "protocol", "TCP");
	if (!spec || (json_get(spec, "policyTypes") && json_get(spec, "policyTypes")->first))
		return;
	struct json *types = json_set(a, spec, "policyTypes", json_new(a, JSON_ARRAY));
	json_append(types, json_new_cstr(a, "Ingress"));
	if (json_get(spec, "egress") &&
	        json_get(spec, "egress")->first) /* an empty list is as none, as upstream has it */
		json_append(types, json_new_cstr(a, "Egress"));
}

const struct kind_ops kinds_networking[] = {
        {.kind = "IngressClass", .immutable = "spec.controller"},
        {.kind = "Ingress",
                .traits = KIND_IS_INGRESS,
                .columns = "Name,Class,Hosts,Address,Ports,Age",
                .cells = table_ingress},
        {.kind = "NetworkPolicy",
                .defaults = network_policy_defaults,
                .columns = "Name,Pod-Selector,Age",
                .cells = table_network_policy},
        {0},
};
