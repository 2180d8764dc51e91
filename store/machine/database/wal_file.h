/* The writer's write-ahead log: fewer, larger writes. See wal_file.c. */
#ifndef K3X_STORE_MACHINE_DATABASE_WAL_FILE_H
#define K3X_STORE_MACHINE_DATABASE_WAL_FILE_H

#include <sqlite3.h>

#define WAL_FILE_VFS "k3x-wal"

/* Once per process is enough; any thread. SQLite is set up already. */
void wal_file_vfs_register(void);

#endif
