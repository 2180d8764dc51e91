/* What the spec of a pod refers to, by name, in its own namespace. Pure; any thread. */
#ifndef K3X_API_MACHINERY_RULES_POD_POD_REFS_H
#define K3X_API_MACHINERY_RULES_POD_POD_REFS_H

#include "base/json/json.h"

/* POD_REF_POD is a pod itself, for those who count them too: nothing refers to one. */
enum pod_ref { POD_REF_POD, POD_REF_SECRET, POD_REF_CONFIG_MAP, POD_REF_CLAIM, POD_REF_ACCOUNT };

/* Calls fn with everything that the pod's containers (of all kinds), volumes, pull secrets and account are; a name may
 * come several times, and lives for the call. */
void pod_refs_each(const struct json *pod, void (*fn)(void *arg, enum pod_ref kind, struct slice name), void *arg);

#endif
