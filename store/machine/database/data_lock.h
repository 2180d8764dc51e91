/* Who has a database open: one process at a time. */
#ifndef K3X_STORE_MACHINE_DATABASE_DATA_LOCK_H
#define K3X_STORE_MACHINE_DATABASE_DATA_LOCK_H

#include "base/err.h"

/* Takes the lock of the database at `path`: ERR_LOCKED when another process has it. *ret_fd keeps it until it is
 * closed. */
int data_lock(const char *path, int *ret_fd, struct err *err);

#endif
