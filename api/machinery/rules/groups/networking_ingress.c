/* Ingresses and their classes: defaults and validation (upstream: pkg/apis/networking/validation). What an older server
 * let pass stays on an update: names of TLS secrets, and rules of hosts with a wildcard. */
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_ip.h"
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups/networking_int.h"
#include "base/check.h"

enum { CONTROLLER_BYTES_MAX = 250 };

/* What an object of before may keep that a new one may not have. */
struct leniency {
	bool secret_names, wildcard_rules;
};

static bool has(struct slice s, const char *part)
{
	return s.len && memmem(s.ptr, s.len, part, strlen(part));
}

/* ---- backends ---- */

static void check_name_at(struct field_errors *e, const char *base, const char *member, const struct json *ref)
{
	struct slice text = json_get_str(ref, member);
	const char *bad = text.len ? check_path_segment(text) : NULL;
	if (!text.len)
		bad_required(e, at(e, "%s.%s", base, member), "");
	else if (bad)
		bad_value(e, at(e, "%s.%s", base, member), text, bad);
}

/* Of an object of any kind: group, kind, name. */
static void check_typed_reference(struct field_errors *e, const char *base, const struct json *ref)
{
	const struct json *group = json_get(ref, "apiGroup");
	const char *bad = group ? validate_dns1123_subdomain(json_str(group)) : NULL;
	if (bad)
		bad_value(e, at(e, "%s.apiGroup", base), json_str(group), bad);
	check_name_at(e, base, "kind", ref);
	check_name_at(e, base, "name", ref);
}

static void check_service(struct field_errors *e, const char *base, const struct json *service)
{
	struct slice name = json_get_str(service, "name");
	const struct json *port = json_get(service, "port");
	struct slice port_name = json_get_str(port, "name");
	int64_t number = json_get_int(port, "number", 0);
	const char *bad = name.len ? check_dns1035_label(name) : NULL;
	if (!name.len)
		bad_required(e, at(e, "%s.service.name", base), "");
	else if (bad)
		bad_value(e, at(e, "%s.service.name", base), name, bad);
	if (port_name.len && number)
		bad_value(e, base, SLICE(""), "cannot set both port name & port number");
	else if (port_name.len)
		check_port_name(e, at(e, "%s.service.port.name", base), port_name);
	else if (number)
		check_port(e, at(e, "%s.service.port.number", base), number);
	else
		bad_required(e, base, "port name or number is required");
}

static void check_backend(struct field_errors *e, const char *base, const struct json *backend)
{
	const struct json *resource = json_get(backend, "resource"), *service = json_get(backend, "service");
	if (resource && service)
		bad_value(e, base, SLICE(""), "cannot set both resource and service backends");
	else if (resource)
		check_typed_reference(e, at(e, "%s.resource", base), resource);
	else if (service)
		check_service(e, base, service);
	else
		bad_value(e, base, SLICE(""), "resource or service backend is required");
}

/* ---- rules ---- */

static void check_plain_path(struct field_errors *e, const char *field, struct slice path)
{
	static const char *const parts[] = {"//", "/./", "/../", "%2f", "%2F"}, *const ends[] = {"/..", "/."};
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		if (has(path, parts[i]))
			bad_value(e, field, path, at(e, "must not contain '%s'", parts[i]));
	for (size_t i = 0; i < COUNT_OF(ends); i++)
		if (slice_ends(path, ends[i]))
			bad_value(e, field, path, at(e, "cannot end with '%s'", ends[i]));
}

static void check_path(struct field_errors *e, const char *base, const struct json *p)
{
	const struct json *type = json_get(p, "pathType");
	struct slice path = json_get_str(p, "path");
	bool is_plain = slice_is(json_str(type), "Exact") || slice_is(json_str(type), "Prefix");
	bool is_own = slice_is(json_str(type), "ImplementationSpecific");
	const char *field = at(e, "%s.path", base);
	if (!type) {
		bad_required(e, at(e, "%s.pathType", base), "pathType must be specified");
		return;
	}
	if ((is_plain || (is_own && path.len)) && !slice_starts(path, "/"))
		bad_value(e, field, path, "must be an absolute path");
	if (is_plain)
		check_plain_path(e, field, path);
	if (!is_plain && !is_own)
		bad_choice(e, at(e, "%s.pathType", base), json_str(type), "Exact,ImplementationSpecific,Prefix");
	check_backend(e, at(e, "%s.backend", base), json_get(p, "backend"));
}

static void check_rule_value(struct field_errors *e, const char *base, const struct json *rule)
{
	const struct json *http = json_get(rule, "http"), *paths = json_get(http, "paths");
	int i = 0;
	if (http && !(paths && paths->first))
		bad_required(e, at(e, "%s.http.paths", base), "");
	JSON_FOREACH (it, paths)
		check_path(e, at(e, "%s.http.paths[%d]", base, i++), it);
}

static void check_dns_name(struct field_errors *e, const char *field, struct slice host)
{
	const char *bad;
	if (has(host, "*"))
		check_wildcard_domain(e, field, host);
	else if ((bad = validate_dns1123_subdomain(host)))
		bad_value(e, field, host, bad);
}

static void check_no_address(struct field_errors *e, const char *field, struct slice host)
{
	struct ip unused;
	if (sloppy_ip_parse(host, &unused))
		bad_value(e, field, host, "must be a DNS name, not an IP address");
}

static void check_rules(struct field_errors *e, const struct json *rules, struct leniency may)
{
	int i = 0;
	JSON_FOREACH (it, rules) {
		const char *base = at(e, "spec.rules[%d]", i++), *field = at(e, "%s.host", base);
		struct slice host = json_get_str(it, "host");
		if (host.len) {
			check_no_address(e, field, host);
			check_dns_name(e, field, host);
		}
		if (!has(host, "*") || !may.wildcard_rules)
			check_rule_value(e, base, it);
	}
}

static const char *secret_name_error(const struct json *tls)
{
	struct slice name = json_get_str(tls, "secretName");
	return name.len ? validate_dns1123_subdomain(name) : NULL;
}

static void check_tls(struct field_errors *e, const struct json *list, struct leniency may)
{
	int i = 0;
	JSON_FOREACH (it, list) {
		const char *base = at(e, "spec.tls[%d]", i++), *bad = secret_name_error(it);
		int k = 0;
		JSON_FOREACH (host, json_get(it, "hosts"))
			check_dns_name(e, at(e, "%s.hosts[%d]", base, k++), json_str(host));
		if (bad && !may.secret_names)
			bad_value(e, at(e, "%s.secretName", base), json_get_str(it, "secretName"), bad);
	}
}

/* ---- ingresses ---- */

static struct leniency leniency_of(struct arena *a, const struct json *old)
{
	struct leniency may = {0};
	JSON_FOREACH (it, json_path(old, "spec", "tls", NULL))
		may.secret_names |= secret_name_error(it) != NULL;
	JSON_FOREACH (it, json_path(old, "spec", "rules", NULL)) {
		if (!has(json_get_str(it, "host"), "*") || may.wildcard_rules)
			continue;
		struct field_errors *before = ARENA_NEW(a, struct field_errors);
		field_errors_init(before, a);
		check_rule_value(before, "", it);
		may.wildcard_rules = before->count > 0;
	}
	return may;
}

static void check_class_annotation(struct field_errors *e, const struct json *object)
{
	const struct json *named = json_path(object, "metadata", "annotations", "kubernetes.io/ingress.class", NULL);
	const struct json *class = json_path(object, "spec", "ingressClassName", NULL);
	if (named && class && !slice_eq(json_str(named), json_str(class)))
		bad_value(e, "annotations.kubernetes.io/ingress.class", json_str(named),
		        "must match `ingressClassName` when both are specified");
}

void validate_ingress(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *rules = json_get(spec, "rules");
	const struct json *backend = json_get(spec, "defaultBackend"), *class = json_get(spec, "ingressClassName");
	struct leniency may = leniency_of(e->arena, old);
	const char *bad = class ? validate_dns1123_subdomain(json_str(class)) : NULL;
	if (!(rules && rules->first) && !backend)
		field_error_add(e, "FieldValueInvalid", "spec",
		        "Invalid value: []networking.IngressRule%s: either `defaultBackend` or `rules` must be "
		        "specified",
		        rules ? "{}" : "(nil)");
	if (backend)
		check_backend(e, "spec.defaultBackend", backend);
	check_rules(e, rules, may);
	check_tls(e, json_get(spec, "tls"), may);
	if (bad)
		bad_value(e, "spec.ingressClassName", json_str(class), bad);
	if (!old)
		check_class_annotation(e, object);
}

void validate_ingress_status(struct field_errors *e, const struct json *object, const struct json *old)
{
	int i = 0;
	JSON_FOREACH (it, json_path(object, "status", "loadBalancer", "ingress", NULL)) {
		const char *base = at(e, "status.loadBalancer.ingress[%d]", i++), *field = at(e, "%s.hostname", base);
		struct slice ip = json_get_str(it, "ip"), host = json_get_str(it, "hostname");
		const char *bad = host.len ? validate_dns1123_subdomain(host) : NULL;
		if (ip.len)
			check_ip(e, at(e, "%s.ip", base), ip);
		if (bad)
			bad_value(e, field, host, bad);
		check_no_address(e, field, host);
	}
}

/* ---- classes ---- */

void ingress_class_defaults(struct arena *a, struct json *o)
{
	default_str(a, json_path(o, "spec", "parameters", NULL), "scope", "Cluster");
}

static void check_scope(struct field_errors *e, const struct json *parameters)
{
	const char *field = "spec.parameters.namespace";
	const struct json *scope = json_get(parameters, "scope"), *namespace = json_get(parameters, "namespace");
	if (!scope)
		bad_required(e, "spec.parameters.scope", "");
	else if (slice_is(json_str(scope), "Cluster")) {
		if (namespace)
			bad_forbidden(e, field, "`parameters.scope` is set to 'Cluster'");
	} else if (!slice_is(json_str(scope), "Namespace"))
		bad_choice(e, "spec.parameters.scope", json_str(scope), "Cluster,Namespace");
	else if (!namespace)
		bad_required(e, field, "`parameters.scope` is set to 'Namespace'");
	else if (validate_dns1123_label(json_str(namespace)))
		bad_value(e, field, json_str(namespace), validate_dns1123_label(json_str(namespace)));
}

void validate_ingress_class(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *parameters = json_get(spec, "parameters");
	struct slice controller = json_get_str(spec, "controller");
	if (!controller.len)
		bad_required(e, "spec.controller", "");
	else {
		if (controller.len > CONTROLLER_BYTES_MAX)
			field_error_add(e, "FieldValueTooLong", "spec.controller",
			        "Too long: may not be more than %d bytes", CONTROLLER_BYTES_MAX);
		check_domain_path(e, "spec.controller", controller);
	}
	if (!parameters)
		return;
	check_typed_reference(e, "spec.parameters", parameters);
	check_scope(e, parameters);
}
