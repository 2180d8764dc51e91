/* Reading bbolt files, in which etcd keeps its data. Nothing is written; every offset and length is checked, so that
 * any bytes may be given. */
#ifndef K3X_STORE_SNAPSHOT_BBOLT_INT_H
#define K3X_STORE_SNAPSHOT_BBOLT_INT_H

#include "base/err.h"
#include "base/mem/str.h"

struct bbolt {
	const char *data;
	size_t len;
	size_t page_bytes;
	uint64_t root; /* page of the top bucket */
	uint64_t txid;
	struct slice file; /* mapped here; null: the caller's memory */
};

/* A bucket by the page of its root, or inside the page of its parent (`inlined`). */
struct bbolt_bucket {
	uint64_t root;
	struct slice inlined;
};

/* Does the file begin like one? And what begins with these bytes? */
bool bbolt_is(const char *path);
bool bbolt_is_head(const char *data, size_t len);

/* Maps the first `bytes` of a file (all when negative). ERR_CORRUPT. */
int bbolt_open(const char *path, int64_t bytes, struct bbolt *ret, struct err *err);
/* The same in memory, which must outlive it and be aligned as malloc() aligns. */
int bbolt_open_memory(const void *data, size_t len, struct bbolt *ret, struct err *err);
void bbolt_close(struct bbolt *b);

/* A bucket of the top level: 1 found, 0 not there, negative error. */
int bbolt_bucket(const struct bbolt *b, struct slice name, struct bbolt_bucket *ret, struct err *err);

/* Calls fn for every pair of a bucket in order of keys, which is checked; bytes are borrowed from the file. fn may stop
 * it by a negative answer, with err set. Buckets within are passed over. */
int bbolt_each(const struct bbolt *b, const struct bbolt_bucket *bucket,
        int (*fn)(void *arg, struct slice key, struct slice value, struct err *err), void *arg, struct err *err);

/* ---- writing a new file (bbolt_write.c) ---- */

struct bbolt_writer;

/* Makes the file, which must not exist. */
int bbolt_writer_open(const char *path, struct bbolt_writer **ret, struct err *err);
/* Begins a bucket of the top level; the one before is complete. */
int bbolt_writer_bucket(struct bbolt_writer *w, const char *name, struct err *err);
/* Keys of a bucket must rise; bytes are copied. */
int bbolt_writer_put(struct bbolt_writer *w, struct slice key, struct slice value, struct err *err);
/* Completes the file; it is not synced yet. */
int bbolt_writer_finish(struct bbolt_writer *w, struct err *err);
/* Closes; the file is removed unless it was finished. */
void bbolt_writer_free(struct bbolt_writer *w);

#endif
