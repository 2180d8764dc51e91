/* Services: defaults, and what follows a change of the type; core_service_validate.c checks them, and families of
 * addresses are service_families.c's (upstream: SetDefaults_Service in pkg/apis/core,
 * pkg/registry/core/service/strategy.go). */
#include "api/machinery/rules/groups/core/core_int.h"
#include "api/machinery/rules/groups/core/core_service_int.h"
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/groups/core/service_families.h"

/* ---- what follows the type ---- */

bool service_has_type(const struct json *spec, const char *type)
{
	return slice_is(json_get_str(spec, "type"), type);
}

static bool has_any(const struct json *list)
{
	return list && list->first;
}

bool service_is_external(const struct json *spec)
{
	return service_has_type(spec, "NodePort") || service_has_type(spec, "LoadBalancer") ||
	       (service_has_type(spec, "ClusterIP") && has_any(json_get(spec, "externalIPs")));
}

/* ---- defaults ---- */

static void affinity_defaults(struct arena *a, struct json *spec)
{
	struct slice affinity;
	default_str(a, spec, "sessionAffinity", "None");
	affinity = json_get_str(spec, "sessionAffinity");
	if (slice_is(affinity, "ClientIP")) {
		struct json *config = json_need(a, spec, "sessionAffinityConfig", JSON_OBJECT);
		default_int(a, json_need(a, config, "clientIP", JSON_OBJECT), "timeoutSeconds", 10800);
	}
	if (slice_is(affinity, "None"))
		json_del(spec, "sessionAffinityConfig");
}

/* An address of a load balancer that says nothing else is one that packets arrive at. */
static void balancer_defaults(struct arena *a, struct json *o, struct json *spec)
{
	default_bool(a, spec, "allocateLoadBalancerNodePorts", true);
	JSON_FOREACH (it, json_path(o, "status", "loadBalancer", "ingress", NULL))
		if (json_get_str(it, "ip").len)
			default_str(a, it, "ipMode", "VIP");
}

void service_defaults(struct arena *a, struct json *o)
{
	struct json *spec = json_need(a, o, "spec", JSON_OBJECT);
	affinity_defaults(a, spec);
	default_str(a, spec, "type", "ClusterIP");
	bool external = service_has_type(spec, "ExternalName");
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
	if (service_is_external(spec))
		default_str(a, spec, "externalTrafficPolicy", "Cluster");
	if (service_has_type(spec, "LoadBalancer"))
		balancer_defaults(a, o, spec);
}

/* ---- a change of the type ---- */

static bool needs_cluster_ip(const struct json *spec)
{
	return !service_has_type(spec, "ExternalName");
}

static bool needs_node_port(const struct json *spec)
{
	return service_has_type(spec, "NodePort") ||
	       (service_has_type(spec, "LoadBalancer") && json_get_bool(spec, "allocateLoadBalancerNodePorts", true));
}

bool service_needs_health_port(const struct json *spec)
{
	return service_has_type(spec, "LoadBalancer") && slice_is(json_get_str(spec, "externalTrafficPolicy"), "Local");
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
	if (service_needs_health_port(old) && !service_needs_health_port(spec))
		drop_if_kept(spec, old, "healthCheckNodePort");
	if (service_has_type(old, "LoadBalancer") && !service_has_type(spec, "LoadBalancer")) {
		drop_if_kept(spec, old, "allocateLoadBalancerNodePorts");
		drop_if_kept(spec, old, "loadBalancerClass");
	}
	if (service_is_external(old) && !service_is_external(spec))
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
	if (service_needs_health_port(before) && service_needs_health_port(spec) &&
	        json_get(before, "healthCheckNodePort"))
		default_int_zero(a, spec, "healthCheckNodePort", json_get_int(before, "healthCheckNodePort", 0));
	service_families_carry(a, spec, before);
	drop_what_the_type_lacks(spec, before);
}
