/* The simulator: 3 to 5 servers (raft_host over sim_disk), virtual time, a network that drops, delays, duplicates and
 * reorders, partitions of every kind, crashes between and inside disk operations, full disks, stalls, membership
 * changes. After each step: one leader per term, a commit index that never goes back. At each append: the same index
 * and term means the same entry everywhere. At each apply: the same history at the same index. At each
 * acknowledgement: applied there, and once. At each read: nothing acknowledged before it is missing. At the end, with
 * everything healed: a leader, progress, equal states, nothing of libraft's memory left. */
#include "tests/sim/sim.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_memory.h"
#include "tests/sim/sim_store.h"

#include "raft/host/host_int.h"

#include "base/hash.h"
#include "base/log.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NODES_MAX = 7, INDEX_MAX = 20000, TERMS = 6 };
enum event_kind { TICK, MSG, JOB, CLIENT, NEMESIS, RESTART, MEMBERS };

struct event {
	uint64_t at, sequence, epoch;
	enum event_kind kind;
	int node, from;
	char *data;
	size_t len;
};

struct node {
	struct raft_env env;
	struct raft_machine machine;
	struct adapter_probe probe;
	int id;
	char address[24];
	struct disk *disk;
	struct raft_host *host;
	struct raft_job *job;
	uint64_t epoch, job_epoch, job_busy_until;
	bool dying;
	uint64_t applied, hash, durable, last_commit;
	struct sim_store *store; /* with_store */
};

static struct node nodes[NODES_MAX + 1];
static int n_nodes, n_voters;
static struct event *heap;
static size_t heap_n, heap_cap;
static uint64_t now_ms = 1000, sequence, random_state[2], this_seed;
static const struct sim_options *options;
static struct sim_totals total;
static struct {
	uint64_t hash, state, first_id;
	uint32_t count;
} history[INDEX_MAX];
static uint64_t applied_at[INDEX_MAX * 4], next_id = 1, acked_index, leader_of[INDEX_MAX];
static struct {
	uint64_t term, hash;
} written[INDEX_MAX][TERMS];
static bool blocked[NODES_MAX + 1][NODES_MAX + 1], healed;
static unsigned drop_pm, duplicate_pm, net_ms, disk_ms, fuse_pm;

__attribute__((format(printf, 2, 3), noreturn)) static void fail(const char *what, const char *fmt, ...)
{
	va_list ap;
	if (!options->quiet) {
		printf("seed %llu at %llu ms: %s: ", (unsigned long long)this_seed, (unsigned long long)now_ms, what);
		va_start(ap, fmt);
		vprintf(fmt, ap);
		va_end(ap);
		printf("\nreplay: build/release/tests/sim/sim %llu 1 %#x %d\n", (unsigned long long)this_seed,
		        options->workarounds_off, options->with_store);
		fflush(stdout);
	}
	_exit(7);
}

static uint64_t rng(void)
{
	uint64_t a = random_state[0], b = random_state[1];
	random_state[0] = b;
	a ^= a << 23;
	random_state[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
	return random_state[1] + b;
}

static uint64_t between(uint64_t low, uint64_t high)
{
	return low + rng() % (high - low + 1);
}

static bool chance(unsigned per_mille)
{
	return rng() % 1000 < per_mille;
}

/* ---- events ---- */

static bool before(const struct event *a, const struct event *b)
{
	return a->at < b->at || (a->at == b->at && a->sequence < b->sequence);
}

static struct event *schedule(uint64_t delay, enum event_kind kind, struct node *n)
{
	if (heap_n == heap_cap) {
		heap_cap = heap_cap ? heap_cap * 2 : 256;
		heap = xrealloc(heap, heap_cap * sizeof *heap);
	}
	struct event e = {.at = now_ms + delay,
	        .sequence = sequence++,
	        .kind = kind,
	        .node = n ? n->id : 0,
	        .epoch = n ? n->epoch : 0};
	size_t i = heap_n++;
	for (; i && before(&e, &heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = e;
	return &heap[i];
}

static struct event pop(void)
{
	struct event top = heap[0], e = heap[--heap_n];
	size_t i = 0, c;
	while ((c = 2 * i + 1) < heap_n) {
		if (c + 1 < heap_n && before(&heap[c + 1], &heap[c]))
			c++;
		if (!before(&heap[c], &e))
			break;
		heap[i] = heap[c];
		i = c;
	}
	heap[i] = e;
	return top;
}

/* ---- the environment ---- */

static uint64_t env_now(struct raft_env *e)
{
	return now_ms;
}

static uint64_t env_random(struct raft_env *e)
{
	return rng();
}

static void env_send(struct raft_env *e, uint64_t to, const char *address, const void *frame, size_t len)
{
	struct node *n = CONTAINER_OF(e, struct node, env);
	int copies = 1;
	total.messages++;
	if (to < 1 || to > (uint64_t)n_nodes || (!healed && (blocked[n->id][to] || chance(drop_pm))))
		return;
	if (!healed && chance(duplicate_pm))
		copies = 2;
	for (int i = 0; i < copies; i++) {
		uint64_t delay = between(1, net_ms);
		if (!healed && chance(10))
			delay += between(100, 3000);
		struct event *ev = schedule(delay, MSG, &nodes[to]);
		ev->from = n->id;
		ev->data = xmemdup(frame, len);
		ev->len = len;
	}
}

static void env_submit(struct raft_env *e, struct raft_job *job)
{
	struct node *n = CONTAINER_OF(e, struct node, env);
	uint64_t delay = between(1, disk_ms) + (!healed && chance(10) ? between(50, 600) : 0);
	n->job = job;
	schedule(delay, JOB, n);
	if (!healed && chance(fuse_pm))
		sim_disk_set_fuse(n->disk, (unsigned)between(1, 6));
}

static void env_quiesce(struct raft_env *e)
{
	CONTAINER_OF(e, struct node, env)->job = NULL;
}

static void env_fatal(struct raft_env *e, const struct err *why)
{
	CONTAINER_OF(e, struct node, env)->dying = true;
}

static const struct raft_env_vtable env_vtable = {env_now, env_random, env_send, env_submit, env_quiesce, env_fatal};

/* ---- the state machine ---- */

static void store_fails(const char *what, const char *why)
{
	fail(what, "%s", why);
}

/* The commands behind the id that every command begins with. */
static void apply_to_store(struct node *n, uint64_t index, uint64_t term, const struct slice *commands, size_t count)
{
	struct slice *rest = xcalloc(count, sizeof *rest);
	for (size_t i = 0; i < count; i++)
		rest[i] = (struct slice){commands[i].ptr + 8, commands[i].len - 8};
	sim_store_apply(n->store, index, term, rest, count);
	free(rest);
}

static void machine_apply(
        struct raft_machine *m, uint64_t index, uint64_t term, const struct slice *commands, size_t count)
{
	struct node *n = CONTAINER_OF(m, struct node, machine);
	uint64_t h = FNV1A64_INIT, first = 0;
	if (index >= INDEX_MAX)
		fail("harness", "too many entries");
	if (!count) { /* nothing between the last command and here was one */
		for (uint64_t i = n->applied + 1; i <= index; i++) {
			if (history[i].count)
				fail("entry skipped", "server %d was not given %llu", n->id, (unsigned long long)i);
			history[i].state = n->hash;
		}
		n->applied = index > n->applied ? index : n->applied;
		return;
	}
	if (!term)
		fail("no term", "server %d at %llu", n->id, (unsigned long long)index);
	for (size_t i = 0; i < count; i++)
		h = fnv1a64_add(h, commands[i].ptr, commands[i].len);
	memcpy(&first, commands[0].ptr, sizeof first);
	if (history[index].count && history[index].hash != h)
		fail("state machines differ", "server %d applies another entry at %llu", n->id,
		        (unsigned long long)index);
	if (index <= n->applied)
		return;
	uint64_t state = fnv1a64_add(fnv1a64_add(n->hash, &index, sizeof index), &h, sizeof h);
	if (!history[index].count) {
		history[index].hash = h;
		history[index].state = state;
		history[index].first_id = first;
		history[index].count = (uint32_t)count;
		total.commands += count;
		for (size_t i = 0; i < count; i++) {
			uint64_t id;
			memcpy(&id, commands[i].ptr, sizeof id);
			if (applied_at[id])
				fail("applied twice", "command %llu", (unsigned long long)id);
			applied_at[id] = index;
		}
	}
	if (history[index].state != state)
		fail("history differs", "server %d skipped an entry before %llu", n->id, (unsigned long long)index);
	n->applied = index;
	n->hash = state;
	if (n->store)
		apply_to_store(n, index, term, commands, count);
}

static void machine_snapshot(struct raft_machine *m, uint64_t index, struct strbuf *out)
{
	struct node *n = CONTAINER_OF(m, struct node, machine);
	strbuf_add(out, &n->applied, 8);
	strbuf_add(out, &n->hash, 8);
	total.snapshots++;
}

static void machine_restore(struct raft_machine *m, struct slice d)
{
	struct node *n = CONTAINER_OF(m, struct node, machine);
	uint64_t v[2];
	if (d.len != sizeof v)
		fail("harness", "descriptor of %zu bytes", d.len);
	memcpy(v, d.ptr, sizeof v);
	if (v[0] && history[v[0]].state != v[1])
		fail("broken snapshot", "server %d", n->id);
	if (v[0] > n->applied)
		fail("state behind snapshot", "server %d at %llu", n->id, (unsigned long long)n->applied);
}

/* A leader sends what its state is by now, which may be newer than the snapshot. */
static int machine_install(struct raft_machine *m, struct slice d, struct err *err)
{
	struct node *n = CONTAINER_OF(m, struct node, machine);
	uint64_t v[2];
	memcpy(v, d.ptr, sizeof v);
	struct node *from = NULL;
	for (int i = 1; i <= n_nodes; i++)
		if (nodes[i].applied > v[0] ? chance(300) : nodes[i].applied == v[0]) {
			v[0] = nodes[i].applied;
			v[1] = nodes[i].hash;
			from = &nodes[i];
		}
	if (n->store && v[0] > n->applied && !from) /* who had it has crashed: it comes again */
		return err_set(err, ERR_NO_SPACE, "the state is not there");
	if (n->store && v[0] > n->applied)
		sim_store_copy_from(n->store, from->store);
	if (v[0] > n->applied) {
		n->applied = v[0];
		n->hash = v[1];
	}
	if (n->store && n->durable != n->applied)
		sim_store_make_durable(n->store);
	n->durable = n->applied;
	total.installs++;
	return 0;
}

static uint64_t machine_applied(struct raft_machine *m)
{
	return CONTAINER_OF(m, struct node, machine)->applied;
}

static uint64_t machine_durable(struct raft_machine *m)
{
	struct node *n = CONTAINER_OF(m, struct node, machine);
	if (chance(300)) { /* the files are synced when they are */
		if (n->store && n->durable != n->applied)
			sim_store_make_durable(n->store);
		n->durable = n->applied;
	}
	return n->durable;
}

static void machine_role(struct raft_machine *m, bool is_leader, uint64_t term, uint64_t leader)
{
	struct node *n = CONTAINER_OF(m, struct node, machine);
	if (!is_leader || n->dying)
		return;
	if (leader_of[term] && leader_of[term] != (uint64_t)n->id)
		fail("two leaders", "term %llu: servers %llu and %d", (unsigned long long)term,
		        (unsigned long long)leader_of[term], n->id);
	leader_of[term] = (uint64_t)n->id;
}

static const struct raft_machine_vtable machine_vtable = {.apply = machine_apply,
        .snapshot = machine_snapshot,
        .restore = machine_restore,
        .install = machine_install,
        .applied_index = machine_applied,
        .durable_index = machine_durable,
        .role_changed = machine_role};

static void probe_appended(void *arg, uint64_t index, const struct log_entry *e)
{
	uint64_t h = e->kind == RAFT_BARRIER ? 1 : fnv1a64_add(e->kind, e->data.ptr, e->data.len);
	if (index >= INDEX_MAX)
		fail("harness", "too many entries");
	for (int i = 0; i < TERMS; i++) {
		if (!written[index][i].term) {
			written[index][i].term = e->term;
			written[index][i].hash = h;
		}
		if (written[index][i].term != e->term)
			continue;
		if (written[index][i].hash != h)
			fail("log matching", "two entries %llu of term %llu", (unsigned long long)index,
			        (unsigned long long)e->term);
		return;
	}
}

static void probe_snapshot(void *arg, uint64_t index, uint64_t term, uint64_t conf_index, uint64_t newest)
{
	if (newest > conf_index)
		fail("old configuration", "snapshot at %llu has that of %llu, not of %llu", (unsigned long long)index,
		        (unsigned long long)conf_index, (unsigned long long)newest);
	for (int i = 0; i < TERMS; i++)
		if (written[index][i].term == term)
			return;
	fail("snapshot term", "no entry %llu of term %llu was ever written", (unsigned long long)index,
	        (unsigned long long)term);
}

/* ---- servers ---- */

static void crash(struct node *n)
{
	total.crashes++;
	n->dying = true;
	raft_host_close(n->host);
	n->host = NULL;
	n->epoch++;
	sim_disk_crash(n->disk);
	if (n->store || (chance(500) && n->applied > n->durable)) {
		uint64_t t = n->store ? sim_store_crash(n->store) : between(n->durable, n->applied);
		while (t > n->durable && !history[t].state)
			t--;
		if (t < n->durable) /* the entries between were none of the store's business */
			t = n->durable;
		n->applied = t;
		n->hash = t ? history[t].state : 0;
	}
	schedule(between(10, 1500), RESTART, n);
}

static void after(struct node *n)
{
	if (!n->host)
		return;
	if (n->dying) {
		crash(n);
		return;
	}
	uint64_t commit = raft_host_commit_index(n->host);
	if (commit < n->last_commit)
		fail("commit index goes back", "server %d", n->id);
	n->last_commit = commit;
}

static void start(struct node *n, bool bootstrap)
{
	struct raft_host_server servers[NODES_MAX];
	struct err err = ERR_INIT;
	n->dying = false;
	n->last_commit = 0;
	n->probe = (struct adapter_probe){n, probe_appended, probe_snapshot};
	sim_disk_set_full(n->disk, false);
	struct raft_host_config c = {.env = &n->env,
	        .disk = n->disk,
	        .machine = &n->machine,
	        .id = (uint64_t)n->id,
	        .address = n->address,
	        .election_ms = 300,
	        .heartbeat_ms = 50,
	        .install_ms = 600,
	        .snapshot_entries = 8,
	        .snapshot_trailing = 4,
	        .segment_bytes = 2048,
	        .workarounds_off = options->workarounds_off,
	        .probe = &n->probe};
	if (raft_host_open(&c, &n->host, &err) != 0)
		fail("does not open", "server %d: %s", n->id, err.msg);
	for (int i = 0; i < n_voters; i++)
		servers[i] = (struct raft_host_server){(uint64_t)i + 1, nodes[i + 1].address, RAFT_HOST_VOTER};
	if (bootstrap && raft_host_bootstrap(n->host, servers, (size_t)n_voters, &err) != 0)
		fail("does not bootstrap", "server %d: %s", n->id, err.msg);
	if (raft_host_start(n->host, &err) != 0)
		fail("does not start", "server %d: %s", n->id, err.msg);
	schedule(between(1, RAFT_TICK_MS), TICK, n);
	after(n);
}

/* ---- clients ---- */

struct client {
	struct raft_proposal proposal;
	uint64_t id, floor;
	struct strbuf data;
	struct node *node;
};

static void proposed(struct raft_proposal *p, int status, uint64_t index, size_t position)
{
	struct client *c = CONTAINER_OF(p, struct client, proposal);
	if (status == 0 && !c->node->dying) {
		if (applied_at[c->id] != index)
			fail("acknowledged, not applied", "command %llu", (unsigned long long)c->id);
		if (index <= c->floor) /* it was asked for after another was acknowledged behind it */
			fail("not linearizable", "command %llu at %llu", (unsigned long long)c->id,
			        (unsigned long long)index);
		if (index > acked_index)
			acked_index = index;
		total.acked++;
	}
	strbuf_release(&c->data);
	free(c);
}

struct reader {
	struct raft_read read;
	uint64_t floor;
	struct node *node;
};

static void was_read(struct raft_read *r, int status, uint64_t index)
{
	struct reader *c = CONTAINER_OF(r, struct reader, read);
	if (status == 0 && !c->node->dying) {
		total.reads++;
		if (c->node->applied < c->floor)
			fail("stale read", "server %d at %llu, acknowledged %llu", c->node->id,
			        (unsigned long long)c->node->applied, (unsigned long long)c->floor);
	}
	free(c);
}

static void client(struct node *n)
{
	for (uint64_t k = between(1, chance(50) ? 40 : 3); k && next_id < INDEX_MAX * 2; k--) {
		struct client *c = xcalloc(1, sizeof *c);
		c->id = next_id++;
		c->node = n;
		c->floor = acked_index;
		strbuf_add(&c->data, &c->id, sizeof c->id);
		if (options->with_store)
			sim_store_command(&c->data, c->id, rng);
		else
			strbuf_add(&c->data, "................................................................",
			        rng() % 56);
		c->proposal.data = strbuf_slice(&c->data);
		c->proposal.done = proposed;
		raft_host_propose(n->host, &c->proposal);
		if (chance(300))
			raft_host_flush(n->host);
	}
	struct reader *r = xcalloc(1, sizeof *r);
	r->floor = acked_index;
	r->node = n;
	r->read.done = was_read;
	raft_host_read_index(n->host, &r->read);
	raft_host_flush(n->host);
	after(n);
}

static void transfer(struct node *n)
{
	struct err err = ERR_INIT;
	uint64_t to = chance(500) ? 0 : between(1, (uint64_t)n_nodes);
	total.transfers += raft_host_transfer(n->host, to, &err) == 0;
	after(n);
}

static void changed(struct raft_host_change *c, int status)
{
	total.changes += status == 0;
	free(c);
}

static void change_members(struct node *n)
{
	static const enum raft_host_role roles[] = {
	        RAFT_HOST_VOTER, RAFT_HOST_VOTER, RAFT_HOST_STANDBY, RAFT_HOST_SPARE};
	const struct raft_configuration *conf = &n->host->raft.configuration;
	int target = (int)between(1, (uint64_t)n_nodes), voters = 0, role = -1;
	for (unsigned i = 0; i < conf->n; i++) {
		voters += conf->servers[i].role == RAFT_VOTER;
		if (conf->servers[i].id == (uint64_t)target)
			role = conf->servers[i].role;
	}
	if (role >= 0 && (target == n->id || (role == RAFT_VOTER && voters <= 2)))
		return;
	struct raft_host_change *c = xcalloc(1, sizeof *c);
	c->kind = role < 0 ? RAFT_CHANGE_ADD : chance(200) ? RAFT_CHANGE_REMOVE : RAFT_CHANGE_ASSIGN;
	c->server = (struct raft_host_server){(uint64_t)target, nodes[target].address, roles[rng() % 4]};
	c->done = changed;
	raft_host_change_members(n->host, c);
	after(n);
}

static struct node *some_leader(void)
{
	struct node *found = NULL;
	for (int i = 1; i <= n_nodes; i++)
		if (nodes[i].host && raft_host_is_leader(nodes[i].host) &&
		        (!found || raft_host_term(nodes[i].host) > raft_host_term(found->host)))
			found = &nodes[i];
	return found;
}

static void nemesis(void)
{
	struct node *n = &nodes[between(1, (uint64_t)n_nodes)], *l = some_leader();
	bool side[NODES_MAX + 1];
	switch (rng() % 9) {
	case 8:
		if (l)
			transfer(l);
		break;
	case 0:
	case 1:
		if (n->host)
			crash(n);
		break;
	case 2:
		for (int a = 1; a <= n_nodes; a++)
			side[a] = chance(500);
		for (int a = 1; a <= n_nodes; a++)
			for (int b = 1; b <= n_nodes; b++)
				blocked[a][b] = side[a] != side[b];
		break;
	case 3:
		blocked[n->id][between(1, (uint64_t)n_nodes)] = true;
		break;
	case 4:
		for (int b = 1, mode = (int)(rng() % 3); l && b <= n_nodes; b++) {
			blocked[l->id][b] |= mode != 1 && b != l->id;
			blocked[b][l->id] |= mode != 0 && b != l->id;
		}
		break;
	case 5:
		sim_disk_set_full(n->disk, chance(500));
		break;
	default:
		memset(blocked, 0, sizeof blocked);
	}
}

/* ---- a run ---- */

static void handle(struct event *e)
{
	struct node *n = e->node ? &nodes[e->node] : NULL, *l;
	struct err err = ERR_INIT;
	bool current = n && n->host && e->epoch == n->epoch;
	switch (e->kind) {
	case TICK:
		if (!current)
			break;
		schedule(RAFT_TICK_MS, TICK, n);
		raft_host_tick(n->host);
		after(n);
		break;
	case MSG:
		if (n->host && (healed || !blocked[e->from][n->id])) {
			if (raft_host_receive(n->host, (uint64_t)e->from, (struct slice){e->data, e->len}, &err) != 0)
				fail("message", "%s", err.msg);
			after(n);
		}
		free(e->data);
		break;
	case JOB:
		if (!current || !n->job)
			break;
		struct raft_job *job = n->job;
		n->job = NULL;
		job->work(job);
		job->done(job);
		after(n);
		break;
	case CLIENT:
		schedule(between(3, 40), CLIENT, NULL);
		for (int i = 1; i <= n_nodes; i++)
			if (nodes[i].host && raft_host_is_leader(nodes[i].host) && (healed || chance(600)))
				client(&nodes[i]);
		break;
	case NEMESIS:
		if (!healed)
			nemesis();
		schedule(between(100, 2500), NEMESIS, NULL);
		break;
	case RESTART:
		if (!n->host && e->epoch == n->epoch)
			start(n, false);
		break;
	case MEMBERS:
		if (!healed && (l = some_leader()) != NULL)
			change_members(l);
		schedule(between(100, 1200), MEMBERS, NULL);
		break;
	}
}

static void heal(void)
{
	healed = true;
	memset(blocked, 0, sizeof blocked);
	for (int i = 1; i <= n_nodes; i++) {
		sim_disk_set_full(nodes[i].disk, false);
		sim_disk_set_fuse(nodes[i].disk, 0);
	}
}

static void run_until(uint64_t end)
{
	while (heap_n && heap[0].at <= end) {
		struct event e = pop();
		now_ms = e.at;
		total.steps++;
		handle(&e);
	}
	now_ms = end;
}

static void check_end(void)
{
	struct node *l = some_leader();
	if (!l)
		fail("no leader", "at the end");
	const struct raft_configuration *c = &l->host->raft.configuration;
	if (l->host->raft.configuration_uncommitted_index)
		fail("configuration stuck", "at %llu",
		        (unsigned long long)l->host->raft.configuration_uncommitted_index);
	for (unsigned i = 0; i < c->n; i++) {
		struct node *n = &nodes[c->servers[i].id];
		if (c->servers[i].role != RAFT_SPARE && (n->applied != l->applied || n->hash != l->hash))
			fail("not equal", "server %d at %llu, leader %d at %llu", n->id, (unsigned long long)n->applied,
			        l->id, (unsigned long long)l->applied);
	}
	for (int i = 1; i <= n_nodes; i++)
		if (nodes[i].store && nodes[i].applied == l->applied &&
		        sim_store_hash(nodes[i].store) != sim_store_hash(l->store))
			fail("stores differ", "at the end, server %d", i);
	if (l->applied < acked_index)
		fail("acknowledged, lost", "index %llu", (unsigned long long)acked_index);
	for (int i = 1; i <= n_nodes; i++)
		if (nodes[i].host)
			raft_host_close(nodes[i].host);
	for (int i = 1; i <= n_nodes; i++)
		if (nodes[i].store)
			sim_store_free(nodes[i].store);
	if (sim_memory_blocks() > 0)
		fail("leak", "%ld blocks of libraft's", sim_memory_blocks());
}

static void run(void)
{
	random_state[0] = this_seed * 0x9e3779b97f4a7c15ull + 1;
	random_state[1] = this_seed ^ 0xd1b54a32d192ed03ull;
	for (int i = 0; i < 20; i++)
		rng();
	sim_memory_count();
	n_voters = (int)between(3, 5);
	bool members = chance(600);
	n_nodes = members ? n_voters + 2 : n_voters;
	net_ms = (unsigned)between(2, 40);
	disk_ms = (unsigned)between(2, 60);
	drop_pm = chance(300) ? 0 : (unsigned)between(0, 200);
	duplicate_pm = chance(300) ? 0 : (unsigned)between(0, 100);
	fuse_pm = chance(500) ? 0 : (unsigned)between(1, 10);
	for (int i = 1; i <= n_nodes; i++) {
		struct node *n = &nodes[i];
		n->env.v = &env_vtable;
		n->machine.v = &machine_vtable;
		n->id = i;
		snprintf(n->address, sizeof n->address, "server-%d", i);
		n->disk = sim_disk_new(rng);
		if (options->with_store)
			n->store = sim_store_new(i, store_fails, rng);
	}
	for (int i = 1; i <= n_nodes; i++)
		start(&nodes[i], i <= n_voters);
	schedule(500, CLIENT, NULL);
	schedule(1000, NEMESIS, NULL);
	if (members)
		schedule(1500, MEMBERS, NULL);
	run_until(between(8000, 20000));
	heal();
	uint64_t acked = total.acked, end = now_ms + 20000;
	while (total.acked < acked + 40 && now_ms < end)
		run_until(now_ms + 200);
	if (total.acked < acked + 40)
		fail(some_leader() ? "no progress" : "no leader", "20 s after everything was healed");
	run_until(now_ms + 1500);
	next_id = INDEX_MAX * 2; /* no more commands */
	run_until(now_ms + 5000);
	check_end();
}

int sim_run_seed(uint64_t seed, const struct sim_options *o, struct sim_totals *add)
{
	int pipes[2], status;
	struct sim_totals t = {0};
	fflush(stdout);
	if (pipe(pipes) != 0)
		return 1;
	pid_t pid = fork();
	if (pid == 0) {
		static const int signals[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
		for (size_t i = 0; i < COUNT_OF(signals); i++) /* a test's handlers are not for us */
			signal(signals[i], SIG_DFL);
		this_seed = seed;
		options = o;
		sim_rare_force(o->no_buggify ? NULL : rng);
		alarm(60);
		log_set_level(LOG_ERROR);
		run();
		total.seeds = 1;
		sim_rare_count(total.rare);
		_exit(write(pipes[1], &total, sizeof total) == (ssize_t)sizeof total ? 0 : 1);
	}
	close(pipes[1]);
	bool whole = pid > 0 && read(pipes[0], &t, sizeof t) == (ssize_t)sizeof t;
	close(pipes[0]);
	if (pid > 0)
		waitpid(pid, &status, 0);
	if (pid > 0 && o->with_store)
		sim_store_remove((long)pid, NODES_MAX);
	if (whole && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		for (size_t i = 0; i < sizeof t / sizeof(uint64_t); i++)
			((uint64_t *)add)[i] += ((uint64_t *)&t)[i];
		return 0;
	}
	if (!o->quiet && pid > 0 && WIFSIGNALED(status))
		printf("seed %llu: signal %d\nreplay: build/release/tests/sim/sim %llu 1 %#x %d\n",
		        (unsigned long long)seed, WTERMSIG(status), (unsigned long long)seed, o->workarounds_off,
		        o->with_store);
	return 1;
}
