/* The discovery.k8s.io group: endpoint slices (upstream: pkg/apis/discovery/validation). A slice has up to a thousand
 * endpoints and is written at every change of a pod: an address's path is made only when something is wrong with it. */
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_ip.h"
#include "api/machinery/table/printers.h"

enum { ADDRESSES_MAX = 100, PORTS_MAX = 100, ENDPOINTS_MAX = 1000, TOPOLOGY_MAX = 16 };

static void endpoint_slice_defaults(struct arena *a, struct json *o)
{
	JSON_FOREACH (p, json_get(o, "ports")) {
		default_str(a, p, "protocol", "TCP");
		if (!json_get(p, "name"))
			json_set_cstr(a, p, "name", "");
	}
}

/* False: it has, and that is said. */
static bool has_not_too_many(struct field_errors *e, const char *field, const struct json *list, uint32_t max)
{
	if (!list || list->count <= max)
		return true;
	field_error_add(e, "FieldValueTooMany", field, "Too many: %u: must have at most %u items", list->count, max);
	return false;
}

/* ---- endpoints ---- */

static void check_addresses(struct field_errors *e, int endpoint, const struct json *list, struct slice type)
{
	enum ip_family family;
	bool is_ip = ip_family_parse(type, &family);
	int i = 0;
	JSON_FOREACH (it, list) {
		struct ip ip;
		if (is_ip && (!sloppy_ip_parse(json_str(it), &ip) || ip.family != family))
			bad_value(e, at(e, "endpoints[%d].addresses[%d]", endpoint, i), json_str(it),
			        family == IP_V4 ? "must be a valid IPv4 address" : "must be a valid IPv6 address");
		else if (is_ip && !endpoint_ip_is_fine(&ip))
			check_endpoint_ip(e, at(e, "endpoints[%d].addresses[%d]", endpoint, i), json_str(it));
		if (slice_is(type, "FQDN"))
			check_full_domain(e, at(e, "endpoints[%d].addresses[%d]", endpoint, i), json_str(it));
		i++;
	}
}

static void check_endpoint(struct field_errors *e, int i, const struct json *endpoint, struct slice type)
{
	const struct json *addresses = json_get(endpoint, "addresses"), *host = json_get(endpoint, "hostname");
	const struct json *topology = json_get(endpoint, "deprecatedTopology");
	const char *bad = host ? validate_dns1123_label(json_str(host)) : NULL;
	if (!addresses || !addresses->first)
		bad_required(e, at(e, "endpoints[%d].addresses", i), "must contain at least 1 address");
	else if (addresses->count > ADDRESSES_MAX)
		has_not_too_many(e, at(e, "endpoints[%d].addresses", i), addresses, ADDRESSES_MAX);
	check_addresses(e, i, addresses, type);
	if (topology) {
		const char *field = at(e, "endpoints[%d].topology", i);
		has_not_too_many(e, field, topology, TOPOLOGY_MAX);
		check_labels(e, field, topology);
	}
	if (bad)
		bad_value(e, at(e, "endpoints[%d].hostname", i), json_str(host), bad);
}

/* ---- ports ---- */

static void check_slice_port(struct field_errors *e, int i, const struct json *p, struct name_set *names)
{
	const char *base = at(e, "ports[%d]", i);
	struct slice name = json_get_str(p, "name");
	const struct json *protocol = json_get(p, "appProtocol");
	const char *bad = name.len ? validate_dns1123_label(name) : NULL;
	if (bad)
		bad_value(e, at(e, "%s.name", base), name, bad);
	if (!name_set_add(names, name))
		bad_duplicate(e, at(e, "%s.name", base), name);
	check_choice(e, at(e, "%s.protocol", base), json_get_str(p, "protocol"), "SCTP,TCP,UDP", true);
	if (protocol && (bad = check_qualified_name(json_str(protocol))))
		bad_value(e, at(e, "%s.appProtocol", base), json_str(protocol), bad);
}

static void validate_endpoint_slice(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *endpoints = json_get(object, "endpoints"), *ports = json_get(object, "ports");
	struct slice type = json_get_str(object, "addressType");
	struct name_set names = {MAP_INIT};
	int i = 0;
	check_choice(e, "addressType", type, old ? "FQDN,IP,IPv4,IPv6" : "FQDN,IPv4,IPv6", true);
	if (has_not_too_many(e, "endpoints", endpoints, ENDPOINTS_MAX))
		JSON_FOREACH (it, endpoints)
			check_endpoint(e, i++, it, type);
	i = 0;
	if (has_not_too_many(e, "ports", ports, PORTS_MAX))
		JSON_FOREACH (it, ports)
			check_slice_port(e, i++, it, &names);
	name_set_release(&names);
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
