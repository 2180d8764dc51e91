/* Security contexts of pods and containers, and what of the host's a pod shares: combinations that contradict each
 * other are refused. Upstream: pkg/apis/core/validation (ValidateSecurityContext, validatePodSpecSecurityContext,
 * validateHostNetwork). */
#include "api/machinery/rules/pod/pod_parts_int.h"
#include "api/machinery/rules/pod/volume_sources.h"

#include "base/check.h"

/* ---- profiles of seccomp and AppArmor ---- */

static const char profile_types[] = "Localhost,RuntimeDefault,Unconfined";

static void check_seccomp(struct field_errors *e, const char *here, const struct json *profile)
{
	struct slice type = json_get_str(profile, "type"), local = json_get_str(profile, "localhostProfile");
	if (!profile || json_is(profile, JSON_NULL))
		return;
	const char *field = at(e, "%s.localhostProfile", here), *bad = path_not_descending(local);
	check_choice(e, at(e, "%s.type", here), type, profile_types, true);
	if (!slice_is(type, "Localhost") && local.ptr)
		bad_value(e, field, local, "can only be set when seccomp type is Localhost");
	else if (slice_is(type, "Localhost") && !local.len)
		bad_required(e, field, "must be set when seccomp type is Localhost");
	else if (bad)
		bad_value(e, field, local, bad);
}

static void check_apparmor_name(struct field_errors *e, const char *field, struct slice local)
{
	enum { LEN_MAX = 4095 }; /* a path that the kernel takes */
	if (slice_trim(local).len != local.len)
		bad_value(e, field, local, "must not be padded with whitespace");
	else if (!local.len)
		bad_required(e, field, "must be set when AppArmor type is Localhost");
	if (local.len > LEN_MAX)
		field_error_add(e, "FieldValueTooLong", field, "Too long: may not be more than %d bytes", LEN_MAX);
}

static void check_apparmor(struct field_errors *e, const char *here, const struct json *profile)
{
	struct slice type = json_get_str(profile, "type"), local = json_get_str(profile, "localhostProfile");
	if (!profile || json_is(profile, JSON_NULL))
		return;
	const char *field = at(e, "%s.localhostProfile", here);
	if (!type.len)
		bad_required(e, at(e, "%s.type", here), "type is required when appArmorProfile is set");
	else
		check_choice(e, at(e, "%s.type", here), type, profile_types, true);
	if (slice_is(type, "Localhost"))
		check_apparmor_name(e, field, local);
	else if (local.ptr)
		bad_value(e, field, local, "can only be set when AppArmor type is Localhost");
}

/* ---- what both have ---- */

static void check_id(struct field_errors *e, const char *field, int64_t id)
{
	if (id < 0 || id > INT32_MAX)
		bad_number(e, field, id, "must be between 0 and 2147483647, inclusive");
}

static void check_context(struct field_errors *e, const char *here, const struct json *context)
{
	static const char *const ids[] = {"runAsUser", "runAsGroup", "fsGroup"};
	for (size_t i = 0; i < COUNT_OF(ids); i++)
		check_id(e, at(e, "%s.%s", here, ids[i]), json_get_int(context, ids[i], 0));
	check_seccomp(e, at(e, "%s.seccompProfile", here), json_get(context, "seccompProfile"));
	check_apparmor(e, at(e, "%s.appArmorProfile", here), json_get(context, "appArmorProfile"));
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

/* Letters, digits, and between them dashes and underscores; segments with dots or slashes between them. */
static bool is_sysctl_name(struct slice name)
{
	enum { LEN_MAX = 253 };
	bool was_letter = false;
	if (!name.len || name.len > LEN_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		bool is_letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'), ends = c == '.' || c == '/';
		bool is_inner = c == '-' || c == '_';
		if ((!is_letter && !ends && !is_inner) || (ends && !was_letter))
			return false;
		if (is_inner && (i == 0 || name.ptr[i - 1] == '.' || name.ptr[i - 1] == '/'))
			return false;
		was_letter = is_letter;
	}
	return was_letter;
}

/* What belongs to a namespace that the pod shares with the host would change the host. Slashes stand for dots where the
 * first of both is a slash. */
static const char *host_sysctl_error(struct slice name, const struct json *spec)
{
	static const struct {
		const char *prefix, *with;
	} groups[] = {{"kernel.shm", "hostIPC"}, {"kernel.msg", "hostIPC"}, {"kernel.sem", "hostIPC"},
	        {"fs.mqueue.", "hostIPC"}, {"net.", "hostNetwork"}};
	for (size_t i = 0; i < COUNT_OF(groups); i++)
		if (slice_starts(name, groups[i].prefix) && json_get_bool(spec, groups[i].with, false))
			return strcmp(groups[i].with, "hostIPC") == 0
			               ? "may not be specified when 'hostIPC' is true"
			               : "may not be specified when 'hostNetwork' is true";
	return NULL;
}

static struct slice dotted(struct field_errors *e, struct slice name)
{
	const char *slash = memchr(name.ptr, '/', name.len), *dot = memchr(name.ptr, '.', name.len);
	if (!slash || (dot && dot < slash))
		return name;
	char *text = arena_memdup(e->arena, name.ptr, name.len);
	for (size_t i = 0; i < name.len; i++)
		text[i] = text[i] == '/' ? '.' : text[i] == '.' ? '/' : text[i];
	return (struct slice){text, name.len};
}

static void check_sysctls(struct field_errors *e, const char *here, const struct json *spec)
{
	struct name_set names = {MAP_INIT};
	int i = 0;
	JSON_FOREACH (it, json_path(spec, "securityContext", "sysctls", NULL)) {
		const char *field = at(e, "%s.sysctls[%d].name", here, i++);
		struct slice name = json_get_str(it, "name");
		if (!name.len)
			bad_required(e, field, "");
		else if (!is_sysctl_name(name))
			bad_value(e, field, name,
			        "must have at most 253 characters and match regex "
			        "([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?");
		else if (!name_set_add(&names, name))
			bad_duplicate(e, field, name);
		const char *bad = name.len ? host_sysctl_error(dotted(e, name), spec) : NULL;
		if (bad)
			bad_value(e, field, name, bad);
	}
	name_set_release(&names);
}

static void check_groups(struct field_errors *e, const char *here, const struct json *context)
{
	int i = 0;
	JSON_FOREACH (it, json_get(context, "supplementalGroups"))
		check_id(e, at(e, "%s.supplementalGroups[%d]", here, i++), json_int(it, 0));
	check_choice(e, at(e, "%s.supplementalGroupsPolicy", here), json_get_str(context, "supplementalGroupsPolicy"),
	        "Merge,Strict", false);
	check_choice(e, at(e, "%s.fsGroupChangePolicy", here), json_get_str(context, "fsGroupChangePolicy"),
	        "Always,OnRootMismatch", false);
}

void validate_pod_context(struct field_errors *e, const char *base, const struct json *spec)
{
	const struct json *context = json_get(spec, "securityContext");
	const char *here = at(e, "%s.securityContext", base);
	check_context(e, here, context);
	check_groups(e, here, context);
	check_sysctls(e, here, spec);
	if (json_get_bool(spec, "shareProcessNamespace", false) && json_get_bool(spec, "hostPID", false))
		field_error_add(e, "FieldValueInvalid", at(e, "%s.shareProcessNamespace", here),
		        "Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled");
	if (json_get_bool(spec, "hostNetwork", false))
		check_host_ports(e, base, spec);
}
