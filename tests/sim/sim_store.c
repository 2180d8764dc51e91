/* See sim_store.h. */
#include "tests/sim/sim_store.h"

#include "base/check.h"
#include "store/machine/command.h"
#include "store/machine/compaction.h"
#include "store/machine/flush.h"
#include "store/snapshot/snapshot_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEYS = 6, ENTRIES_MAX = 20000 };

struct sim_store {
	struct machine m;
	char path[64];
	int64_t durable_wal; /* bytes of the write-ahead log that are synced */
	int64_t durable_index;
	void (*fail)(const char *what, const char *why);
	uint64_t (*random)(void);
};

/* ---- the model: what the keys are after all entries that any server has applied ---- */

static struct {
	int64_t create, mod, version;
	char value[24];
} model[KEYS];
static int64_t model_revision = 1, model_compacted;
static uint64_t model_index, hash_after[ENTRIES_MAX];

static size_t key_number(struct slice key)
{
	return (size_t)(key.ptr[1] - '0');
}

static void model_put(const struct store_put *p)
{
	size_t k = key_number(p->key);
	model_revision++;
	model[k].create = model[k].version ? model[k].create : model_revision;
	model[k].mod = model_revision;
	model[k].version++;
	snprintf(model[k].value, sizeof model[k].value, "%.*s", SLICE_FMT(p->value));
}

static void model_delete(struct slice key)
{
	size_t k = key_number(key);
	if (!model[k].version)
		return;
	model_revision++;
	memset(&model[k], 0, sizeof model[k]);
}

/* Carries the command out on the model and says what the store got wrong; NULL: nothing. */
static const char *model_step(const struct store_request *req)
{
	if (req->type == STORE_REQUEST_COMPACT) {
		bool ok = req->revision_arg <= model_revision && req->revision_arg > model_compacted;
		if (ok)
			model_compacted = req->revision_arg;
		return (req->err.code == 0) == ok ? NULL : "compaction";
	}
	if (req->err.code)
		return "a refused operation";
	if (req->op.type == STORE_OP_PUT) {
		model_put(&req->op.put);
	} else if (req->op.type == STORE_OP_DELETE) {
		bool there = model[key_number(req->op.del.keys.key)].version > 0;
		if (req->result.count != there)
			return "how many were deleted";
		model_delete(req->op.del.keys.key);
	} else {
		const struct store_compare *c = &req->op.txn.compares[0];
		bool holds = model[key_number(c->keys.key)].mod == c->number;
		if (req->result.succeeded != holds)
			return "a compare-and-swap";
		if (holds)
			model_put(&req->op.txn.success[0].put);
	}
	return req->revision == model_revision ? NULL : "the revision";
}

/* ---- a store ---- */

static void open_machine(struct sim_store *s)
{
	struct err err = ERR_INIT;
	if (machine_open(&s->m, s->path, &err) != 0)
		s->fail("store does not open", err.msg);
	sqlite3_exec(s->m.tables.handle, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
}

static void remove_files(const char *path)
{
	static const char *const parts[] = {"", "-wal", "-shm"};
	char name[96];
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		snprintf(name, sizeof name, "%s%s", path, parts[i]);
		unlink(name);
	}
}

static const char *path_of(char *name, size_t size, long pid, int id)
{
	snprintf(name, size, "/dev/shm/k3x-sim-%ld-%d.db", pid, id);
	return name;
}

void sim_store_remove(long pid, int servers)
{
	char name[64], cut[80];
	for (int i = 1; i <= servers; i++) {
		remove_files(path_of(name, sizeof name, pid, i));
		snprintf(cut, sizeof cut, "%s.cut", name);
		remove_files(cut);
	}
}

static int64_t wal_bytes(const struct sim_store *s)
{
	struct stat st;
	char name[96];
	snprintf(name, sizeof name, "%s-wal", s->path);
	return stat(name, &st) == 0 ? (int64_t)st.st_size : 0;
}

static void flush(struct sim_store *s)
{
	struct err err = ERR_INIT;
	if (machine_flush(&s->m, &err) < 0)
		s->fail("flush", err.msg);
}

/* What is frozen, and what has been added since. */
static void flush_all(struct sim_store *s)
{
	flush(s);
	mem_table_freeze(&s->m.table);
	flush(s);
}

struct sim_store *sim_store_new(int id, void (*fail)(const char *what, const char *why), uint64_t (*random)(void))
{
	struct sim_store *s = calloc(1, sizeof *s);
	CHECK(s != NULL);
	s->fail = fail;
	s->random = random;
	path_of(s->path, sizeof s->path, (long)getpid(), id);
	remove_files(s->path);
	open_machine(s);
	sim_store_make_durable(s);
	return s;
}

void sim_store_free(struct sim_store *s)
{
	machine_close(&s->m);
	remove_files(s->path);
	free(s);
}

void sim_store_make_durable(struct sim_store *s)
{
	flush_all(s);
	s->durable_wal = wal_bytes(s);
	s->durable_index = s->m.base.applied_index;
}

/* Up to `max` bytes of a file; nothing is made of one that is not there. */
static void copy_file(struct sim_store *s, const char *from, const char *to, int64_t max)
{
	char buffer[65536];
	size_t n;
	FILE *in = fopen(from, "r"), *out = in ? fopen(to, "w") : NULL;
	if (in && !out)
		s->fail("harness", "a file is not made");
	while (out && max > 0 &&
	        (n = fread(buffer, 1, max < (int64_t)sizeof buffer ? (size_t)max : sizeof buffer, in)) > 0) {
		if (fwrite(buffer, 1, n, out) != n)
			s->fail("harness", "a file is not written");
		max -= (int64_t)n;
	}
	if (out)
		fclose(out);
	if (in)
		fclose(in);
}

/* The write-ahead log as a crash leaves it: what was not synced is there up to some byte. The database's own file is
 * only written when it is closed. */
uint64_t sim_store_crash(struct sim_store *s)
{
	char cut[80], name[96], wal[96];
	int64_t size = wal_bytes(s), lost = size - s->durable_wal;
	int64_t keep =
	        lost > 0 && s->random() % 2 ? s->durable_wal + (int64_t)(s->random() % (uint64_t)(lost + 1)) : size;
	snprintf(cut, sizeof cut, "%s.cut", s->path);
	snprintf(wal, sizeof wal, "%s-wal", s->path);
	snprintf(name, sizeof name, "%s-wal", cut);
	copy_file(s, s->path, cut, INT64_MAX);
	copy_file(s, wal, name, keep);
	machine_close(&s->m);
	remove_files(s->path);
	if (rename(cut, s->path) != 0 || (access(name, F_OK) == 0 && rename(name, wal) != 0))
		s->fail("harness", "a file is not renamed");
	open_machine(s);
	if (s->m.base.applied_index < s->durable_index)
		s->fail("durable state lost", s->path);
	s->durable_wal = wal_bytes(s); /* it was read from there: a second crash leaves as much */
	return (uint64_t)s->m.base.applied_index;
}

void sim_store_copy_from(struct sim_store *s, struct sim_store *other)
{
	struct err err = ERR_INIT;
	flush_all(other);
	machine_close(&s->m);
	remove_files(s->path);
	if (snapshot_copy(&other->m.db, s->path, &err) != 0)
		s->fail("store not copied", err.msg);
	open_machine(s);
	sim_store_make_durable(s);
}

uint64_t sim_store_hash(const struct sim_store *s)
{
	return s->m.meta.hash;
}

static void apply_one(struct sim_store *s, uint64_t index, struct slice bytes, bool is_first)
{
	struct store_request req = {0};
	struct command_head head;
	struct err err = ERR_INIT;
	if (command_decode(bytes, &head, &req, &err) != 0)
		s->fail("command not understood", err.msg);
	machine_apply(&s->m, &req);
	const char *wrong = is_first ? model_step(&req) : NULL;
	if (wrong)
		s->fail("the store is not as the model", wrong);
	store_request_release(&req);
}

/* What the flushing thread does, whenever it gets to it. */
static void maintain(struct sim_store *s)
{
	struct err err = ERR_INIT;
	uint64_t dice = s->random() % 100;
	if (dice < 10)
		mem_table_freeze(&s->m.table);
	else if (dice < 30)
		flush(s);
	else if (dice < 40 && machine_trim_pending(&s->m) &&
	         machine_trim(&s->m, 1 + (int)(s->random() % 50), &err) != 0)
		s->fail("compaction", err.msg);
}

void sim_store_apply(struct sim_store *s, uint64_t index, uint64_t term, const struct slice *commands, size_t n)
{
	bool is_first = index > model_index;
	if ((uint64_t)s->m.meta.applied_index >= index)
		s->fail("exactly once", "the store has this entry already");
	machine_begin(&s->m);
	for (size_t i = 0; i < n; i++)
		apply_one(s, index, commands[i], is_first);
	s->m.meta.applied_index = (int64_t)index;
	s->m.meta.applied_term = (int64_t)term;
	event_block_unref(machine_publish(&s->m));
	maintain(s);
	if (is_first) {
		model_index = index;
		hash_after[index] = s->m.meta.hash;
	}
	if (hash_after[index] != s->m.meta.hash)
		s->fail("stores differ", "another hash after the same entries");
}

/* ---- commands ---- */

void sim_store_command(struct strbuf *out, uint64_t id, uint64_t (*random)(void))
{
	char key[] = "k0", value[24];
	struct command_head head = {1, id, 0};
	struct store_request req = {0};
	struct store_compare compare = {.keys.key = {key, 2}, .target = STORE_TARGET_MOD};
	struct store_op put = {.type = STORE_OP_PUT};
	key[1] = (char)('0' + random() % KEYS);
	put.put.key = (struct slice){key, 2};
	put.put.value = (struct slice){value, (size_t)snprintf(value, sizeof value, "%" PRIu64, id)};
	uint64_t dice = random() % 100;
	if (dice < 40) {
		req.op = put;
	} else if (dice < 55) {
		req.op = (struct store_op){.type = STORE_OP_DELETE, .del.keys.key = {key, 2}};
	} else if (dice < 98) { /* against what the key is now, or was a moment ago */
		compare.number =
		        random() % 4 ? model[key_number(put.put.key)].mod : model_revision - (int64_t)(random() % 5);
		req.op = (struct store_op){.type = STORE_OP_TXN,
		        .txn = {.compares = &compare, .n_compares = 1, .success = &put, .n_success = 1}};
	} else {
		req.type = STORE_REQUEST_COMPACT;
		req.revision_arg = model_revision - (int64_t)(random() % 3);
	}
	command_encode(out, &head, &req);
}
