/* Network policies: defaults and validation (upstream: pkg/apis/networking/v1/defaults.go, validation.go). */
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_ip.h"
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups/networking_int.h"
#include "base/check.h"

/* Both directions have rules of the same shape. */
static const struct {
	const char *rules, *peers;
} directions[] = {{"ingress", "from"}, {"egress", "to"}};

enum { POLICY_TYPES_MAX = 2 };

/* ---- defaults ---- */

void network_policy_defaults(struct arena *a, struct json *o)
{
	struct json *spec = json_get(o, "spec");
	for (size_t i = 0; i < COUNT_OF(directions); i++)
		JSON_FOREACH (rule, json_get(spec, directions[i].rules))
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

/* ---- validation ---- */

static void check_end_port(struct field_errors *e, const char *base, const struct json *port, const struct json *end)
{
	const char *field = at(e, "%s.endPort", base);
	if (!port)
		bad_number(e, field, json_int(end, 0), "may not be specified when `port` is not specified");
	else if (port->type != JSON_NUMBER)
		bad_number(e, field, json_int(end, 0), "may not be specified when `port` is non-numeric");
	else {
		if (json_int(end, 0) < json_int(port, 0))
			bad_number(e, field, json_int(end, 0), "must be greater than or equal to `port`");
		check_port(e, field, json_int(end, 0));
	}
}

static void check_policy_port(struct field_errors *e, const char *base, const struct json *p)
{
	const struct json *port = json_get(p, "port"), *end = json_get(p, "endPort"),
	                  *protocol = json_get(p, "protocol");
	if (protocol && !slice_is_any(json_str(protocol), (const char *const[]){"TCP", "UDP", "SCTP"}, 3))
		bad_choice(e, at(e, "%s.protocol", base), json_str(protocol), "TCP,UDP,SCTP");
	if (json_is(port, JSON_NUMBER))
		check_port(e, at(e, "%s.port", base), json_int(port, 0));
	else if (port)
		check_port_name(e, at(e, "%s.port", base), json_str(port));
	if (end)
		check_end_port(e, base, port, end);
}

/* Networks of the policy as it was stay, whatever they are: the rules about them may have been laxer. */
static bool net_was_there(const struct json *old, struct slice text)
{
	for (size_t i = 0; i < COUNT_OF(directions); i++)
		JSON_FOREACH (rule, json_path(old, "spec", directions[i].rules, NULL))
			JSON_FOREACH (peer, json_get(rule, directions[i].peers)) {
				const struct json *block = json_get(peer, "ipBlock");
				if (block && slice_eq(json_get_str(block, "cidr"), text))
					return true;
				JSON_FOREACH (it, json_get(block, "except"))
					if (slice_eq(json_str(it), text))
						return true;
			}
	return false;
}

static void check_block(struct field_errors *e, const char *base, const struct json *block, const struct json *old)
{
	struct slice cidr = json_get_str(block, "cidr");
	struct ip_net whole, part;
	int i = 0;
	if (!cidr.len) {
		bad_required(e, at(e, "%s.cidr", base), "");
		return;
	}
	if (!sloppy_net_parse(cidr, &whole)) {
		if (!net_was_there(old, cidr))
			check_net(e, at(e, "%s.cidr", base), cidr);
		return;
	}
	JSON_FOREACH (it, json_get(block, "except")) {
		const char *field = at(e, "%s.except[%d]", base, i++);
		if (!sloppy_net_parse(json_str(it), &part)) {
			if (!net_was_there(old, json_str(it)))
				check_net(e, field, json_str(it));
		} else if (!ip_net_contains(&whole, &part.first) || whole.bits >= part.bits)
			bad_value(e, field, json_str(it), "must be a strict subset of `cidr`");
	}
}

static void check_peer(struct field_errors *e, const char *base, const struct json *peer, const struct json *old)
{
	const struct json *pods = json_get(peer, "podSelector"), *namespaces = json_get(peer, "namespaceSelector");
	const struct json *block = json_get(peer, "ipBlock");
	if (pods)
		check_selector(e, at(e, "%s.podSelector", base), pods);
	if (namespaces)
		check_selector(e, at(e, "%s.namespaceSelector", base), namespaces);
	if (block)
		check_block(e, at(e, "%s.ipBlock", base), block, old);
	if (!pods && !namespaces && !block)
		bad_required(e, base, "must specify a peer");
	else if (block && (pods || namespaces))
		bad_forbidden(e, base, "may not specify both ipBlock and another peer");
}

static void check_types(struct field_errors *e, const struct json *types)
{
	int i = 0;
	if (types && types->count > POLICY_TYPES_MAX) {
		field_error_add(e, "FieldValueInvalid", "spec.policyTypes",
		        "Invalid value: %s: may not specify more than two policyTypes",
		        go_list_text(e->arena, "[]networking.PolicyType", types));
		return;
	}
	JSON_FOREACH (it, types) {
		if (!slice_is(json_str(it), "Ingress") && !slice_is(json_str(it), "Egress"))
			bad_choice(e, at(e, "spec.policyTypes[%d]", i), json_str(it), "Ingress,Egress");
		i++;
	}
}

static void check_rule(
        struct field_errors *e, const char *base, const struct json *rule, const char *peers, const struct json *old)
{
	int i = 0;
	JSON_FOREACH (it, json_get(rule, "ports"))
		check_policy_port(e, at(e, "%s.ports[%d]", base, i++), it);
	i = 0;
	JSON_FOREACH (it, json_get(rule, peers))
		check_peer(e, at(e, "%s.%s[%d]", base, peers, i++), it, old);
}

void validate_network_policy(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec");
	check_selector(e, "spec.podSelector", json_get(spec, "podSelector"));
	for (size_t k = 0; k < COUNT_OF(directions); k++) {
		int i = 0;
		JSON_FOREACH (rule, json_get(spec, directions[k].rules))
			check_rule(e, at(e, "spec.%s[%d]", directions[k].rules, i++), rule, directions[k].peers, old);
	}
	check_types(e, json_get(spec, "policyTypes"));
}
