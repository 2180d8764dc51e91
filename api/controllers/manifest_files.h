/* The files of a folder of manifests, sub-folders included. Blocks: for a pool's thread. All lives in the arena. */
#ifndef K3X_API_CONTROLLERS_MANIFEST_FILES_H
#define K3X_API_CONTROLLERS_MANIFEST_FILES_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

struct manifest_file {
	struct slice path;        /* below the folder: "sub/web.yaml"; zero byte behind it */
	uint64_t stamp;           /* changes when the file is written or replaced */
	struct slice shadowed_by; /* the path of another whose Addon has that name; empty: none */
};

struct manifest_files {
	struct manifest_file *files; /* by path */
	size_t count;
	const char **folders; /* whole paths, the first one included: what is to be watched */
	size_t n_folders;
	bool is_cut; /* there is more than may be */
};

/* Hidden files, what has no manifest's ending, and X where there is a file X.skip are left out. ERR_*: the folder can't
 * be read; of those below it, what can't be read is passed over. */
int manifest_files_scan(struct arena *a, const char *folder, struct manifest_files *ret, struct err *err);

#endif
