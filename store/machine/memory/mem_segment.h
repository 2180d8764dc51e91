/* A segment of the memory table: what was written since some moment, in key order and by revision.
 *
 * One thread adds, any number read at the same time without a lock: a reader holds a reference and names the newest
 * change it wants to know of. Nothing in a segment moves or goes away before the last reference. See mem_segment.c. */
#ifndef K3X_STORE_MACHINE_MEMORY_MEM_SEGMENT_H
#define K3X_STORE_MACHINE_MEMORY_MEM_SEGMENT_H

#include "base/mem/arena.h"
#include "base/mem/map.h"
#include "base/mem/str.h"
#include "store/machine/memory/event_block.h"

#include <stdatomic.h>

/* What is kept in order of keys. */
enum mem_list_name {
	MEM_KEYS,     /* of the store */
	MEM_ATTACHED, /* lease id (8 bytes) and key: the key was put under the lease, and may have left it since */
	MEM_LEASES,   /* id (8 bytes): `created` of a version is the time to live, `version` 0 a revocation */
	MEM_SETTINGS, /* of the system keyspace: `version` 0 is a deletion */
	MEM_LISTS,
};

struct mem_node;

struct mem_version {
	int64_t at;   /* of a key: its row id (db.h); else the number of the change. Readers see up to a certain one */
	int64_t prev; /* row id of the version before, wherever that is; 0: none */
	int64_t created, version, lease;
	struct slice value;
	struct mem_version *older; /* in this segment */
	const struct mem_node *node;
	/* The flushing thread's, see flush.c. */
	bool is_passed;
	int64_t kept_prev;
};

struct mem_node {
	struct slice key;
	_Atomic(struct mem_version *) newest;
	bool lived; /* beneath this segment the key is there: for counting */
	unsigned height;
	_Atomic(struct mem_node *) next[];
};

struct mem_list {
	_Atomic(struct mem_node *) *heads;
	_Atomic unsigned height;
};

enum { MEM_LOG_CHUNK = 250 };

/* The versions of keys in order of their ids. */
struct mem_log_chunk {
	_Atomic(struct mem_log_chunk *) next;
	_Atomic unsigned n;
	struct mem_version *at[MEM_LOG_CHUNK];
};

struct mem_segment {
	atomic_uint refs;
	struct arena arena;
	struct mem_list lists[MEM_LISTS];
	struct map by_key; /* nodes of keys, for the thread that adds */
	struct mem_log_chunk *first, *last;
	struct event_block **blocks; /* what keys and values lie in */
	size_t n_blocks, cap_blocks;
	uint64_t random;
	_Atomic size_t bytes;      /* of memory, about */
	_Atomic size_t data_bytes; /* of keys and values */
	size_t n_versions;
};

/* What is to be added. `key` of an attachment or lease is begun by mem_lease_key(). */
struct mem_change {
	int64_t at, prev, created, version, lease;
	struct slice key, value; /* must live as long as the segment: see mem_segment_hold() and mem_segment_keep() */
	bool lived;              /* looked at when the key is new in this segment */
};

struct mem_segment *mem_segment_new(void);
struct mem_segment *mem_segment_ref(struct mem_segment *s);
void mem_segment_unref(struct mem_segment *s); /* NULL is allowed */

/* ---- the thread that adds ---- */

/* A block whose bytes the changes point to: takes the reference. */
void mem_segment_hold(struct mem_segment *s, struct event_block *block);
/* Copies bytes that no block has. */
struct slice mem_segment_keep(struct mem_segment *s, struct slice bytes);
/* The newest version of a key, by its hash: the thread that adds, or any once nobody adds any more. NULL: none. */
const struct mem_version *mem_segment_newest(const struct mem_segment *s, struct slice key);
/* Adds a version, newer than all of this list so far. */
void mem_segment_add(struct mem_segment *s, enum mem_list_name list, const struct mem_change *change);

/* ---- any thread with a reference ---- */

/* The first node with a key >= `key`, and the one after a node; NULL: none. A node may have no version that the reader
 * is to see. */
struct mem_node *mem_segment_seek(const struct mem_segment *s, enum mem_list_name list, struct slice key);
static inline struct mem_node *mem_node_next(const struct mem_node *n)
{
	return atomic_load_explicit(&n->next[0], memory_order_acquire);
}

/* The newest version at or before `at_max`; NULL: none in this segment. */
const struct mem_version *mem_node_version(const struct mem_node *n, int64_t at_max);
const struct mem_version *mem_segment_find(
        const struct mem_segment *s, enum mem_list_name list, struct slice key, int64_t at_max);

static inline bool mem_segment_is_empty(const struct mem_segment *s)
{
	return atomic_load_explicit(&s->bytes, memory_order_acquire) == 0;
}

/* Walks the versions of keys from row id `from` on, in order. Zeroed before the first call. */
struct mem_log_cursor {
	const struct mem_log_chunk *chunk;
	unsigned i;
	bool is_begun;
};
const struct mem_version *mem_segment_log_next(
        const struct mem_segment *s, struct mem_log_cursor *c, int64_t from, int64_t at_max);

/* A lease's id as a key: order of bytes is order of numbers. It lies in `bytes`. */
struct slice mem_lease_key(int64_t lease, char bytes[8]);
int64_t mem_lease_of_key(struct slice key);

#endif
