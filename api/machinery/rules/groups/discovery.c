/* The discovery.k8s.io group: endpoint slices. */
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/table/printers.h"

static void endpoint_slice_defaults(struct arena *a, struct json *o)
{
	JSON_FOREACH (p, json_get(o, "ports")) {
		default_str(a, p, "protocol", "TCP");
		if (!json_get(p, "name"))
			json_set_cstr(a, p, "name", "");
	}
}

static void validate_endpoint_slice(struct field_errors *e, const struct json *object, const struct json *old)
{
	check_choice(e, "addressType", json_get_str(object, "addressType"), "IPv4,IPv6,FQDN", true);
}

const struct kind_ops kinds_discovery[] = {
        {.kind = "EndpointSlice",
                .defaults = endpoint_slice_defaults,
                .validate = validate_endpoint_slice,
                .immutable = "addressType",
                .columns = "Name,AddressType,Ports,Endpoints,Age",
                .cells = table_endpoint_slice},
        {0},
};
