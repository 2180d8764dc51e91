/* A whole file, mapped to be read. The file must not shrink meanwhile. */
#ifndef K3X_BASE_FILE_FILE_MAP_H
#define K3X_BASE_FILE_FILE_MAP_H

#include "base/err.h"
#include "base/mem/str.h"

/* An empty file is an error. Any thread; the bytes are there until file_unmap(). */
int file_map(const char *path, struct slice *ret, struct err *err);
void file_unmap(struct slice bytes); /* SLICE_NULL is allowed */

#endif
