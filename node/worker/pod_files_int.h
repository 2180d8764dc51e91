/* The files and folders that a container's configuration names: collected while it is made (loop), made on the pool. */
#ifndef K3X_NODE_WORKER_POD_FILES_INT_H
#define K3X_NODE_WORKER_POD_FILES_INT_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

enum pod_file_kind { POD_FILE_FOLDER, POD_FILE_TEXT, POD_FILE_SUB_PATH };

struct pod_file {
	enum pod_file_kind kind;
	const char *path; /* of the folder or file; of the place where the sub-path is mounted */
	struct slice text;
	unsigned mode;
	const char *volume, *sub; /* the folder or file `sub` in the volume */
};

struct pod_files {
	struct pod_file *items;
	size_t count, cap;
};

/* Appends, in the arena; strings are borrowed. */
void pod_files_add(struct pod_files *l, struct arena *a, const struct pod_file *f);

/* Makes all of them, in their order; blocks. ERR_FORBIDDEN: a sub-path leads out of its volume. */
int pod_files_make(const struct pod_files *l, struct err *err);

/* Opens what `sub` names in the volume, as folders that are made where nothing is, with an O_PATH descriptor: what lies
 * behind it stays what it is, whatever a container does to the path meanwhile. Links may lead about in the volume and
 * not out of it. -1: err. */
int sub_path_open(const char *volume, const char *sub, struct err *err);

#endif
