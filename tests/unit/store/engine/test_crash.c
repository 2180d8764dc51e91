/* Durability: a child process writes and says on a pipe what was acknowledged; it is killed at a random moment, and
 * everything acknowledged must be in the file, in whole revisions, also when it was compacting or checkpointing. */
#include "store/engine/raft_engine.h"

static struct engine *suite_open(void);
#include "tests/unit/store/engine/engine_suite.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static struct engine *suite_open(void)
{
	struct engine *e = NULL;
	struct err err = ERR_INIT;
	struct raft_engine_options o = {.data_dir = suite_folder};
	if (raft_engine_open_alone(&o, &e, &err) != 0) {
		fprintf(stderr, "%s\n", err.msg);
		abort();
	}
	return e;
}

enum { CLIENTS = 16 };

/* What the child tells: client `id` has had its put number `n` acknowledged at `revision`. */
struct told {
	int id, n;
	int64_t revision;
};

struct child_client {
	struct store_request req;
	struct store_op ops[2];
	int id, n, fd;
	struct engine *engine;
	char key[32], twin[32], value[600];
};

/* Two keys per client are always written together, so a torn revision would show. */
static void child_next(struct child_client *c)
{
	c->n++;
	snprintf(c->key, sizeof c->key, "client-%02d", c->id);
	snprintf(c->twin, sizeof c->twin, "twin-%02d", c->id);
	unit_noise(c->value, sizeof c->value - 1);
	c->value[snprintf(c->value, 20, "%d", c->n)] = ' ';
	c->ops[0] = suite_op_put(c->key, c->value);
	c->ops[1] = suite_op_put(c->twin, c->value);
	c->req.op = (struct store_op){.type = STORE_OP_TXN, .txn = {.success = c->ops, .n_success = 2}};
	store_submit(c->engine, &c->req);
}

static void child_done(struct store_request *req)
{
	struct child_client *c = CONTAINER_OF(req, struct child_client, req);
	struct told t = {c->id, c->n, req->revision};
	if (req->err.code || write(c->fd, &t, sizeof t) != sizeof t)
		_exit(3);
	store_request_release(req);
	child_next(c);
}

static void child_main(int fd, int from[CLIENTS])
{
	static struct child_client clients[CLIENTS];
	static struct loop loop;
	struct engine *e = suite_open();
	loop_init(&loop, "child");
	loop_start_thread(&loop);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i].req.loop = &loop;
		clients[i].req.done = child_done;
		clients[i].id = i;
		clients[i].n = from[i];
		clients[i].fd = fd;
		clients[i].engine = e;
		child_next(&clients[i]);
	}
	for (;;) {
		usleep(3000);
		struct suite_call c = {.req.type = STORE_REQUEST_COMPACT, .req.revision_arg = store_revision(e) - 5};
		suite_run(e, &c);
		suite_end(&c);
	}
}

static void collect(int fd, int acked[CLIENTS], int64_t *revision)
{
	struct told t;
	ssize_t n;
	while ((n = read(fd, &t, sizeof t)) == sizeof t) {
		acked[t.id] = t.n;
		if (t.revision > *revision)
			*revision = t.revision;
	}
}

static void check(int acked[CLIENTS], int64_t revision)
{
	struct engine *e = suite_open();
	char key[32], value[16];
	suite_get(e, "client-00"); /* the log is applied */
	assert_true(store_revision(e) >= revision);
	for (int i = 0; i < CLIENTS; i++) {
		snprintf(key, sizeof key, "client-%02d", i);
		const char *text = suite_get(e, key);
		int n = text ? atoi(text) : 0;
		/* the put that was under way may have happened */
		if (n < acked[i] || n > acked[i] + 1)
			fail_msg("%s: %d was acknowledged, %d is there", key, acked[i], n);
		snprintf(key, sizeof key, "twin-%02d", i);
		snprintf(value, sizeof value, "%d ", n);
		text = suite_get(e, key);
		assert_int_equal(text ? atoi(text) : 0, n);
		acked[i] = n;
	}
	store_close(e);
}

static void test_what_was_acknowledged_survives_kill_9(void **state)
{
	int acked[CLIENTS] = {0};
	int64_t revision = 0;
	int total = 0;
	unsigned seed = (unsigned)time(NULL);
	const char *rounds = getenv("ROUNDS");
	print_message("SEED=%u\n", seed);
	suite_folder_make();
	for (int round = 0; round < (rounds ? atoi(rounds) : 25); round++) {
		int fds[2];
		assert_int_equal(pipe(fds), 0);
		pid_t pid = fork();
		if (pid == 0) {
			close(fds[0]);
			child_main(fds[1], acked);
		}
		close(fds[1]);
		usleep(10000 + (useconds_t)(rand_r(&seed) % 90000));
		kill(pid, SIGKILL);
		collect(fds[0], acked, &revision);
		close(fds[0]);
		waitpid(pid, NULL, 0);
		check(acked, revision);
	}
	for (int i = 0; i < CLIENTS; i++)
		total += acked[i];
	print_message("%d acknowledged transactions, revision %d\n", total, (int)revision);
	assert_true(total > 100);
	suite_folder_remove();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_was_acknowledged_survives_kill_9)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
