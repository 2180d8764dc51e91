/* The replicated engine: alone, through the suite of all engines; then three of them in one process. */
#include "store/engine/raft_engine.h"

static struct engine *suite_open(void);
#include "tests/unit/store/engine/engine_suite.c"

#include "store/machine/database/db.h"
#include "store/engine/raft_state_int.h"
#include "store/engine/raft_propose_int.h"
#include "store/engine/raft_reads_int.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

static struct engine *open_alone(void)
{
	struct engine *e = NULL;
	struct err err = ERR_INIT;
	struct raft_host_server self = {1, "http://127.0.0.1:1", RAFT_HOST_VOTER};
	struct raft_engine_options o = {.data_dir = suite_folder,
	        .cluster_id = 7,
	        .id = 1,
	        .address = self.address,
	        .heartbeat_ms = 20,
	        .election_ms = 100,
	        .bootstrap = &self,
	        .n_bootstrap = 1};
	if (raft_engine_open(&o, &e, &err) != 0)
		fail_msg("%s", err.msg);
	return e;
}

static struct engine *suite_open(void)
{
	return open_alone();
}

static void writes_survive_a_restart(void **state)
{
	suite_folder_make();
	struct engine *e = open_alone();
	assert_int_equal(suite_put(e, "a", "1"), 2);
	assert_int_equal(suite_put(e, "b", "2"), 3);
	assert_int_equal(suite_delete(e, "b"), 4);
	store_close(e);
	e = open_alone();
	assert_string_equal(suite_get(e, "a"), "1");
	assert_null(suite_get(e, "b"));
	assert_int_equal(suite_put(e, "c", "3"), 5);
	store_close(e);
	suite_folder_remove();
}

/* As restoring a snapshot leaves it: a database that belongs to no log. */
static void forget_the_log(void)
{
	char text[128];
	struct db db;
	struct err err = ERR_INIT;
	snprintf(text, sizeof text, "rm -r %s/raft", suite_folder);
	assert_int_equal(system(text), 0);
	assert_int_equal(db_open(&db, suite_path(), DB_WRITER, &err), 0);
	assert_int_equal(
	        sqlite3_exec(db.handle, "UPDATE meta SET applied_index = 0, applied_term = 0", NULL, NULL, NULL), 0);
	db_close(&db);
}

static void data_without_a_log_becomes_the_first_state(void **state)
{
	suite_folder_make();
	struct engine *e = open_alone();
	assert_int_equal(suite_put(e, "old", "1"), 2);
	store_close(e);
	forget_the_log();
	e = open_alone();
	assert_string_equal(suite_get(e, "old"), "1");
	assert_int_equal(suite_put(e, "new", "2"), 3);
	store_close(e);
	e = open_alone();
	assert_string_equal(suite_get(e, "old"), "1");
	assert_string_equal(suite_get(e, "new"), "2");
	store_close(e);
	suite_folder_remove();
}

static void a_state_without_its_log_is_refused(void **state)
{
	char path[128];
	struct err err = ERR_INIT;
	suite_folder_make();
	struct engine *e = open_alone();
	for (int i = 0; i < 5; i++)
		suite_put(e, "k", "v");
	store_close(e);
	snprintf(path, sizeof path, "rm -rf %s/raft", suite_folder);
	assert_int_equal(system(path), 0);
	struct raft_host_server self = {1, "http://127.0.0.1:1", RAFT_HOST_VOTER};
	struct raft_engine_options o = {.data_dir = suite_folder,
	        .cluster_id = 7,
	        .id = 1,
	        .address = self.address,
	        .bootstrap = &self,
	        .n_bootstrap = 1};
	assert_int_equal(raft_engine_open(&o, &e, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "the log is not there"));
	suite_folder_remove();
}

/* ---- three servers ---- */

enum { SERVERS = 3 };

struct trio {
	struct engine *e[SERVERS];
	struct raft_host_server servers[SERVERS];
	char dirs[SERVERS][128], addresses[SERVERS][64];
	int ports[SERVERS];
};

static int free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	close(fd);
	return ntohs(a.sin_port);
}

static void trio_start(struct trio *t, int i, bool bootstrap)
{
	struct err err = ERR_INIT;
	struct raft_engine_options o = {.data_dir = t->dirs[i],
	        .cluster_id = 7,
	        .id = (uint64_t)i + 1,
	        .address = t->addresses[i],
	        .listen_host = "127.0.0.1",
	        .listen_port = t->ports[i],
	        .access.secret = SLICE("a secret of the three"),
	        .heartbeat_ms = 30,
	        .election_ms = 300,
	        .snapshot_bytes = 64 * 1024,
	        .bootstrap = bootstrap ? t->servers : NULL,
	        .n_bootstrap = SERVERS};
	if (raft_engine_open(&o, &t->e[i], &err) != 0)
		fail_msg("%s", err.msg);
}

static void trio_open(struct trio *t)
{
	suite_folder_make();
	for (int i = 0; i < SERVERS; i++) {
		snprintf(t->dirs[i], sizeof t->dirs[i], "%s/%d", suite_folder, i);
		mkdir(t->dirs[i], 0700);
		t->ports[i] = free_port();
		snprintf(t->addresses[i], sizeof t->addresses[i], "http://127.0.0.1:%d", t->ports[i]);
		t->servers[i] = (struct raft_host_server){(uint64_t)i + 1, t->addresses[i], RAFT_HOST_VOTER};
	}
	for (int i = 0; i < SERVERS; i++)
		trio_start(t, i, true);
}

static void trio_close(struct trio *t)
{
	for (int i = 0; i < SERVERS; i++)
		if (t->e[i])
			store_close(t->e[i]);
	suite_folder_remove();
}

static int leader_of(struct trio *t)
{
	for (;;) {
		for (int i = 0; i < SERVERS; i++)
			if (t->e[i] && raft_engine_leader(raft_engine_of(t->e[i])) == (uint64_t)i + 1)
				return i;
		usleep(1000);
	}
}

static void wait_revision(struct engine *e, int64_t revision)
{
	while (store_revision(e) < revision)
		usleep(1000);
}

static uint32_t hash_of(struct engine *e)
{
	struct suite_call c = {.req.type = STORE_REQUEST_HASH};
	assert_int_equal(suite_run(e, &c), 0);
	uint32_t h = c.req.hash;
	suite_end(&c);
	return h;
}

static void every_server_takes_writes_and_reads(void **state)
{
	struct trio t = {0};
	trio_open(&t);
	int64_t revision = 1;
	for (int round = 0; round < 5; round++)
		for (int i = 0; i < SERVERS; i++) {
			char value[16];
			snprintf(value, sizeof value, "%d", round * SERVERS + i);
			assert_int_equal(suite_put(t.e[i], "k", value), ++revision);
			for (int j = 0; j < SERVERS; j++) /* linearizable, wherever it is asked */
				assert_string_equal(suite_get(t.e[j], "k"), value);
		}
	for (int i = 0; i < SERVERS; i++)
		wait_revision(t.e[i], revision);
	assert_int_equal(hash_of(t.e[0]), hash_of(t.e[1]));
	assert_int_equal(hash_of(t.e[0]), hash_of(t.e[2]));
	trio_close(&t);
}

static void leases_live_on_the_leader_and_are_known_to_all(void **state)
{
	struct trio t = {0};
	trio_open(&t);
	int follower = (leader_of(&t) + 1) % SERVERS;
	struct suite_call grant = {.req = {.type = STORE_REQUEST_LEASE_GRANT, .lease.ttl_s = 100}};
	assert_int_equal(suite_run(t.e[follower], &grant), 0);
	int64_t id = grant.req.lease.id;
	suite_end(&grant);
	for (int i = 0; i < SERVERS; i++) {
		struct suite_call keep = {.req = {.type = STORE_REQUEST_LEASE_KEEPALIVE, .lease.id = id}};
		assert_int_equal(suite_run(t.e[i], &keep), 0);
		assert_int_equal(keep.req.lease.ttl_s, 100);
		suite_end(&keep);
		struct suite_call ttl = {
		        .req = {.type = STORE_REQUEST_LEASE_TTL, .lease = {.id = id, .want_keys = true}}};
		assert_int_equal(suite_run(t.e[i], &ttl), 0);
		assert_int_equal(ttl.req.lease.granted_ttl_s, 100);
		suite_end(&ttl);
		struct suite_call gone = {.req = {.type = STORE_REQUEST_LEASE_KEEPALIVE, .lease.id = id + 1}};
		assert_int_equal(suite_run(t.e[i], &gone), ERR_NOT_FOUND);
		suite_end(&gone);
	}
	trio_close(&t);
}

static void a_leader_that_stops_is_followed_and_comes_back(void **state)
{
	struct trio t = {0};
	trio_open(&t);
	assert_int_equal(suite_put(t.e[0], "a", "1"), 2);
	int old = leader_of(&t);
	store_close(t.e[old]);
	t.e[old] = NULL;
	int other = (old + 1) % SERVERS;
	assert_int_equal(suite_put(t.e[other], "a", "2"), 3);
	trio_start(&t, old, false);
	assert_string_equal(suite_get(t.e[old], "a"), "2");
	trio_close(&t);
}

struct late {
	struct loop_task task;
	struct raft_engine *engine;
	struct strbuf command;
	struct raft_proposal proposal;
	atomic_bool is_through;
};

static void late_through(struct raft_proposal *q, int status, uint64_t index, size_t position)
{
	atomic_store(&CONTAINER_OF(q, struct late, proposal)->is_through, true);
}

static void propose_late(struct loop_task *task)
{
	struct late *l = CONTAINER_OF(task, struct late, task);
	l->proposal = (struct raft_proposal){.data = strbuf_slice(&l->command), .done = late_through};
	raft_host_propose(engine_host(l->engine), &l->proposal);
	loop_defer(raft_node_loop(l->engine->node), &l->engine->flush);
}

static int put_in_term(struct engine *e, uint64_t term)
{
	struct suite_call c = {.req.op = suite_op_put("fenced", "x"), .req.term_expected = term};
	int rc = suite_run(e, &c);
	suite_end(&c);
	return rc;
}

/* What one server does for all is never done by two: whoever led before writes no more, wherever its write goes. */
static void a_write_of_an_old_leader_is_refused(void **state)
{
	struct trio t = {0};
	trio_open(&t);
	suite_put(t.e[0], "a", "1");
	int old = leader_of(&t), led;
	uint64_t term = store_led_term(t.e[old]);
	assert_true(term > 0);
	assert_int_equal(put_in_term(t.e[old], term), 0);
	store_close(t.e[old]);
	t.e[old] = NULL;
	int64_t revision = suite_put(t.e[(old + 1) % SERVERS], "a", "2");
	led = leader_of(&t);
	wait_revision(t.e[led], revision);
	assert_true(store_led_term(t.e[led]) > term);
	assert_int_equal(store_led_term(t.e[3 - old - led]), 0);
	assert_int_equal(put_in_term(t.e[led], term), ERR_CANCELED);
	assert_int_equal(put_in_term(t.e[3 - old - led], term), ERR_CANCELED);
	trio_start(&t, old, false);
	assert_int_equal(put_in_term(t.e[old], term), ERR_CANCELED);
	assert_int_equal(store_revision(t.e[led]), revision); /* nothing was written */
	assert_int_equal(put_in_term(t.e[led], store_led_term(t.e[led])), 0);
	trio_close(&t);
}

/* Proposed in a term, and in the log of another: every server passes it over. */
static void an_entry_of_another_term_changes_nothing(void **state)
{
	struct trio t = {0};
	trio_open(&t);
	suite_put(t.e[0], "a", "1");
	int led = leader_of(&t);
	struct raft_engine *e = raft_engine_of(t.e[led]);
	struct store_request req = {.op = suite_op_put("late", "x")};
	struct command_head head = {.origin = 77, .sequence = 1, .term = store_led_term(t.e[led]) + 5};
	struct late late = {.engine = e};
	command_encode(&late.command, &head, &req);
	late.task.run = propose_late;
	loop_post(raft_node_loop(e->node), &late.task);
	while (!atomic_load(&late.is_through))
		usleep(1000);
	int64_t revision = suite_put(t.e[led], "b", "1");
	for (int i = 0; i < SERVERS; i++) {
		wait_revision(t.e[i], revision);
		assert_null(suite_get(t.e[i], "late"));
		assert_int_equal(hash_of(t.e[i]), hash_of(t.e[led]));
	}
	strbuf_release(&late.command);
	trio_close(&t);
}

/* Far enough behind that the log it needs is gone: it is sent the state. */
static void a_server_far_behind_is_sent_the_state(void **state)
{
	static char value[4096];
	struct trio t = {0};
	trio_open(&t);
	int behind = (leader_of(&t) + 1) % SERVERS, other = (behind + 1) % SERVERS;
	store_close(t.e[behind]);
	t.e[behind] = NULL;
	unit_noise(value, sizeof value - 1);
	int64_t revision = 0;
	for (int i = 0; i < 200; i++) {
		char key[16];
		snprintf(key, sizeof key, "key-%d", i);
		revision = suite_put(t.e[other], key, value);
	}
	trio_start(&t, behind, false);
	wait_revision(t.e[behind], revision);
	assert_int_equal(hash_of(t.e[behind]), hash_of(t.e[other]));
	assert_string_equal(suite_get(t.e[behind], "key-199"), value);
	trio_close(&t);
}

/* An entry that waits to be applied when a sent state that holds it takes the place of ours: its request was answered
 * as done, at revision 0. */
static void what_a_sent_state_covers_has_an_unknown_outcome(void **state)
{
	suite_folder_make();
	struct engine *base = open_alone();
	struct raft_engine *e = raft_engine_from(base);
	struct suite_call c = {.req.op = suite_op_put("b", "2"), .req.done = suite_call_done};
	assert_int_equal(suite_put(base, "a", "1"), 2);
	assert_int_equal(uv_sem_init(&c.done, 0), 0);
	struct apply_entry *x = calloc(1, sizeof *x + sizeof x->commands[0]);
	x->index = x->term = x->n = 1; /* long applied */
	x->commands[0].req = &c.req;
	atomic_fetch_add(&e->outstanding, 1);
	atomic_fetch_add(&e->n_proposed, 1);
	pthread_mutex_lock(&e->queue.lock);
	*e->queue.tail = x;
	e->queue.tail = &x->next;
	pthread_cond_broadcast(&e->queue.wake);
	pthread_mutex_unlock(&e->queue.lock);
	uv_sem_wait(&c.done);
	assert_int_equal(c.req.err.code, ERR_TIMEOUT);
	uv_sem_destroy(&c.done);
	suite_end(&c);
	assert_null(suite_get(base, "b"));
	store_close(base);
	suite_folder_remove();
}

struct half_change {
	struct raft_host_change change;
	struct raft_engine *engine;
	atomic_int status; /* 1: not known yet */
};

static void half_done(struct raft_host_change *c, int status)
{
	CONTAINER_OF(c, struct half_change, change)->status = status;
}

static void half_begin(void *arg)
{
	struct half_change *h = arg;
	raft_host_change_members(engine_host(h->engine), &h->change);
}

static int role_of_member(struct engine *e, uint64_t id)
{
	struct raft_node_status s;
	raft_engine_status(raft_engine_of(e), &s);
	for (size_t i = 0; i < s.n_members; i++)
		if (s.members[i].id == id)
			return (int)s.members[i].role;
	return -1;
}

/* The leader went between the two steps: what is left is a spare, which nobody sends anything. */
static void an_addition_left_half_way_is_completed(void **state)
{
	struct trio t = {0};
	trio_open(&t);
	int leads = leader_of(&t);
	struct half_change h = {.engine = raft_engine_from(t.e[leads]), .status = 1};
	h.change.kind = RAFT_CHANGE_ADD;
	h.change.server = (struct raft_host_server){9, "http://127.0.0.1:1", RAFT_HOST_SPARE};
	h.change.done = half_done;
	loop_call(raft_node_loop(h.engine->node), half_begin, &h);
	while (h.status == 1)
		usleep(1000);
	assert_int_equal(h.status, 0);
	while (role_of_member(t.e[leads], 9) != RAFT_HOST_STANDBY)
		usleep(1000);
	trio_close(&t);
}

/* A crash between a sent state and its log: it is told apart from a log that was lost. */
static void a_join_that_was_cut_short_goes_on(void **state)
{
	static char value[4096];
	char command[300], marker[160];
	struct trio t = {0};
	trio_open(&t);
	int joins = (leader_of(&t) + 1) % SERVERS, other = (joins + 1) % SERVERS;
	snprintf(marker, sizeof marker, "%s/joining", t.dirs[joins]);
	store_close(t.e[joins]);
	unit_noise(value, sizeof value - 1);
	int64_t revision = 0;
	for (int i = 0; i < 200; i++)
		revision = suite_put(t.e[other], "k", value);
	snprintf(command, sizeof command, "rm -rf %s/*", t.dirs[joins]);
	assert_int_equal(system(command), 0);
	trio_start(&t, joins, false);
	wait_revision(t.e[joins], revision);
	while (access(marker, F_OK) == 0) /* until the log is there */
		usleep(1000);
	for (int i = 0; i < SERVERS; i++) /* all, for a leader that had its answer would not send it anything again */
		store_close(t.e[i]);
	snprintf(command, sizeof command, "rm -f %s/raft/*; touch %s", t.dirs[joins], marker);
	assert_int_equal(system(command), 0);
	for (int i = 0; i < SERVERS; i++)
		trio_start(&t, i, false);
	revision = suite_put(t.e[other], "k", "after");
	wait_revision(t.e[joins], revision);
	assert_int_equal(hash_of(t.e[joins]), hash_of(t.e[other]));
	trio_close(&t);
}

/* ---- a state that was sent, in the moment between its taking place and libraft's knowing of it ---- */

struct moment {
	struct loop_task task;
	struct raft_engine *engine;
	int64_t before;
	uv_sem_t is_held, is_over;
	struct suite_call call;
	bool is_served_early;
};

static int64_t applied_of(struct raft_engine *e)
{
	return atomic_load(&e->core.applied_index);
}

/* On the raft thread, which is why libraft hears of nothing meanwhile. The leader's answer to a read comes now. */
static void hold_the_moment(struct loop_task *t)
{
	struct moment *m = CONTAINER_OF(t, struct moment, task);
	struct raft_engine *e = m->engine;
	uv_sem_post(&m->is_held);
	while (applied_of(e) == m->before)
		usleep(1000);
	struct read_batch *b = calloc(1, sizeof *b);
	struct pending *p = calloc(1, sizeof *p);
	b->engine = e;
	b->id = 1 << 20;
	list_init(&b->pendings);
	list_push_back(&e->batches, &b->link);
	p->engine = e;
	p->kind = PENDING_READ;
	p->req = &m->call.req;
	p->deadline_ms = UINT64_MAX;
	list_push_back(&e->by_age, &p->by_age);
	list_push_back(&b->pendings, &p->link);
	atomic_fetch_add(&e->outstanding, 1);
	reads_answer(e, b->id, 0, (uint64_t)applied_of(e));
	m->is_served_early = e->batches.next != &b->link;
	uv_sem_post(&m->is_over);
}

/* False: it has gone by. */
static bool wait_for_install(struct raft_engine *e, int64_t before)
{
	for (bool is_there = false; !is_there; usleep(1000)) {
		pthread_mutex_lock(&e->queue.lock);
		is_there = e->queue.is_install_wanted;
		pthread_mutex_unlock(&e->queue.lock);
		if (applied_of(e) != before)
			return false;
	}
	return true;
}

/* Lets `behind` fall so far behind that it is sent the state, and holds the moment. False: it was missed. */
static bool catch_the_moment(struct trio *t, int behind)
{
	static char value[4096];
	int other = (behind + 1) % SERVERS;
	store_close(t->e[behind]);
	unit_noise(value, sizeof value - 1);
	for (int i = 0; i < 200; i++)
		suite_put(t->e[other], "k", value);
	trio_start(t, behind, false);
	struct raft_engine *e = raft_engine_from(t->e[behind]);
	pthread_rwlock_rdlock(&e->core.swap); /* the state waits for readers */
	struct moment m = {.task.run = hold_the_moment, .engine = e, .before = applied_of(e)};
	if (!wait_for_install(e, m.before)) {
		pthread_rwlock_unlock(&e->core.swap);
		return false;
	}
	m.call.req = (struct store_request){.type = STORE_REQUEST_SYSTEM_READ, .done = suite_call_done};
	uv_sem_init(&m.call.done, 0);
	uv_sem_init(&m.is_held, 0);
	uv_sem_init(&m.is_over, 0);
	loop_post(raft_node_loop(e->node), &m.task);
	uv_sem_wait(&m.is_held);
	pthread_rwlock_unlock(&e->core.swap);
	uv_sem_wait(&m.is_over);
	assert_false(m.is_served_early);
	uv_sem_wait(&m.call.done);
	assert_int_equal(m.call.req.err.code, 0);
	uv_sem_destroy(&m.call.done);
	uv_sem_destroy(&m.is_held);
	uv_sem_destroy(&m.is_over);
	suite_end(&m.call);
	return true;
}

/* Members come with the state, but by way of libraft: a read that is answered from the state alone would be followed by
 * a look at the members of before. */
static void a_read_waits_for_what_came_with_a_sent_state(void **state)
{
	struct trio t = {0};
	trio_open(&t);
	int behind = (leader_of(&t) + 1) % SERVERS, tries = 0;
	while (!catch_the_moment(&t, behind))
		assert_true(++tries < 50);
	trio_close(&t);
}

/* ---- without a majority ---- */

static int run_op(struct engine *e, struct store_op op)
{
	struct suite_call c = {.req.op = op};
	int rc = suite_run(e, &c);
	suite_end(&c);
	return rc;
}

static void what_needs_no_majority_is_served_without_one(void **state)
{
	struct trio t = {0};
	trio_open(&t);
	int last = leader_of(&t);
	suite_put(t.e[last], "a", "1");
	for (int i = 0; i < SERVERS; i++)
		if (i != last) {
			store_close(t.e[i]);
			t.e[i] = NULL;
		}
	struct store_op reads[2] = {suite_op_list("a", "b"), suite_op_list("a", "b")};
	reads[0].range.serializable = reads[1].range.serializable = true;
	struct store_op op = {.type = STORE_OP_TXN, .txn = {.success = reads, .n_success = 2}};
	assert_int_equal(run_op(t.e[last], op), 0);
	struct suite_call leases = {.req.type = STORE_REQUEST_LEASE_LIST};
	assert_int_equal(suite_run(t.e[last], &leases), 0);
	suite_end(&leases);
	reads[1].range.serializable = false; /* one that must not be behind waits */
	assert_int_equal(run_op(t.e[last], op), ERR_TIMEOUT);
	trio_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(writes_survive_a_restart),
	        cmocka_unit_test(data_without_a_log_becomes_the_first_state),
	        SUITE_TESTS,
	        cmocka_unit_test(a_state_without_its_log_is_refused),
	        cmocka_unit_test(what_needs_no_majority_is_served_without_one),
	        cmocka_unit_test(every_server_takes_writes_and_reads),
	        cmocka_unit_test(leases_live_on_the_leader_and_are_known_to_all),
	        cmocka_unit_test(a_leader_that_stops_is_followed_and_comes_back),
	        cmocka_unit_test(a_write_of_an_old_leader_is_refused),
	        cmocka_unit_test(an_entry_of_another_term_changes_nothing),
	        cmocka_unit_test(a_server_far_behind_is_sent_the_state),
	        cmocka_unit_test(what_a_sent_state_covers_has_an_unknown_outcome),
	        cmocka_unit_test(a_read_waits_for_what_came_with_a_sent_state),
	        cmocka_unit_test(a_join_that_was_cut_short_goes_on),
	        cmocka_unit_test(an_addition_left_half_way_is_completed),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
