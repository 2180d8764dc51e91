/* Which frames of the write-ahead log belong to what a connection's read transaction sees. See wal_frames.c. */
#ifndef K3X_STORE_SNAPSHOT_WAL_FRAMES_INT_H
#define K3X_STORE_SNAPSHOT_WAL_FRAMES_INT_H

#include "store/machine/database/db.h"
#include "store/machine/read/range.h"

struct wal_frame {
	uint32_t page, frame; /* both from 1 */
};

struct wal_frames {
	struct wal_frame *list; /* by page, the newest of each */
	size_t n;
};

/* Begins a read transaction and finds out its frames; every other page is as the database file has it, and stays so
 * until the transaction ends. *ret_meta: as the transaction sees it. The connection has none open, and its database is
 * in WAL mode. ERR_BUSY: it did not come to rest. */
int wal_frames_begin(struct db *db, struct wal_frames *ret, struct meta *ret_meta, struct err *err);
/* Reads a frame's page of DB_PAGE_BYTES, within the same transaction. */
int wal_frames_read(struct db *db, uint32_t frame, char *ret_page, struct err *err);
/* How long the log is now, in bytes. */
int64_t wal_frames_log_bytes(struct db *db);
void wal_frames_release(struct wal_frames *f);

#endif
