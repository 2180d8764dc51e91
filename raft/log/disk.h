/* The disk as consensus sees it: a table of functions, so that the simulator can put one in that loses unsynced writes,
 * tears them, fills up and fails. disk_posix() is the real one.
 *
 * Names are relative to the disk's folder. Calls block and are made by the log's writer thread, or at start. What a
 * call promises is what matters here: write     the bytes are in the file for this process; after a crash any part of
 * them may be missing or torn sync      bytes written before are durable when it returns 0; after an error nothing is
 * known: stop the process create, rename, remove     durable only after sync_folder() */
#ifndef K3X_RAFT_LOG_DISK_H
#define K3X_RAFT_LOG_DISK_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct disk;
struct disk_file;
struct histogram;

struct disk_vtable {
	/* Opens for reading and writing; create: the file must not exist and gets `size` bytes of zeros allocated. */
	int (*open)(
	        struct disk *d, const char *name, bool create, uint64_t size, struct disk_file **ret, struct err *err);
	int (*write)(struct disk_file *f, uint64_t offset, const void *data, size_t len, struct err *err);
	int (*read)(struct disk_file *f, uint64_t offset, void *data, size_t len, size_t *got, struct err *err);
	int (*size)(struct disk_file *f, uint64_t *ret, struct err *err);
	int (*truncate)(struct disk_file *f, uint64_t size, struct err *err);
	int (*sync)(struct disk_file *f, struct err *err);
	void (*close)(struct disk_file *f);
	int (*rename)(struct disk *d, const char *from, const char *to, struct err *err);
	int (*remove)(struct disk *d, const char *name, struct err *err);
	int (*sync_folder)(struct disk *d, struct err *err);
	/* Calls fn for every file; order is not defined. */
	int (*list)(struct disk *d, void (*fn)(void *arg, const char *name), void *arg, struct err *err);
	void (*free)(struct disk *d);
};

struct disk {
	const struct disk_vtable *v;
};

struct disk_file {
	const struct disk_vtable *v;
};

/* A folder of the file system, which must exist. */
int disk_posix_new(const char *folder, struct disk **ret, struct err *err);
/* How long its syncs take, of files and folder, is counted there from now on. Before other threads use it. */
void disk_posix_measure(struct disk *d, struct histogram *syncs);

#endif
