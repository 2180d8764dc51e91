/* The names of a pod: its own, those of what it asks for, those by which it finds others (host aliases, resolvers).
 * Upstream: validatePodDNSConfig, ValidateHostAliases and parts of ValidatePodSpec. */
#include "api/machinery/rules/pod/pod_parts_int.h"

#include "api/machinery/rules/checks_ip.h"
#include "base/check.h"

/* ---- its own, and of what it asks for ---- */

static void check_own_names(struct field_errors *e, const char *base, const struct json *spec)
{
	static const struct {
		const char *field;
		const char *(*check)(struct slice name);
	} names[] = {
	        {"hostname", validate_dns1123_label},
	        {"subdomain", validate_dns1123_label},
	        {"serviceAccountName", validate_dns1123_subdomain},
	        {"nodeName", validate_dns1123_subdomain},
	        {"priorityClassName", validate_dns1123_subdomain},
	        {"runtimeClassName", validate_dns1123_subdomain},
	};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct slice name = json_get_str(spec, names[i].field);
		const char *bad = name.len ? names[i].check(name) : NULL;
		if (bad)
			bad_value(e, at(e, "%s.%s", base, names[i].field), name, bad);
	}
}

/* ---- those of others ---- */

static void check_host_aliases(struct field_errors *e, const char *base, const struct json *spec)
{
	int i = 0;
	JSON_FOREACH (it, json_get(spec, "hostAliases")) {
		const char *here = at(e, "%s.hostAliases[%d]", base, i++);
		struct slice address = json_get_str(it, "ip");
		int j = 0;
		check_ip(e, at(e, "%s.ip", here), address);
		JSON_FOREACH (name, json_get(it, "hostnames")) {
			const char *bad = validate_dns1123_subdomain(json_str(name));
			if (bad)
				bad_value(e, at(e, "%s.hostnames[%d]", here, j), json_str(name), bad);
			j++;
		}
	}
}

/* ---- its resolver ---- */

enum { SERVERS_MAX = 3, SEARCHES_MAX = 32, SEARCHES_LEN_MAX = 2048 };

static void check_too_many(
        struct field_errors *e, const char *field, const struct json *list, unsigned max, const char *what)
{
	if (list && list->count > max)
		field_error_add(e, "FieldValueInvalid", field, "Invalid value: %s: must not have more than %u %s",
		        go_list_text(e->arena, "[]string", list), max, what);
}

/* Each a domain, which may end in a dot. */
static void check_searches(struct field_errors *e, const char *field, const struct json *searches)
{
	size_t len = 0;
	int i = 0;
	check_too_many(e, field, searches, SEARCHES_MAX, "search paths");
	JSON_FOREACH (it, searches) {
		struct slice name = json_str(it);
		len += name.len + (it == searches->first ? 0 : 1);
		name.len -= slice_ends(name, ".") ? 1 : 0;
		const char *bad = validate_dns1123_subdomain(name);
		if (bad)
			bad_value(e, at(e, "%s[%d]", field, i), name, bad);
		i++;
	}
	if (len > SEARCHES_LEN_MAX)
		field_error_add(e, "FieldValueInvalid", field,
		        "Invalid value: %s: must not have more than %d characters (including spaces) in the search "
		        "list",
		        go_list_text(e->arena, "[]string", searches), SEARCHES_LEN_MAX);
}

static void check_servers(struct field_errors *e, const char *field, const struct json *servers)
{
	int i = 0;
	check_too_many(e, field, servers, SERVERS_MAX, "nameservers");
	JSON_FOREACH (it, servers)
		check_ip(e, at(e, "%s[%d]", field, i++), json_str(it));
}

static void check_dns(struct field_errors *e, const char *base, const struct json *spec)
{
	const struct json *config = object_member(spec, "dnsConfig"), *servers = json_get(config, "nameservers");
	bool needs_servers = slice_is(json_get_str(spec, "dnsPolicy"), "None");
	int i = 0;
	if (needs_servers && !config)
		bad_required(e, at(e, "%s.dnsConfig", base), "must provide `dnsConfig` when `dnsPolicy` is None");
	else if (needs_servers && !(servers && servers->first))
		bad_required(e, at(e, "%s.dnsConfig.nameservers", base),
		        "must provide at least one DNS nameserver when `dnsPolicy` is None");
	if (!config)
		return;
	check_servers(e, at(e, "%s.dnsConfig.nameservers", base), servers);
	check_searches(e, at(e, "%s.dnsConfig.searches", base), json_get(config, "searches"));
	JSON_FOREACH (it, json_get(config, "options")) {
		if (!json_get_str(it, "name").len)
			bad_required(e, at(e, "%s.dnsConfig.options[%d]", base, i), "must not be empty");
		i++;
	}
}

void validate_pod_names(struct field_errors *e, const char *base, const struct json *spec)
{
	check_own_names(e, base, spec);
	check_host_aliases(e, base, spec);
	check_dns(e, base, spec);
}
