/* What a pod's status may say: what is over stays so, addresses are some, its class of service stays. Upstream:
 * ValidatePodStatusUpdate. */
#include "api/machinery/rules/pod/pod_parts_int.h"

#include "api/machinery/rules/checks_ip.h"
#include "base/check.h"
#include "base/ip.h"

static void check_conditions(struct field_errors *e, const struct json *conditions)
{
	static const char *const known[] = {"PodScheduled", "Ready", "Initialized"};
	int i = 0;
	JSON_FOREACH (it, conditions) {
		struct slice type = json_get_str(it, "type");
		const char *bad = slice_is_any(type, known, COUNT_OF(known)) ? NULL : check_qualified_name(type);
		if (bad) /* upstream's path */
			bad_value(e, at(e, "metadata.conditions[%d].Type", i), type, bad);
		i++;
	}
}

/* ---- containers that are over ---- */

static const struct json *end_of(const struct json *status)
{
	const struct json *end = json_path(status, "state", "terminated", NULL);
	return json_is(end, JSON_OBJECT) ? end : NULL;
}

/* It was ended to be started with more memory, or with another image: that is no restart as the policy means it. */
static bool was_changed(const struct json *container, const struct json *status)
{
	struct slice image = json_get_str(status, "image");
	JSON_FOREACH (it, json_get(container, "resizePolicy"))
		if (slice_is(json_get_str(it, "restartPolicy"), "RestartContainer"))
			return true;
	return container && image.len && !slice_eq(image, json_get_str(container, "image"));
}

static bool may_start_again(const struct json *spec, const struct json *status, struct slice policy, bool is_init)
{
	const struct json *containers = json_get(spec, is_init ? "initContainers" : "containers"),
	                  *container = pod_named(containers, json_get_str(status, "name"));
	return slice_is(policy, "Always") ||
	       (slice_is(policy, "OnFailure") && json_get_int(end_of(status), "exitCode", 0) != 0) ||
	       (is_init && slice_is(json_get_str(container, "restartPolicy"), "Always")) ||
	       was_changed(container, status);
}

static void check_ends(struct field_errors *e, const struct json *object, const struct json *old, const char *list)
{
	const struct json *spec = json_get(old, "spec"), *now = json_path(object, "status", list, NULL);
	bool is_init = strcmp(list, "initContainerStatuses") == 0;
	struct slice policy =
	        strcmp(list, "ephemeralContainerStatuses") == 0 ? SLICE("Never") : json_get_str(spec, "restartPolicy");
	int i = 0;
	JSON_FOREACH (it, json_path(old, "status", list, NULL)) {
		const struct json *next = end_of(it) ? pod_named(now, json_get_str(it, "name")) : NULL;
		if (next && !end_of(next) && !may_start_again(spec, it, policy, is_init))
			bad_forbidden(e, at(e, "status.%s[%d].state", list, i),
			        "may not be transitioned to non-terminated state");
		i++;
	}
}

/* ---- addresses ---- */

/* One of each family at most. */
static void check_addresses(struct field_errors *e, const struct json *status, const char *list)
{
	const struct json *addresses = json_get(status, list);
	struct name_set seen = {MAP_INIT};
	unsigned families[2] = {0};
	int i = 0;
	JSON_FOREACH (it, addresses) {
		struct slice text = json_get_str(it, "ip");
		const char *field = at(e, "status.%s[%d]", list, i++);
		struct ip ip;
		check_ip(e, field, text);
		if (ip_parse(text, &ip))
			families[ip.family == IP_V6]++;
		if (!name_set_add(&seen, text))
			bad_duplicate(e, field, text);
	}
	name_set_release(&seen);
	if (families[0] > 1 || families[1] > 1)
		field_error_add(e, "FieldValueInvalid", at(e, "status.%s", list),
		        "Invalid value: []core.PodIP{...}: may specify no more than one IP for each IP family");
}

void validate_pod_status(struct field_errors *e, const struct json *object, const struct json *old)
{
	static const char *const lists[] = {"containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"};
	const struct json *status = json_get(object, "status"), *before = json_get(old, "status");
	struct slice class = json_get_str(status, "qosClass"), had = json_get_str(before, "qosClass");
	struct slice nominated = json_get_str(status, "nominatedNodeName");
	if (status && before && json_equal(status, before))
		return;
	check_conditions(e, json_get(status, "conditions"));
	const char *bad = nominated.len && !slice_eq(nominated, json_get_str(before, "nominatedNodeName"))
	                          ? validate_dns1123_subdomain(nominated)
	                          : NULL;
	if (bad)
		bad_value(e, "status.nominatedNodeName", nominated, bad);
	if (had.len && !slice_eq(class, had))
		bad_value(e, "status.qosClass", class, "field is immutable");
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		check_ends(e, object, old, lists[i]);
	check_addresses(e, status, "podIPs");
	check_addresses(e, status, "hostIPs");
}
