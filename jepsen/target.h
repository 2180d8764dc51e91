/* What is tested: how its servers are started, and how their last words are read. A table of functions per target, so
 * that the rest of the harness knows none of them by name. */
#ifndef K3X_JEPSEN_TARGET_H
#define K3X_JEPSEN_TARGET_H

#include "base/mem/arena.h"

#include <stdbool.h>

struct cluster;
struct node;

struct target {
	const char *name;
	/* The shim (clocks, power cuts, disk errors) works on it: it calls the C library for time and files. */
	bool takes_shim;
	bool has_clusters; /* more than one server */
	/* NULL-terminated, in the arena. */
	const char *const *(*argv)(const struct cluster *c, const struct node *n, struct arena *a);
	/* Parts of log lines that tell of a crash, NULL-terminated. */
	const char *const *crash_words;
	/* Log files in a data folder whose bits may be flipped, by a part of their path, NULL-terminated. */
	const char *const *log_files;
};

extern const struct target target_etcd;
extern const struct target target_k3x;

const struct target *target_find(const char *name); /* NULL: none of that name */

#endif
