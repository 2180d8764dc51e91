/* See sim_store.h. */
#include "tests/sim/sim_store.h"

#include "base/check.h"
#include "store/machine/command.h"
#include "store/machine/machine.h"
#include "store/snapshot/snapshot_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { KEYS = 6, ENTRIES_MAX = 20000 };

struct sim_store {
	struct machine m;
	char path[64], durable[64];
	bool has_durable;
	void (*fail)(const char *what, const char *why);
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
	sqlite3_exec(s->m.db.handle, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
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

void sim_store_remove(long pid, int servers)
{
	char name[64];
	for (int i = 1; i <= servers; i++) {
		snprintf(name, sizeof name, "/dev/shm/k3x-sim-%ld-%d.db", pid, i);
		remove_files(name);
		snprintf(name, sizeof name, "/dev/shm/k3x-sim-%ld-%d.durable", pid, i);
		remove_files(name);
	}
}

struct sim_store *sim_store_new(int id, void (*fail)(const char *what, const char *why))
{
	struct sim_store *s = calloc(1, sizeof *s);
	CHECK(s != NULL);
	s->fail = fail;
	snprintf(s->path, sizeof s->path, "/dev/shm/k3x-sim-%ld-%d.db", (long)getpid(), id);
	snprintf(s->durable, sizeof s->durable, "/dev/shm/k3x-sim-%ld-%d.durable", (long)getpid(), id);
	remove_files(s->path);
	remove_files(s->durable);
	open_machine(s);
	sim_store_make_durable(s);
	return s;
}

void sim_store_free(struct sim_store *s)
{
	machine_close(&s->m);
	remove_files(s->path);
	remove_files(s->durable);
	free(s);
}

static void copy(struct sim_store *from, const char *to)
{
	struct err err = ERR_INIT;
	remove_files(to);
	if (snapshot_copy(&from->m.db, to, &err) != 0)
		from->fail("store not copied", err.msg);
}

void sim_store_make_durable(struct sim_store *s)
{
	copy(s, s->durable);
	s->has_durable = true;
}

void sim_store_fall_back(struct sim_store *s)
{
	struct sim_store other = {.fail = s->fail};
	struct err err = ERR_INIT;
	machine_close(&s->m);
	remove_files(s->path);
	if (machine_open(&other.m, s->durable, &err) != 0)
		s->fail("durable store does not open", err.msg);
	copy(&other, s->path);
	machine_close(&other.m);
	open_machine(s);
}

void sim_store_copy_from(struct sim_store *s, struct sim_store *other)
{
	machine_close(&s->m);
	remove_files(s->path);
	copy(other, s->path);
	open_machine(s);
	sim_store_make_durable(s);
}

uint64_t sim_store_hash(const struct sim_store *s)
{
	return s->m.committed.hash;
}

static void apply_one(struct sim_store *s, uint64_t index, struct slice bytes, bool is_first)
{
	struct store_request req = {0};
	struct command_head head;
	struct err err = ERR_INIT;
	if (command_decode(bytes, &head, &req, &err) != 0 || machine_apply(&s->m, &req, &err) != 0)
		s->fail("command not applied", err.msg);
	const char *wrong = is_first ? model_step(&req) : NULL;
	if (wrong)
		s->fail("the store is not as the model", wrong);
	store_request_release(&req);
}

void sim_store_apply(struct sim_store *s, uint64_t index, uint64_t term, const struct slice *commands, size_t n)
{
	struct event_block *block = NULL;
	struct err err = ERR_INIT;
	bool is_first = index > model_index;
	if ((uint64_t)s->m.meta.applied_index >= index)
		s->fail("exactly once", "the store has this entry already");
	if (machine_begin(&s->m, &err) != 0)
		s->fail("no transaction", err.msg);
	for (size_t i = 0; i < n; i++)
		apply_one(s, index, commands[i], is_first);
	if (machine_trim_pending(&s->m) && machine_trim(&s->m, 50, &err) != 0)
		s->fail("compaction", err.msg);
	s->m.meta.applied_index = (int64_t)index;
	s->m.meta.applied_term = (int64_t)term;
	if (machine_commit(&s->m, &block, &err) != 0)
		s->fail("no commit", err.msg);
	event_block_unref(block);
	if (is_first) {
		model_index = index;
		hash_after[index] = s->m.committed.hash;
	}
	if (hash_after[index] != s->m.committed.hash)
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
