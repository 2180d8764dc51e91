/* Which rows belong to which group; the registry asks here once per kind, when it makes its rows. */
#include "api/machinery/rules/groups.h"
#include "api/machinery/schema/kind_rows.h"

#include "base/check.h"

#include <string.h>

/* GROUP(name, rows) */
#define GROUPS \
	GROUP("", kinds_core) \
	GROUP("admissionregistration.k8s.io", kinds_extension) \
	GROUP("apiextensions.k8s.io", kinds_extension) \
	GROUP("apiregistration.k8s.io", kinds_extension) \
	GROUP("apps", kinds_apps) \
	GROUP("autoscaling", kinds_autoscaling) \
	GROUP("batch", kinds_batch) \
	GROUP("certificates.k8s.io", kinds_certificates) \
	GROUP("coordination.k8s.io", kinds_coordination) \
	GROUP("discovery.k8s.io", kinds_discovery) \
	GROUP("events.k8s.io", kinds_core) /* its events are core's in other words */ \
	GROUP("flowcontrol.apiserver.k8s.io", kinds_flowcontrol) \
	GROUP("networking.k8s.io", kinds_networking) \
	GROUP("node.k8s.io", kinds_node) \
	GROUP("policy", kinds_policy) \
	GROUP("rbac.authorization.k8s.io", kinds_rbac) \
	GROUP("scheduling.k8s.io", kinds_scheduling) \
	GROUP("storage.k8s.io", kinds_storage)

static const struct {
	const char *group;
	const struct kind_ops *kinds;
} groups[] = {
#define GROUP(name, rows) {name, rows},
        GROUPS
#undef GROUP
};

const struct kind_ops *kind_ops_find(const char *group, const char *kind)
{
	for (size_t i = 0; i < COUNT_OF(groups); i++)
		for (const struct kind_ops *k = groups[i].kinds; k->kind && strcmp(groups[i].group, group) == 0; k++)
			if (strcmp(k->kind, kind) == 0)
				return k;
	return NULL;
}
