/* A whole server of a cluster, on its loop and with its threads; the other two are played by the test, which puts their
 * messages in where connections would. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "raft/raft_node.c" /* NOLINT: what comes in is put in here, at the moment that matters */

enum { SELF = 1, TWO = 2, THREE = 3, TERM = 5 };

/* Its state is an index. Descriptors are the index that they are of. */
struct fixture {
	struct raft_machine machine;
	struct raft_node *node;
	char folder[64];
	_Atomic uint64_t applied, commands;
	_Atomic uint64_t fetched; /* the state that is in the file */
	_Atomic unsigned installs, installs_too_old;
	_Atomic uint64_t installed;
};

static struct fixture *f;

/* The others are nowhere: what this server says to them is lost. */
static const struct raft_host_server servers[] = {{SELF, "http://127.0.0.1:1", RAFT_HOST_VOTER},
        {TWO, "http://127.0.0.1:2", RAFT_HOST_VOTER}, {THREE, "http://127.0.0.1:3", RAFT_HOST_VOTER}};

static void machine_apply(struct raft_machine *m, uint64_t index, uint64_t term, const struct slice *commands, size_t n)
{
	f->applied = index;
	f->commands += n;
}

static void machine_snapshot(struct raft_machine *m, uint64_t index, struct strbuf *descriptor)
{
	strbuf_add(descriptor, &index, sizeof index);
}

static void machine_restore(struct raft_machine *m, struct slice descriptor)
{
}

/* As the store does it: a state older than its descriptor is damage, after which a server stops. Here it is counted. */
static int machine_install(struct raft_machine *m, struct slice descriptor, struct err *err)
{
	uint64_t index;
	memcpy(&index, descriptor.ptr, sizeof index);
	f->installs_too_old += f->fetched < index;
	f->installed = index;
	f->applied = index;
	f->installs++;
	return 0;
}

static uint64_t machine_index(struct raft_machine *m)
{
	return f->applied;
}

static void machine_role(struct raft_machine *m, bool is_leader, uint64_t term, uint64_t leader)
{
}

static void state_fetched(void *arg, const char *path, uint64_t index)
{
	f->fetched = index;
}

static void question(void *arg, struct slice asked, struct strbuf *answer)
{
	strbuf_addf(answer, "%.*s!", SLICE_FMT(asked));
}

static void open_node(void)
{
	static const struct raft_machine_vtable machine = {.apply = machine_apply,
	        .snapshot = machine_snapshot,
	        .restore = machine_restore,
	        .install = machine_install,
	        .applied_index = machine_index,
	        .durable_index = machine_index,
	        .role_changed = machine_role};
	struct err err = ERR_INIT;
	f->machine.v = &machine;
	struct raft_node_options o = {.folder = f->folder,
	        .machine = &f->machine,
	        .cluster_id = 7,
	        .id = SELF,
	        .address = "http://127.0.0.1:1",
	        .listen_host = "127.0.0.1",
	        .heartbeat_ms = 50,
	        .election_ms = 300,
	        .snapshot_entries = 1000,
	        .state_fetched = state_fetched,
	        .question = question,
	        .arg = f};
	assert_int_equal(raft_node_open(&o, &f->node, &err), 0);
}

static int setup(void **state)
{
	f = xcalloc(1, sizeof *f);
	snprintf(f->folder, sizeof f->folder, "/tmp/k3x-raft-node-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	open_node();
	return 0;
}

static int teardown(void **state)
{
	char command[128];
	raft_node_close(f->node);
	snprintf(command, sizeof command, "rm -rf %s", f->folder);
	int rc = system(command);
	free(f);
	return rc;
}

static void start(size_t n_servers)
{
	struct err err = ERR_INIT;
	assert_int_equal(raft_node_bootstrap(f->node, servers, n_servers, &err), 0);
	assert_int_equal(raft_node_start(f->node, &err), 0);
}

static bool leads(void)
{
	struct raft_node_status s;
	raft_node_status(f->node, &s);
	return s.is_leader && s.applied_index == s.last_index;
}

/* ---- on its loop ---- */

struct announcement {
	uint64_t from, index;
	int rc;
};

static void take_announcement(void *arg)
{
	struct announcement *a = arg;
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct raft_message m = {.type = RAFT_INSTALL_SNAPSHOT,
	        .server_id = SELF,
	        .install_snapshot = {.term = TERM + a->from,
	                .last_index = a->index,
	                .last_term = TERM,
	                .conf_index = 1,
	                .data = {&a->index, sizeof a->index}}};
	raft_configuration_init(&m.install_snapshot.conf);
	for (size_t i = 0; i < COUNT_OF(servers); i++)
		CHECK(raft_configuration_add(&m.install_snapshot.conf, servers[i].id, servers[i].address, RAFT_VOTER) ==
		        0);
	message_encode(&b, a->from, servers[a->from - 1].address, &m);
	a->rc = on_message(f->node, a->from, strbuf_slice(&b), &err);
	raft_configuration_close(&m.install_snapshot.conf);
	strbuf_release(&b);
}

static void announce(uint64_t from, uint64_t index)
{
	struct announcement a = {from, index, -1};
	loop_call(raft_node_loop(f->node), take_announcement, &a);
	assert_int_equal(a.rc, 0);
}

static void take_state(void *arg)
{
	fetched(f->node, *(uint64_t *)arg);
}

/* What the fetcher calls when a state is whole, of whichever leader it was asked for. */
static void state_is_here(uint64_t index)
{
	loop_call(raft_node_loop(f->node), take_state, &index);
}

struct proposing {
	struct raft_proposal proposal;
	_Atomic int status; /* 1: none yet */
};

static void proposed(struct raft_proposal *p, int status, uint64_t index, size_t position)
{
	CONTAINER_OF(p, struct proposing, proposal)->status = status;
}

static void propose(void *arg)
{
	struct proposing *p = arg;
	raft_host_propose(raft_node_host(f->node), &p->proposal);
	raft_host_flush(raft_node_host(f->node));
}

static void look_for_question(void *arg)
{
	void **both = arg;
	*(bool *)both[1] = ((struct raft_node *)both[0])->n_questions > 0;
}

/* ---- tests ---- */

static void one_alone_leads_and_finds_its_log_again(void **state)
{
	struct proposing p = {.proposal = {.data = SLICE("command"), .done = proposed}, .status = 1};
	struct err err = ERR_INIT;
	start(1);
	WAIT_FOR(leads());
	loop_call(raft_node_loop(f->node), propose, &p);
	WAIT_FOR(p.status != 1);
	assert_int_equal(p.status, 0);
	assert_int_equal(f->commands, 1);
	raft_node_close(f->node);
	f->applied = f->commands = 0;
	open_node();
	assert_true(raft_node_has_log(f->node));
	assert_int_equal(raft_node_start(f->node, &err), 0);
	WAIT_FOR(f->commands == 1);
}

static void who_asks_is_answered(void **state)
{
	static const struct raft_peer_access access = {NULL, {NULL, 0}};
	struct strbuf answer = STRBUF_INIT;
	struct err err = ERR_INIT;
	char url[64];
	start(3);
	snprintf(url, sizeof url, "http://127.0.0.1:%d", raft_node_port(f->node));
	assert_int_equal(raft_node_ask(url, &access, SLICE("who"), 10000, &answer, &err), 0);
	assert_string_equal(strbuf_cstr(&answer), "who!");
	strbuf_release(&answer);
}

static bool has_question(void)
{
	bool has = false;
	void *both[] = {f->node, &has};
	loop_call(raft_node_loop(f->node), look_for_question, both);
	return has;
}

/* It would have been waited for as long as the asker likes. */
static void a_question_that_is_not_asked_does_not_hold_up_the_end(void **state)
{
	struct wire_hello hello = {.from = 9, .purpose = WIRE_QUESTION, .address = SLICE("")};
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct strbuf b = STRBUF_INIT;
	char head[WIRE_FRAME_HEAD_BYTES];
	start(3);
	to.sin_port = htons((uint16_t)raft_node_port(f->node));
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	wire_hello_encode(&b, &hello);
	wire_frame_head(head, strbuf_slice(&b));
	assert_int_equal(write(fd, head, sizeof head), sizeof head);
	assert_int_equal(write(fd, b.data, b.len), b.len);
	WAIT_FOR(has_question());
	raft_node_close(f->node);
	assert_int_equal(read(fd, head, 1), 0);
	close(fd);
	strbuf_release(&b);
	open_node();
}

static void an_announcement_is_held_until_its_state_is_here(void **state)
{
	start(3);
	announce(TWO, 10);
	announce(TWO, 12); /* while the first is on its way: let go */
	assert_int_equal(f->installs, 0);
	state_is_here(10);
	WAIT_FOR(f->installs == 1);
	assert_int_equal(f->installed, 10);
	assert_int_equal(f->installs_too_old, 0);
}

static void an_announcement_goes_with_a_newer_state(void **state)
{
	start(3);
	announce(TWO, 10);
	state_is_here(15);
	WAIT_FOR(f->installs == 1);
	assert_int_equal(f->installed, 10);
}

/* Leaders changed while a state was being looked at: the newer one's announcement is followed with its own state only.
 */
static void an_announcement_does_not_go_with_an_older_state(void **state)
{
	start(3);
	announce(TWO, 10);
	announce(THREE, 20);
	state_is_here(10);
	announce(THREE, 20); /* it comes again */
	state_is_here(20);
	WAIT_FOR(f->installs >= 1);
	assert_int_equal(f->installs_too_old, 0);
	assert_int_equal(f->installed, 20);
}

static void a_message_too_short_for_its_kind_is_refused(void **state)
{
	struct err err = ERR_INIT;
	start(3);
	assert_int_equal(on_message(f->node, TWO, SLICE("abc"), &err), ERR_PROTOCOL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(one_alone_leads_and_finds_its_log_again),
	        TEST(who_asks_is_answered),
	        TEST(a_question_that_is_not_asked_does_not_hold_up_the_end),
	        TEST(an_announcement_is_held_until_its_state_is_here),
	        TEST(an_announcement_goes_with_a_newer_state),
	        TEST(an_announcement_does_not_go_with_an_older_state),
	        TEST(a_message_too_short_for_its_kind_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
