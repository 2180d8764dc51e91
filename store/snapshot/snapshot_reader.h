/* A snapshot of a database that is being served, pulled in pieces. See snapshot_reader.c.
 *
 * One thread at a time per reader, any thread; every call but the close reads from the disk. */
#ifndef K3X_STORE_SNAPSHOT_SNAPSHOT_READER_H
#define K3X_STORE_SNAPSHOT_SNAPSHOT_READER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct snapshot_reader;

struct snapshot_reader_options {
	const char *path; /* of the database */
	const char *note; /* JSON, for the table `snapshot`; NULL: a plain copy, whose sha256 is not wanted either */
	void (*rotten)(void *arg); /* a page is not what was written; within a call; may be NULL */
	void *arg;
};

/* Opens a connection of its own, and begins the read transaction whose state the snapshot is. Strings are copied.
 * ERR_BUSY, ERR_CORRUPT, ERR_INVAL: the note is too long. */
int snapshot_reader_open(const struct snapshot_reader_options *o, struct snapshot_reader **ret, struct err *err);

int64_t snapshot_reader_bytes(const struct snapshot_reader *r); /* of the whole, without the sha256 */
int64_t snapshot_reader_revision(const struct snapshot_reader *r);
int64_t snapshot_reader_applied_index(const struct snapshot_reader *r);

/* The next bytes, at most `room` (SNAPSHOT_PIECE_BYTES_MIN or more); 0 in *ret_len: it is complete. ERR_CORRUPT names a
 * rotten page; ERR_BUSY: the write-ahead log has grown too long meanwhile. After an error the reader is only to be
 * closed. */
enum { SNAPSHOT_PIECE_BYTES_MIN = 4096 };
int snapshot_reader_next(struct snapshot_reader *r, char *piece, size_t room, size_t *ret_len, struct err *err);

/* Of all bytes, when it is complete. */
void snapshot_reader_sha256(const struct snapshot_reader *r, unsigned char ret[32]);

/* What is left of it into a new file, which is durable then. It is removed on failure. ERR_NO_SPACE. */
int snapshot_reader_save(struct snapshot_reader *r, const char *path, struct err *err);

/* Ends the transaction; NULL is allowed. */
void snapshot_reader_close(struct snapshot_reader *r);

#endif
