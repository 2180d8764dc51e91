/* The durable log: entries in segments, appended in batches, each batch one write and one sync.
 *
 *     log-0000000000000001      a segment: a header, then batches, then zeros; numbered in order of their making
 *     log-0000000000000002
 *
 * A batch is a header (magic, CRC-32C, length, number of entries, first index, salt) and the entries, each with term,
 * kind and length. The salt is the segment's own random number, so that bytes of an earlier life of the disk's blocks
 * never pass for a batch of this one.
 *
 * The log is only ever appended to. A batch that begins at or below the last index replaces everything from there on:
 * that is how Raft's conflicting tail is taken away, by one write, with no moment in which acknowledged entries are
 * missing. A truncation alone is a batch without entries. A segment whose header says `restart` begins the log anew.
 *
 * At start the segments are read in order. A batch that does not fit its checksum in the last segment, with nothing
 * sound behind it, is a write that was torn by a crash and never acknowledged: it is cut off. Anywhere else it is
 * damage, and the log refuses to open with a message that says where and what to do; it is never skipped, because a
 * voter that forgets what it has acknowledged breaks Raft (thesis section 3.8). What this cannot tell apart is damage
 * to the very last batch from a torn write.
 *
 * One thread at a time. Everything blocks. */
#ifndef K3X_RAFT_LOG_LOG_H
#define K3X_RAFT_LOG_LOG_H

#include "raft/log/disk.h"

#include "base/limits.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

struct raft_log;

struct log_entry {
	uint64_t term;
	uint32_t kind; /* the caller's: command, barrier, configuration */
	struct slice data;
};

/* A thousand years of a million entries a second. */
#define LOG_INDEX_MAX (UINT64_C(1) << 55)

enum { LOG_BATCH_BYTES_MAX = RAFT_BATCH_BYTES_MAX, LOG_SEGMENT_BYTES = 8 * 1024 * 1024 };

/* Opens or creates the log. fn is called for every entry that is there from index `from` on, in order; its data is
 * valid during the call. fn may be NULL. Of what is before `from` only the checksums are looked at. segment_bytes 0:
 * LOG_SEGMENT_BYTES. ERR_CORRUPT says which file, which offset, and the mend. */
int log_open(struct disk *d, uint64_t segment_bytes, uint64_t from,
        void (*fn)(void *arg, uint64_t index, const struct log_entry *e), void *arg, struct raft_log **ret,
        struct err *err);

uint64_t log_first_index(const struct raft_log *l); /* the oldest kept; last + 1 when there is none */
uint64_t log_last_index(const struct raft_log *l);  /* 0: empty from the start */
uint64_t log_bytes(const struct raft_log *l); /* of the batches in all segments: for the decision to take a snapshot */

/* Makes entries durable from `index` on, which is at most last + 1; what was there from index on is replaced. n may be
 * 0: a truncation. More than go in a batch go in several. ERR_NO_SPACE: not all of them are there, try again when there
 * is room. ERR_TOO_BIG: one is larger than LOG_BATCH_BYTES_MAX. ERR_IO: what is on the disk is not known, stop the
 * process. */
int log_append(struct raft_log *l, uint64_t index, const struct log_entry *entries, size_t n, struct err *err);

/* Removes segments that hold nothing at or above index. */
int log_drop_before(struct raft_log *l, uint64_t index, struct err *err);

/* Everything goes; the next entry will be `next`. For an installed snapshot. Errors as log_append(). */
int log_restart(struct raft_log *l, uint64_t next, struct err *err);

/* The entries from `index` to the end of the batch that holds it, in the arena. ERR_NOT_FOUND when it is not kept. */
int log_read(
        struct raft_log *l, uint64_t index, struct arena *a, struct log_entry **ret, size_t *ret_n, struct err *err);

void log_close(struct raft_log *l);

#endif
