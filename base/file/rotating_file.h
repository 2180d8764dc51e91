/* The file of a log, which is rotated: see log_open_file() of log.h. Any thread; a write is one write(2). */
#ifndef K3X_BASE_FILE_ROTATING_FILE_H
#define K3X_BASE_FILE_ROTATING_FILE_H

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rotating_file {
	char path[4096 - 16]; /* with room for ".N" */
	int64_t bytes_max;
	unsigned files_max;
	atomic_int fd; /* the same number as long as it is open: another file is put under it */
	atomic_bool is_open;
	_Atomic int64_t bytes; /* in the file, as far as we know */
	pthread_mutex_t lock;  /* who holds it rotates */
};

int rotating_file_open(
        struct rotating_file *f, const char *path, int64_t bytes_max, unsigned files_max, struct err *err);
bool rotating_file_is_open(struct rotating_file *f);
void rotating_file_write(struct rotating_file *f, const char *line, size_t len);
void rotating_file_close(struct rotating_file *f);

/* The same for a file that somebody else writes, who appends and never opens it anew: one that is larger than bytes_max
 * is copied to PATH.1, and cut. Lines of the moment between are lost. What fails is done again at the next look.
 * Blocks. */
void rotating_file_cut(const char *path, int64_t bytes_max);

#endif
