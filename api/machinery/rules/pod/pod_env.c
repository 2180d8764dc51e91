/* Environment variables of containers: their names, and what their values come from. Upstream: pkg/apis/core/validation
 * (ValidateEnv, ValidateEnvFrom). */
#include "api/machinery/rules/pod/pod_parts_int.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/pod/volume_sources.h"

static const char fields[] = "metadata.name,metadata.namespace,metadata.uid,spec.nodeName,spec.serviceAccountName,"
                             "status.hostIP,status.hostIPs,status.podIP,status.podIPs";

/* What a variable and what a prefix of several may be; NULL when fine. */
static const char *name_error(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] < ' ' || name.ptr[i] > '~' || name.ptr[i] == '=')
			return "a valid environment variable name must consist only of printable ASCII characters "
			       "other than '='";
	return NULL;
}

/* A key of a ConfigMap or a Secret. */
static void check_key_ref(struct field_errors *e, const char *here, const struct json *ref)
{
	struct slice name = json_get_str(ref, "name"), key = json_get_str(ref, "key");
	const char *bad_name = validate_dns1123_subdomain(name), *bad_key = key.len ? check_config_key(key) : NULL;
	if (bad_name)
		bad_value(e, at(e, "%s.name", here), name, bad_name);
	if (!key.len)
		bad_required(e, at(e, "%s.key", here), "");
	if (bad_key)
		bad_value(e, at(e, "%s.key", here), key, bad_key);
}

static void check_value_from(struct field_errors *e, const char *variable, const struct json *v)
{
	const struct json *from = object_member(v, "valueFrom"), *field = object_member(from, "fieldRef"),
	                  *resource = object_member(from, "resourceFieldRef"),
	                  *map = object_member(from, "configMapKeyRef"), *secret = object_member(from, "secretKeyRef");
	int n = (field != NULL) + (resource != NULL) + (map != NULL) + (secret != NULL);
	if (!from)
		return;
	const char *here = at(e, "%s.valueFrom", variable);
	if (field)
		validate_field_ref(e, at(e, "%s.fieldRef", here), field, fields);
	if (resource)
		validate_resource_ref(e, at(e, "%s.resourceFieldRef", here), resource, false);
	if (map)
		check_key_ref(e, at(e, "%s.configMapKeyRef", here), map);
	if (secret)
		check_key_ref(e, at(e, "%s.secretKeyRef", here), secret);
	if (n == 0)
		bad_value(e, here, SLICE(""),
		        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`");
	else if (json_get_str(v, "value").len)
		bad_value(e, here, SLICE(""), "may not be specified when `value` is not empty");
	else if (n > 1)
		bad_value(e, here, SLICE(""), "may not have more than one field specified at a time");
}

/* Upstream names the list when the number of sources is wrong. */
static void check_env_from(struct field_errors *e, const char *list, const char *here, const struct json *v)
{
	static const char *const kinds[] = {"configMapRef", "secretRef"};
	const char *bad_prefix = name_error(json_get_str(v, "prefix"));
	int n = 0;
	if (bad_prefix)
		bad_value(e, at(e, "%s.prefix", here), json_get_str(v, "prefix"), bad_prefix);
	for (size_t i = 0; i < 2; i++) {
		const struct json *ref = object_member(v, kinds[i]);
		struct slice name = json_get_str(ref, "name");
		const char *bad = name.len ? validate_dns1123_subdomain(name) : NULL;
		n += ref != NULL;
		if (ref && !name.len)
			bad_required(e, at(e, "%s.%s.name", here, kinds[i]), "");
		if (bad)
			bad_value(e, at(e, "%s.%s.name", here, kinds[i]), name, bad);
	}
	if (n != 1)
		bad_value(e, list, SLICE(""),
		        n ? "may not have more than one field specified at a time"
		          : "must specify one of: `configMapRef` or `secretRef`");
}

void validate_env(struct field_errors *e, const char *field, const struct json *container)
{
	int i = 0, j = 0;
	JSON_FOREACH (v, json_get(container, "env")) {
		const char *here = at(e, "%s.env[%d]", field, i++);
		struct slice name = json_get_str(v, "name");
		const char *bad = name_error(name);
		if (!name.len)
			bad_required(e, at(e, "%s.name", here), "");
		if (bad)
			bad_value(e, at(e, "%s.name", here), name, bad);
		check_value_from(e, here, v);
	}
	const char *list = at(e, "%s.envFrom", field);
	JSON_FOREACH (v, json_get(container, "envFrom"))
		check_env_from(e, list, at(e, "%s[%d]", list, j++), v);
}
