/* Names of custom resources: which are taken, and the conditions that say so. Upstream: apiextensions-apiserver
 * pkg/controller/status and pkg/controller/apiapproval. Pure; any thread. */
#ifndef K3X_API_SERVER_EXTEND_NAMING_H
#define K3X_API_SERVER_EXTEND_NAMING_H

#include "base/json/json.h"

/* Those that a definition has been given (status.acceptedNames). Empty ones are none. */
struct definition_names {
	struct slice group, plural, singular, kind, list_kind;
	struct slice *short_names;
	size_t short_count;
	bool is_refused; /* it has asked for others that were taken */
};

/* Read from a definition; texts are copied into the arena. */
void naming_read(struct arena *a, const struct json *crd, struct definition_names *out);

/* Asked for by naming_conditions(): has somebody else in the group this name for a resource (plural, singular, short),
 * or for a kind? */
struct naming {
	bool (*is_resource_taken)(void *arg, struct slice group, struct slice name);
	bool (*is_kind_taken)(void *arg, struct slice group, struct slice name);
	void *arg;
	const char *now; /* RFC 3339 */
};

/* The status that a definition ought to have, in the arena; NULL: it has it. */
struct json *naming_status(struct arena *a, const struct json *crd, const struct naming *n);

/* Sets a condition: true when that changed it. */
bool naming_set_condition(struct arena *a, struct json *status, const char *type, bool value, const char *reason,
        const char *message, const char *now);

#endif
