/* Makes a creation, renaming or removal of a file durable. No state, any thread; blocks. */
#ifndef K3X_BASE_FILE_SYNC_H
#define K3X_BASE_FILE_SYNC_H

#include "base/err.h"

/* Syncs the folder that holds `path`. */
int file_sync_folder(const char *path, struct err *err);

#endif
