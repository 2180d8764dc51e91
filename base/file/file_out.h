/* A large new file, written once and in order. See file_out.c. Blocks; one thread at a time. */
#ifndef K3X_BASE_FILE_FILE_OUT_H
#define K3X_BASE_FILE_FILE_OUT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct file_out {
	const char *path; /* borrowed */
	int fd;
	int64_t written, begun; /* so many bytes; and up to there the disk was told to begin */
};

/* Makes the file, or begins it anew. bytes: how many there will be, which are reserved; 0: that is not known.
 * ERR_NO_SPACE. Until it is kept, left or dropped. */
int file_out_open(struct file_out *o, const char *path, int64_t bytes, struct err *err);
int file_out_write(struct file_out *o, const void *data, size_t len, struct err *err);
/* What was written is durable (not its name); on failure it is dropped. */
int file_out_keep(struct file_out *o, struct err *err);
/* Closes it: making it durable is the caller's. */
void file_out_leave(struct file_out *o);
/* Closes and removes it. */
void file_out_drop(struct file_out *o);

#endif
