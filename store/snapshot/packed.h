/* Files that may be packed: LZ4 frames, as lz4(1) reads and writes them. One thread at a time. */
#ifndef K3X_STORE_SNAPSHOT_PACKED_H
#define K3X_STORE_SNAPSHOT_PACKED_H

#include "base/err.h"
#include "base/file/file_out.h"

#include <stdbool.h>
#include <stddef.h>

#define PACKED_SUFFIX ".lz4"

/* ---- out ---- */

struct packed_out {
	struct file_out file;
	struct packer *packer; /* NULL: as it is */
};

/* As file_out_open() and its like; the path is borrowed. */
int packed_out_open(struct packed_out *o, const char *path, bool is_packed, struct err *err);
int packed_out_write(struct packed_out *o, const void *data, size_t len, struct err *err);
int packed_out_keep(struct packed_out *o, struct err *err);
void packed_out_drop(struct packed_out *o);

/* ---- in ---- */

struct packed_in;

/* Does it begin like a frame? */
bool packed_is_head(const char *head, size_t len);
bool packed_is(const char *path); /* false also when it can't be read */
/* The first bytes of what is in it; how many there are, 0 when it can't be read. */
size_t packed_peek(const char *path, char *head, size_t room);

/* Reads an open file from where it stands: unpacked when it begins like a frame, else as it is. `name` is for errors.
 * The descriptor stays the caller's. */
struct packed_in *packed_in_new(int fd, const char *name);
/* Up to `room` bytes; 0 in *ret_len: the end. ERR_CORRUPT: it is cut or changed. */
int packed_in_read(struct packed_in *p, char *data, size_t room, size_t *ret_len, struct err *err);
void packed_in_free(struct packed_in *p);

#endif
