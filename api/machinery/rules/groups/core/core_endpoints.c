/* Endpoints: subsets of addresses and ports. They are written at every change of a pod: an address's path is made only
 * when something is wrong with it. Addresses of loopback are taken, which upstream refuses: a server that is bound to
 * one says so of itself. Upstream: ValidateEndpoints in pkg/apis/core/validation. */
#include "api/machinery/rules/groups/core/core_int.h"
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_ip.h"

#include "base/check.h"

void endpoints_defaults(struct arena *a, struct json *o)
{
	JSON_FOREACH (s, json_get(o, "subsets"))
		JSON_FOREACH (p, json_get(s, "ports"))
			default_str(a, p, "protocol", "TCP");
}

static bool has_any(const struct json *list)
{
	return list && list->first;
}

static bool is_fine(const struct json *address)
{
	const struct json *node = json_get(address, "nodeName");
	struct slice host = json_get_str(address, "hostname");
	struct ip ip;
	return sloppy_ip_parse(json_get_str(address, "ip"), &ip) && endpoint_ip_is_fine(&ip) &&
	       !(host.len && validate_dns1123_label(host)) && !(node && validate_dns1123_subdomain(json_str(node)));
}

static void tell_address(struct field_errors *e, const char *here, const struct json *address)
{
	struct slice ip = json_get_str(address, "ip"), host = json_get_str(address, "hostname");
	const struct json *node = json_get(address, "nodeName");
	const char *bad = host.len ? validate_dns1123_label(host) : NULL;
	struct ip unused;
	check_ip(e, at(e, "%s.ip", here), ip);
	if (bad)
		bad_value(e, at(e, "%s.hostname", here), host, bad);
	if (node && (bad = validate_dns1123_subdomain(json_str(node))))
		bad_value(e, at(e, "%s.nodeName", here), json_str(node), bad);
	if (!sloppy_ip_parse(ip, &unused))
		bad_value(e, at(e, "%s.ip", here), ip, "must be a valid IP address");
	check_endpoint_ip(e, at(e, "%s.ip", here), ip);
}

static void check_addresses(struct field_errors *e, int subset, const char *list, const struct json *addresses)
{
	int i = 0;
	JSON_FOREACH (it, addresses) {
		if (!is_fine(it))
			tell_address(e, at(e, "subsets[%d].%s[%d]", subset, list, i), it);
		i++;
	}
}

static void check_endpoint_port(struct field_errors *e, const char *here, const struct json *p, bool needs_name)
{
	struct slice name = json_get_str(p, "name");
	const struct json *protocol = json_get(p, "appProtocol");
	const char *bad = name.len ? validate_dns1123_label(name) : NULL;
	if (needs_name && !name.len)
		bad_required(e, at(e, "%s.name", here), "");
	if (bad)
		bad_value(e, at(e, "%s.name", here), name, bad);
	check_port(e, at(e, "%s.port", here), json_get_int(p, "port", 0));
	check_choice(e, at(e, "%s.protocol", here), json_get_str(p, "protocol"), "SCTP,TCP,UDP", true);
	if (protocol && (bad = check_qualified_name(json_str(protocol))))
		bad_value(e, at(e, "%s.appProtocol", here), json_str(protocol), bad);
}

void validate_endpoints(struct field_errors *e, const struct json *object, const struct json *old)
{
	int i = 0;
	JSON_FOREACH (it, json_get(object, "subsets")) {
		const struct json *ready = json_get(it, "addresses"), *other = json_get(it, "notReadyAddresses"),
		                  *ports = json_get(it, "ports");
		int j = 0;
		if (!has_any(ready) && !has_any(other))
			bad_required(e, at(e, "subsets[%d]", i), "must specify `addresses` or `notReadyAddresses`");
		check_addresses(e, i, "addresses", ready);
		check_addresses(e, i, "notReadyAddresses", other);
		JSON_FOREACH (p, ports)
			check_endpoint_port(e, at(e, "subsets[%d].ports[%d]", i, j++), p, ports->count > 1);
		i++;
	}
}
