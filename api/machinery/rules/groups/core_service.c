/* Services: defaults, what follows a change of the type, and validation; families of addresses are service_families.c's
 * (upstream: SetDefaults_Service and
 * ValidateService in pkg/apis/core, pkg/registry/core/service/strategy.go). */
#include "api/machinery/rules/groups/core_int.h"
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/groups/service_families.h"

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
}

/* ---- what follows the type ---- */

static bool has_type(const struct json *spec, const char *type)
{
	return slice_is(json_get_str(spec, "type"), type);
}

static bool needs_cluster_ip(const struct json *spec)
{
	return !has_type(spec, "ExternalName");
}

static bool needs_node_port(const struct json *spec)
{
	return has_type(spec, "NodePort") ||
	       (has_type(spec, "LoadBalancer") && json_get_bool(spec, "allocateLoadBalancerNodePorts", true));
}

/* It has a port for health checks of its own. */
static bool needs_health_port(const struct json *spec)
{
	return has_type(spec, "LoadBalancer") && slice_is(json_get_str(spec, "externalTrafficPolicy"), "Local");
}

static bool has_any(const struct json *list)
{
	return list && list->first;
}

/* Reached from outside the cluster. */
static bool is_external(const struct json *spec)
{
	return has_type(spec, "NodePort") || has_type(spec, "LoadBalancer") ||
	       (has_type(spec, "ClusterIP") && has_any(json_get(spec, "externalIPs")));
}

/* A field that the new type does not have goes, unless the client changed it: then validation says so. */
static void drop_if_kept(struct json *spec, const struct json *old, const char *field)
{
	if (json_get(spec, field) && json_equal(json_get(spec, field), json_get(old, field)))
		json_del(spec, field);
}

static void drop_node_ports(struct json *spec, const struct json *old)
{
	struct json *before = json_get(old, "ports") ? json_get(old, "ports")->first : NULL;
	JSON_FOREACH (p, json_get(spec, "ports")) {
		if (json_get_int(p, "nodePort", 0) != json_get_int(before, "nodePort", 0))
			return; /* the client's own doing */
		before = before ? before->next : NULL;
	}
	JSON_FOREACH (p, json_get(spec, "ports"))
		json_del(p, "nodePort");
}

/* Upstream: dropTypeDependentFields. */
static void drop_what_the_type_lacks(struct json *spec, const struct json *old)
{
	if (needs_cluster_ip(old) && !needs_cluster_ip(spec)) {
		drop_if_kept(spec, old, "clusterIP");
		drop_if_kept(spec, old, "clusterIPs");
		drop_if_kept(spec, old, "ipFamilies");
		drop_if_kept(spec, old, "ipFamilyPolicy");
	}
	if (needs_node_port(old) && !needs_node_port(spec))
		drop_node_ports(spec, old);
	if (needs_health_port(old) && !needs_health_port(spec))
		drop_if_kept(spec, old, "healthCheckNodePort");
	if (has_type(old, "LoadBalancer") && !has_type(spec, "LoadBalancer")) {
		drop_if_kept(spec, old, "allocateLoadBalancerNodePorts");
		drop_if_kept(spec, old, "loadBalancerClass");
	}
	if (is_external(old) && !is_external(spec))
		drop_if_kept(spec, old, "externalTrafficPolicy");
}

/* Node ports that the client left out are those that the port of that name had, unless another port took them.
 * Upstream: patchAllocatedValues. */
static void keep_node_ports(struct arena *a, struct json *spec, const struct json *old)
{
	struct map by_name = MAP_INIT;
	bool *taken = ARENA_ARRAY(a, bool, 65536);
	JSON_FOREACH (p, json_get(old, "ports"))
		map_put(&by_name, json_get(p, "name") ? json_get_str(p, "name") : SLICE(""), p);
	JSON_FOREACH (p, json_get(spec, "ports"))
		taken[json_get_int(p, "nodePort", 0) & 65535] = true;
	JSON_FOREACH (p, json_get(spec, "ports")) {
		struct json *before = map_get(&by_name, json_get(p, "name") ? json_get_str(p, "name") : SLICE(""));
		int64_t had = json_get_int(before, "nodePort", 0) & 65535;
		if (json_get_int(p, "nodePort", 0) || !had || taken[had])
			continue;
		json_set_int(a, p, "nodePort", had);
		taken[had] = true;
	}
	map_release(&by_name);
}

void service_prepare_update(struct arena *a, struct json *object, const struct json *old, const char *sub)
{
	struct json *spec = json_get(object, "spec"), *before = json_get(old, "spec");
	if (*sub || !spec || !before)
		return;
	default_str(a, spec, "type", "ClusterIP");
	if (needs_node_port(before) && needs_node_port(spec))
		keep_node_ports(a, spec, before);
	if (needs_health_port(before) && needs_health_port(spec) && json_get(before, "healthCheckNodePort"))
		default_int_zero(a, spec, "healthCheckNodePort", json_get_int(before, "healthCheckNodePort", 0));
	service_families_carry(a, spec, before);
	drop_what_the_type_lacks(spec, before);
}

/* ---- validation ---- */

static bool is_ip(struct slice s)
{
	struct ip ip;
	return ip_parse(s, &ip);
}

/* Names, and numbers with protocols, that were seen. */
struct seen_ports {
	struct name_set names, numbers;
	bool is_single;
};

static void check_port_row(struct field_errors *e, const char *here, struct seen_ports *seen, const struct json *p)
{
	struct slice name = json_get_str(p, "name"), protocol = json_get_str(p, "protocol");
	struct json *target = json_get(p, "targetPort");
	int64_t port = json_get_int(p, "port", 0);
	if (!seen->is_single && !name.len)
		bad_required(e, at(e, "%s.name", here), "");
	if (name.len && validate_dns1123_label(name))
		bad_value(e, at(e, "%s.name", here), name, validate_dns1123_label(name));
	if (name.len && !name_set_add(&seen->names, name))
		bad_duplicate(e, at(e, "%s.name", here), name);
	check_port(e, at(e, "%s.port", here), port);
	check_choice(e, at(e, "%s.protocol", here), protocol, "SCTP,TCP,UDP", true);
	if (json_is(target, JSON_NUMBER))
		check_port(e, at(e, "%s.targetPort", here), json_int(target, 0));
	if (!name_set_add(&seen->numbers, slice_of(at(e, "%lld/%.*s", (long long)port, SLICE_FMT(protocol)))))
		field_error_add(e, "FieldValueDuplicate", here,
		        "Duplicate value: {\"port\":%lld,\"protocol\":\"%.*s\"}", (long long)port, SLICE_FMT(protocol));
}

static void check_ports(struct field_errors *e, const struct json *ports)
{
	struct seen_ports seen = {.is_single = ports && ports->count == 1};
	int i = 0;
	JSON_FOREACH (p, ports)
		check_port_row(e, at(e, "spec.ports[%d]", i++), &seen, p);
	name_set_release(&seen.names);
	name_set_release(&seen.numbers);
}

/* Fields that only some types have. */
static void check_type_fields(struct field_errors *e, const struct json *spec)
{
	struct slice policy = json_get_str(spec, "externalTrafficPolicy");
	bool balancer = slice_is(json_get_str(spec, "type"), "LoadBalancer");
	check_choice(e, "spec.externalTrafficPolicy", policy, "Cluster,Local", false);
	if (policy.len && !is_external(spec))
		bad_value(
		        e, "spec.externalTrafficPolicy", policy, "may only be set for externally-accessible services");
	if (!needs_health_port(spec) && json_get_int(spec, "healthCheckNodePort", 0))
		bad_number(e, "spec.healthCheckNodePort", json_get_int(spec, "healthCheckNodePort", 0),
		        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
	if (!balancer && json_get(spec, "allocateLoadBalancerNodePorts"))
		bad_forbidden(
		        e, "spec.allocateLoadBalancerNodePorts", "may only be used when `type` is 'LoadBalancer'");
	if (!balancer && json_get(spec, "loadBalancerClass"))
		bad_forbidden(e, "spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'");
}

static void check_cluster_ip(struct field_errors *e, const struct json *spec, const struct json *old)
{
	struct slice type = json_get_str(spec, "type");
	service_families_check(e, spec);
	if (service_is_headless(spec) && (slice_is(type, "LoadBalancer") || slice_is(type, "NodePort")))
		bad_value(e, "spec.clusterIPs[0]", SLICE("None"),
		        "may not be set to 'None' for LoadBalancer and NodePort services");
	if (old)
		service_families_check_change(e, spec, json_get(old, "spec"));
}

void validate_service(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json *spec = json_get(object, "spec"), *ports = json_get(spec, "ports");
	struct slice type = json_get_str(spec, "type");
	bool external = slice_is(type, "ExternalName");
	check_choice(e, "spec.type", type, "ClusterIP,ExternalName,LoadBalancer,NodePort", true);
	if (external && !json_get_str(spec, "externalName").len)
		bad_required(e, "spec.externalName", "");
	if (!external && !service_is_headless(spec) && (!ports || !ports->first))
		bad_required(e, "spec.ports", "");
	check_ports(e, ports);
	check_labels(e, "spec.selector", json_get(spec, "selector"));
	check_choice(e, "spec.sessionAffinity", json_get_str(spec, "sessionAffinity"), "ClientIP,None", true);
	check_choice(
	        e, "spec.internalTrafficPolicy", json_get_str(spec, "internalTrafficPolicy"), "Cluster,Local", false);
	check_choice(e, "spec.trafficDistribution", json_get_str(spec, "trafficDistribution"), "PreferClose", false);
	check_type_fields(e, spec);
	if (!external)
		check_cluster_ip(e, spec, old);
	JSON_FOREACH (x, json_get(spec, "externalIPs"))
		if (!is_ip(json_str(x)))
			bad_value(e, "spec.externalIPs", json_str(x),
			        "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
}
