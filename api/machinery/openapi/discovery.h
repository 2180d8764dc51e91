/* Discovery documents, from the resource registry: which groups, versions and resources are served.
 *
 * What other servers serve is told beside it (struct discovery_extras), groups that are served here too excepted: a
 * group is one server's.
 *
 * Each function appends one JSON document. They are small and cheap to build; for an ETag hash the text, or key it by
 * resources_generation(). Any thread. */
#ifndef K3X_API_MACHINERY_OPENAPI_DISCOVERY_H
#define K3X_API_MACHINERY_OPENAPI_DISCOVERY_H

#include "base/err.h"
#include "base/mem/str.h"

/* A group and version of another server: its resources as it tells them, the array of an APIResourceList. */
struct discovery_extra {
	struct slice group, version;
	struct slice resources; /* "[{...}]"; empty: it has not been asked yet */
	bool is_stale;          /* and does not answer now */
};
/* Versions of a group stand together, the preferred one first, groups in order of priority. */
struct discovery_extras {
	const struct discovery_extra *items;
	size_t count;
};

/* /api: APIVersions. `server_address` is "10.0.0.1:6443". */
void discovery_core_versions(struct strbuf *out, const char *server_address);
/* /apis: APIGroupList. */
void discovery_groups(struct strbuf *out, struct discovery_extras extras);
/* /apis/GROUP: APIGroup. ERR_NOT_FOUND when not served. */
int discovery_group(struct strbuf *out, struct slice group, struct discovery_extras extras, struct err *err);
/* /api/v1 (group "") and /apis/GROUP/VERSION: APIResourceList. ERR_NOT_FOUND when not served. */
int discovery_resources(
        struct strbuf *out, struct slice group, struct slice version, struct discovery_extras extras, struct err *err);

#define DISCOVERY_AGGREGATED_TYPE "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

/* The aggregated form of /api (is_core) and /apis: APIGroupDiscoveryList of apidiscovery.k8s.io/v2, or v2beta1. */
void discovery_aggregated(struct strbuf *out, bool is_core, bool is_v2beta1, struct discovery_extras extras);

#endif
