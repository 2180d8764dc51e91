/* What tells whether a file is another one than when it was last looked at: its inode, size and time of change. Any
 * thread; one call of the system. */
#ifndef K3X_BASE_FILE_FILE_STAMP_H
#define K3X_BASE_FILE_FILE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: there was none. */
struct file_stamp {
	uint64_t inode, size;
	int64_t changed_s, changed_ns;
};

/* Of what lies there now; zeroed when nothing can be seen of it. */
struct file_stamp file_stamp_of(const char *path);
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);
/* Is it another one than *seen? *seen is of what lies there now, from then on. */
bool file_stamp_changed(struct file_stamp *seen, const char *path);

#endif
