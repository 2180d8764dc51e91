/* CSIDrivers, CSINodes and CSIStorageCapacities: defaults and validation (upstream: pkg/apis/storage). */
#include "api/machinery/codec/quantity.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/fill.h"
#include "api/machinery/rules/groups/storage_int.h"

enum { NODE_ID_BYTES_MAX = 256 };

/* ---- drivers ---- */

void csi_driver_defaults(struct arena *a, struct json *o)
{
	struct json *spec = json_need(a, o, "spec", JSON_OBJECT);
	default_bool(a, spec, "attachRequired", true);
	default_bool(a, spec, "podInfoOnMount", false);
	default_bool(a, spec, "storageCapacity", false);
	default_str(a, spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
	default_bool(a, spec, "requiresRepublish", false);
	default_bool(a, spec, "seLinuxMount", false);
	if (!json_get(spec, "volumeLifecycleModes"))
		json_append(json_need(a, spec, "volumeLifecycleModes", JSON_ARRAY), json_new_cstr(a, "Persistent"));
}

static void check_token_requests(struct field_errors *e, const struct json *requests)
{
	struct name_set audiences = {MAP_INIT};
	int i = 0;
	JSON_FOREACH (it, requests) {
		const char *base = at(e, "spec.tokenRequests[%d]", i++);
		struct slice audience = json_get_str(it, "audience");
		const struct json *seconds = json_get(it, "expirationSeconds");
		if (!name_set_add(&audiences, audience))
			bad_duplicate(e, at(e, "%s.audience", base), audience);
		else if (seconds)
			check_token_seconds(e, at(e, "%s.expirationSeconds", base), json_int(seconds, 0));
	}
	name_set_release(&audiences);
}

/* "attachedRequired" is upstream's name of the field in its errors. */
void validate_csi_driver(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *before = json_get(old, "spec");
	check_choice(e, "spec.fsGroupPolicy", json_get_str(spec, "fsGroupPolicy"), "File,None,ReadWriteOnceWithFSType",
	        false);
	check_token_requests(e, json_get(spec, "tokenRequests"));
	JSON_FOREACH (it, json_get(spec, "volumeLifecycleModes"))
		check_choice(e, "spec.volumeLifecycleModes", json_str(it), "Persistent,Ephemeral", true);
	if (!old)
		return;
	check_immutable(
	        e, "spec.attachedRequired", json_get(spec, "attachRequired"), json_get(before, "attachRequired"));
	check_immutable(e, "spec.volumeLifecycleModes", json_get(spec, "volumeLifecycleModes"),
	        json_get(before, "volumeLifecycleModes"));
}

/* ---- nodes ---- */

static void check_topology_keys(struct field_errors *e, const char *field, const struct json *keys)
{
	struct name_set seen = {MAP_INIT};
	JSON_FOREACH (it, keys) {
		const char *bad = check_qualified_name(json_str(it));
		if (!json_str(it).len)
			bad_required(e, field, "");
		if (!name_set_add(&seen, json_str(it)))
			bad_duplicate(e, field, json_str(it));
		if (bad)
			bad_value(e, field, json_str(it), bad);
	}
	name_set_release(&seen);
}

static void check_node_driver(
        struct field_errors *e, const char *base, const struct json *driver, struct name_set *names)
{
	struct slice name = json_get_str(driver, "name"), id = json_get_str(driver, "nodeID");
	const char *bad = validate_dns1123_subdomain(name), *id_field = at(e, "%s.nodeID", base);
	if (bad)
		bad_value(e, at(e, "%s.name", base), name, bad);
	if (!id.len)
		bad_required(e, id_field, "");
	if (id.len > NODE_ID_BYTES_MAX)
		bad_value(e, id_field, id, at(e, "must be %d characters or less", NODE_ID_BYTES_MAX));
	check_non_negative(e, at(e, "%s.allocatable.count", base), json_path(driver, "allocatable", "count", NULL));
	if (!name_set_add(names, name))
		bad_duplicate(e, at(e, "%s.name", base), name);
	check_topology_keys(e, base, json_get(driver, "topologyKeys"));
}

/* A driver that was there is what it was; it may go, and come as another. */
static void check_kept_drivers(struct field_errors *e, const struct json *drivers, const struct json *before)
{
	struct map by_name = MAP_INIT;
	JSON_FOREACH (it, drivers)
		map_put(&by_name, json_get(it, "name") ? json_get_str(it, "name") : SLICE(""), it);
	JSON_FOREACH (it, before) {
		const struct json *now = map_get(&by_name, json_get(it, "name") ? json_get_str(it, "name") : SLICE(""));
		if (now)
			check_immutable(e, "spec.drivers", now, it);
	}
	map_release(&by_name);
}

void validate_csi_node(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *drivers = json_path(object, "spec", "drivers", NULL);
	struct name_set names = {MAP_INIT};
	int i = 0;
	JSON_FOREACH (it, drivers)
		check_node_driver(e, at(e, "spec.drivers[%d]", i++), it, &names);
	name_set_release(&names);
	if (old)
		check_kept_drivers(e, drivers, json_path(old, "spec", "drivers", NULL));
}

/* ---- capacities ---- */

void validate_storage_capacity(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct slice class = json_get_str(object, "storageClassName"), capacity = json_get_str(object, "capacity");
	const char *bad = validate_dns1123_subdomain(class);
	struct quantity q;
	if (old)
		return; /* upstream looks at what may not change alone */
	check_selector(e, "nodeTopology", json_get(object, "nodeTopology"));
	if (bad)
		bad_value(e, "storageClassName", class, bad);
	if (capacity.len && quantity_parse(capacity, &q, NULL) == 0 && quantity_sign(&q) < 0)
		bad_value(e, "capacity", capacity, "must be greater than or equal to 0");
}
