/* Makes what was done to a file durable. No state, any thread; blocks. */
#ifndef K3X_BASE_FILE_FILE_SYNC_H
#define K3X_BASE_FILE_FILE_SYNC_H

#include "base/err.h"

/* What was written to the file (or folder), by whomever. */
int file_sync(const char *path, struct err *err);

/* Syncs the folder that holds `path`. */
int file_sync_folder(const char *path, struct err *err);

#endif
