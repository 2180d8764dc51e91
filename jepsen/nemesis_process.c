/* Servers that are killed, stopped for a while, restarted. */
#include "jepsen/nemesis.h"

static uint64_t bit(unsigned node)
{
	return UINT64_C(1) << node;
}

static int start_again(struct nemesis_fault *f, struct err *err)
{
	struct cluster *c = &f->run->cluster;
	int rc = 0;
	for (unsigned i = 0; i < c->count; i++) {
		struct node *n = &c->nodes[i];
		if (!(f->nodes & bit(i)) || !n->is_member)
			continue;
		node_resume(n);
		if (n->state == NODE_DOWN && cluster_start_node(c, n, err) != 0)
			rc = err->code;
	}
	return rc;
}

static void kill_count(struct nemesis_fault *f, unsigned count)
{
	unsigned order[NODES_MAX];
	nemesis_shuffle(f, order);
	for (unsigned i = 0; i < count; i++) {
		node_kill(&f->run->cluster.nodes[order[i]]);
		f->nodes |= bit(order[i]);
	}
}

static int begin_kill(struct nemesis_fault *f, struct err *err)
{
	kill_count(f, nemesis_some(f));
	return 0;
}

static int begin_kill_all(struct nemesis_fault *f, struct err *err)
{
	kill_count(f, f->run->cluster.count);
	return 0;
}

static int begin_kill_leader(struct nemesis_fault *f, struct err *err)
{
	int leader = cluster_leader(&f->run->cluster);
	if (leader < 0)
		return err_set(err, ERR_NOT_FOUND, "nobody leads");
	node_kill(&f->run->cluster.nodes[leader]);
	f->nodes = bit((unsigned)leader);
	return 0;
}

static int begin_pause(struct nemesis_fault *f, struct err *err)
{
	unsigned order[NODES_MAX], hit = nemesis_some(f);
	int leader = rng_chance(f->rng, 50) ? cluster_leader(&f->run->cluster) : -1;
	nemesis_shuffle(f, order);
	for (unsigned i = 0; i < hit; i++)
		f->nodes |= bit(order[i]);
	if (leader >= 0)
		f->nodes |= bit((unsigned)leader);
	for (unsigned i = 0; i < f->run->cluster.count; i++)
		if (f->nodes & bit(i))
			node_pause(&f->run->cluster.nodes[i]);
	return 0;
}

/* When they go on, everybody's election is due at once: votes are split, and asked for twice in a term. */
static int begin_pause_all(struct nemesis_fault *f, struct err *err)
{
	for (unsigned i = 0; i < f->run->cluster.count; i++)
		node_pause(&f->run->cluster.nodes[i]);
	f->nodes = bit(f->run->cluster.count) - 1;
	return 0;
}

/* One after the other, in order, each asked to end and started at once. */
static int begin_rolling(struct nemesis_fault *f, struct err *err)
{
	f->nodes = bit(f->run->cluster.count) - 1;
	return 0;
}

enum { TICKS_PER_NODE = 10, STOP_MS_MAX = 10000 };

static void tick_rolling(struct nemesis_fault *f)
{
	struct cluster *c = &f->run->cluster;
	struct err err = ERR_INIT;
	unsigned turn = f->step++ / TICKS_PER_NODE;
	if ((f->step - 1) % TICKS_PER_NODE || turn >= c->count || !c->nodes[turn].is_member)
		return;
	if (!node_stop(&c->nodes[turn], STOP_MS_MAX))
		run_violation(
		        f->run, "%s did not end within %d ms of being asked to", c->nodes[turn].name, STOP_MS_MAX);
	cluster_start_node(c, &c->nodes[turn], &err);
}

const struct nemesis nemesis_kill = {
        .name = "kill", .what = "SIGKILL for some", .kind = NEMESIS_PROCESS, .begin = begin_kill, .end = start_again};
const struct nemesis nemesis_kill_leader = {.name = "kill-leader",
        .what = "SIGKILL for the leader",
        .kind = NEMESIS_PROCESS,
        .nodes_min = 2,
        .begin = begin_kill_leader,
        .end = start_again};
const struct nemesis nemesis_kill_all = {.name = "kill-all",
        .what = "SIGKILL for all",
        .kind = NEMESIS_PROCESS,
        .begin = begin_kill_all,
        .end = start_again};
const struct nemesis nemesis_pause = {.name = "pause",
        .what = "SIGSTOP, and SIGCONT later",
        .kind = NEMESIS_PROCESS,
        .begin = begin_pause,
        .end = start_again};
const struct nemesis nemesis_pause_all = {.name = "pause-all",
        .what = "SIGSTOP for all, and SIGCONT later: all elections are due at once",
        .kind = NEMESIS_PROCESS,
        .nodes_min = 2,
        .begin = begin_pause_all,
        .end = start_again};
const struct nemesis nemesis_rolling_restart = {.name = "rolling-restart",
        .what = "servers are restarted in turn",
        .kind = NEMESIS_PROCESS,
        .begin = begin_rolling,
        .tick = tick_rolling,
        .end = start_again};
