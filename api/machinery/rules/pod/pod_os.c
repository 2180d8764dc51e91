/* The system that a pod is for (`os.name`): what the other one has alone may not be set. Upstream: validateOS,
 * validateLinux, validateWindows. */
#include "api/machinery/rules/pod/pod_parts_int.h"

#include "base/check.h"

static const char for_linux[] = "windows options cannot be set for a linux pod",
                  for_windows[] = "cannot be set for a windows pod";

static bool is_set(const struct json *o, const char *name)
{
	const struct json *v = json_get(o, name);
	return v && !json_is(v, JSON_NULL) && !(json_is(v, JSON_ARRAY) && !v->first);
}

/* `where` and the name make the field; a name alone where it is the pod's. */
static void forbid(struct field_errors *e, const char *where, const struct json *o, const char *const *names, size_t n,
        const char *why)
{
	for (size_t i = 0; i < n; i++)
		if (is_set(o, names[i]))
			bad_forbidden(e, at(e, "%s.%s", where, names[i]), why);
}

static const char *const windows[] = {"windowsOptions"};

static const char *const linux_pod[] = {"appArmorProfile", "seLinuxOptions", "seccompProfile", "fsGroup",
        "fsGroupChangePolicy", "sysctls", "runAsUser", "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy",
        "seLinuxChangePolicy"};

static const char *const linux_container[] = {"appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities",
        "readOnlyRootFilesystem", "privileged", "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup"};

static void forbid_host(struct field_errors *e, const char *base, const struct json *spec)
{
	static const char *const shared[] = {"hostPID", "hostIPC"}, *const said[] = {
	                                                                    "hostUsers", "shareProcessNamespace"};
	for (size_t i = 0; i < COUNT_OF(shared); i++)
		if (json_get_bool(spec, shared[i], false))
			bad_forbidden(e, at(e, "%s.%s", base, shared[i]), for_windows);
	forbid(e, base, spec, said, COUNT_OF(said), for_windows);
}

static void check_containers(struct field_errors *e, const char *base, const struct json *spec, bool is_windows)
{
	static const char *const lists[] = {"initContainers", "containers", "ephemeralContainers"};
	for (size_t k = 0; k < COUNT_OF(lists); k++) {
		int i = 0;
		JSON_FOREACH (c, json_get(spec, lists[k])) {
			const char *here = at(e, "%s.%s[%d].securityContext", base, lists[k], i++);
			const struct json *context = json_get(c, "securityContext");
			if (is_windows)
				forbid(e, here, context, linux_container, COUNT_OF(linux_container), for_windows);
			else
				forbid(e, here, context, windows, COUNT_OF(windows), for_linux);
		}
	}
}

void validate_pod_os(struct field_errors *e, const char *base, const struct json *spec)
{
	const struct json *os = object_member(spec, "os"), *context = json_get(spec, "securityContext");
	struct slice name = json_get_str(os, "name");
	bool is_windows = slice_is(name, "windows");
	if (!os)
		return;
	if (!name.len)
		bad_required(e, at(e, "%s.os.name", base), "cannot be empty");
	else
		check_choice(e, at(e, "%s.os", base), name, "linux,windows", true);
	if (!is_windows && !slice_is(name, "linux"))
		return;
	const char *here = at(e, "%s.securityContext", base);
	if (is_windows) {
		forbid(e, here, context, linux_pod, COUNT_OF(linux_pod), for_windows);
		forbid_host(e, base, spec);
	} else {
		forbid(e, here, context, windows, COUNT_OF(windows), for_linux);
	}
	check_containers(e, base, spec, is_windows);
}
