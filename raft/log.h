/* The durable log: entries in segments, appended in batches, each batch one write and one sync.
 *
 *     log-00000000000000000001          a segment: header, then batches; named by its first index
 *     log-00000000000000004097
 *     spare-N                           allocated and not yet used, so that filling a segment never waits for blocks
 *
 * A batch is a header (magic, CRC-32C, length, first index, number of entries, salt) and the entries, each with term, kind
 * and length. The salt is the segment's own random number: bytes that an earlier life left in a reused file never pass for
 * a batch of this one.
 *
 * At start the segments are read in order. A batch that is cut off or does not fit its checksum ends the log if nothing
 * sound follows it in the last segment: a torn write that was never acknowledged. Anywhere else it is damage, and the log
 * refuses to open with a message that says where and what to do; it is never skipped, because acknowledged entries would be
 * lost and a voter that forgets breaks Raft (thesis section 3.8).
 *
 * One thread at a time. Everything blocks. */
#ifndef K3X_RAFT_LOG_H
#define K3X_RAFT_LOG_H

#include "raft/disk.h"

#include "base/mem/arena.h"
#include "base/mem/str.h"

struct raft_log;

struct log_entry {
	uint64_t term;
	uint32_t kind; /* the caller's: command, barrier, configuration */
	struct slice data;
};

enum { LOG_BATCH_BYTES_MAX = 16 * 1024 * 1024, LOG_SEGMENT_BYTES = 8 * 1024 * 1024, LOG_BATCH_ENTRIES_MAX = 65536 };

/* Opens or creates the log. For every entry with index >= `from` that is there, in order, fn is called; its data is valid
 * during the call. segment_bytes 0: LOG_SEGMENT_BYTES. ERR_CORRUPT says which file, which offset, and the mend. */
int log_open(struct disk *d, uint64_t segment_bytes, uint64_t from,
	void (*fn)(void *arg, uint64_t index, const struct log_entry *e), void *arg, struct raft_log **ret, struct err *err);

uint64_t log_first_index(const struct raft_log *l); /* the oldest kept; last + 1 when there is none */
uint64_t log_last_index(const struct raft_log *l); /* 0: empty from the start */
uint64_t log_bytes(const struct raft_log *l); /* in batches, for the decision to take a snapshot */

/* Appends entries behind the last index and makes them durable. ERR_NO_SPACE: nothing was appended, the log is as before,
 * try again when there is room. ERR_IO: stop the process. */
int log_append(struct raft_log *l, const struct log_entry *entries, size_t n, struct err *err);

/* Takes away all entries with index >= index, durably. A no-op past the end. */
int log_truncate(struct raft_log *l, uint64_t index, struct err *err);

/* Segments whose entries all lie below index may go. */
int log_drop_before(struct raft_log *l, uint64_t index, struct err *err);

/* Everything goes; the next entry will be `next`. For an installed snapshot. */
int log_restart(struct raft_log *l, uint64_t next, struct err *err);

/* Reads the entries of one batch that holds `index`; those from index on are given. For followers far behind. */
int log_read(struct raft_log *l, uint64_t index, struct arena *a, struct log_entry **ret, size_t *ret_n, struct err *err);

void log_close(struct raft_log *l);

#endif
