/* See aggregated_service.h. */
#include "api/machinery/rules/groups/aggregated_service.h"

#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_value.h"
#include "api/machinery/rules/fill.h"

enum { GROUP_PRIORITY_MAX = 20000, VERSION_PRIORITY_MAX = 1000, PORT = 443 };

void aggregated_service_defaults(struct arena *a, struct json *o)
{
	struct json *service = json_path(o, "spec", "service", NULL);
	if (json_is(service, JSON_OBJECT) && !json_get(service, "port"))
		json_set_int(a, service, "port", PORT);
}

static void check_group_version(struct field_errors *e, const struct json *object)
{
	const struct json *spec = json_get(object, "spec");
	struct slice group = json_get_str(spec, "group"), version = json_get_str(spec, "version"),
	             name = json_str(json_path(object, "metadata", "name", NULL));
	const char *wanted = at(e, "%.*s.%.*s", SLICE_FMT(version), SLICE_FMT(group));
	const char *why;
	if (!slice_is(name, wanted))
		bad_value(e, "metadata.name", name, at(e, "must be `spec.version+\".\"+spec.group`: \"%s\"", wanted));
	if (!group.len && !slice_is(version, "v1"))
		bad_required(e, "spec.group", "only v1 may have an empty group and it better be legacy kube");
	else if (group.len && (why = validate_dns1123_subdomain(group)))
		bad_value(e, "spec.group", group, why);
	if ((why = check_dns1035_label(version)))
		bad_value(e, "spec.version", version, why);
}

static void check_priorities(struct field_errors *e, const struct json *spec)
{
	int64_t group = json_get_int(spec, "groupPriorityMinimum", 0),
	        version = json_get_int(spec, "versionPriority", 0);
	if (group <= 0 || group > GROUP_PRIORITY_MAX)
		bad_number(e, "spec.groupPriorityMinimum", group, "must be positive and less than 20000");
	if (version <= 0 || version > VERSION_PRIORITY_MAX)
		bad_number(e, "spec.versionPriority", version, "must be positive and less than 1000");
}

/* Of the bundle, which is base64 here. */
static size_t ca_bytes(const struct json *spec)
{
	struct slice text = json_get_str(spec, "caBundle");
	size_t padding = slice_ends(text, "==") ? 2 : slice_ends(text, "=") ? 1 : 0;
	return text.len / 4 * 3 - padding;
}

static void bad_true(struct field_errors *e, const char *detail)
{
	field_error_add(e, "FieldValueInvalid", "spec.insecureSkipTLSVerify", "Invalid value: true: %s", detail);
}

/* NULL: this server's own. */
static void check_service(struct field_errors *e, const struct json *spec, const struct json *service)
{
	bool has_ca = json_get_str(spec, "caBundle").len > 0,
	     skips = json_get_bool(spec, "insecureSkipTLSVerify", false);
	int64_t port = json_get_int(service, "port", PORT);
	if (!json_is(service, JSON_OBJECT)) {
		if (has_ca)
			bad_value(e, "spec.caBundle", slice_of(at(e, "%zu bytes", ca_bytes(spec))),
			        "local APIServices may not have a caBundle");
		if (skips)
			bad_true(e, "local APIServices may not have insecureSkipTLSVerify");
		return;
	}
	if (!json_get_str(service, "namespace").len)
		bad_required(e, "spec.service.namespace", "");
	if (!json_get_str(service, "name").len)
		bad_required(e, "spec.service.name", "");
	if (port < 1 || port > UINT16_MAX)
		bad_number(e, "spec.service.port", port, "port is not valid: must be between 1 and 65535, inclusive");
	if (has_ca && skips)
		bad_true(e, "may not be true if caBundle is present");
}

void aggregated_service_validate(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec");
	check_group_version(e, object);
	check_priorities(e, spec);
	check_service(e, spec, json_get(spec, "service"));
}

void aggregated_service_validate_status(struct field_errors *e, const struct json *object, const struct json *old)
{
	int i = 0;
	JSON_FOREACH (it, json_path(object, "status", "conditions", NULL))
		check_supported(e, at(e, "status.conditions[%d].status", i++), json_get_str(it, "status"),
		        "True,False,Unknown");
}
