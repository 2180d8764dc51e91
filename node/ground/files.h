/* Small file helpers of the kubelet. They block, briefly: folders and small files on local disks. Any thread. */
#ifndef K3X_NODE_GROUND_FILES_H
#define K3X_NODE_GROUND_FILES_H

#include "base/err.h"
#include "base/mem/str.h"

#include <stdint.h>

/* Creates or truncates; not atomic, not synced: for files that are made anew at each start. */
int file_write(const char *path, struct slice data, unsigned mode, struct err *err);
/* Beside its place first, and renamed: whoever reads it finds the old text or the new one, whole. Durable: also after a
 * power cut, at the price of a sync. */
int file_replace(const char *path, struct slice data, unsigned mode, bool is_durable, struct err *err);
/* Whole file, at most `limit` bytes of it (its end when from_end), malloc'ed and terminated; NULL when it cannot be
 * read, with errno. */
char *file_read(const char *path, size_t limit, bool from_end, size_t *ret_len);
/* A number that changes when any of the files is replaced or written; NULL paths are passed over. */
uint64_t file_stamp(const char *const *paths, size_t n);
/* Removes a tree without crossing mounts and without following links; errors are ignored, what cannot go stays. */
void file_remove_tree(const char *path);

struct file_use {
	int64_t bytes, files;
};

/* What a file, or a folder with all below it, takes on its disk, in bytes; hard links once per name, what links point
 * to and other file systems not at all. What cannot be read counts nothing. Blocks. */
int64_t file_disk_usage(const char *path);
/* The same, and how many files and folders there are, the first one among them. */
struct file_use file_use(const char *path);

#endif
