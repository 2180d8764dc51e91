/* A service's families of addresses: clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy, as upstream completes and
 * checks them (initIPFamilyFields in pkg/registry/core/service/storage/alloc.go; ValidateServiceClusterIPsRelatedFields
 * and the checks of upgrade and downgrade in pkg/apis/core/validation). Pure; any thread. */
#ifndef K3X_API_MACHINERY_RULES_GROUPS_SERVICE_FAMILIES_H
#define K3X_API_MACHINERY_RULES_GROUPS_SERVICE_FAMILIES_H

#include "api/machinery/rules/field_errors.h"
#include "base/ip.h"
#include "base/json/json.h"

/* The families that the cluster has ranges of; the first is the default. */
struct service_families {
	enum ip_family items[IP_FAMILIES];
	size_t count;
};

/* An update's clusterIP and clusterIPs: the client may have changed one of the two, or left out what was given. old:
 * the spec before. */
void service_families_carry(struct arena *a, struct json *spec, const struct json *old);

/* Fills in what the client left out: the policy, and a family for each address that the service gets, in their order.
 * old: the spec before, NULL at creation. False: it can't be, and why is added to e. Nothing for ExternalName. */
bool service_families_init(struct arena *a, struct field_errors *e, struct json *spec, const struct json *old,
        const struct service_families *cluster);

/* Do the four fields fit together? Nothing for ExternalName. */
void service_families_check(struct field_errors *e, const struct json *spec);
/* And may they become these? */
void service_families_check_change(struct field_errors *e, const struct json *spec, const struct json *old);

/* clusterIPs is "None". */
bool service_is_headless(const struct json *spec);

#endif
