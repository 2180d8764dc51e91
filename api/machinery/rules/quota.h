/* What objects count in a ResourceQuota, and which of them a quota is about. Asked by admission before an object is
 * stored, and by the quota controller, which sums up what is there. Pure functions on trees; any thread. */
#ifndef K3X_API_MACHINERY_RULES_QUOTA_H
#define K3X_API_MACHINERY_RULES_QUOTA_H

#include "api/machinery/codec/resource_list.h"
#include "api/machinery/schema/resources.h"

/* What an object of this kind uses, by the names that quotas have for it: "count/RESOURCE[.GROUP]" of every kind; pods,
 * cpu, requests.memory, ...; services, services.nodeports, ...; claims and their storage, by class too. `now_s`: pods
 * that were to be gone by then count as objects only. */
struct resource_list quota_usage(struct arena *a, const struct resource *r, const struct json *object, int64_t now_s);

/* Is the object one of those that the quota's scopes and scopeSelector are about? */
bool quota_matches(const struct json *quota, const struct resource *r, const struct json *object);

/* The kind of object that a name in a quota counts; NULL: none that is served. */
const struct resource *quota_counted(struct arena *a, struct slice name);

/* Containers of a pod that do not say what a quota with these names must know: "must specify cpu for: c; memory for:
 * c,d". NULL: nothing is missing. */
const char *quota_missing(struct arena *a, const struct resource_list *hard, const struct json *pod);

#endif
