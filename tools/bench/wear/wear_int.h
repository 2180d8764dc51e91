/* What the parts of `k3x-bench wear` share: disks of one's own, whose device counts what reaches it, and a bare table.
 */
#ifndef K3X_TOOLS_BENCH_WEAR_WEAR_INT_H
#define K3X_TOOLS_BENCH_WEAR_WEAR_INT_H

#include "base/err.h"
#include "base/mem/str.h"

#include <stdbool.h>

/* ---- a disk (wear_disk.c) ---- */

struct wear_disk {
	char dir[64];    /* where it is mounted */
	char device[32]; /* /dev/loopN */
	int fd;          /* of the device; -1: closed */
};

/* Gives the process mounts of its own, which go with it whatever ends it. Once, before there are threads and disks;
 * fails without root. */
int wear_disks_begin(struct err *err);

/* Makes an image in the folder `images`, puts a loop device and ext4 over it and mounts that under `name`. Nothing of
 * it has a name outside of the process. wear_disk_close() in any case. */
int wear_disk_open(struct wear_disk *d, const char *images, const char *name, struct err *err);
void wear_disk_close(struct wear_disk *d); /* nobody uses it any more; twice is harmless */

/* Bytes that the device has taken, from a beginning of its own (the difference of two counts): all that waits in memory
 * is written first, and then it is waited until nothing more has come for a second. *ret_is_settled: false when that
 * never was within a minute. */
int wear_disk_written(const struct wear_disk *d, double *ret_bytes, bool *ret_is_settled, struct err *err);

/* ---- a table (wear_table.c) ---- */

struct wear_table;

/* A new database in `dir`. */
int wear_table_open(const char *dir, struct wear_table **ret, struct err *err);
/* One committed update of `key`. */
int wear_table_put(struct wear_table *t, struct slice key, struct slice value, struct err *err);
void wear_table_close(struct wear_table *t); /* NULL is harmless */

#endif
