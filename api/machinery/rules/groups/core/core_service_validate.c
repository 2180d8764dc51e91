/* What services may say, in their specs and in the status of their load balancers. Clients choose freely between types,
 * and each type has fields that the others have not: most rules here are about those. Upstream: ValidateService,
 * ValidateServiceUpdate and ValidateLoadBalancerStatus in pkg/apis/core/validation; addresses of the cluster are
 * service_families.c's. Paths are upstream's, "spec.LoadBalancerSourceRanges" too. */
#include "api/machinery/rules/groups/core/core_int.h"
#include "api/machinery/rules/groups/core/core_service_int.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_ip.h"
#include "api/machinery/rules/groups/core/service_families.h"

#include "base/check.h"

enum { AFFINITY_S_MAX = 86400 };

static const char only_balancer[] = "may only be used when `type` is 'LoadBalancer'";

static bool has_any(const struct json *list)
{
	return list && list->first;
}

static struct json *annotation(const struct json *object, const char *name)
{
	return json_get(json_path(object, "metadata", "annotations", NULL), name);
}

/* ---- ports ---- */

/* Names, ports with protocols and node ports with protocols that were seen. */
struct seen_ports {
	struct name_set names, numbers, node_ports;
	bool is_single;
};

static void check_port_name_of(struct field_errors *e, const char *here, struct seen_ports *seen, const struct json *p)
{
	struct slice name = json_get_str(p, "name");
	const char *bad = name.len ? validate_dns1123_label(name) : NULL;
	if (!seen->is_single && !name.len)
		bad_required(e, at(e, "%s.name", here), "");
	if (bad)
		bad_value(e, at(e, "%s.name", here), name, bad);
	if (name.len && !name_set_add(&seen->names, name))
		bad_duplicate(e, at(e, "%s.name", here), name);
}

static void check_target(struct field_errors *e, const char *here, const struct json *p)
{
	const struct json *target = json_get(p, "targetPort"), *protocol = json_get(p, "appProtocol");
	const char *bad = protocol ? check_qualified_name(json_str(protocol)) : NULL;
	if (json_is(target, JSON_NUMBER))
		check_port(e, at(e, "%s.targetPort", here), json_int(target, 0));
	else if (json_is(target, JSON_STRING))
		check_port_name(e, at(e, "%s.targetPort", here), json_str(target));
	if (bad)
		bad_value(e, at(e, "%s.appProtocol", here), json_str(protocol), bad);
}

static void check_taken(struct field_errors *e, const char *here, struct seen_ports *seen, const struct json *p)
{
	struct slice protocol = json_get_str(p, "protocol");
	long long port = json_get_int(p, "port", 0), node_port = json_get_int(p, "nodePort", 0);
	if (node_port && !name_set_add(&seen->node_ports, slice_of(at(e, "%lld/%.*s", node_port, SLICE_FMT(protocol)))))
		field_error_add(
		        e, "FieldValueDuplicate", at(e, "%s.nodePort", here), "Duplicate value: %lld", node_port);
	if (!name_set_add(&seen->numbers, slice_of(at(e, "%lld/%.*s", port, SLICE_FMT(protocol)))))
		field_error_add(e, "FieldValueDuplicate", here,
		        "Duplicate value: core.ServicePort{Name:\"\", Protocol:\"%.*s\", "
		        "AppProtocol:(*string)(nil), Port:%lld, TargetPort:intstr.IntOrString{Type:0, IntVal:0, "
		        "StrVal:\"\"}, NodePort:0}",
		        SLICE_FMT(protocol), port);
}

static void check_ports(struct field_errors *e, const struct json *spec)
{
	const struct json *ports = json_get(spec, "ports");
	struct seen_ports seen = {.is_single = ports && ports->count == 1};
	bool is_inside = service_has_type(spec, "ClusterIP");
	int i = 0;
	JSON_FOREACH (p, ports) {
		const char *here = at(e, "spec.ports[%d]", i++);
		check_port_name_of(e, here, &seen, p);
		check_port(e, at(e, "%s.port", here), json_get_int(p, "port", 0));
		check_choice(e, at(e, "%s.protocol", here), json_get_str(p, "protocol"), "SCTP,TCP,UDP", true);
		check_target(e, here, p);
		if (is_inside && json_get_int(p, "nodePort", 0))
			bad_forbidden(e, at(e, "%s.nodePort", here), "may not be used when `type` is 'ClusterIP'");
		check_taken(e, here, &seen, p);
	}
	name_set_release(&seen.names);
	name_set_release(&seen.numbers);
	name_set_release(&seen.node_ports);
}

/* ---- what a type is for ---- */

/* It is a name of somewhere else: there are no addresses of the cluster. */
static void check_external_name(struct field_errors *e, const struct json *spec)
{
	static const char none[] = "may not be set for ExternalName services";
	struct slice name = json_get_str(spec, "externalName");
	if (slice_ends(name, "."))
		name.len--;
	const char *bad = name.len ? validate_dns1123_subdomain(name) : NULL;
	if (has_any(json_get(spec, "clusterIPs")) || json_get_str(spec, "clusterIP").len)
		bad_forbidden(e, "spec.clusterIPs", none);
	if (has_any(json_get(spec, "ipFamilies")))
		bad_forbidden(e, "spec.ipFamilies", none);
	if (json_get(spec, "ipFamilyPolicy"))
		bad_forbidden(e, "spec.ipFamilyPolicy", none);
	if (!name.len)
		bad_required(e, "spec.externalName", "");
	if (bad)
		bad_value(e, "spec.externalName", name, bad);
}

static void check_headless(struct field_errors *e, const struct json *spec)
{
	static const char *const types[] = {"LoadBalancer", "NodePort"};
	for (size_t i = 0; i < COUNT_OF(types); i++)
		if (service_has_type(spec, types[i]) && service_is_headless(spec))
			bad_value(e, "spec.clusterIPs[0]", SLICE("None"),
			        at(e, "may not be set to 'None' for %s services", types[i]));
}

static void check_affinity(struct field_errors *e, const struct json *spec)
{
	struct slice affinity = json_get_str(spec, "sessionAffinity");
	int64_t seconds = json_int(json_path(spec, "sessionAffinityConfig", "clientIP", "timeoutSeconds", NULL), 1);
	check_choice(e, "spec.sessionAffinity", affinity, "ClientIP,None", true);
	if (slice_is(affinity, "ClientIP") && (seconds <= 0 || seconds > AFFINITY_S_MAX))
		bad_number(e, "spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds,
		        "must be greater than 0 and less than 86400");
}

/* ---- traffic from outside ---- */

static void check_external_policy(struct field_errors *e, const struct json *spec)
{
	struct slice policy = json_get_str(spec, "externalTrafficPolicy");
	int64_t port = json_get_int(spec, "healthCheckNodePort", 0);
	if (service_is_external(spec))
		check_choice(e, "spec.externalTrafficPolicy", policy, "Cluster,Local", false);
	else if (policy.len)
		bad_value(
		        e, "spec.externalTrafficPolicy", policy, "may only be set for externally-accessible services");
	if (port && service_needs_health_port(spec))
		check_port(e, "spec.healthCheckNodePort", port);
	else if (port)
		bad_number(e, "spec.healthCheckNodePort", port,
		        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
}

static void check_external_ips(struct field_errors *e, const struct json *ips)
{
	int i = 0;
	JSON_FOREACH (it, ips) {
		const char *here = at(e, "spec.externalIPs[%d]", i++);
		check_ip(e, here, json_str(it));
		check_reachable_ip(e, here, json_str(it));
	}
}

/* The annotation that was there before the field, with commas between. */
static void check_ranges_annotation(struct field_errors *e, const struct json *spec, struct slice ranges)
{
	static const char field[] = "metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]";
	struct slice rest = slice_trim(ranges);
	if (!service_has_type(spec, "LoadBalancer"))
		bad_forbidden(e, field, only_balancer);
	while (rest.len)
		check_net(e, field, slice_trim(slice_cut(&rest, ',')));
}

static void check_ranges(struct field_errors *e, const struct json *object, const struct json *spec)
{
	const struct json *ranges = json_get(spec, "loadBalancerSourceRanges");
	const struct json *note = annotation(object, "service.beta.kubernetes.io/load-balancer-source-ranges");
	int i = 0;
	if (has_any(ranges) && !service_has_type(spec, "LoadBalancer"))
		bad_forbidden(e, "spec.LoadBalancerSourceRanges", only_balancer);
	JSON_FOREACH (it, ranges)
		check_net(e, at(e, "spec.LoadBalancerSourceRanges[%d]", i++), slice_trim(json_str(it)));
	if (!has_any(ranges) && note)
		check_ranges_annotation(e, spec, json_str(note));
}

static void check_balancer(struct field_errors *e, const struct json *spec)
{
	const struct json *class = json_get(spec, "loadBalancerClass");
	bool is_balancer = service_has_type(spec, "LoadBalancer");
	const char *bad = class ? check_qualified_name(json_str(class)) : NULL;
	if (!is_balancer && json_get(spec, "allocateLoadBalancerNodePorts"))
		bad_forbidden(e, "spec.allocateLoadBalancerNodePorts", only_balancer);
	if (!is_balancer && class)
		bad_forbidden(e, "spec.loadBalancerClass", only_balancer);
	else if (bad)
		bad_value(e, "spec.loadBalancerClass", json_str(class), bad);
}

static void check_hints(struct field_errors *e, const struct json *object)
{
	const struct json *mode = annotation(object, "service.kubernetes.io/topology-mode");
	const struct json *hints = annotation(object, "service.kubernetes.io/topology-aware-hints");
	if (mode && hints && !slice_eq(json_str(mode), json_str(hints)))
		bad_value(e, "metadata.annotations[service.kubernetes.io/topology-mode]", json_str(mode),
		        "must match annotations[service.kubernetes.io/topology-aware-hints] when both are specified");
}

/* ---- changes ---- */

static void check_change(struct field_errors *e, const struct json *spec, const struct json *old)
{
	static const char balancer[] = "LoadBalancer";
	const struct json *class = json_get(spec, "loadBalancerClass");
	service_families_check_change(e, spec, old);
	if (service_has_type(old, balancer) && service_has_type(spec, balancer) &&
	        !json_equal(class, json_get(old, "loadBalancerClass")) && (class || json_get(old, "loadBalancerClass")))
		bad_value(e, "spec.loadBalancerClass", class ? json_str(class) : SLICE("null"),
		        "may not change once set");
	if (service_needs_health_port(old) && service_needs_health_port(spec) &&
	        json_get_int(spec, "healthCheckNodePort", 0) != json_get_int(old, "healthCheckNodePort", 0))
		bad_forbidden(e, "spec.healthCheckNodePort", "field is immutable");
}

void validate_service(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec");
	bool is_name = service_has_type(spec, "ExternalName");
	check_hints(e, object);
	check_choice(e, "spec.type", json_get_str(spec, "type"), "ClusterIP,ExternalName,LoadBalancer,NodePort", true);
	if (!is_name && !service_is_headless(spec) && !has_any(json_get(spec, "ports")))
		bad_required(e, "spec.ports", "");
	if (is_name)
		check_external_name(e, spec);
	else
		check_headless(e, spec);
	check_ports(e, spec);
	check_labels(e, "spec.selector", json_get(spec, "selector"));
	check_affinity(e, spec);
	service_families_check(e, spec);
	check_external_ips(e, json_get(spec, "externalIPs"));
	check_ranges(e, object, spec);
	check_balancer(e, spec);
	check_external_policy(e, spec);
	check_choice(
	        e, "spec.internalTrafficPolicy", json_get_str(spec, "internalTrafficPolicy"), "Cluster,Local", false);
	check_choice(e, "spec.trafficDistribution", json_get_str(spec, "trafficDistribution"), "PreferClose", false);
	if (old)
		check_change(e, spec, json_get(old, "spec"));
}

/* ---- the status ---- */

static void check_mode(struct field_errors *e, const char *here, struct slice ip, const struct json *mode)
{
	const char *field = at(e, "%s.ipMode", here);
	if (!mode && ip.len)
		bad_required(e, field, "must be specified when `ip` is set");
	else if (mode && !ip.len)
		bad_forbidden(e, field, "may not be specified when `ip` is not set");
	else if (mode)
		check_choice(e, field, json_str(mode), "Proxy,VIP", true);
}

static void check_point(struct field_errors *e, const char *here, const struct json *point)
{
	struct slice ip = json_get_str(point, "ip"), host = json_get_str(point, "hostname");
	const char *bad = host.len ? validate_dns1123_subdomain(host) : NULL;
	struct ip unused;
	if (ip.len)
		check_ip(e, at(e, "%s.ip", here), ip);
	check_mode(e, here, ip, json_get(point, "ipMode"));
	if (bad)
		bad_value(e, at(e, "%s.hostname", here), host, bad);
	if (host.len && sloppy_ip_parse(host, &unused))
		bad_value(e, at(e, "%s.hostname", here), host, "must be a DNS name, not an IP address");
}

void validate_service_status(struct field_errors *e, const struct json *object, const struct json *old)
{
	static const char field[] = "status.loadBalancer.ingress";
	const struct json *points = json_path(object, "status", "loadBalancer", "ingress", NULL);
	int i = 0;
	if (has_any(points) && !service_has_type(json_get(object, "spec"), "LoadBalancer")) {
		bad_forbidden(e, field, "may only be used when `spec.type` is 'LoadBalancer'");
		return;
	}
	JSON_FOREACH (it, points)
		check_point(e, at(e, "%s[%d]", field, i++), it);
}
