/* One server's part, with peers, clock and disk work in the hands of the test. */
#include "tests/unit/unit.h"

#include "raft/host/host_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SELF = 1, LEADER = 2, OTHER = 3, ELECTION_MS = 1000 };

/* Sent frames are looked at as they go; jobs wait until the test lets them run. */
struct fixture {
	struct raft_env env;
	struct raft_machine machine;
	struct raft_host *host;
	struct disk *disk;
	char folder[64];
	uint64_t now_ms, applied;
	struct raft_job *job;
	unsigned votes_asked, votes_given, votes_refused;
};

static struct fixture *f;

static uint64_t env_now(struct raft_env *e)
{
	return f->now_ms;
}

static uint64_t env_random(struct raft_env *e)
{
	return (uint64_t)rand();
}

static void env_send(struct raft_env *e, uint64_t to, const char *address, const void *frame, size_t len)
{
	struct arena a = ARENA_INIT;
	struct frame m;
	struct err err = ERR_INIT;
	assert_int_equal(message_decode((struct slice){frame, len}, &a, &m, &err), 0);
	f->votes_asked += m.kind == RAFT_REQUEST_VOTE;
	if (m.kind == RAFT_REQUEST_VOTE_RESULT)
		*(m.m.request_vote_result.vote_granted ? &f->votes_given : &f->votes_refused) += 1;
	arena_release(&a);
}

static void env_submit(struct raft_env *e, struct raft_job *job)
{
	f->job = job;
}

static void env_quiesce(struct raft_env *e)
{
	f->job = NULL;
}

static void env_fatal(struct raft_env *e, const struct err *why)
{
	fail_msg("%s", why->msg);
}

static void run_jobs(void)
{
	while (f->job) {
		struct raft_job *job = TAKE(f->job);
		job->work(job);
		job->done(job);
	}
}

static void machine_apply(struct raft_machine *m, uint64_t index, uint64_t term, const struct slice *commands, size_t n)
{
	f->applied = index;
}

static uint64_t machine_index(struct raft_machine *m)
{
	return f->applied;
}

static void machine_role(struct raft_machine *m, bool is_leader, uint64_t term, uint64_t leader)
{
}

static int setup(void **state)
{
	static const struct raft_env_vtable env = {.now_ms = env_now,
	        .random = env_random,
	        .send = env_send,
	        .submit = env_submit,
	        .quiesce = env_quiesce,
	        .fatal = env_fatal};
	static const struct raft_machine_vtable machine = {.apply = machine_apply,
	        .applied_index = machine_index,
	        .durable_index = machine_index,
	        .role_changed = machine_role};
	static const struct raft_host_server servers[] = {
	        {SELF, "one", RAFT_HOST_VOTER}, {LEADER, "two", RAFT_HOST_VOTER}, {OTHER, "three", RAFT_HOST_VOTER}};
	struct err err = ERR_INIT;
	f = xcalloc(1, sizeof *f);
	f->env.v = &env;
	f->machine.v = &machine;
	f->now_ms = 100000;
	snprintf(f->folder, sizeof f->folder, "/tmp/k3x-host-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	assert_int_equal(disk_posix_new(f->folder, &f->disk, &err), 0);
	struct raft_host_config c = {.env = &f->env,
	        .disk = f->disk,
	        .machine = &f->machine,
	        .id = SELF,
	        .address = "one",
	        .election_ms = ELECTION_MS,
	        .heartbeat_ms = 100,
	        .install_ms = 1000,
	        .snapshot_entries = 1000,
	        .snapshot_trailing = 100};
	assert_int_equal(raft_host_open(&c, &f->host, &err), 0);
	assert_int_equal(raft_host_bootstrap(f->host, servers, COUNT_OF(servers), &err), 0);
	assert_int_equal(raft_host_start(f->host, &err), 0);
	run_jobs();
	return 0;
}

static int teardown(void **state)
{
	char command[128];
	raft_host_close(f->host);
	f->disk->v->free(f->disk);
	snprintf(command, sizeof command, "rm -rf %s", f->folder);
	int rc = system(command);
	free(f);
	return rc;
}

static void receive(uint64_t from, struct strbuf *b)
{
	struct err err = ERR_INIT;
	assert_int_equal(raft_host_receive(f->host, from, strbuf_slice(b), &err), 0);
	strbuf_release(b);
}

/* Entry 1 is the configuration, of term 1; the leader of term 2 sends commands from entry 2 on, or a heartbeat. */
static void receive_entries(unsigned n, uint64_t commit)
{
	char command[] = "\4\0\0\0four";
	struct raft_entry entries[4];
	struct strbuf b = STRBUF_INIT;
	for (unsigned i = 0; i < n; i++)
		entries[i] = (struct raft_entry){.term = 2, .type = RAFT_COMMAND, .buf = {command, sizeof command - 1}};
	struct raft_message m = {.type = RAFT_APPEND_ENTRIES,
	        .server_id = SELF,
	        .append_entries = {.term = 2,
	                .prev_log_index = 1,
	                .prev_log_term = 1,
	                .leader_commit = commit,
	                .entries = entries,
	                .n_entries = n}};
	message_encode(&b, LEADER, "two", &m);
	receive(LEADER, &b);
}

static void receive_commit(uint64_t commit)
{
	struct strbuf b = STRBUF_INIT;
	message_encode_commit(&b, LEADER, "two", 2, commit, 2);
	receive(LEADER, &b);
}

static void receive_pre_vote(void)
{
	struct strbuf b = STRBUF_INIT;
	struct raft_message m = {.type = RAFT_REQUEST_VOTE,
	        .server_id = SELF,
	        .request_vote = {.version = 2,
	                .term = 3,
	                .candidate_id = OTHER,
	                .last_log_index = 9,
	                .last_log_term = 2,
	                .pre_vote = true}};
	message_encode(&b, OTHER, "three", &m);
	receive(OTHER, &b);
}

static void what_is_committed_before_it_is_here_counts_once_it_comes(void **state)
{
	receive_entries(0, 1);
	receive_commit(2);
	assert_int_equal(raft_host_commit_index(f->host), 1);
	receive_entries(1, 1);
	assert_int_equal(raft_host_commit_index(f->host), 2);
	assert_int_equal(f->applied, 2);
}

static void a_commit_ahead_waits_for_all_its_entries(void **state)
{
	receive_entries(0, 1);
	receive_commit(3);
	receive_entries(1, 1);
	assert_int_equal(raft_host_commit_index(f->host), 1);
	receive_entries(3, 1);
	assert_int_equal(raft_host_commit_index(f->host), 3);
}

static void a_vote_is_given_when_the_leader_was_quiet_for_the_minimum_timeout(void **state)
{
	receive_entries(0, 1);
	f->now_ms += ELECTION_MS / 2;
	receive_pre_vote();
	assert_int_equal(f->votes_refused, 1);
	f->now_ms += ELECTION_MS / 2 + 1;
	receive_pre_vote();
	assert_int_equal(f->votes_given, 1);
}

static void a_leader_that_is_gone_is_followed_soon(void **state)
{
	receive_entries(0, 1);
	raft_host_peer_gone(f->host, LEADER);
	f->now_ms += ELECTION_MS / 4 + 1;
	raft_host_tick(f->host);
	assert_true(f->votes_asked > 0);
}

static void votes_are_given_at_once_when_the_leader_is_gone(void **state)
{
	receive_entries(0, 1);
	raft_host_peer_gone(f->host, LEADER);
	receive_pre_vote();
	assert_int_equal(f->votes_given, 1);
}

static void another_peer_that_is_gone_changes_nothing(void **state)
{
	receive_entries(0, 1);
	raft_host_peer_gone(f->host, OTHER);
	f->now_ms += ELECTION_MS / 4 + 1;
	raft_host_tick(f->host);
	receive_pre_vote();
	assert_int_equal(f->votes_asked, 0);
	assert_int_equal(f->votes_refused, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Such an entry went into the log, and met a CHECK on every server when it was committed. */
static void an_entry_that_does_not_unpack_is_refused(void **state)
{
	static const struct slice broken[] = {{"\377\377\377\177four", 8}, {"\4\0\0", 3}, {"\5\0\0\0four", 8}};
	for (size_t i = 0; i < COUNT_OF(broken); i++) {
		struct raft_entry e = {.term = 2, .type = RAFT_COMMAND, .buf = {(void *)broken[i].ptr, broken[i].len}};
		struct strbuf b = STRBUF_INIT;
		struct err err = ERR_INIT;
		struct raft_message m = {.type = RAFT_APPEND_ENTRIES,
		        .server_id = SELF,
		        .append_entries = {.term = 2,
		                .prev_log_index = 1,
		                .prev_log_term = 1,
		                .leader_commit = 2,
		                .entries = &e,
		                .n_entries = 1}};
		message_encode(&b, LEADER, "two", &m);
		assert_int_equal(raft_host_receive(f->host, LEADER, strbuf_slice(&b), &err), ERR_PROTOCOL);
		strbuf_release(&b);
	}
	assert_int_equal(raft_host_last_index(f->host), 1);
	receive_entries(1, 2);
	assert_int_equal(f->applied, 2);
}

static int receive_configuration(uint64_t id)
{
	unsigned char bytes[1 + 8 + 8 + 2 + 1] = {1, 1};
	struct raft_entry e = {.term = 2, .type = RAFT_CHANGE, .buf = {bytes, sizeof bytes}};
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct raft_message m = {.type = RAFT_APPEND_ENTRIES,
	        .server_id = SELF,
	        .append_entries = {.term = 2,
	                .prev_log_index = 1,
	                .prev_log_term = 1,
	                .leader_commit = 1,
	                .entries = &e,
	                .n_entries = 1}};
	memcpy(bytes + 9, &id, sizeof id);
	memcpy(bytes + 17, "x", 2);
	bytes[19] = RAFT_VOTER;
	message_encode(&b, LEADER, "two", &m);
	int rc = raft_host_receive(f->host, LEADER, strbuf_slice(&b), &err);
	strbuf_release(&b);
	return rc;
}

/* 0 stands for no server in tables of peers. */
static void a_configuration_with_a_server_that_is_none_is_refused(void **state)
{
	assert_int_equal(receive_configuration(0), ERR_PROTOCOL);
	assert_int_equal(raft_host_last_index(f->host), 1);
	assert_int_equal(receive_configuration(9), 0);
	assert_int_equal(raft_host_last_index(f->host), 2);
}

static int receive_snapshot(uint64_t index, uint64_t last_term, const char *address, size_t descriptor_bytes)
{
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	char *descriptor = xcalloc(1, descriptor_bytes);
	struct raft_message m = {.type = RAFT_INSTALL_SNAPSHOT,
	        .server_id = SELF,
	        .install_snapshot = {.term = 5,
	                .last_index = index,
	                .last_term = last_term,
	                .conf_index = 1,
	                .data = {descriptor, descriptor_bytes}}};
	raft_configuration_init(&m.install_snapshot.conf);
	assert_int_equal(raft_configuration_add(&m.install_snapshot.conf, SELF, address, RAFT_VOTER), 0);
	message_encode(&b, LEADER, "two", &m);
	int rc = raft_host_receive(f->host, LEADER, strbuf_slice(&b), &err);
	raft_configuration_close(&m.install_snapshot.conf);
	strbuf_release(&b);
	free(descriptor);
	return rc;
}

static void a_snapshot_larger_than_one_is_refused(void **state)
{
	char address[FRAME_ADDRESS_MAX + 2];
	memset(address, 'x', sizeof address - 1);
	address[sizeof address - 1] = 0;
	assert_int_equal(receive_snapshot(9, 2, address, 8), ERR_PROTOCOL);
	assert_int_equal(receive_snapshot(9, 2, "one", SNAPSHOT_RECORD_BYTES_MAX), ERR_PROTOCOL);
	assert_null(f->job);
}

/* A state of another history would have taken the place of what this server has acknowledged. */
static void a_snapshot_that_contradicts_what_is_committed_is_dropped(void **state)
{
	receive_entries(3, 4);
	run_jobs();
	assert_int_equal(raft_host_commit_index(f->host), 4);
	assert_int_equal(receive_snapshot(3, 4, "one", 8), 0);
	assert_null(f->job);
	assert_int_equal(raft_host_commit_index(f->host), 4);
	assert_int_equal(raft_host_last_index(f->host), 4);
}

static int receive_term(unsigned type, uint64_t term)
{
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct raft_message m = {.type = (enum raft_message_type)type, .server_id = SELF};
	if (type == RAFT_REQUEST_VOTE)
		m.request_vote = (struct raft_request_vote){
		        .version = 2, .term = term, .candidate_id = OTHER, .last_log_index = 9, .last_log_term = 2};
	else
		m.append_entries = (struct raft_append_entries){
		        .term = term, .prev_log_index = 1, .prev_log_term = 1, .leader_commit = 1};
	message_encode(&b, OTHER, "three", &m);
	int rc = raft_host_receive(f->host, OTHER, strbuf_slice(&b), &err);
	strbuf_release(&b);
	return rc;
}

/* Such a term was taken, and no later one could follow it. */
static void a_term_far_ahead_is_refused(void **state)
{
	static const uint64_t terms[] = {UINT64_MAX, UINT64_C(1) << 62, UINT64_C(1) << 40};
	receive_entries(0, 1);
	for (size_t i = 0; i < COUNT_OF(terms); i++) {
		assert_int_equal(receive_term(RAFT_REQUEST_VOTE, terms[i]), ERR_PROTOCOL);
		assert_int_equal(receive_term(RAFT_APPEND_ENTRIES, terms[i]), ERR_PROTOCOL);
	}
	assert_int_equal(receive_term(RAFT_APPEND_ENTRIES, 1000000), 0);
}

static void receive_vote(bool is_pre_vote, uint64_t term)
{
	struct strbuf b = STRBUF_INIT;
	struct raft_message m = {.type = RAFT_REQUEST_VOTE_RESULT,
	        .server_id = SELF,
	        .request_vote_result = {.version = 2, .term = term, .vote_granted = true, .pre_vote = is_pre_vote}};
	message_encode(&b, OTHER, "three", &m);
	receive(OTHER, &b);
}

/* libraft wrote a follower's fields over the leader's, and the next tick went past the end of an array. */
static void a_leader_does_not_follow_another_of_its_term(void **state)
{
	receive_entries(0, 1);
	raft_host_peer_gone(f->host, LEADER);
	f->now_ms += 2 * ELECTION_MS;
	raft_host_tick(f->host);
	run_jobs();
	receive_vote(true, 3);
	run_jobs();
	receive_vote(false, 3);
	run_jobs();
	assert_true(raft_host_is_leader(f->host));
	assert_int_equal(receive_term(RAFT_APPEND_ENTRIES, 3), ERR_PROTOCOL);
	assert_true(raft_host_is_leader(f->host));
	assert_int_equal(receive_term(RAFT_APPEND_ENTRIES, 4), 0);
	assert_false(raft_host_is_leader(f->host));
}

static void who_is_no_member_takes_no_place(void **state)
{
	struct strbuf b = STRBUF_INIT;
	for (uint64_t id = 100; id < 300; id++) {
		message_encode_read(&b, id, "x", MESSAGE_READ_ANSWER, 2, 1, true);
		receive(id, &b);
	}
	receive_entries(0, 1);
	assert_int_equal(host_last_heard(f->host, LEADER), f->now_ms);
	assert_int_equal(host_last_heard(f->host, 100), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(an_entry_that_does_not_unpack_is_refused, setup, teardown),
	        cmocka_unit_test_setup_teardown(who_is_no_member_takes_no_place, setup, teardown),
	        TEST(a_configuration_with_a_server_that_is_none_is_refused),
	        TEST(a_snapshot_larger_than_one_is_refused),
	        TEST(a_snapshot_that_contradicts_what_is_committed_is_dropped),
	        TEST(a_term_far_ahead_is_refused),
	        TEST(a_leader_does_not_follow_another_of_its_term),
	        TEST(what_is_committed_before_it_is_here_counts_once_it_comes),
	        TEST(a_commit_ahead_waits_for_all_its_entries),
	        TEST(a_vote_is_given_when_the_leader_was_quiet_for_the_minimum_timeout),
	        TEST(a_leader_that_is_gone_is_followed_soon),
	        TEST(votes_are_given_at_once_when_the_leader_is_gone),
	        TEST(another_peer_that_is_gone_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
