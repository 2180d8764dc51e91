/* Services: defaults and validation (upstream: SetDefaults_Service and ValidateService in pkg/apis/core). */
#include "api/machinery/rules/core_int.h"
#include "api/machinery/rules/defaults_int.h"
#include "api/machinery/rules/validate_int.h"

#include <arpa/inet.h>
#include <stdio.h>

/* ---- defaults ---- */

void service_defaults(struct arena *a, struct json *o)
{
	struct json *spec = json_need(a, o, "spec", JSON_OBJECT);
	default_str(a, spec, "sessionAffinity", "None");
	if (slice_is(json_get_str(spec, "sessionAffinity"), "ClientIP")) {
		struct json *config = json_need(a, spec, "sessionAffinityConfig", JSON_OBJECT);
		default_int(a, json_need(a, config, "clientIP", JSON_OBJECT), "timeoutSeconds", 10800);
	}
	default_str(a, spec, "type", "ClusterIP");
	struct slice type = json_get_str(spec, "type");
	bool external = slice_is(type, "ExternalName");
	JSON_FOREACH (p, json_get(spec, "ports")) {
		default_str(a, p, "protocol", "TCP");
		struct json *target = json_get(p, "targetPort");
		if (!target || (target->type == JSON_STRING && !target->text.len) ||
		        (target->type == JSON_NUMBER && json_int(target, 0) == 0))
			json_set_int(a, p, "targetPort", json_get_int(p, "port", 0));
	}
	if (external)
		return;
	default_str(a, spec, "internalTrafficPolicy", "Cluster");
	if (slice_is(type, "NodePort") || slice_is(type, "LoadBalancer"))
		default_str(a, spec, "externalTrafficPolicy", "Cluster");
	if (slice_is(type, "LoadBalancer"))
		default_bool(a, spec, "allocateLoadBalancerNodePorts", true);
	default_str(a, spec, "ipFamilyPolicy", "SingleStack");
	struct json *families = json_need(a, spec, "ipFamilies", JSON_ARRAY);
	if (!families->first)
		json_append(families, json_new_cstr(a, "IPv4"));
}

/* ---- validation ---- */

static bool is_ip(struct slice s)
{
	char text[64];
	unsigned char out[16];
	snprintf(text, sizeof text, "%.*s", SLICE_FMT(s));
	return inet_pton(AF_INET, text, out) == 1 || inet_pton(AF_INET6, text, out) == 1;
}

static bool is_repeated(const struct json *ports, const struct json *port)
{
	JSON_FOREACH (p, ports) {
		if (p == port)
			return false;
		if (json_get_int(p, "port", 0) == json_get_int(port, "port", -1) &&
		        slice_eq(json_get_str(p, "protocol"), json_get_str(port, "protocol")))
			return true;
	}
	return false;
}

static bool name_is_repeated(const struct json *ports, const struct json *port)
{
	JSON_FOREACH (p, ports) {
		if (p == port)
			return false;
		if (slice_eq(json_get_str(p, "name"), json_get_str(port, "name")))
			return true;
	}
	return false;
}

static void check_port_row(struct field_errors *e, const char *here, const struct json *ports, const struct json *p)
{
	struct slice name = json_get_str(p, "name");
	struct json *target = json_get(p, "targetPort");
	if (ports->count > 1 && !name.len)
		bad_required(e, at(e, "%s.name", here), "");
	if (name.len && validate_dns1123_label(name))
		bad_value(e, at(e, "%s.name", here), name, validate_dns1123_label(name));
	if (name.len && name_is_repeated(ports, p))
		bad_duplicate(e, at(e, "%s.name", here), name);
	check_port(e, at(e, "%s.port", here), json_get_int(p, "port", 0));
	check_choice(e, at(e, "%s.protocol", here), json_get_str(p, "protocol"), "SCTP,TCP,UDP", true);
	if (json_is(target, JSON_NUMBER))
		check_port(e, at(e, "%s.targetPort", here), json_int(target, 0));
	if (is_repeated(ports, p))
		field_error_add(e, "FieldValueDuplicate", here,
		        "Duplicate value: {\"port\":%lld,\"protocol\":\"%.*s\"}", (long long)json_get_int(p, "port", 0),
		        SLICE_FMT(json_get_str(p, "protocol")));
}

static void check_cluster_ip(struct field_errors *e, const struct json *spec, const struct json *old)
{
	struct slice ip = json_get_str(spec, "clusterIP"), type = json_get_str(spec, "type"),
	             had = json_str(json_path(old, "spec", "clusterIP", NULL));
	if (ip.len && !slice_is(ip, "None") && !is_ip(ip))
		bad_value(e, "spec.clusterIPs[0]", ip, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
	if (slice_is(ip, "None") && (slice_is(type, "LoadBalancer") || slice_is(type, "NodePort")))
		bad_value(
		        e, "spec.clusterIPs[0]", ip, "may not be set to 'None' for LoadBalancer and NodePort services");
	bool was_external = slice_is(json_str(json_path(old, "spec", "type", NULL)), "ExternalName");
	if (old && had.len && ip.len && !was_external && !slice_eq(ip, had))
		field_error_add(e, "FieldValueInvalid", "spec.clusterIPs[0]",
		        "Invalid value: [\"%.*s\"]: may not change once set", SLICE_FMT(ip));
}

void validate_service(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json *spec = json_get(object, "spec"), *ports = json_get(spec, "ports");
	struct slice type = json_get_str(spec, "type"), ip = json_get_str(spec, "clusterIP");
	int i = 0;
	bool external = slice_is(type, "ExternalName");
	check_choice(e, "spec.type", type, "ClusterIP,ExternalName,LoadBalancer,NodePort", true);
	if (external && !json_get_str(spec, "externalName").len)
		bad_required(e, "spec.externalName", "");
	if (!external && !slice_is(ip, "None") && (!ports || !ports->first))
		bad_required(e, "spec.ports", "");
	JSON_FOREACH (p, ports)
		check_port_row(e, at(e, "spec.ports[%d]", i++), ports, p);
	check_labels(e, "spec.selector", json_get(spec, "selector"));
	check_choice(e, "spec.sessionAffinity", json_get_str(spec, "sessionAffinity"), "ClientIP,None", true);
	check_choice(
	        e, "spec.internalTrafficPolicy", json_get_str(spec, "internalTrafficPolicy"), "Cluster,Local", false);
	check_choice(
	        e, "spec.externalTrafficPolicy", json_get_str(spec, "externalTrafficPolicy"), "Cluster,Local", false);
	if (!external)
		check_cluster_ip(e, spec, old);
	JSON_FOREACH (x, json_get(spec, "externalIPs"))
		if (!is_ip(json_str(x)))
			bad_value(e, "spec.externalIPs", json_str(x),
			        "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
}
