/* What operators do while clients work: members come and go, leadership moves, history is compacted. */
#include "jepsen/nemesis.h"

enum { SNAPSHOT_MS_MAX = 1000 };

static uint64_t bit(unsigned node)
{
	return UINT64_C(1) << node;
}

/* A member is removed with its data, and comes back as a new one when the fault ends. */
static int begin_churn(struct nemesis_fault *f, struct err *err)
{
	struct cluster *c = &f->run->cluster;
	for (unsigned i = 0; i < c->count; i++)
		if (c->nodes[i].state != NODE_UP)
			return err_set(err, ERR_UNAVAILABLE, "%s is down", c->nodes[i].name);
	struct node *n = nemesis_victim(f, err);
	if (!n)
		return err->code;
	f->nodes = bit(n->index);
	return cluster_remove_node(c, n, err);
}

static void tick_churn(struct nemesis_fault *f)
{
	struct err err = ERR_INIT;
	for (unsigned i = 0; i < f->run->cluster.count; i++)
		if ((f->nodes & bit(i)) && !f->run->cluster.nodes[i].is_member && ++f->step % 10 == 0)
			cluster_add_node(&f->run->cluster, &f->run->cluster.nodes[i], &err);
}

enum { ADD_TRIES = 20 };

static int end_churn(struct nemesis_fault *f, struct err *err)
{
	struct cluster *c = &f->run->cluster;
	for (unsigned i = 0; i < c->count; i++)
		for (unsigned t = 0; t < ADD_TRIES && (f->nodes & bit(i)) && !c->nodes[i].is_member; t++)
			cluster_add_node(c, &c->nodes[i], err);
	return 0;
}

static int begin_transfer(struct nemesis_fault *f, struct err *err)
{
	struct cluster *c = &f->run->cluster;
	Etcdpb__AlarmRequest nothing = ETCDPB__ALARM_REQUEST__INIT;
	Etcdpb__MoveLeaderRequest r = ETCDPB__MOVE_LEADER_REQUEST__INIT;
	int from = cluster_leader(c);
	unsigned to = nemesis_any_node(f);
	if (from < 0)
		return err_set(err, ERR_NOT_FOUND, "nobody leads");
	if (to == (unsigned)from)
		to = (to + 1) % c->count;
	struct client_answer got =
	        client_call(c->admin[to], "Maintenance/Status", &nothing.base, &etcdpb__status_response__descriptor);
	if (!got.message)
		return err_set(err, ERR_UNAVAILABLE, "%s does not say who it is", c->nodes[to].name);
	r.targetid = ((Etcdpb__StatusResponse *)got.message)->header->member_id;
	got = client_call(c->admin[from], "Maintenance/MoveLeader", &r.base, &etcdpb__header_response__descriptor);
	f->nodes = bit((unsigned)from) | bit(to);
	nemesis_tell(f, "%s to %s%s", c->nodes[from].name, c->nodes[to].name, got.message ? "" : ": refused");
	return 0;
}

/* History up to now or to somewhat before is given up. */
static int begin_compaction(struct nemesis_fault *f, struct err *err)
{
	struct cluster *c = &f->run->cluster;
	Etcdpb__RangeRequest ask = ETCDPB__RANGE_REQUEST__INIT;
	Etcdpb__CompactionRequest r = ETCDPB__COMPACTION_REQUEST__INIT;
	ask.key = client_bytes("jepsen");
	const Etcdpb__RangeResponse *now =
	        cluster_ask(c, "KV/Range", &ask.base, &etcdpb__range_response__descriptor, err);
	if (!now)
		return err->code;
	r.revision = now->header->revision - (rng_chance(f->rng, 50) ? 0 : (int64_t)rng_below(f->rng, 500));
	r.physical = rng_chance(f->rng, 50);
	if (r.revision < 1)
		return err_set(err, ERR_INVAL, "there is no history yet");
	if (!cluster_ask(c, "KV/Compact", &r.base, &etcdpb__header_response__descriptor, err))
		return err->code;
	nemesis_tell(f, "revision %lld%s", (long long)r.revision, r.physical ? ", physical" : "");
	return 0;
}

/* A backup is taken: all of it is read, or as much as comes in time. */
static int begin_snapshot(struct nemesis_fault *f, struct err *err)
{
	struct cluster *c = &f->run->cluster;
	unsigned who = nemesis_any_node(f);
	Etcdpb__EmptyRequest nothing = ETCDPB__EMPTY_REQUEST__INIT;
	struct arena a = ARENA_INIT;
	const Etcdpb__SnapshotResponse *part;
	uint64_t bytes = 0;
	bool ended = false;
	if (c->nodes[who].state != NODE_UP)
		return err_set(err, ERR_UNAVAILABLE, "%s is down", c->nodes[who].name);
	struct client_stream *s = client_stream_open(c->admin[who], "Maintenance/Snapshot", &nothing.base);
	while ((part = client_stream_next(s, &etcdpb__snapshot_response__descriptor, SNAPSHOT_MS_MAX, &a, &ended))) {
		bytes += part->blob.len;
		arena_reset(&a);
	}
	if (ended && !bytes)
		*err = *client_stream_error(s);
	client_stream_close(s);
	arena_release(&a);
	if (err->code)
		return err->code;
	f->nodes = bit(who);
	nemesis_tell(f, "%llu bytes%s", (unsigned long long)bytes, ended ? "" : ", not finished");
	return 0;
}

static int begin_defragment(struct nemesis_fault *f, struct err *err)
{
	struct cluster *c = &f->run->cluster;
	unsigned who = nemesis_any_node(f);
	Etcdpb__EmptyRequest nothing = ETCDPB__EMPTY_REQUEST__INIT;
	f->nodes = bit(who);
	struct client_answer got = client_call(
	        c->admin[who], "Maintenance/Defragment", &nothing.base, &etcdpb__header_response__descriptor);
	if (!got.message)
		nemesis_tell(f, "%.100s", got.err.msg);
	return 0;
}

const struct nemesis nemesis_snapshot = {.name = "snapshot",
        .what = "a backup is taken",
        .kind = NEMESIS_ADMIN,
        .needs_etcd = true,
        .is_moment = true,
        .begin = begin_snapshot};
const struct nemesis nemesis_defragment = {.name = "defragment",
        .what = "a server is defragmented",
        .kind = NEMESIS_ADMIN,
        .needs_etcd = true,
        .is_moment = true,
        .begin = begin_defragment};
const struct nemesis nemesis_member_churn = {.name = "member-churn",
        .what = "members are removed and added again",
        .kind = NEMESIS_ADMIN,
        .needs_etcd = true,
        .nodes_min = 3,
        .needs_members = true,
        .begin = begin_churn,
        .tick = tick_churn,
        .end = end_churn};
const struct nemesis nemesis_leader_transfer = {.name = "leader-transfer",
        .what = "leadership moves",
        .kind = NEMESIS_ADMIN,
        .needs_etcd = true,
        .nodes_min = 2,
        .is_moment = true,
        .begin = begin_transfer};
const struct nemesis nemesis_compaction = {.name = "compaction",
        .what = "history is compacted",
        .kind = NEMESIS_ADMIN,
        .needs_etcd = true,
        .is_moment = true,
        .begin = begin_compaction};
