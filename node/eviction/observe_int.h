/* What the machine has left, by signal. Blocks for some small files; any thread. */
#ifndef K3X_NODE_EVICTION_OBSERVE_INT_H
#define K3X_NODE_EVICTION_OBSERVE_INT_H

#include "node/eviction/eviction_core_int.h"

struct observe_paths {
	const char *nodefs;  /* a folder on the file system of pods */
	const char *imagefs; /* and one on that of images */
};

/* What cannot be read is not known. *ret_is_one_fs: both folders lie on one file system. */
void observe(const struct observe_paths *p, struct eviction_observation ret[SIGNALS_COUNT], bool *ret_is_one_fs);

/* From the texts of /proc/meminfo and /proc/loadavg: pure. */
struct eviction_observation observe_memory(struct slice meminfo);
struct eviction_observation observe_pids(struct slice loadavg, int64_t pids_max);

#endif
