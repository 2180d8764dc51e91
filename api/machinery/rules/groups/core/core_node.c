/* Nodes: taints, pod networks, what they have of resources. What identifies a node to others (its networks, the
 * provider's name for it) is set once and stays. Upstream: ValidateNode and ValidateNodeUpdate in pkg/apis/core, whose
 * paths are kept where they surprise: taints are told at "metadata.taints". */
#include "api/machinery/rules/groups/core/core_int.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_ip.h"

#include "base/check.h"

static size_t count_of(const struct json *list)
{
	return list ? list->count : 0;
}

/* ---- defaults ---- */

/* podCIDR is the first of podCIDRs, and the one that counts when they differ. */
static void pair_networks(struct arena *a, struct json *spec)
{
	struct slice one = json_get_str(spec, "podCIDR");
	const struct json *all = json_get(spec, "podCIDRs");
	if (!one.len && count_of(all))
		json_set_str(a, spec, "podCIDR", json_str(all->first));
	else if (one.len && !(count_of(all) && slice_eq(json_str(all->first), one))) {
		struct json *alone = json_set(a, spec, "podCIDRs", json_new(a, JSON_ARRAY));
		json_append(alone, json_new_str(a, one));
	}
}

void node_defaults(struct arena *a, struct json *o)
{
	struct json *status = json_get(o, "status"), *capacity = json_get(status, "capacity");
	if (capacity && !json_get(status, "allocatable"))
		json_set(a, status, "allocatable", json_copy(a, capacity));
	if (json_is(json_get(o, "spec"), JSON_OBJECT))
		pair_networks(a, json_get(o, "spec"));
}

/* ---- taints ---- */

static void check_taint(struct field_errors *e, const char *here, const struct json *taint)
{
	struct slice key = json_get_str(taint, "key"), value = json_get_str(taint, "value");
	const char *bad = check_qualified_name(key);
	if (bad)
		bad_value(e, at(e, "%s.key", here), key, bad);
	if ((bad = validate_label_value(value)))
		bad_value(e, at(e, "%s.value", here), value, bad);
	check_choice(e, at(e, "%s.effect", here), json_get_str(taint, "effect"),
	        "NoSchedule,PreferNoSchedule,NoExecute", true);
}

static void check_taints(struct field_errors *e, const struct json *taints)
{
	struct name_set seen = {MAP_INIT};
	int i = 0;
	JSON_FOREACH (it, taints) {
		const char *here = at(e, "metadata.taints[%d]", i++);
		struct slice key = json_get_str(it, "key"), effect = json_get_str(it, "effect");
		check_taint(e, here, it);
		if (!name_set_add(&seen, slice_of(at(e, "%.*s:%.*s", SLICE_FMT(effect), SLICE_FMT(key)))))
			field_error_add(e, "FieldValueDuplicate", here,
			        "Duplicate value: core.Taint{Key:\"%.*s\", Value:\"%.*s\", Effect:\"%.*s\", "
			        "TimeAdded:(*v1.Time)(nil)}: taints must be unique by key and effect pair",
			        SLICE_FMT(key), SLICE_FMT(json_get_str(it, "value")), SLICE_FMT(effect));
	}
	name_set_release(&seen);
}

/* ---- networks ---- */

static bool is_one_of_each_family(const struct json *nets)
{
	bool seen[IP_FAMILIES] = {false};
	JSON_FOREACH (it, nets) {
		struct ip_net net;
		if (!sloppy_net_parse(json_str(it), &net))
			continue; /* told of already */
		if (seen[net.first.family])
			return false;
		seen[net.first.family] = true;
	}
	return count_of(nets) <= IP_FAMILIES;
}

static void check_networks(struct field_errors *e, const struct json *nets)
{
	struct name_set seen = {MAP_INIT};
	int i = 0;
	JSON_FOREACH (it, nets)
		check_net(e, at(e, "spec.podCIDRs[%d]", i++), json_str(it));
	if (!is_one_of_each_family(nets))
		field_error_add(e, "FieldValueInvalid", "spec.podCIDRs",
		        "Invalid value: %s: may specify no more than one CIDR for each IP family",
		        go_list_text(e->arena, "[]string", nets));
	i = 0;
	JSON_FOREACH (it, nets) {
		if (!name_set_add(&seen, json_str(it)))
			bad_duplicate(e, at(e, "spec.podCIDRs[%d]", i), json_str(it));
		i++;
	}
	name_set_release(&seen);
}

/* ---- the status ---- */

static void check_amounts(struct field_errors *e, const struct json *status, const char *list)
{
	JSON_FOREACH (it, json_get(status, list))
		check_resource_amount(e, at(e, "status.%s.%.*s", list, SLICE_FMT(it->key)), it->key, it->text);
}

static void check_resources(struct field_errors *e, const struct json *status)
{
	check_amounts(e, status, "capacity");
	check_amounts(e, status, "allocatable");
}

static void check_addresses(struct field_errors *e, const struct json *addresses)
{
	struct name_set seen = {MAP_INIT};
	int i = 0;
	JSON_FOREACH (it, addresses) {
		struct slice type = json_get_str(it, "type"), address = json_get_str(it, "address");
		if (!name_set_add(&seen, slice_of(at(e, "%.*s %.*s", SLICE_FMT(type), SLICE_FMT(address)))))
			field_error_add(e, "FieldValueDuplicate", at(e, "status.addresses[%d]", i),
			        "Duplicate value: core.NodeAddress{Type:\"%.*s\", Address:\"%.*s\"}", SLICE_FMT(type),
			        SLICE_FMT(address));
		i++;
	}
	name_set_release(&seen);
}

void validate_node_status(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *status = json_get(object, "status");
	check_resources(e, status);
	check_addresses(e, json_get(status, "addresses"));
}

/* ---- the source of a configuration, which nothing reads any more ---- */

static const struct config_member {
	const char *name;
	const char *(*check)(struct slice);
} config_members[] = {
        {"namespace", validate_dns1123_label},
        {"name", validate_dns1123_subdomain},
        {"kubeletConfigKey", check_config_key},
};

static void check_config_map(struct field_errors *e, const char *here, const struct json *map)
{
	static const char *const unset[] = {"uid", "resourceVersion"};
	for (size_t i = 0; i < COUNT_OF(unset); i++)
		if (json_get_str(map, unset[i]).len)
			bad_forbidden(e, at(e, "%s.%s", here, unset[i]), at(e, "%s must not be set in spec", unset[i]));
	for (size_t i = 0; i < COUNT_OF(config_members); i++) {
		const struct config_member *m = &config_members[i];
		struct slice text = json_get_str(map, m->name);
		const char *bad = text.len ? m->check(text) : NULL;
		if (!text.len)
			bad_required(e, at(e, "%s.%s", here, m->name), at(e, "%s must be set", m->name));
		if (bad)
			bad_value(e, at(e, "%s.%s", here, m->name), text, bad);
	}
}

static void check_config_source(struct field_errors *e, const struct json *source)
{
	const struct json *map = json_get(source, "configMap");
	if (!json_is(source, JSON_OBJECT))
		return;
	if (json_is(map, JSON_OBJECT))
		check_config_map(e, "spec.configSource.configMap", map);
	else
		field_error_add(e, "FieldValueInvalid", "spec.configSource",
		        "Invalid value: core.NodeConfigSource{ConfigMap:(*core.ConfigMapNodeConfigSource)(nil)}: "
		        "exactly one reference subfield must be non-nil");
}

/* ---- changes ---- */

static void check_change(struct field_errors *e, const struct json *spec, const struct json *before)
{
	const struct json *nets = json_get(spec, "podCIDRs"), *had = json_get(before, "podCIDRs");
	struct slice provider = json_get_str(before, "providerID");
	if (count_of(had) && !json_equal(nets, had))
		bad_forbidden(e, "spec.podCIDRs", "node updates may not change podCIDR except from \"\" to valid");
	if (provider.len && !slice_eq(provider, json_get_str(spec, "providerID")))
		bad_forbidden(e, "spec.providerID", "node updates may not change providerID except from \"\" to valid");
	check_config_source(e, json_get(spec, "configSource"));
	if (!slice_eq(json_get_str(spec, "externalID"), json_get_str(before, "externalID")))
		bad_forbidden(e, "spec.externalID", "may not be updated");
}

void validate_node(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec");
	check_taints(e, json_get(spec, "taints"));
	check_networks(e, json_get(spec, "podCIDRs"));
	check_resources(e, json_get(object, "status"));
	if (old)
		check_change(e, spec, json_get(old, "spec"));
}
