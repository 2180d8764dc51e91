/* The state machine alone: the same commands give the same state and hash however they are cut into transactions and
 * whenever compaction removes rows; a refused command leaves nothing behind; a rollback undoes all. */
#include "store/machine/machine.h"
#include "tests/unit/store/engine/engine_suite.h"

#include <time.h>

static void remove_db(const char *name)
{
	char path[128];
	const char *suffixes[] = {"", "-wal", "-shm"};
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s%s", suite_folder, name, suffixes[i]);
		unlink(path);
	}
}

static void open_named(struct machine *m, const char *name)
{
	char path[128];
	struct err err = ERR_INIT;
	snprintf(path, sizeof path, "%s/%s", suite_folder, name);
	if (machine_open(m, path, &err) != 0)
		fail_msg("%s", err.msg);
}

static unsigned next_random(uint64_t *r, unsigned below)
{
	*r ^= *r << 13;
	*r ^= *r >> 7;
	*r ^= *r << 17;
	return (unsigned)(*r >> 33) % below;
}

struct command {
	struct store_request req;
	char key[16], value[16];
	struct store_op ops[2];
};

static void make_command(struct command *c, uint64_t *r, int64_t revision)
{
	memset(c, 0, sizeof *c);
	snprintf(c->key, sizeof c->key, "k%u", next_random(r, 20));
	snprintf(c->value, sizeof c->value, "v%u", next_random(r, 1000));
	c->ops[0] = suite_op_put(c->key, c->value);
	c->ops[1] = suite_op_put("fixed", c->value);
	switch (next_random(r, 10)) {
	case 0:
		c->req.op = suite_op_delete(c->key);
		break;
	case 1:
		c->req.type = next_random(r, 2) ? STORE_REQUEST_LEASE_GRANT : STORE_REQUEST_LEASE_REVOKE;
		c->req.lease = (struct store_lease_args){.id = 1 + next_random(r, 3), .ttl_s = 10};
		break;
	case 2:
		c->req.type = STORE_REQUEST_COMPACT;
		c->req.revision_arg = revision - next_random(r, 20);
		break;
	case 3:
		c->ops[0].put.lease = 1 + next_random(r, 3);
		c->req.op = c->ops[0];
		break;
	default:
		c->req.op = (struct store_op){.type = STORE_OP_TXN, .txn = {.success = c->ops, .n_success = 2}};
	}
}

static void run_commands(struct machine *m, uint64_t seed, unsigned per_commit, unsigned trim)
{
	struct command c;
	struct err err = ERR_INIT;
	struct event_block *block;
	uint64_t r = seed;
	for (unsigned i = 0; i < 2000; i++) {
		if (i % per_commit == 0)
			assert_int_equal(machine_begin(m, &err), 0);
		make_command(&c, &r, m->meta.revision);
		assert_int_equal(machine_apply(m, &c.req, &err), 0);
		store_request_release(&c.req);
		if (i % per_commit != per_commit - 1 && i != 1999)
			continue;
		if (trim && machine_trim_pending(m))
			assert_int_equal(machine_trim(m, (int)trim, &err), 0);
		assert_int_equal(machine_commit(m, &block, &err), 0);
		event_block_unref(block);
	}
}

static void test_the_same_commands_give_the_same_state(void **state)
{
	struct machine a, b;
	uint64_t seed = (uint64_t)time(NULL) * 7919 + 1;
	print_message("SEED=%llu\n", (unsigned long long)seed);
	suite_folder_make();
	open_named(&a, "a");
	open_named(&b, "b");
	run_commands(&a, seed, 1, 0);
	run_commands(&b, seed, 37, 50);
	assert_int_equal(a.meta.revision, b.meta.revision);
	assert_int_equal(a.meta.hash, b.meta.hash);
	assert_int_equal(a.meta.keys, b.meta.keys);
	assert_int_equal(a.meta.compacted, b.meta.compacted);
	assert_true(a.meta.revision > 1000);
	machine_close(&a);
	machine_close(&b);
	remove_db("a");
	remove_db("b");
	suite_folder_remove();
}

static void test_a_rollback_undoes_all(void **state)
{
	struct machine m;
	struct err err = ERR_INIT;
	struct event_block *block = NULL;
	suite_folder_make();
	open_named(&m, "a");
	for (int round = 0; round < 2; round++) {
		struct store_request req = {.op = suite_op_put("a", "1")};
		assert_int_equal(machine_begin(&m, &err), 0);
		assert_int_equal(machine_apply(&m, &req, &err), 0);
		assert_int_equal(req.revision, 2);
		store_request_release(&req);
		if (round == 0)
			machine_rollback(&m);
		else
			assert_int_equal(machine_commit(&m, &block, &err), 0);
	}
	assert_int_equal(block->n, 1);
	assert_int_equal(block->events[0].kv.version, 1);
	event_block_unref(block);
	machine_close(&m);
	remove_db("a");
	suite_folder_remove();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_the_same_commands_give_the_same_state),
	        cmocka_unit_test(test_a_rollback_undoes_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
