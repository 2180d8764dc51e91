/* Folders whose files change all at once: what configMap, secret, projected and downwardAPI volumes are made of.
 *
 *     volume/..2026_01_02_03_04_05.123456789/key     the files
 *     volume/..data -> ..2026_...                    swapped by one rename
 *     volume/key -> ..data/key                       what the container opens
 *
 * Any thread, blocking. */
#ifndef K3X_NODE_VOLUME_ATOMIC_WRITER_H
#define K3X_NODE_VOLUME_ATOMIC_WRITER_H

#include "base/err.h"
#include "base/mem/str.h"

struct payload_file {
	const char *path; /* relative, may hold folders, never ".." */
	struct slice data;
	unsigned mode; /* 0777 at most; other bits are dropped */
	bool is_owned; /* by `uid` */
	unsigned uid;
};

struct payload {
	struct payload_file *files;
	size_t count, cap;
};

/* Makes `dir` hold just these files; does nothing when it does already. gid -1: left alone, else files get this group
 * and are readable by it. *ret_changed may be NULL. */
int atomic_write(const char *dir, const struct payload *p, int64_t gid, bool *ret_changed, struct err *err);
bool payload_path_is_good(struct slice path);

#endif
