/* What the harness and the shim (shim.c, preloaded into servers) share: a page of settings in a file that both map, and
 * a journal of what a power cut may take.
 *
 * The settings are plain 64-bit numbers that are read and written whole. A folder per node holds "control" (this page),
 * "journal" (records, see struct shim_record) and "undo/" (links to files that were replaced or removed; it lies on the
 * node's disk, because links do not cross file systems).
 *
 * Durable is what was synced: fsync of a file makes its content, its length and its name durable, fsync of a folder the
 * renames and removals in it. Everything else can be lost, each write by itself and in part. */
#ifndef K3X_JEPSEN_SHIM_CONTROL_H
#define K3X_JEPSEN_SHIM_CONTROL_H

#include "base/err.h"
#include "jepsen/rng.h"

#include <stdint.h>

struct shim_control {
	uint64_t sequence;      /* of the clock's fields: odd while they are being changed */
	int64_t clock_shift_ns; /* added to all clocks: what earlier rates have made of them, so that none jumps back */
	int64_t clock_offset_ns; /* added to the wall clock */
	int64_t clock_rate_ppm;  /* the clocks run faster by so many millionths, from clock_epoch_ns on */
	int64_t clock_epoch_ns;  /* monotonic time at which the rate was set */
	int64_t sync_delay_us;   /* a slow disk: each fsync takes so much longer */
	int64_t write_delay_us;  /* and each write */
	int64_t write_error_ppm; /* share of writes that fail with EIO */
	int64_t sync_error_ppm;  /* share of syncs that fail with EIO */
	int64_t is_journaling;   /* keep what is not synced */
};

enum shim_record_type {
	SHIM_WRITE = 1,         /* bytes follow: what was at [offset, offset + length) */
	SHIM_LENGTH = 2,        /* the file was `length` bytes long */
	SHIM_CREATE = 3,        /* the file was not there */
	SHIM_RENAME = 4,        /* path was called other_path; undo_name holds what path was, if anything */
	SHIM_REMOVE = 5,        /* path was removed: undo_name holds it */
	SHIM_SYNCED = 6,        /* everything of this file before record number `offset` is durable */
	SHIM_FOLDER_SYNCED = 7, /* all renames and removals in this folder before record number `offset` are durable */
};

enum { SHIM_PATH_MAX = 240, SHIM_MAGIC = 0x4d494853 };

struct shim_record {
	uint32_t magic;
	uint32_t type;
	uint64_t number; /* 1, 2, 3 ... */
	uint64_t inode;
	int64_t offset;
	int64_t length;
	uint32_t bytes;     /* that follow this record */
	uint32_t undo_name; /* undo/NUMBER, 0: none */
	char path[SHIM_PATH_MAX];
	char other_path[SHIM_PATH_MAX];
};

/* ---- the harness's side ---- */

/* Makes the folder of a node. */
int shim_control_make(const char *dir, const char *data_dir, struct err *err);
/* The settings, mapped; NULL when there is no such folder. */
struct shim_control *shim_control_map(const char *dir, struct err *err);
void shim_control_unmap(struct shim_control *s);
/* Sets the wall clock's offset and both clocks' rate. */
void shim_control_set_clock(struct shim_control *s, int64_t offset_ns, int64_t rate_ppm);
/* What was kept is of no use any more: the data is gone, or the process ended in order. */
int shim_control_forget(const char *dir, struct err *err);

struct shim_loss {
	unsigned kept, lost, torn;
};

/* After the process was killed: takes a part of what was not synced away, newest first, as `r` decides. */
int shim_power_cut(const char *dir, struct rng *r, struct shim_loss *ret, struct err *err);

#endif
