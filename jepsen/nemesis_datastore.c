/* Faults of the database that servers share: killed, standing still, out of reach of some. */
#include "jepsen/nemesis.h"

#include "jepsen/datastore.h"

static struct datastore *datastore_of(struct nemesis_fault *f)
{
	return &f->run->cluster.datastore;
}

static int begin_kill(struct nemesis_fault *f, struct err *err)
{
	datastore_kill(datastore_of(f));
	return 0;
}

static int begin_pause(struct nemesis_fault *f, struct err *err)
{
	datastore_pause(datastore_of(f));
	return 0;
}

static int go_on(struct nemesis_fault *f, struct err *err)
{
	struct datastore *d = datastore_of(f);
	datastore_resume(d);
	return d->node.state == NODE_DOWN ? datastore_start(d, err) : 0;
}

static int begin_cut(struct nemesis_fault *f, struct err *err)
{
	struct net *n = &f->run->cluster.net;
	unsigned order[NODES_MAX], hit = nemesis_some(f), database = f->run->cluster.count;
	nemesis_shuffle(f, order);
	for (unsigned i = 0; i < hit; i++) {
		n->nodes[order[i]].deaf_to[database] = true;
		n->nodes[database].deaf_to[order[i]] = true;
		f->nodes |= UINT64_C(1) << order[i];
	}
	return net_apply(n, err);
}

static int heal(struct nemesis_fault *f, struct err *err)
{
	return net_heal(&f->run->cluster.net, err);
}

const struct nemesis nemesis_datastore_kill = {.name = "datastore-kill",
        .what = "SIGKILL for the database that the servers share",
        .kind = NEMESIS_DATASTORE,
        .needs_datastore = true,
        .begin = begin_kill,
        .end = go_on};
const struct nemesis nemesis_datastore_pause = {.name = "datastore-pause",
        .what = "that database stands still",
        .kind = NEMESIS_DATASTORE,
        .needs_datastore = true,
        .begin = begin_pause,
        .end = go_on};
const struct nemesis nemesis_datastore_cut = {.name = "datastore-cut",
        .what = "servers that do not reach it",
        .kind = NEMESIS_RULES,
        .needs_datastore = true,
        .begin = begin_cut,
        .end = heal};
