/* A cluster's state, wherever it lies, as one file: what `migrate` and `k3x export-k3s` read. See source.c. */
#ifndef K3X_TOOLS_STORE_SOURCE_H
#define K3X_TOOLS_STORE_SOURCE_H

#include "store/engine.h"
#include "store/engine/external.h"
#include "store/snapshot/snapshot.h"

/* Zeroed but for what the caller sets: from, files (endpoint and data_dir are filled in), work. One thread. */
struct store_source {
	const char *from;              /* a data directory of a stopped server, a snapshot, or a datastore's name */
	struct external_options files; /* of the datastore's TLS */
	const char *work;              /* a folder for temporary files, which the caller removes */
	/* Copies it to this file, in the place of what is said above: a running server does. NULL: nobody has to. */
	int (*copy)(void *arg, const char *path, struct err *err);
	void *arg;
	struct engine *engine;            /* NULL: it is a file */
	int64_t revision, system_version; /* of what was taken */
	struct arena *a;
};

/* A data directory's server must be stopped (ERR_LOCKED), and be one of its own: of one of several it is refused, for
 * it may lack what the others have. Blocks. */
int store_source_open(struct store_source *s, struct err *err);

/* What is there now, checked whole, as INTO/state.db; INTO is made, and has no log, as after a restoration. *ret: of
 * it. */
int store_source_take(struct store_source *s, const char *into, struct store_file_info *ret, struct err *err);

/* Is it still what was taken? ERR_CONFLICT: it was written to meanwhile. */
int store_source_check_stood(struct store_source *s, struct err *err);

void store_source_close(struct store_source *s); /* also when it could not be opened */

/* What an engine has now into a new file, in the form of a snapshot, and of which revision and version of the system it
 * is at the least. Blocks. */
int store_copy(struct engine *e, const char *path, int64_t *ret_revision, int64_t *ret_system, struct err *err);

/* Removes a folder with all that is in it. */
void store_remove_folder(const char *path);

#endif
