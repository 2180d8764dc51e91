/* What of the log is read into memory at a start: what the state has not, and what followers may ask for. */
#include "tests/sim/sim_disk.h"

#include "raft/host/host_int.h"

#include "base/log.h"

#include "tests/unit/unit.h"

struct world {
	struct raft_env env;
	struct raft_machine machine;
	struct disk *disk;
	struct raft_host *host;
	struct raft_job *job;
	uint64_t now, applied, durable;
	size_t commands;
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

static struct world *world_with(struct raft_machine *m)
{
	return CONTAINER_OF(m, struct world, machine);
}

static void m_apply(struct raft_machine *m, uint64_t index, uint64_t term, const struct slice *commands, size_t n)
{
	world_with(m)->applied = index;
	world_with(m)->commands += n;
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

static uint64_t m_applied(struct raft_machine *m)
{
	return world_with(m)->applied;
}

static uint64_t m_durable(struct raft_machine *m)
{
	return world_with(m)->durable;
}

static void m_role(struct raft_machine *m, bool is_leader, uint64_t term, uint64_t leader)
{
}

static const struct raft_machine_vtable machine_vtable = {.apply = m_apply,
        .snapshot = m_snapshot,
        .restore = m_restore,
        .install = m_install,
        .applied_index = m_applied,
        .durable_index = m_durable,
        .role_changed = m_role};

static uint64_t no_luck(void)
{
	return 1;
}

static void work(struct world *w)
{
	while (w->job) {
		struct raft_job *job = TAKE(w->job);
		job->work(job);
		job->done(job);
	}
}

static void open_host(struct world *w)
{
	struct err err = ERR_INIT;
	struct raft_host_config c = {.env = &w->env,
	        .disk = w->disk,
	        .machine = &w->machine,
	        .id = 1,
	        .address = "one",
	        .election_ms = 300,
	        .heartbeat_ms = 50,
	        .install_ms = 600,
	        .snapshot_entries = 50,
	        .snapshot_trailing = 5};
	if (raft_host_open(&c, &w->host, &err) != 0)
		fail_msg("%s", err.msg);
}

static void start(struct world *w)
{
	struct err err = ERR_INIT;
	if (raft_host_start(w->host, &err) != 0)
		fail_msg("%s", err.msg);
	for (int i = 0; i < 50; i++) {
		w->now += RAFT_TICK_MS;
		raft_host_tick(w->host);
		work(w);
	}
}

static void proposed(struct raft_proposal *p, int status, uint64_t index, size_t position)
{
	assert_int_equal(status, 0);
	free(p);
}

static void propose(struct world *w, int n)
{
	for (int i = 0; i < n; i++) {
		struct raft_proposal *p = xcalloc(1, sizeof *p);
		p->data = slice_of("a command");
		p->done = proposed;
		raft_host_propose(w->host, p);
		raft_host_flush(w->host);
		work(w);
	}
}

/* A server with 120 commands in its log, closed; its last snapshot is somewhere in the second half. */
static void fill(struct world *w)
{
	struct raft_host_server self = {1, "one", RAFT_HOST_VOTER};
	struct err err = ERR_INIT;
	*w = (struct world){.env.v = &env_vtable, .machine.v = &machine_vtable, .now = 1000};
	w->disk = sim_disk_new(no_luck);
	log_set_level(LOG_ERROR);
	open_host(w);
	assert_int_equal(raft_host_bootstrap(w->host, &self, 1, &err), 0);
	start(w);
	propose(w, 120);
	assert_int_equal(w->commands, 120);
	assert_in_range(raft_host_snapshot_index(w->host), 60, w->applied);
	raft_host_close(w->host);
	w->commands = 0;
}

static void end(struct world *w)
{
	raft_host_close(w->host);
	sim_disk_free(w->disk);
}

static void a_server_alone_reads_what_its_state_has_not(void **state)
{
	struct world w;
	fill(&w);
	uint64_t last = w.applied;
	w.durable = last; /* all of it was flushed */
	open_host(&w);
	assert_int_equal(w.host->adapter.loaded_first, w.host->adapter.snapshot.index);
	start(&w);
	assert_true(raft_host_is_leader(w.host));
	propose(&w, 1);
	assert_true(w.applied > last);
	end(&w);
}

static void what_was_not_flushed_is_applied_again(void **state)
{
	struct world w;
	fill(&w);
	uint64_t last = w.applied, snapshot;
	w.applied = w.durable = 20;
	open_host(&w);
	snapshot = w.host->adapter.snapshot.index;
	assert_int_equal(w.host->adapter.loaded_first, 21);
	start(&w);
	assert_true(snapshot > 21 && w.applied >= last);
	assert_int_equal(w.commands, last - 20);
	propose(&w, 3);
	assert_int_equal(w.commands, last - 20 + 3);
	end(&w);
}

/* libraft is given nothing of it: its log begins behind the snapshot. */
static void what_is_below_the_snapshot_does_not_stay_in_memory(void **state)
{
	struct world w;
	fill(&w);
	w.applied = w.durable = 20;
	open_host(&w);
	uint64_t snapshot = w.host->adapter.snapshot.index;
	start(&w);
	assert_int_equal(libraft_term_of(&w.host->raft, snapshot - 1), 0);
	assert_int_not_equal(libraft_term_of(&w.host->raft, snapshot), 0);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_server_alone_reads_what_its_state_has_not),
	        cmocka_unit_test(what_was_not_flushed_is_applied_again),
	        cmocka_unit_test(what_is_below_the_snapshot_does_not_stay_in_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
