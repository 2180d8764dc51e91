/* What a server says of itself: Maintenance's status, and gRPC's health service. */
#include "store/etcd/calls/maintenance.h"

#include "store/etcd/serve/alarm.h"
#include "store/etcd/serve/answer.h"
#include "store/etcd/serve/call.h"
#include "store/etcd/serve/quota.h"
#include "store/etcd/serve/service.h"
#include "store/etcd/serve/stream.h"

#include <inttypes.h>

/* The version clients decide by what they may use: that of the etcd whose behaviour this is. */
static const char etcd_version[] = "3.5.16";

/* Of a replicated store: where it is in the log, and who leads. */
static size_t alarm_texts(struct etcd_service *s, struct arena *a, char **texts, size_t max)
{
	size_t n = 0;
	for (size_t i = 0; i < s->system.n_alarms && n < max; i++)
		texts[n++] = arena_printf(a, "memberID:%" PRIu64 " alarm:%s ", s->system.alarms[i].member_id,
		        etcd_alarm_names[s->system.alarms[i].alarm]);
	return n;
}

static void raft_status(struct etcd_service *s, Etcdpb__StatusResponse *m)
{
	struct raft_node_status r;
	struct raft_engine_counters n;
	raft_engine_status(s->raft, &r);
	raft_engine_counters(s->raft, &n);
	m->leader = r.leader;
	m->raftterm = r.term;
	m->raftindex = r.commit_index;
	m->raftappliedindex = (uint64_t)n.applied_index;
	m->islearner = true;
	for (size_t i = 0; i < r.n_members; i++)
		if (r.members[i].id == r.id)
			m->islearner = r.members[i].role != RAFT_HOST_VOTER;
}

void etcd_status(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__StatusResponse m = ETCDPB__STATUS_RESPONSE__INIT;
	struct etcd_service *s = c->service;
	struct store_stats stats = {0};
	char *errors[16];
	store_stats(s->store, &stats);
	m.header = etcd_header(s, &c->arena, stats.revision);
	m.version = (char *)etcd_version;
	m.dbsize = stats.size_bytes;
	m.dbsizeinuse = stats.size_in_use_bytes;
	m.errors = errors;
	raft_status(s, &m);
	if (!m.leader)
		errors[m.n_errors++] = "etcdserver: no leader";
	if (etcd_is_disk_full(s))
		errors[m.n_errors++] = arena_printf(&c->arena,
		        "memberID:%" PRIu64 " alarm:NOSPACE (its disk is full: make room)", s->options.member_id);
	m.n_errors += alarm_texts(s, &c->arena, errors + m.n_errors, 14);
	m.dbsizequota = s->options.quota_bytes > 0 ? s->options.quota_bytes : 0;
	etcd_reply(c, &m.base);
}

static void defragment_done(struct etcd_call *c)
{
	if (c->request.err.code)
		etcd_reply_store_err(c, &c->request);
	else
		etcd_reply_header(c, store_revision(c->service->store));
}

/* The file shrinks by itself when much of it is free (store/machine/machine.c); this gives all of it back. */
void etcd_defragment(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	c->request.type = STORE_REQUEST_DEFRAGMENT;
	etcd_submit(c, defragment_done);
}

/* ---- gRPC's health service: the whole server ("") and nothing below it ---- */

void etcd_health_check(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__HealthCheckRequest *r = etcd_unpack(c, &etcdpb__health_check_request__descriptor, message);
	Etcdpb__HealthCheckResponse m = ETCDPB__HEALTH_CHECK_RESPONSE__INIT;
	if (!r)
		return;
	if (r->service[0]) {
		etcd_reply_err(c, GRPC_NOT_FOUND, "unknown service");
		return;
	}
	m.status = 1; /* SERVING */
	etcd_reply(c, &m.base);
}

static void health_message(struct etcd_stream *x, struct slice message, void *arg)
{
	Etcdpb__HealthCheckResponse m = ETCDPB__HEALTH_CHECK_RESPONSE__INIT;
	m.status = message.len ? 3 : 1; /* any bytes are the name of a service: unknown */
	etcd_stream_send(x, &m.base);
}

/* The client listens on; the stream ends with it or with the server. */
void etcd_health_watch_open(struct etcd_stream *x)
{
	LOOP_CHECK_OWNER(etcd_stream_service(x)->loop);
	static const struct etcd_stream_callbacks callbacks = {.on_message = health_message};
	etcd_stream_start(x, 1024, &callbacks, NULL);
}
