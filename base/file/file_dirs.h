/* mkdir -p. Blocks, briefly. Any thread. */
#ifndef K3X_BASE_FILE_FILE_DIRS_H
#define K3X_BASE_FILE_FILE_DIRS_H

#include "base/err.h"

/* The folder and all that it lies in; the mode is for those that are made. One that is there already is left as it is.
 * ERR_INVAL: the path is longer than paths may be. */
int file_make_dirs(const char *path, unsigned mode, struct err *err);
/* What the file at this path lies in. */
int file_make_dirs_above(const char *path, unsigned mode, struct err *err);

#endif
