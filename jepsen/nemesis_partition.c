/* Partitions and packet loss: who hears whom, by the receivers' packet filters. */
#include "jepsen/nemesis.h"

#include <string.h>

static int apply(struct nemesis_fault *f, struct err *err)
{
	return net_apply(&f->run->cluster.net, err);
}

static int heal(struct nemesis_fault *f, struct err *err)
{
	return net_heal(&f->run->cluster.net, err);
}

static void cut(struct nemesis_fault *f, unsigned a, unsigned b)
{
	struct net *n = &f->run->cluster.net;
	n->nodes[a].deaf_to[b] = true;
	n->nodes[b].deaf_to[a] = true;
}

/* From the database that they share, too. */
static void isolate(struct nemesis_fault *f, unsigned who)
{
	for (unsigned i = 0; i < f->run->cluster.net.count; i++)
		if (i != who)
			cut(f, who, i);
	f->nodes = UINT64_C(1) << who;
}

/* Two sides, the smaller one of any size from one on. */
static int begin_halves(struct nemesis_fault *f, struct err *err)
{
	unsigned order[NODES_MAX], n = nemesis_shuffle(f, order);
	unsigned small = 1 + rng_below(f->rng, n / 2);
	for (unsigned i = 0; i < small; i++) {
		f->nodes |= UINT64_C(1) << order[i];
		for (unsigned j = small; j < n; j++)
			cut(f, order[i], order[j]);
		if (f->run->cluster.datastore.kind)
			cut(f, order[i], f->run->cluster.count);
	}
	return apply(f, err);
}

/* One node hears the others and is not heard, or is heard and does not hear. */
static int begin_one_way(struct nemesis_fault *f, struct err *err)
{
	struct net *n = &f->run->cluster.net;
	unsigned who = nemesis_any_node(f);
	bool is_deaf = rng_chance(f->rng, 50);
	for (unsigned i = 0; i < n->count; i++) {
		if (i == who)
			continue;
		if (is_deaf)
			n->nodes[who].deaf_to[i] = true;
		else
			n->nodes[i].deaf_to[who] = true;
	}
	f->nodes = UINT64_C(1) << who;
	nemesis_tell(f, "%s", is_deaf ? "deaf" : "mute");
	return apply(f, err);
}

/* Everyone sees its neighbours on a circle: each node has a majority, no two have the same. With three nodes a circle
 * is the whole: there one link is cut, so that one node is the bridge. */
static int begin_ring(struct nemesis_fault *f, struct err *err)
{
	unsigned order[NODES_MAX], n = nemesis_shuffle(f, order);
	if (n == 3) {
		cut(f, order[0], order[1]);
		f->nodes = UINT64_C(1) << order[0] | UINT64_C(1) << order[1];
		return apply(f, err);
	}
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = i + 2; j < n; j++)
			if (!(i == 0 && j == n - 1))
				cut(f, order[i], order[j]);
	f->nodes = (UINT64_C(1) << n) - 1;
	return apply(f, err);
}

static int begin_leader(struct nemesis_fault *f, struct err *err)
{
	int leader = cluster_leader(&f->run->cluster);
	if (leader < 0)
		return err_set(err, ERR_NOT_FOUND, "nobody leads");
	isolate(f, (unsigned)leader);
	return apply(f, err);
}

/* A node that is cut off and let in again, over and over. */
static int begin_flapping(struct nemesis_fault *f, struct err *err)
{
	isolate(f, nemesis_any_node(f));
	return apply(f, err);
}

static void tick_flapping(struct nemesis_fault *f)
{
	struct err err = ERR_INIT;
	if (++f->step % 4)
		return;
	if (f->step / 4 % 2)
		heal(f, &err);
	else
		begin_flapping(f, &err);
}

static int begin_loss(struct nemesis_fault *f, struct err *err)
{
	unsigned order[NODES_MAX], hit = nemesis_some(f), percent = 5 + rng_below(f->rng, 56);
	nemesis_shuffle(f, order);
	for (unsigned i = 0; i < hit; i++) {
		f->run->cluster.net.nodes[order[i]].loss_percent = percent;
		f->nodes |= UINT64_C(1) << order[i];
	}
	nemesis_tell(f, "%u %%", percent);
	return apply(f, err);
}

const struct nemesis nemesis_partition_halves = {.name = "partition-halves",
        .what = "two sides that do not hear each other",
        .kind = NEMESIS_RULES,
        .nodes_min = 2,
        .begin = begin_halves,
        .end = heal};
const struct nemesis nemesis_partition_one_way = {.name = "partition-one-way",
        .what = "a node that hears and is not heard, or the other way",
        .kind = NEMESIS_RULES,
        .nodes_min = 2,
        .begin = begin_one_way,
        .end = heal};
const struct nemesis nemesis_partition_ring = {.name = "partition-ring",
        .what = "every node sees another majority",
        .kind = NEMESIS_RULES,
        .nodes_min = 3,
        .begin = begin_ring,
        .end = heal};
const struct nemesis nemesis_partition_leader = {.name = "partition-leader",
        .what = "the leader is cut off",
        .kind = NEMESIS_RULES,
        .nodes_min = 2,
        .begin = begin_leader,
        .end = heal};
const struct nemesis nemesis_partition_flapping = {.name = "partition-flapping",
        .what = "nodes are cut off and let in again and again",
        .kind = NEMESIS_RULES,
        .nodes_min = 2,
        .begin = begin_flapping,
        .tick = tick_flapping,
        .end = heal};
const struct nemesis nemesis_loss = {.name = "loss",
        .what = "packets between nodes are lost",
        .kind = NEMESIS_RULES,
        .nodes_min = 2,
        .begin = begin_loss,
        .end = heal};
