/* Which rows belong to which group; the registry asks here once per kind, when it makes its rows. */
#include "api/machinery/rules/groups.h"
#include "api/machinery/schema/kind_rows.h"

#include "base/check.h"

#include <string.h>

static const struct {
	const char *group;
	const struct kind_ops *kinds;
} groups[] = {
        {"", kinds_core}, {"apps", kinds_apps}, {"autoscaling", kinds_autoscaling}, {"batch", kinds_batch},
        {"coordination.k8s.io", kinds_coordination}, {"discovery.k8s.io", kinds_discovery},
        {"networking.k8s.io", kinds_networking}, {"rbac.authorization.k8s.io", kinds_rbac},
        {"scheduling.k8s.io", kinds_scheduling}, {"storage.k8s.io", kinds_storage},
        {"events.k8s.io", kinds_core}, /* its events are core's in other words */
};

const struct kind_ops *kind_ops_find(const char *group, const char *kind)
{
	for (size_t i = 0; i < COUNT_OF(groups); i++)
		for (const struct kind_ops *k = groups[i].kinds; k->kind && strcmp(groups[i].group, group) == 0; k++)
			if (strcmp(k->kind, kind) == 0)
				return k;
	return NULL;
}
