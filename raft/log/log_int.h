/* The form of the log on disk, and what log.c and log_scan.c share. All numbers are little-endian on disk, which is
 * what every processor we run on has in memory. */
#ifndef K3X_RAFT_LOG_LOG_INT_H
#define K3X_RAFT_LOG_LOG_INT_H

#include "raft/log/log.h"

/* "K3XL1": the last character is the version, a digit. Another form of batch has another last character, too. */
#define LOG_SEGMENT_MAGIC 0x00314c58334bull
#define LOG_BATCH_MAGIC 0x4242584bu  /* "KXBB" */
#define LOG_PACKED_MAGIC 0x5a42584bu /* "KXBZ": under LZ4, see log_batch.c */

/* As with indexes: nobody gets there. */
#define LOG_SEGMENTS_EVER_MAX (UINT64_C(1) << 55)

struct segment_header {
	uint64_t magic;
	uint64_t salt;
	uint64_t restart; /* not 0: the log begins anew here, and the next entry is this */
	uint32_t reserved;
	uint32_t crc; /* of what stands before it */
};

struct batch_header {
	uint32_t magic;
	uint32_t crc;    /* of the rest of the header and the payload */
	uint32_t length; /* of the payload as it lies there */
	uint32_t count;
	uint64_t first;
	uint64_t salt;
};

struct entry_header {
	uint64_t term;
	uint32_t kind;
	uint32_t length; /* the data is padded to eight bytes */
};

_Static_assert(sizeof(struct segment_header) == 32, "on disk");
_Static_assert(sizeof(struct batch_header) == 32, "on disk");
_Static_assert(sizeof(struct entry_header) == 16, "on disk");

/* Where entries lie: a batch's first index and how many of its entries still count. */
struct batch_ref {
	uint64_t first;
	uint32_t count;
	uint32_t length;  /* payload bytes on disk */
	uint64_t segment; /* number */
	uint64_t offset;  /* of the header */
};

struct segment {
	uint64_t number;
	uint64_t salt;
	uint64_t size; /* of the file */
	uint64_t used; /* bytes up to the end of the last batch */
	struct disk_file *file;
};

struct raft_log {
	struct disk *disk;
	uint64_t segment_bytes;
	struct segment *segments; /* in order; the last is written to */
	size_t n_segments, cap_segments;
	struct batch_ref *batches; /* in order of index, without gaps */
	size_t n_batches, cap_batches;
	uint64_t next;            /* last + 1 */
	struct strbuf buffers[2]; /* the batch being written: plain, and packed */
};

/* What is true of every log between two calls. For DCHECK: it looks at all of it. */
bool log_holds(const struct raft_log *l);

/* "log-%016x" */
void log_segment_name(char out[32], uint64_t number);

/* Takes note of a batch: replaces what it covers. */
void log_note_batch(struct raft_log *l, const struct batch_ref *b);
struct segment *log_add_segment(struct raft_log *l, struct segment s);

/* Reads everything there is, and tells the entries from `from` on (log_scan.c). */
int log_scan(struct raft_log *l, uint64_t from, void (*fn)(void *arg, uint64_t index, const struct log_entry *e),
        void *arg, struct err *err);

/* ---- batches, see log_batch.c ---- */

/* What a batch of these takes on the disk, at most. */
size_t log_batch_bytes(const struct log_entry *entries, size_t n);
/* One batch, plain or packed; whichever of the buffers it is in. It is complete once it is sealed for its segment. */
struct strbuf *log_batch_encode(struct strbuf buffers[2], uint64_t index, const struct log_entry *entries, size_t n);
void log_batch_seal(struct strbuf *b, uint64_t salt);
bool log_is_batch_magic(uint32_t magic);
/* Of a form that this program does not know, and that a newer one may. */
bool log_is_newer_batch_magic(uint32_t magic);

/* Reads the batch at `offset` of a segment and checks it, payload as it lies there (malloc'ed, at least 1 byte). *sound
 * false: no batch is there. Errors are of the disk. */
int log_check_batch(const struct segment *s, uint64_t offset, struct batch_header *h, char **payload, size_t *len,
        bool *sound, struct err *err);
/* The same, and unpacks it. */
int log_load_batch(const struct segment *s, uint64_t offset, struct batch_header *h, char **payload, size_t *len,
        bool *sound, struct err *err);

/* Walks the entries of a payload: false when it does not divide into `count` of them. */
bool log_parse_entries(const char *payload, size_t length, uint32_t count, struct log_entry *out);

#endif
