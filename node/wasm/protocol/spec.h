/* What the process of a WebAssembly container is told: written by the node as a file, read by the zygote's child. Pure.
 */
#ifndef K3X_NODE_WASM_PROTOCOL_SPEC_H
#define K3X_NODE_WASM_PROTOCOL_SPEC_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <stdbool.h>
#include <stdint.h>

struct wasm_mount {
	const char *to; /* in the guest's root, absolute */
	bool is_file;
};

/* With START come descriptors, in this order: one of a file `cgroup.procs` per hierarchy, the network namespace, the
 * image's files (a mount), the mounts. */
struct wasm_spec {
	const char *module;       /* below the zygote's folder: a library that was compiled, or a module */
	const char **args, **env; /* NULL-terminated */
	size_t args_count, env_count;
	int64_t uid, gid;
	int64_t *groups;
	size_t groups_count;
	int64_t memory_pages_max, oom_score_adj; /* 0 pages: no limit */
	bool has_network, has_files, is_root_read_only;
	size_t cgroups;
	struct wasm_mount *mounts;
	size_t mounts_count;
};

size_t wasm_spec_descriptors(const struct wasm_spec *s);
void wasm_spec_write(struct strbuf *out, const struct wasm_spec *s);
/* Everything lies in the arena. ERR_CORRUPT. */
int wasm_spec_read(struct arena *a, struct slice text, struct wasm_spec *s, struct err *err);

#endif
