/* Nodes: defaults and validation (upstream: pkg/apis/core/validation, ValidateNode and ValidateNodeUpdate, and the
 * conversion of podCIDR and podCIDRs, which say the same). Upstream names taints below metadata; so do we. */
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_ip.h"
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups/core_int.h"

/* ---- defaults ---- */

/* podCIDR is the first of podCIDRs, and the one that counts when they differ. */
static void pair_networks(struct arena *a, struct json *spec)
{
	struct slice one = json_get_str(spec, "podCIDR");
	const struct json *list = json_get(spec, "podCIDRs");
	if (!one.len && list && list->first)
		json_set_str(a, spec, "podCIDR", json_str(list->first));
	else if (one.len && !(list && list->first && slice_eq(json_str(list->first), one))) {
		struct json *alone = json_set(a, spec, "podCIDRs", json_new(a, JSON_ARRAY));
		json_append(alone, json_new_str(a, one));
	}
}

void node_defaults(struct arena *a, struct json *o)
{
	struct json *status = json_get(o, "status"), *capacity = json_get(status, "capacity");
	struct json *spec = json_get(o, "spec");
	if (capacity && !json_get(status, "allocatable"))
		json_set(a, status, "allocatable", json_copy(a, capacity));
	if (spec)
		pair_networks(a, spec);
}

/* ---- taints ---- */

static void check_taint(struct field_errors *e, int i, const struct json *t)
{
	struct slice key = json_get_str(t, "key"), value = json_get_str(t, "value"), effect = json_get_str(t, "effect");
	const char *bad_key = check_qualified_name(key), *bad = validate_label_value(value);
	if (bad_key)
		bad_value(e, at(e, "metadata.taints[%d].key", i), key, bad_key);
	if (bad)
		bad_value(e, at(e, "metadata.taints[%d].value", i), value, bad);
	if (!effect.len)
		bad_required(e, at(e, "metadata.taints[%d].effect", i), "");
	else
		check_choice(e, at(e, "metadata.taints[%d].effect", i), effect, "NoSchedule,PreferNoSchedule,NoExecute",
		        true);
}

static void check_taints(struct field_errors *e, const struct json *taints)
{
	struct name_set seen = {MAP_INIT};
	int i = 0;
	JSON_FOREACH (it, taints) {
		struct slice key = json_get_str(it, "key"), effect = json_get_str(it, "effect");
		const char *pair = at(e, "%.*s:%.*s", SLICE_FMT(key), SLICE_FMT(effect));
		check_taint(e, i, it);
		if (!name_set_add(&seen, slice_of(pair)))
			field_error_add(e, "FieldValueDuplicate", at(e, "metadata.taints[%d]", i),
			        "Duplicate value: \"%s\": taints must be unique by key and effect pair", pair);
		i++;
	}
	name_set_release(&seen);
}

/* ---- networks ---- */

static void check_networks(struct field_errors *e, const struct json *list)
{
	unsigned of_family[IP_FAMILIES] = {0};
	int i = 0;
	JSON_FOREACH (it, list) {
		struct ip_net n;
		check_net(e, at(e, "spec.podCIDRs[%d]", i++), json_str(it));
		if (sloppy_net_parse(json_str(it), &n))
			of_family[n.first.family]++;
	}
	if (of_family[IP_V4] > 1 || of_family[IP_V6] > 1)
		field_error_add(e, "FieldValueInvalid", "spec.podCIDRs",
		        "Invalid value: may specify no more than one CIDR for each IP family");
}

static bool is_same_list(const struct json *a, const struct json *b)
{
	const struct json *x = a ? a->first : NULL, *y = b ? b->first : NULL;
	for (; x && y && slice_eq(json_str(x), json_str(y)); x = x->next)
		y = y->next;
	return !x && !y;
}

static void check_what_stays(struct field_errors *e, const struct json *spec, const struct json *old)
{
	const struct json *networks = json_get(old, "podCIDRs");
	struct slice provider = json_get_str(old, "providerID");
	if (networks && networks->first && !is_same_list(json_get(spec, "podCIDRs"), networks))
		bad_forbidden(e, "spec.podCIDRs", "node updates may not change podCIDR except from \"\" to valid");
	if (provider.len && !slice_eq(json_get_str(spec, "providerID"), provider))
		bad_forbidden(e, "spec.providerID", "node updates may not change providerID except from \"\" to valid");
}

/* ---- status ---- */

static void check_amounts(struct field_errors *e, const struct json *status, const char *which)
{
	JSON_FOREACH (it, json_get(status, which))
		check_resource_amount(e, at(e, "status.%s.%.*s", which, SLICE_FMT(it->key)), it->key, it->text);
}

static void check_addresses(struct field_errors *e, const struct json *list)
{
	struct name_set seen = {MAP_INIT};
	int i = 0;
	JSON_FOREACH (it, list) {
		struct slice type = json_get_str(it, "type"), address = json_get_str(it, "address");
		const char *pair = at(e, "%.*s %.*s", SLICE_FMT(type), SLICE_FMT(address));
		if (!name_set_add(&seen, slice_of(pair)))
			bad_duplicate(e, at(e, "status.addresses[%d]", i), slice_of(pair));
		i++;
	}
	name_set_release(&seen);
}

void validate_node(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *status = json_get(object, "status");
	check_taints(e, json_get(spec, "taints"));
	check_amounts(e, status, "capacity");
	check_amounts(e, status, "allocatable");
	if (!old) {
		check_networks(e, json_get(spec, "podCIDRs"));
		return;
	}
	check_addresses(e, json_get(status, "addresses"));
	check_what_stays(e, spec, json_get(old, "spec"));
}
