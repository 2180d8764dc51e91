/* The writer's write-ahead log: fewer, larger writes. See wal_file.c. */
#ifndef K3X_STORE_MACHINE_WAL_FILE_H
#define K3X_STORE_MACHINE_WAL_FILE_H

#include <sqlite3.h>

#define WAL_FILE_VFS "k3x-wal"

struct histogram;

/* Once per process is enough; any thread. SQLite is set up already. */
void wal_file_vfs_register(void);

/* How long the syncs of this connection's log take is counted there from now on, until it is closed. The connection has
 * read something. */
void wal_file_measure(sqlite3 *db, struct histogram *syncs);

#endif
