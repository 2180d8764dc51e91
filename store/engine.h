/* The datastore's interface: what every engine (raft now; etcd and sql later) offers to the rest of the house.
 *
 * The model is etcd's (etcd learning/data_model, KV API guarantees): a flat keyspace of byte strings, one global 64-bit
 * revision that every writing transaction raises by one, every version kept until compaction, transactions with
 * compares, leases, watches from any kept revision. The first revision of an empty store is 1.
 *
 * Requests are embedded by the caller, submitted from any thread, and completed exactly once, never before submit
 * returns: `done` runs on the loop the request names (or on an engine thread when it names none, where it must only
 * hand on). Bytes that a request points to must stay valid until then. Results live in the request until
 * store_request_release() or its next submission. A write that was answered without an error survives a power cut; one
 * that was answered with ERR_UNAVAILABLE or ERR_TIMEOUT may or may not have happened; any other error means it did not.
 *
 * Watches are pulled: the engine says on the watcher's loop that something is ready, and the watcher reads as much as
 * it can take. Events are shared, not copied; a watcher that falls behind the ring in memory is caught up from disk. */
#ifndef K3X_STORE_ENGINE_H
#define K3X_STORE_ENGINE_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/rcbuf.h"
#include "base/mem/str.h"
#include "base/rt/loop.h"

struct store_kv {
	struct slice key;
	struct slice value;
	int64_t create_revision;
	int64_t mod_revision;
	int64_t version; /* 1 at creation, +1 per put; 0 in the event of a deletion */
	int64_t lease;   /* 0: none */
};

/* range_end as in etcd: empty = the one key, "\0" = all keys >= key, else the half-open range [key, range_end). */
struct store_key_range {
	struct slice key;
	struct slice end;
};

/* All keys from `key` on. */
static inline bool store_range_is_open(const struct store_key_range *keys)
{
	return keys->end.len == 1 && keys->end.ptr[0] == 0;
}

/* [prefix, prefix+1) in the arena. The empty prefix gives all keys. */
struct store_key_range store_prefix_range(struct arena *a, struct slice prefix);

enum store_sort { STORE_SORT_NONE, STORE_SORT_ASCEND, STORE_SORT_DESCEND };
enum store_target {
	STORE_TARGET_KEY, /* sorting only */
	STORE_TARGET_VERSION,
	STORE_TARGET_CREATE,
	STORE_TARGET_MOD,
	STORE_TARGET_VALUE,
	STORE_TARGET_LEASE, /* compares only */
};

/* Half-open [begin, end); an empty end: without end. */
struct store_interval {
	struct slice begin, end;
};

struct store_intervals {
	struct store_interval *list; /* sorted, apart from each other */
	size_t n;
};

struct store_range {
	struct store_key_range keys;
	int64_t limit;    /* 0: none */
	int64_t revision; /* 0: newest */
	enum store_sort sort;
	enum store_target sort_target;
	bool serializable; /* may be answered from local state that is behind */
	bool keys_only;
	bool count_only;
	bool no_count; /* count need not be exact: when the limit cuts, the rest is not counted (it costs 0.1 us a key)
	                */
	int64_t min_mod_revision, max_mod_revision, min_create_revision, max_create_revision; /* 0: no bound */
};

struct store_put {
	struct slice key;
	struct slice value;
	int64_t lease;
	bool prev_kv;      /* answer with the pair that was there */
	bool ignore_value; /* keep the value; the key must exist */
	bool ignore_lease;
};

struct store_delete {
	struct store_key_range keys;
	bool prev_kv;
};

enum store_compare_result { STORE_EQUAL, STORE_GREATER, STORE_LESS, STORE_NOT_EQUAL };

struct store_compare {
	struct store_key_range keys; /* with an end: must hold for every key in the range */
	enum store_target target;
	enum store_compare_result result;
	int64_t number;     /* VERSION, CREATE, MOD, LEASE */
	struct slice value; /* VALUE */
};

struct store_op;

struct store_txn {
	const struct store_compare *compares;
	size_t n_compares;
	const struct store_op *success;
	size_t n_success;
	const struct store_op *failure;
	size_t n_failure;
};

enum store_op_type { STORE_OP_RANGE, STORE_OP_PUT, STORE_OP_DELETE, STORE_OP_TXN };

struct store_op {
	enum store_op_type type;
	union {
		struct store_range range;
		struct store_put put;
		struct store_delete del;
		struct store_txn txn;
	};
};

struct store_result {
	enum store_op_type type;
	struct store_kv *kvs; /* RANGE: the pairs; PUT, DELETE: previous pairs when asked for */
	size_t n_kvs;
	bool more;      /* RANGE: the limit cut it */
	int64_t count;  /* RANGE: pairs in the range without the limit (a lower bound with no_count); DELETE: pairs
	                   deleted */
	bool succeeded; /* TXN: the compares held */
	struct store_result *results; /* TXN: one per op of the branch taken */
	size_t n_results;
};

enum store_request_type {
	STORE_REQUEST_OP,      /* op -> result, revision */
	STORE_REQUEST_BARRIER, /* revision: everything acknowledged before the submit is <= revision and readable */
	STORE_REQUEST_COMPACT, /* revision_arg: versions superseded at or before it may go; physical: wait for the disk
	                        */
	STORE_REQUEST_LEASE_GRANT,     /* lease.id (0: chosen), lease.ttl_s */
	STORE_REQUEST_LEASE_REVOKE,    /* lease.id; its keys are deleted in one revision. revision_arg not 0: it has run
	                                  out, and a large one ends over several of them (see lease.more) */
	STORE_REQUEST_LEASE_KEEPALIVE, /* lease.id -> lease.ttl_s; not written to disk on every call */
	STORE_REQUEST_LEASE_TTL,       /* lease.id -> ttl_s, granted_ttl_s, keys when lease.want_keys */
	STORE_REQUEST_LEASE_LIST,      /* -> lease.ids */
	STORE_REQUEST_HASH, /* of what is kept at revision_arg (0: newest) -> hash, compacted_revision; the same on any
	                       engine. hash_leases: leases too */
	STORE_REQUEST_BACKUP, /* everything as of `revision`, with `note` -> `snapshot`, which the caller pulls and
	                         closes before the store is closed */
	STORE_REQUEST_SYSTEM, /* system.changes, all or nothing -> system.version, one higher. ERR_CONFLICT when it is
	                         not at system.expect_version */
	STORE_REQUEST_DEFRAGMENT,  /* gives what is free in this server's file back to the disk; no command, and not
	                              replicated */
	STORE_REQUEST_SYSTEM_READ, /* system.prefix -> system.entries in order of keys, system.version */
};

/* The system keyspace: what is kept beside the data, replicated and in snapshots like it, but no part of etcd's
 * keyspace (no revision, no watch, not counted): users and roles, alarms, what members say about themselves. Small. A
 * version counts its changes, so that a request can be bound to the state its permissions were judged by. */
struct store_system_entry {
	struct slice key;
	struct slice value;
	bool is_delete; /* in a change only */
};

struct store_system_args {
	int64_t expect_version; /* STORE_SYSTEM_ANY: whatever it is */
	const struct store_system_entry *changes;
	size_t n_changes;
	struct slice prefix;
	bool is_local; /* a read: this server's own state will do, which may be behind */
	struct store_system_entry *entries;
	size_t n_entries;
	int64_t version;
};

#define STORE_SYSTEM_ANY INT64_C(-1)

/* A setting that holds back all writes (ERR_UNAVAILABLE, with the setting's words) but of itself, as long as it is
 * there. Its value: a lease's id in 16 hex digits, a blank, why. It is gone with the lease, which may be revoked
 * meanwhile, and must be there when the setting is made (ERR_NOT_FOUND); id 0: it is bound to none. So who holds writes
 * back and is lost does so no longer than the lease lasts; and the system's version tells whether it was held all the
 * while. */
#define STORE_HOLD_KEY "hold"
enum { STORE_HOLD_ID_DIGITS = 16, STORE_HOLD_WHY_MAX = 200 };

struct store_lease_args {
	int64_t id;
	int64_t ttl_s;
	int64_t granted_ttl_s;
	bool want_keys;
	struct slice *keys;
	size_t n_keys;
	int64_t *ids;
	size_t n_ids;
	bool more; /* an expiry: the lease has more keys than go in one revision, and stands until all are deleted */
};

/* Which of etcd's errors an err.code stands for, where the code alone does not say (its clients match on the text). */
enum store_cause {
	STORE_CAUSE_NONE,
	STORE_CAUSE_EMPTY_KEY,
	STORE_CAUSE_KEY_NOT_FOUND,  /* ignore_value or ignore_lease on a key that is not there */
	STORE_CAUSE_VALUE_PROVIDED, /* ignore_value with a value */
	STORE_CAUSE_LEASE_PROVIDED, /* ignore_lease with a lease */
	STORE_CAUSE_TOO_MANY_OPS,
	STORE_CAUSE_DUPLICATE_KEY,
	STORE_CAUSE_LEASE_NOT_FOUND,
	STORE_CAUSE_LEASE_EXISTS,
	STORE_CAUSE_LEASE_TTL,
	STORE_CAUSE_LEASE_KEYS,     /* the lease has keys outside of lease_keys_within */
	STORE_CAUSE_SYSTEM_CHANGED, /* the system keyspace is not at the version that was expected; nothing was done */
};

/* Zeroed before its first use. When it is submitted again the results of before are freed. */
struct store_request {
	/* set by the caller */
	enum store_request_type type;
	struct store_op op;
	int64_t revision_arg;
	bool physical;
	struct store_lease_args lease;
	struct store_system_args system;
	/* OP, COMPACT, LEASE_GRANT, LEASE_REVOKE: refused (ERR_CONFLICT, STORE_CAUSE_SYSTEM_CHANGED) unless the system
	 * keyspace is at this version when the request is carried out; 0: don't care. A fresh store is at 1. */
	int64_t system_version_expected;
	/* OP that writes: carried out in this term of the leadership (store_led_term()) or never (ERR_CANCELED),
	 * however late it comes: what was begun by a server that led can't cross what its successor does. 0: don't
	 * care. */
	uint64_t term_expected;
	/* A put under a lease, LEASE_REVOKE: refused (ERR_FORBIDDEN, STORE_CAUSE_LEASE_KEYS) unless all keys that are
	 * under the lease when the request is carried out lie in these intervals; NULL: don't care. */
	const struct store_intervals *lease_keys_within;
	size_t ops_max, bytes_max; /* OP: 0: STORE_TXN_OPS_MAX, STORE_REQUEST_BYTES_MAX */
	bool hash_leases;
	const char *path, *note;
	struct loop *loop; /* where done() runs; NULL: an engine thread */
	void (*done)(struct store_request *req);
	/* set by the engine */
	struct err err; /* err.code 0: success */
	enum store_cause cause;
	int64_t revision;           /* of the store when the request was carried out; for a write, its own */
	int64_t compacted_revision; /* with ERR_COMPACTED */
	uint32_t hash;
	struct snapshot_reader *snapshot; /* see store/snapshot/snapshot_reader.h */
	struct store_result result;
	struct arena answer; /* the engine's: what the results point into */
	struct arena arena;  /* the caller's: for arguments, as long as the request */
	/* the engine's own while the request is out */
	struct loop_task task;
	struct store_request *next;
};

struct store_event {
	bool is_delete; /* kv then holds the key, mod_revision of the deletion and nothing else */
	struct store_kv kv;
	struct store_kv prev; /* only for watches with prev_kv, key.ptr NULL when there was none */
};

struct store_watch_options {
	struct store_key_range keys;
	int64_t start_revision; /* first revision wanted; 0: from now on */
	bool prev_kv;
	bool no_put, no_delete; /* filters */
};

struct store_watch_batch {
	const struct store_event *events; /* ordered; all events of a revision are in one batch */
	size_t n_events;
	int64_t revision;           /* every event of this watch up to here has been read once these are */
	int64_t compacted_revision; /* with ERR_COMPACTED: where to start again */
};

struct store_watch;
struct histogram;

struct store_stats {
	int64_t revision;
	int64_t compacted_revision;
	int64_t size_bytes; /* file and write-ahead log */
	int64_t size_in_use_bytes;
	int64_t keys; /* live ones */
	/* How often something in the database was found rotten, and the same while nobody has another copy to mend it
	 * by: then nothing should be written any more. */
	uint64_t rotten, rotten_alone;
	int64_t watches;
	uint64_t ranges, puts, deletes; /* operations carried out, within transactions or alone */
	uint64_t txns;                  /* that had more than one of them */
	/* How long it takes to commit to the database, and to sync the log that makes an answer durable: valid as long
	 * as the engine. */
	const struct histogram *commits, *syncs;
};

struct engine;
struct snapshot_reader;

struct engine_vtable {
	const char *name; /* "raft" */
	bool is_external;
	void (*submit)(struct engine *e, struct store_request *req);
	int64_t (*revision)(struct engine *e);
	int64_t (*system_version)(struct engine *e);
	struct store_watch *(*watch_open)(struct engine *e, const struct store_watch_options *options,
	        struct loop *loop, void (*ready)(void *arg), void *arg);
	int (*watch_read)(struct store_watch *w, struct store_watch_batch *out, struct err *err);
	void (*watch_close)(struct store_watch *w, void (*closed)(void *arg), void *arg);
	bool (*leads)(struct engine *e);
	bool (*has_leader)(struct engine *e);
	uint64_t (*led_term)(struct engine *e);
	void (*hurry)(struct engine *e); /* NULL: it never waits for others */
	void (*stats)(struct engine *e, struct store_stats *out);
	void (*close)(struct engine *e);
};

/* Engines embed this as their first member. */
struct engine {
	const struct engine_vtable *vtable;
};

/* Submits a request. Any thread. Too many outstanding requests answer ERR_BUSY through done(). */
static inline void store_submit(struct engine *e, struct store_request *req)
{
	e->vtable->submit(e, req);
}

/* Frees the result, and what the caller has in the arena. The request may then be used again. */
static inline void store_request_release(struct store_request *req)
{
	arena_release(&req->answer);
	arena_release(&req->arena);
}

/* The newest committed revision this process knows. Any thread, no I/O. */
static inline int64_t store_revision(struct engine *e)
{
	return e->vtable->revision(e);
}

/* The version of the system keyspace, as store_revision(). */
static inline int64_t store_system_version(struct engine *e)
{
	return e->vtable->system_version(e);
}

/* Opens a watch; options are copied, the bytes of the keys too. `ready` runs on `loop` whenever store_watch_read() may
 * have something new, also an error; it is not called again before a read has been done, and not for progress alone. A
 * read is allowed at any time: whatever was answered (or seen in store_revision()) before it is in it, unless the watch
 * is still catching up from disk; so BARRIER and then reading until `revision` has reached its answer gives a
 * consistent view. Loop's thread. */
static inline struct store_watch *store_watch_open(struct engine *e, const struct store_watch_options *options,
        struct loop *loop, void (*ready)(void *arg), void *arg)
{
	return e->vtable->watch_open(e, options, loop, ready, arg);
}

/* Reads the next batch: n_events may be 0 with a newer revision (progress), or with the same one (nothing new: wait for
 * ready). The events stay valid until the next read or the close. ERR_COMPACTED when the start lies before the
 * compacted revision; the watch is then over and only to be closed. Loop's thread. */
static inline int store_watch_read(
        struct engine *e, struct store_watch *w, struct store_watch_batch *out, struct err *err)
{
	return e->vtable->watch_read(w, out, err);
}

/* Ends a watch; no `ready` after this returns. `closed` (may be NULL) runs on the loop later. Loop's thread. */
static inline void store_watch_close(struct engine *e, struct store_watch *w, void (*closed)(void *arg), void *arg)
{
	e->vtable->watch_close(w, closed, arg);
}

/* Is this the server that does what only one may do? A server alone always is. Another may have taken over already, so
 * whatever is done on the strength of it must be safe to be done twice. Any thread, no I/O. */
static inline bool store_leads(struct engine *e)
{
	return e->vtable->leads(e);
}

/* Is it known who leads? While nobody does nothing is written, and what is read here may be old. Any thread, no I/O. */
static inline bool store_has_leader(struct engine *e)
{
	return e->vtable->has_leader(e);
}

/* Does the state lie outside of the servers, so that who leads is known by way of that? Any thread, no I/O. */
static inline bool store_is_external(struct engine *e)
{
	return e->vtable->is_external;
}

/* Who asks is about to end: from now on requests that wait for others (a leader, a majority) are answered within a
 * second or so, with ERR_TIMEOUT if need be. Any thread, no I/O. */
static inline void store_hurry(struct engine *e)
{
	if (e->vtable->hurry)
		e->vtable->hurry(e);
}

/* The term in which this server leads, for term_expected; 0: it does not lead. Each term has one leader, and a server
 * that lost the leadership and has it again leads in another. Any thread, no I/O. */
static inline uint64_t store_led_term(struct engine *e)
{
	return e->vtable->led_term(e);
}

static inline void store_stats(struct engine *e, struct store_stats *out)
{
	e->vtable->stats(e, out);
}

/* Stops taking requests, carries out those it has, makes everything durable, frees the engine. All watches must be
 * closed. Not from a loop that requests complete on. */
static inline void store_close(struct engine *e)
{
	e->vtable->close(e);
}

/* When the checksums of all pages of a database are looked at. */
struct store_check_options {
	bool at_start;     /* before it is served; after a stop over a rotten page it is done anyway */
	uint64_t every_ms; /* and in the background; 0: once a day, UINT64_MAX: never */
};

#endif
