/* Which resources there are, by their names: those that everybody knows have none of a domain, extended ones have
 * that of who makes them. Upstream: pkg/apis/core/helper and validateResourceName with its kin. */
#include "api/machinery/rules/checks_resource.h"

#include "base/check.h"

bool resource_is_native(struct slice name)
{
	return !memchr(name.ptr, '/', name.len) || memmem(name.ptr, name.len, "kubernetes.io/", 14);
}

bool resource_is_counted(struct slice name)
{
	static const char *const plain[] = {"cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory",
	        "requests.storage", "requests.ephemeral-storage", "limits.cpu", "limits.memory",
	        "limits.ephemeral-storage", "pods", "resourcequotas", "services", "replicationcontrollers", "secrets",
	        "persistentvolumeclaims", "configmaps", "services.nodeports", "services.loadbalancers"};
	return slice_is_any(name, plain, COUNT_OF(plain)) || slice_starts(name, "requests.hugepages-") ||
	       slice_starts(name, "hugepages-") || memchr(name.ptr, '/', name.len) != NULL;
}

bool resource_may_overcommit(struct slice name)
{
	return resource_is_native(name) && !slice_starts(name, "hugepages-");
}

bool check_resource_name(struct field_errors *e, const char *field, struct slice name)
{
	const char *bad = check_qualified_name(name);
	if (!bad && !resource_is_counted(name) && !slice_is(name, "storage"))
		bad = "must be a standard resource type or fully qualified";
	if (bad)
		bad_value(e, field, name, bad);
	return !bad;
}

/* A quota counts it under its name with "requests." before, which must be a name as well. */
static bool is_extended(struct field_errors *e, struct slice name)
{
	return !slice_starts(name, "requests.") &&
	       !check_qualified_name(slice_of(arena_printf(e->arena, "requests.%.*s", SLICE_FMT(name))));
}

void check_container_resource_name(struct field_errors *e, const char *field, struct slice name)
{
	static const char *const known[] = {"cpu", "memory", "ephemeral-storage"};
	if (slice_is_any(name, known, COUNT_OF(known)))
		return;
	check_resource_name(e, field, name);
	if (!memchr(name.ptr, '/', name.len)) {
		if (!slice_starts(name, "hugepages-"))
			bad_value(e, field, name, "must be a standard resource for containers");
	} else if (!resource_is_native(name) && !is_extended(e, name)) {
		bad_value(e, field, name, "doesn't follow extended resource name standard");
	}
}
