/* Workarounds of the adapter whose absence shows too seldom in whole clusters: each is provoked by the one message it
 * is about, and the same message must do harm once it is switched off. One server of three; the test plays the others.
 */
#include "tests/sim/sim_disk.h"

#include "raft/host/host_int.h"

#include "base/check.h"
#include "base/log.h"

#include "tests/unit/unit.h"

struct world {
	struct raft_env env;
	struct raft_machine machine;
	struct disk *disk;
	struct raft_host *host;
	struct raft_job *job;
	uint64_t now;
	struct arena arena;
	struct frame answer; /* the last message sent */
	bool answered;
	uint64_t prev_to_two; /* of the last entries sent to server 2 */
};

static struct world *world_of(struct raft_env *e)
{
	return CONTAINER_OF(e, struct world, env);
}

static uint64_t env_now(struct raft_env *e)
{
	return world_of(e)->now;
}

static uint64_t env_random(struct raft_env *e)
{
	return 7;
}

static void env_send(struct raft_env *e, uint64_t to, const char *address, const void *frame, size_t len)
{
	struct world *w = world_of(e);
	struct err err = ERR_INIT;
	const char *copy = arena_memdup(&w->arena, frame, len);
	assert_int_equal(message_decode((struct slice){copy, len}, &w->arena, &w->answer, &err), 0);
	w->answered = true;
	if (to == 2 && w->answer.kind == RAFT_APPEND_ENTRIES)
		w->prev_to_two = w->answer.m.append_entries.prev_log_index;
}

static void env_submit(struct raft_env *e, struct raft_job *job)
{
	world_of(e)->job = job;
}

static void env_quiesce(struct raft_env *e)
{
	world_of(e)->job = NULL;
}

static void env_fatal(struct raft_env *e, const struct err *why)
{
	fail_msg("%s", why->msg);
}

static const struct raft_env_vtable env_vtable = {env_now, env_random, env_send, env_submit, env_quiesce, env_fatal};

static void m_apply(struct raft_machine *m, uint64_t index, uint64_t term, const struct slice *commands, size_t n)
{
}

static void m_snapshot(struct raft_machine *m, uint64_t index, struct strbuf *d)
{
	strbuf_adds(d, "snapshot");
}

static void m_restore(struct raft_machine *m, struct slice d)
{
}

static int m_install(struct raft_machine *m, struct slice d, struct err *err)
{
	return 0;
}

static uint64_t m_index(struct raft_machine *m)
{
	return 0;
}

static void m_role(struct raft_machine *m, bool is_leader, uint64_t term, uint64_t leader)
{
}

static const struct raft_machine_vtable machine_vtable = {.apply = m_apply,
        .snapshot = m_snapshot,
        .restore = m_restore,
        .install = m_install,
        .applied_index = m_index,
        .durable_index = m_index,
        .role_changed = m_role};

static void work(struct world *w)
{
	while (w->job) {
		struct raft_job *job = w->job;
		w->job = NULL;
		job->work(job);
		job->done(job);
	}
}

static uint64_t no_luck(void)
{
	return 1;
}

static void open_world(struct world *w, unsigned off, enum raft_host_role role)
{
	struct raft_host_server servers[] = {
	        {1, "one", role}, {2, "two", RAFT_HOST_VOTER}, {3, "three", RAFT_HOST_VOTER}};
	struct err err = ERR_INIT;
	*w = (struct world){.env.v = &env_vtable, .machine.v = &machine_vtable, .now = 1000};
	w->disk = sim_disk_new(no_luck);
	log_set_level(LOG_ERROR);
	struct raft_host_config c = {.env = &w->env,
	        .disk = w->disk,
	        .machine = &w->machine,
	        .id = 1,
	        .address = "one",
	        .election_ms = 300,
	        .heartbeat_ms = 50,
	        .install_ms = 600,
	        .snapshot_entries = 1000,
	        .snapshot_trailing = 10,
	        .workarounds_off = off};
	assert_int_equal(raft_host_open(&c, &w->host, &err), 0);
	assert_int_equal(raft_host_bootstrap(w->host, servers, 3, &err), 0);
	assert_int_equal(raft_host_start(w->host, &err), 0);
}

static void close_world(struct world *w)
{
	raft_host_close(w->host);
	sim_disk_free(w->disk);
	arena_release(&w->arena);
}

static void say(struct world *w, uint64_t from, const struct raft_message *m)
{
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	w->answered = false;
	message_encode(&b, from, from == 2 ? "two" : "three", m);
	assert_int_equal(raft_host_receive(w->host, from, strbuf_slice(&b), &err), 0);
	strbuf_release(&b);
	work(w);
}

static void heartbeat(struct world *w, uint64_t from, uint64_t term)
{
	struct raft_message m = {.type = RAFT_APPEND_ENTRIES};
	m.append_entries.term = term;
	m.append_entries.prev_log_index = 1;
	m.append_entries.prev_log_term = 1;
	say(w, from, &m);
}

static void vote_request(struct world *w, uint64_t from, uint64_t term, bool pre_vote, uint64_t last_index)
{
	struct raft_message m = {.type = RAFT_REQUEST_VOTE};
	m.request_vote.version = 2;
	m.request_vote.term = term;
	m.request_vote.candidate_id = from;
	m.request_vote.last_log_index = last_index;
	m.request_vote.last_log_term = last_index ? 1 : 0;
	m.request_vote.pre_vote = pre_vote;
	say(w, from, &m);
}

/* 5: entries from below the log's beginning must not be taken for new ones. */
static uint64_t last_after_entries_from_below(unsigned off)
{
	struct world w;
	struct raft_message m = {.type = RAFT_INSTALL_SNAPSHOT};
	struct raft_entry entries[3];
	open_world(&w, off, RAFT_HOST_VOTER);
	heartbeat(&w, 2, 5);
	m.install_snapshot.term = 5;
	m.install_snapshot.last_index = 10;
	m.install_snapshot.last_term = 5;
	m.install_snapshot.conf_index = 1;
	raft_configuration_init(&m.install_snapshot.conf);
	raft_configuration_add(&m.install_snapshot.conf, 1, "one", RAFT_VOTER);
	raft_configuration_add(&m.install_snapshot.conf, 2, "two", RAFT_VOTER);
	m.install_snapshot.data = (struct raft_buffer){"snapshot", 8};
	say(&w, 2, &m);
	raft_configuration_close(&m.install_snapshot.conf);
	assert_int_equal(raft_host_last_index(w.host), 10);
	struct raft_message a = {.type = RAFT_APPEND_ENTRIES};
	for (int i = 0; i < 3; i++)
		entries[i] = (struct raft_entry){.term = 5, .type = RAFT_BARRIER, .buf = {"12345678", 8}};
	a.append_entries.term = 5;
	a.append_entries.prev_log_index = 8;
	a.append_entries.prev_log_term = 5;
	a.append_entries.entries = entries; /* 9, 10 and 11 */
	a.append_entries.n_entries = 3;
	a.append_entries.leader_commit = 10;
	say(&w, 2, &a);
	uint64_t last = raft_host_last_index(w.host);
	close_world(&w);
	return last;
}

static void entries_from_below_the_log_are_not_appended_twice(void **state)
{
	assert_int_equal(last_after_entries_from_below(0), 11);
	assert_int_not_equal(last_after_entries_from_below(WORKAROUND(5)), 11);
}

static void tick(struct world *w, uint64_t ms)
{
	for (; ms; ms -= ms < RAFT_TICK_MS ? ms : RAFT_TICK_MS) {
		w->now += ms < RAFT_TICK_MS ? ms : RAFT_TICK_MS;
		raft_host_tick(w->host);
		work(w);
	}
}

static void vote_for_it(struct world *w, uint64_t term, bool pre_vote)
{
	struct raft_message m = {.type = RAFT_REQUEST_VOTE_RESULT};
	m.request_vote_result.version = 2;
	m.request_vote_result.term = term;
	m.request_vote_result.vote_granted = true;
	m.request_vote_result.pre_vote = pre_vote;
	say(w, 2, &m);
}

static void answer_entries(struct world *w, uint64_t from, uint64_t rejected, uint64_t last)
{
	struct raft_message m = {.type = RAFT_APPEND_ENTRIES_RESULT};
	m.append_entries_result.version = 2;
	m.append_entries_result.term = raft_host_term(w->host);
	m.append_entries_result.rejected = rejected;
	m.append_entries_result.last_log_index = last;
	say(w, from, &m);
}

/* 6: a rejection from before the logs matched must not send the leader back below the match. */
static uint64_t prev_after_a_late_rejection(unsigned off)
{
	struct world w;
	open_world(&w, off, RAFT_HOST_VOTER);
	tick(&w, 700);
	vote_for_it(&w, raft_host_term(w.host) + 1, true);
	vote_for_it(&w, raft_host_term(w.host), false);
	assert_true(raft_host_is_leader(w.host));
	tick(&w, 40);
	answer_entries(&w, 2, 0, raft_host_last_index(w.host)); /* it has everything */
	for (int i = 0; i < 20; i++) {                          /* and is silent for a while */
		tick(&w, 40);
		answer_entries(&w, 3, 0, raft_host_last_index(w.host));
	}
	answer_entries(&w, 2, raft_host_last_index(w.host), 0); /* from when it had nothing */
	tick(&w, 100);
	uint64_t prev = w.prev_to_two, last = raft_host_last_index(w.host);
	close_world(&w);
	return last - prev;
}

static void a_late_rejection_goes_nowhere(void **state)
{
	assert_int_equal(prev_after_a_late_rejection(0), 0);
	assert_int_not_equal(prev_after_a_late_rejection(WORKAROUND(6)), 0);
}

/* 7: what a server answers to a message of an old term must never pass for success. */
static uint64_t rejected_of_a_stale_message(unsigned off)
{
	struct world w;
	struct raft_message m = {.type = RAFT_APPEND_ENTRIES};
	open_world(&w, off, RAFT_HOST_VOTER);
	heartbeat(&w, 2, 5);
	m.append_entries.term = 3; /* from nothing on: prev 0 */
	say(&w, 3, &m);
	assert_true(w.answered && w.answer.kind == RAFT_APPEND_ENTRIES_RESULT);
	uint64_t rejected = w.answer.m.append_entries_result.rejected;
	close_world(&w);
	return rejected;
}

static void a_stale_message_is_rejected_for_certain(void **state)
{
	assert_int_equal(rejected_of_a_stale_message(0), UINT64_MAX);
	assert_int_equal(rejected_of_a_stale_message(WORKAROUND(7)), 0); /* success, says libraft */
}

/* 11: a candidate that is refused in the pre-vote must learn of a higher term. */
static uint64_t term_of_a_refused_pre_vote(unsigned off)
{
	struct world w;
	open_world(&w, off, RAFT_HOST_VOTER);
	heartbeat(&w, 2, 5);
	w.now += 10000;
	vote_request(&w, 3, 4, true, 0);
	assert_true(w.answered && w.answer.kind == RAFT_REQUEST_VOTE_RESULT);
	assert_false(w.answer.m.request_vote_result.vote_granted);
	uint64_t term = w.answer.m.request_vote_result.term;
	close_world(&w);
	return term;
}

static void a_refused_pre_vote_tells_the_term(void **state)
{
	assert_int_equal(term_of_a_refused_pre_vote(0), 5);
	assert_true(term_of_a_refused_pre_vote(WORKAROUND(11)) < 5);
}

/* 12: one that does not know yet that it is a voter gives its vote. */
static bool vote_of_a_standby(unsigned off)
{
	struct world w;
	open_world(&w, off, RAFT_HOST_STANDBY);
	heartbeat(&w, 2, 5);
	w.now += 10000;
	vote_request(&w, 3, 6, false, 1);
	bool granted =
	        w.answered && w.answer.kind == RAFT_REQUEST_VOTE_RESULT && w.answer.m.request_vote_result.vote_granted;
	close_world(&w);
	return granted;
}

static void one_that_may_have_become_a_voter_votes(void **state)
{
	assert_true(vote_of_a_standby(0));
	assert_false(vote_of_a_standby(WORKAROUND(12)));
}

/* 14: a vote that comes when nobody stands must change nothing. */
static uint64_t term_after_a_late_vote(unsigned off)
{
	struct world w;
	struct raft_message m = {.type = RAFT_REQUEST_VOTE_RESULT};
	open_world(&w, off, RAFT_HOST_VOTER);
	vote_request(&w, 2, 5, false, 1); /* a follower without a leader */
	m.request_vote_result.version = 2;
	m.request_vote_result.term = 9;
	say(&w, 3, &m);
	uint64_t term = raft_host_term(w.host);
	close_world(&w);
	return term;
}

static void a_late_vote_moves_no_term(void **state)
{
	assert_int_equal(term_after_a_late_vote(0), 5);
	assert_true(term_after_a_late_vote(WORKAROUND(14)) > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_late_rejection_goes_nowhere),
	        cmocka_unit_test(entries_from_below_the_log_are_not_appended_twice),
	        cmocka_unit_test(a_stale_message_is_rejected_for_certain),
	        cmocka_unit_test(a_refused_pre_vote_tells_the_term),
	        cmocka_unit_test(one_that_may_have_become_a_voter_votes),
	        cmocka_unit_test(a_late_vote_moves_no_term),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
