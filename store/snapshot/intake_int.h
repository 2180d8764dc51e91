/* The way in: a snapshot is read once, from a file or a pipe, and is on the disk then. See intake.c. */
#ifndef K3X_STORE_SNAPSHOT_INTAKE_INT_H
#define K3X_STORE_SNAPSHOT_INTAKE_INT_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct intake {
	/* set by the caller */
	const char *from; /* a file; "-": what comes on standard input */
	bool skip_hash;   /* it needs no sha256, or may have any */
	/* what came */
	int64_t size_bytes; /* of all */
	int64_t bytes;      /* of the database in it */
	bool is_etcd;
	bool has_sha256;          /* and that is right, unless skip_hash */
	bool is_checked;          /* pages had checksums, which fit: see page_check_int.h */
	unsigned char sha256[32]; /* of the database: what its end must say. With skip_hash: of all that came */
};

/* Copies the database in it to `to`, which is not synced yet. ERR_CORRUPT: its sha256 or a page does not fit;
 * ERR_INVAL: it has none. Nothing is left of `to` then. */
int intake_copy(struct intake *x, const char *to, struct err *err);

/* Is a file worth the work? As far as its size and beginning tell; ERR_CORRUPT, ERR_INVAL. Knows size_bytes, bytes,
 * is_etcd and has_sha256 then. Nothing is said of standard input and of what is packed. */
int intake_look(struct intake *x, struct err *err);

#endif
