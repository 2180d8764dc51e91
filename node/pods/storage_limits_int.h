/* Whether a pod holds more local storage than it may. Pure. */
#ifndef K3X_NODE_PODS_STORAGE_LIMITS_INT_H
#define K3X_NODE_PODS_STORAGE_LIMITS_INT_H

#include "base/json/json.h"

struct storage_use {
	bool is_volume; /* an emptyDir; else a container: its own layer and its logs */
	const char *name;
	int64_t bytes;
};

/* Whether anybody has to look at all. */
bool storage_has_limits(const struct json *spec);
/* It lies on a disk, and is the pod's own. */
bool storage_is_local(const struct json *volume);
/* Upstream's words for what is exceeded, in the arena; NULL: nothing. */
const char *storage_excess(struct arena *a, const struct json *spec, const struct storage_use *uses, size_t uses_count);

#endif
