/* What is tested: how its servers are started, and how their last words are read. A table of functions per target, so
 * that the rest of the harness knows none of them by name. */
#ifndef K3X_JEPSEN_TARGET_H
#define K3X_JEPSEN_TARGET_H

#include "base/mem/arena.h"

#include <stdbool.h>

struct cluster;
struct err;
struct node;

struct target {
	const char *name;
	/* The shim (clocks, power cuts, disk errors) works on it: it calls the C library for time and files. */
	bool takes_shim;
	bool has_clusters; /* more than one server */
	/* It serves Kubernetes' API and not etcd's: it takes the workloads api-*, and none of the others. */
	bool serves_kube;
	/* NULL-terminated, in the arena. */
	const char *const *(*argv)(const struct cluster *c, const struct node *n, struct arena *a);
	/* How a target differs from a store that is asked in etcd's words; NULL: as that does.
	 * boot: starts all servers for the first time; NULL: all at once.
	 * serves: the server answers a linearizable read; else `err` says why not.
	 * leader: the index of the node that leads, -1 when nobody says so.
	 * release: lets go of what the others made in the cluster. */
	int (*boot)(struct cluster *c, struct err *err);
	bool (*serves)(struct cluster *c, unsigned i, struct err *err);
	int (*leader)(struct cluster *c);
	void (*release)(struct cluster *c);
	/* Parts of log lines that tell of a crash, NULL-terminated. */
	const char *const *crash_words;
	/* Log files in a data folder whose bits may be flipped, by a part of their path, NULL-terminated. */
	const char *const *log_files;
};

extern const struct target target_etcd;
extern const struct target target_k3x;
extern const struct target target_server;

const struct target *target_find(const char *name); /* NULL: none of that name */

#endif
