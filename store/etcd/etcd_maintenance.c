/* What one server can say of Maintenance and Cluster, and etcd's HTTP paths. */
#include "store/etcd/etcd_int.h"

#include <inttypes.h>

/* The version clients decide by what they may use: that of the etcd whose behaviour this is. */
static const char etcd_version[] = "3.5.16";

/* Of a replicated store: where it is in the log, and who leads. */
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
	Etcdpb__StatusResponse m = ETCDPB__STATUS_RESPONSE__INIT;
	struct etcd_service *s = c->service;
	struct store_stats stats = {0};
	char *errors[16];
	store_stats(s->store, &stats);
	m.header = etcd_header(s, &c->arena, stats.revision);
	m.version = (char *)etcd_version;
	m.dbsize = stats.size_bytes;
	m.dbsizeinuse = stats.size_in_use_bytes;
	m.leader = s->options.member_id;
	m.raftindex = m.raftappliedindex = (uint64_t)stats.revision;
	m.raftterm = 1;
	m.errors = errors;
	if (s->raft)
		raft_status(s, &m);
	if (!m.leader)
		errors[m.n_errors++] = "etcdserver: no leader";
	m.n_errors += etcd_alarm_texts(s, &c->arena, errors + m.n_errors, 15);
	m.dbsizequota = s->options.quota_bytes > 0 ? s->options.quota_bytes : 0;
	etcd_reply(c, &m.base);
}

static void defragment_done(struct etcd_call *c)
{
	etcd_reply_header(c, store_revision(c->service->store));
}

/* The file shrinks by itself after compactions (store/machine.c); what is asked for here is that everything said before
 * has been done. */
void etcd_defragment(struct etcd_call *c, struct slice message)
{
	c->request.type = STORE_REQUEST_BARRIER;
	etcd_submit(c, defragment_done);
}

/* ---- gRPC's health service: the whole server ("") and nothing below it ---- */

void etcd_health_check(struct etcd_call *c, struct slice message)
{
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
	static const struct etcd_stream_callbacks callbacks = {.on_message = health_message};
	etcd_stream_start(x, 1024, &callbacks, NULL);
}

/* ---- HTTP ---- */

static void metrics(struct etcd_service *s, struct http_exchange *x)
{
	struct strbuf out = STRBUF_INIT;
	struct store_stats stats = {0};
	store_stats(s->store, &stats);
	strbuf_addf(&out, "# TYPE etcd_server_has_leader gauge\netcd_server_has_leader 1\n");
	strbuf_addf(&out, "# TYPE etcd_server_is_leader gauge\netcd_server_is_leader 1\n");
	strbuf_addf(&out,
	        "# TYPE etcd_mvcc_db_total_size_in_bytes gauge\netcd_mvcc_db_total_size_in_bytes %" PRId64 "\n",
	        stats.size_bytes);
	strbuf_addf(&out,
	        "# TYPE etcd_mvcc_db_total_size_in_use_in_bytes gauge\netcd_mvcc_db_total_size_in_use_in_bytes %" PRId64
	        "\n",
	        stats.size_in_use_bytes);
	strbuf_addf(&out, "# TYPE etcd_debugging_mvcc_keys_total gauge\netcd_debugging_mvcc_keys_total %" PRId64 "\n",
	        stats.keys);
	strbuf_addf(&out,
	        "# TYPE etcd_debugging_mvcc_current_revision gauge\netcd_debugging_mvcc_current_revision %" PRId64 "\n",
	        stats.revision);
	strbuf_addf(&out,
	        "# TYPE etcd_debugging_mvcc_compact_revision gauge\netcd_debugging_mvcc_compact_revision %" PRId64 "\n",
	        stats.compacted_revision);
	strbuf_addf(&out,
	        "# TYPE etcd_debugging_mvcc_watch_stream_total gauge\netcd_debugging_mvcc_watch_stream_total %" PRIu64
	        "\n",
	        s->counters.watch_streams);
	strbuf_addf(&out,
	        "# TYPE etcd_debugging_mvcc_watcher_total gauge\netcd_debugging_mvcc_watcher_total %" PRIu64 "\n",
	        s->counters.watches);
	strbuf_addf(&out, "# TYPE etcd_server_quota_backend_bytes gauge\netcd_server_quota_backend_bytes %" PRId64 "\n",
	        s->options.quota_bytes);
	http_set_content_type(x, "text/plain; version=0.0.4");
	http_respond_strbuf(x, 200, &out);
}

void etcd_http(struct etcd_service *s, struct http_exchange *x)
{
	struct slice path = http_request(x)->path;
	if (slice_is(path, "/metrics")) {
		metrics(s, x);
		return;
	}
	http_set_content_type(x, "application/json");
	if (slice_is(path, "/health") && s->alarms)
		http_respond_arena(x, 503,
		        etcd_has_alarm(s, ETCD_ALARM_NOSPACE)
		                ? SLICE("{\"health\":\"false\",\"reason\":\"ALARM NOSPACE\"}")
		                : SLICE("{\"health\":\"false\",\"reason\":\"ALARM CORRUPT\"}"));
	else if (slice_is(path, "/health"))
		http_respond_arena(x, 200, SLICE("{\"health\":\"true\",\"reason\":\"\"}"));
	else if (slice_is(path, "/livez") || slice_is(path, "/readyz"))
		http_respond_arena(x, 200, SLICE("ok\n"));
	else if (slice_is(path, "/version"))
		http_respond_arena(x, 200, SLICE("{\"etcdserver\":\"3.5.16\",\"etcdcluster\":\"3.5.0\"}"));
	else
		http_respond_arena(x, 404, SLICE("404 page not found\n"));
}
