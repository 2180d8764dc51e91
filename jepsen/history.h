/* Histories: what clients asked of a system under test, what they were told, and what was broken meanwhile.
 *
 * A history is an array of records in the order they happened, as seen from one thread: clients append an INVOKE when
 * they send a request and one of OK, FAIL or INFO when they know how it ended. A process has at most one request under
 * way, so a completion belongs to the last invocation of its process. What the completions promise:
 *   OK    it happened, at some moment between the two records.
 *   FAIL  it surely did not happen. Failed reads may be left out or appended, checkers drop them.
 *   INFO  nobody knows (a timeout, a cut connection): it may happen at any later time, or never. Such an operation
 * stays concurrent to everything after it, so its process is used up: the client goes on under a new process number. An
 * invocation without a completion counts as INFO. Records that come without being asked for (events of a watch) are OK
 * records without an invocation.
 *
 * Values are numbers, HISTORY_NIL where there is none (an absent key, a field that does not apply). Workloads write
 * values that are unique per key wherever a checker shall tell writes apart.
 *
 * Which fields a record of a workload fills ("i:" on the invocation, "o:" on the OK record; key, value and so on of the
 * invocation need not be repeated on the completion, but may be):
 *   register  READ i:key o:value,mod_revision,revision | WRITE i:key,value o:revision | CAS i:key,expect,value
 * o:revision. A CAS that did not match is FAIL. set       ADD i:key,value o:revision | READ i:key o:values (all
 * elements; the last OK read after healing has FINAL) unique    GENERATE o:value (the id: a revision or a version of
 * one key) counter   ADD i:key,value (the step, above 0) o:revision | READ i:key o:value append    TXN i:items[READ key
 * | APPEND key,value] o:items with `values` of each READ in the order of the list, revision (optional, orders writes)
 *   bank      TRANSFER i:items[key,value] (what each account gets; they add up to 0) | READ o:items[key,value],
 * revision. Settings: "total", "negative" ("allowed" or "forbidden"). watch     WATCH i:key (prefix, all keys beginning
 * with it),revision (first revision wanted) o:revision (header) | WATCH_EVENT o:revision (header), items[PUT|DELETE
 * key,value,mod_revision,create_revision,version,prev], one record per response, no invocation; no items: a progress
 * notification | WATCH_CANCEL o:revision (the compact revision, or NIL), error. One process is one watcher: its next
 * WATCH is its reconnect, with what it wants to resume from. PUT i:key,value o:revision,prev (if asked) | DELETE i:key
 * o:revision,value (deleted keys: 0 or 1),prev | TXN i:items[PUT|DELETE ...] o:revision | COMPACT i:revision lease
 * GRANT i:lease?,ttl_ms (asked) o:lease,ttl_ms (granted) | KEEPALIVE i:lease o:ttl_ms (0: gone) | REVOKE i:lease | PUT
 * i:key,value,lease (attaches) o:revision | READ i:key o:value,mod_revision (NIL: gone) lock      as lease, and ACQUIRE
 * i:key,lease o:revision | RELEASE i:key,lease. A lock is held by its lease. Settings of both: "expiry_bound_ms" (how
 * late a server may end a lease), "skew_ms" (clock error forgiven). kube      CREATE i:key,value o:revision | UPDATE
 * i:key,value,expect (mod_revision) o:revision | DELETE i:key,expect o:revision: a compare that failed is FAIL | READ
 * i:key o:value,mod_revision,revision | LIST i:key (prefix) o:revision (of all pages),items[key,value,mod_revision] of
 * all pages, in order | WATCH, WATCH_EVENT, WATCH_CANCEL as above | CACHE o:key
 * (prefix),revision,items[key,value,mod_revision]: what a list + watch client believes.
 *   api-objects  READ i:key o:value,mod_revision | CAS i:key,expect,value o:revision (NIL of a delete, whose value is
 * NIL; of a create expect is) | LIST as in kube. api-informers has WATCH, WATCH_EVENT, WATCH_CANCEL and CACHE of kube
 * besides; api-deployments READ and CAS without revisions.
 *
 * The setting "workload" names the
 * row; checkers are picked by it (check.h).
 *
 * A history is kept in memory and saved as JSON lines: settings first, then records and faults. One thread at a time.
 */
#ifndef K3X_JEPSEN_HISTORY_H
#define K3X_JEPSEN_HISTORY_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/map.h"
#include "base/mem/str.h"

#define HISTORY_NIL INT64_MIN

enum history_type { HISTORY_INVOKE, HISTORY_OK, HISTORY_FAIL, HISTORY_INFO, HISTORY_TYPES };

/* name in C, name in the file */
#define HISTORY_F_ROWS(ROW) \
	ROW(READ, "read") \
	ROW(WRITE, "write") \
	ROW(CAS, "cas") \
	ROW(ADD, "add") \
	ROW(GENERATE, "generate") \
	ROW(TXN, "txn") \
	ROW(APPEND, "append") \
	ROW(TRANSFER, "transfer") \
	ROW(PUT, "put") \
	ROW(DELETE, "delete") \
	ROW(COMPACT, "compact") \
	ROW(WATCH, "watch") \
	ROW(WATCH_EVENT, "watch-event") \
	ROW(WATCH_CANCEL, "watch-cancel") \
	ROW(GRANT, "grant") \
	ROW(KEEPALIVE, "keepalive") \
	ROW(REVOKE, "revoke") \
	ROW(ACQUIRE, "acquire") \
	ROW(RELEASE, "release") \
	ROW(CREATE, "create") \
	ROW(UPDATE, "update") \
	ROW(LIST, "list") \
	ROW(CACHE, "cache")

enum history_f {
#define HISTORY_F_ROW(name, text) HISTORY_##name,
	HISTORY_F_ROWS(HISTORY_F_ROW)
#undef HISTORY_F_ROW
	        HISTORY_FS,
};

/* One part of a record: a step of a transaction, an event of a watch, an object of a list, an account. Start from
 * HISTORY_ITEM_INIT. */
struct history_item {
	enum history_f f;
	uint32_t key_id; /* set by history_append() */
	const char *key; /* in a history: one pointer per text, so equal keys are equal pointers */
	int64_t value;
	int64_t prev; /* watch: the value before, NIL when there was none or it was not asked for */
	int64_t mod_revision;
	int64_t create_revision;
	int64_t version;
	const int64_t *values; /* list read */
	uint32_t value_count;
};

#define HISTORY_ITEM_INIT(f_, key_, value_) \
	((struct history_item){.f = (f_), \
	        .key = (key_), \
	        .value = (value_), \
	        .prev = HISTORY_NIL, \
	        .mod_revision = HISTORY_NIL, \
	        .create_revision = HISTORY_NIL, \
	        .version = HISTORY_NIL})

enum { HISTORY_FINAL = 1 }; /* flags: a read after everything was healed */

/* Start from HISTORY_RECORD_INIT. */
struct history_record {
	int64_t time_ns; /* since the run began, never going back */
	int32_t process; /* 0 or more */
	int16_t node;    /* which server was asked, from 0; -1: none */
	uint8_t type;    /* enum history_type */
	uint8_t f;       /* enum history_f */
	uint16_t flags;
	uint32_t key_id; /* set by history_append(): index of the key, 0 for no key */
	const char *key;
	int64_t value;
	int64_t expect;   /* cas: the value before; update, delete: the mod revision */
	int64_t prev;     /* put, delete: the value that was replaced */
	int64_t revision; /* of the answer's header; on invocations: the revision asked for */
	int64_t mod_revision;
	int64_t version;
	int64_t lease;
	int64_t ttl_ms;
	const int64_t *values;
	uint32_t value_count;
	uint32_t item_count;
	const struct history_item *items;
	const char *error; /* why FAIL or INFO, NULL otherwise */
};

#define HISTORY_RECORD_INIT \
	((struct history_record){.node = -1, \
	        .value = HISTORY_NIL, \
	        .expect = HISTORY_NIL, \
	        .prev = HISTORY_NIL, \
	        .revision = HISTORY_NIL, \
	        .mod_revision = HISTORY_NIL, \
	        .version = HISTORY_NIL, \
	        .lease = HISTORY_NIL, \
	        .ttl_ms = HISTORY_NIL})

/* A period in which something was broken. */
struct history_fault {
	int64_t begin_ns;
	int64_t end_ns;     /* -1 while it lasts */
	const char *name;   /* "partition-halves", "kill", ... */
	uint64_t nodes;     /* bit per server */
	const char *detail; /* "" when there is nothing more to say */
};

struct history_setting {
	const char *name;
	const char *value;
};

struct history {
	struct history_record *records;
	size_t count, cap;
	struct history_fault *faults;
	size_t fault_count, fault_cap;
	struct history_setting *settings;
	size_t setting_count, setting_cap;
	const char **keys; /* by key id; keys[0] is "" */
	size_t key_count, key_cap;
	struct map key_ids;
	struct arena arena; /* texts, items, values */
};

void history_init(struct history *h);
void history_release(struct history *h);

/* Appends a copy, texts and items included; returns its index. */
size_t history_append(struct history *h, const struct history_record *r);

/* A fault begins; the answer goes to history_fault_end(). */
size_t history_fault_begin(struct history *h, int64_t time_ns, const char *name, uint64_t nodes, const char *detail);
void history_fault_end(struct history *h, size_t fault, int64_t time_ns);

/* Settings describe the run. Known to checkers and reports: workload, target, nemesis, seed, nodes, clients, seconds,
 * started (a date as text), and those named above. A second set replaces. */
void history_set(struct history *h, const char *name, const char *value);
const char *history_get(const struct history *h, const char *name); /* NULL when not set */
int64_t history_get_int(const struct history *h, const char *name, int64_t fallback);

/* JSON lines. Loading refuses what is not a history with ERR_INVAL and the line; `h` must be empty. */
void history_write(const struct history *h, struct strbuf *out);
int history_save(const struct history *h, const char *path, struct err *err);
int history_read(struct history *h, const char *path, struct err *err);
int history_parse(struct history *h, struct slice text, struct err *err);

/* ---- for checkers: invocations paired with their completions ---- */
enum { HISTORY_NONE = UINT32_MAX };

struct history_op {
	uint32_t invoke;   /* index of a record, HISTORY_NONE for what came unasked */
	uint32_t complete; /* index of a record, HISTORY_NONE when it never came */
	enum history_type type;
};

struct history_ops {
	struct history_op *ops; /* in the order of their first records */
	size_t count;
};

/* In the arena. Fails with ERR_INVAL when a process invokes while a request of it is under way, goes on after INFO, or
 * time goes back. */
int history_pair(const struct history *h, struct arena *a, struct history_ops *ret, struct err *err);

const char *history_type_name(enum history_type t);
const char *history_f_name(enum history_f f);

/* "write x 3 ok rev 17": one record for people. */
void history_describe(const struct history *h, size_t record, struct strbuf *out);

#endif
