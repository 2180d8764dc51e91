/* Security contexts of pods and containers, and what of the host's a pod shares: combinations that contradict each
 * other are refused. Upstream: pkg/apis/core/validation (ValidateSecurityContext, validatePodSpecSecurityContext,
 * validateHostNetwork). */
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/checks.h"

#include "base/check.h"

/* A seccomp or an AppArmor profile. */
static void check_profile(struct field_errors *e, const char *here, const struct json *profile)
{
	struct slice type = json_get_str(profile, "type"), local = json_get_str(profile, "localhostProfile");
	const char *field = at(e, "%s.localhostProfile", here);
	if (!profile || json_is(profile, JSON_NULL))
		return;
	check_choice(e, at(e, "%s.type", here), type, "Localhost,RuntimeDefault,Unconfined", true);
	if (slice_is(type, "Localhost") && !local.len)
		bad_required(e, field, "must be set when type is Localhost");
	if (!slice_is(type, "Localhost") && local.len)
		bad_value(e, field, local, "can only be set when type is Localhost");
	if (local.len && (local.ptr[0] == '/' || memmem(local.ptr, local.len, "..", 2)))
		bad_value(e, field, local, "must be a relative path without '..'");
}

static void check_context(struct field_errors *e, const char *here, const struct json *context)
{
	static const char *const ids[] = {"runAsUser", "runAsGroup", "fsGroup"};
	for (size_t i = 0; i < COUNT_OF(ids); i++) {
		int64_t id = json_get_int(context, ids[i], 0);
		if (id < 0 || id > INT32_MAX)
			bad_number(e, at(e, "%s.%s", here, ids[i]), id, "must be between 0 and 2147483647, inclusive");
	}
	check_profile(e, at(e, "%s.seccompProfile", here), json_get(context, "seccompProfile"));
	check_profile(e, at(e, "%s.appArmorProfile", here), json_get(context, "appArmorProfile"));
}

static bool adds_sys_admin(const struct json *context)
{
	JSON_FOREACH (it, json_path(context, "capabilities", "add", NULL))
		if (slice_is(json_str(it), "CAP_SYS_ADMIN"))
			return true;
	return false;
}

void validate_container_context(struct field_errors *e, const char *field, const struct json *container)
{
	const struct json *context = json_get(container, "securityContext"),
	                  *escalation = json_get(context, "allowPrivilegeEscalation");
	const char *here = at(e, "%s.securityContext", field);
	check_context(e, here, context);
	check_choice(e, at(e, "%s.procMount", here), json_get_str(context, "procMount"), "Default,Unmasked", false);
	if (!json_is(escalation, JSON_BOOL) || json_bool(escalation, true))
		return;
	if (json_get_bool(context, "privileged", false))
		bad_value(
		        e, here, SLICE(""), "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
	if (adds_sys_admin(context))
		bad_value(e, here, SLICE(""),
		        "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN");
}

/* ---- the pod's ---- */

static void check_host_ports(struct field_errors *e, const char *base, const struct json *spec)
{
	static const char *const lists[] = {"containers", "initContainers"};
	for (size_t k = 0; k < COUNT_OF(lists); k++) {
		int i = 0;
		JSON_FOREACH (c, json_get(spec, lists[k])) {
			int j = 0;
			JSON_FOREACH (p, json_get(c, "ports")) {
				int64_t port = json_get_int(p, "containerPort", 0),
				        host = json_get_int(p, "hostPort", port);
				if (host && host != port)
					bad_number(e, at(e, "%s.%s[%d].ports[%d].containerPort", base, lists[k], i, j),
					        port, "must match `hostPort` when `hostNetwork` is true");
				j++;
			}
			i++;
		}
	}
}

void validate_pod_context(struct field_errors *e, const char *field, const struct json *spec)
{
	const struct json *context = json_get(spec, "securityContext");
	const char *here = at(e, "%s.securityContext", field);
	int i = 0;
	check_context(e, here, context);
	check_choice(e, at(e, "%s.fsGroupChangePolicy", here), json_get_str(context, "fsGroupChangePolicy"),
	        "Always,OnRootMismatch", false);
	if (json_get_bool(spec, "shareProcessNamespace", false) && json_get_bool(spec, "hostPID", false))
		bad_value(e, at(e, "%s.shareProcessNamespace", here), SLICE("true"),
		        "ShareProcessNamespace and HostPID cannot both be enabled");
	JSON_FOREACH (it, json_get(context, "sysctls")) {
		if (!json_get_str(it, "name").len)
			bad_required(e, at(e, "%s.sysctls[%d].name", here, i), "");
		i++;
	}
	if (json_get_bool(spec, "hostNetwork", false))
		check_host_ports(e, field, spec);
}
