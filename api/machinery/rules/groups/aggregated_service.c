/* See aggregated_service.h. */
#include "api/machinery/rules/groups/aggregated_service.h"

#include "api/machinery/rules/checks.h"
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
	if (!version.len)
		bad_required(e, "spec.version", "");
	else if ((why = check_dns1035_label(version)))
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

/* NULL: this server's own. */
static void check_service(struct field_errors *e, const struct json *spec, const struct json *service)
{
	bool has_ca = json_get_str(spec, "caBundle").len > 0,
	     skips = json_get_bool(spec, "insecureSkipTLSVerify", false);
	if (!json_is(service, JSON_OBJECT)) {
		if (has_ca)
			bad_value(e, "spec.caBundle", SLICE(""), "local APIServices may not have a caBundle");
		if (skips)
			bad_value(e, "spec.insecureSkipTLSVerify", SLICE("true"),
			        "local APIServices may not have insecureSkipTLSVerify");
		return;
	}
	if (!json_get_str(service, "namespace").len)
		bad_required(e, "spec.service.namespace", "");
	if (!json_get_str(service, "name").len)
		bad_required(e, "spec.service.name", "");
	check_port(e, "spec.service.port", json_get_int(service, "port", PORT));
	if (has_ca && skips)
		bad_value(e, "spec.insecureSkipTLSVerify", SLICE("true"), "may not be true if caBundle is present");
}

void aggregated_service_validate(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec");
	check_group_version(e, object);
	check_priorities(e, spec);
	check_service(e, spec, json_get(spec, "service"));
}
