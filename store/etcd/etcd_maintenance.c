/* What one server can say of Maintenance and Cluster, and etcd's HTTP paths. */
#include "store/etcd/etcd_int.h"

#include <inttypes.h>

/* The version clients decide by what they may use: that of the etcd whose behaviour this is. */
static const char etcd_version[] = "3.5.16";

void etcd_status(struct etcd_call *c, struct slice message)
{
	Etcdpb__StatusResponse m = ETCDPB__STATUS_RESPONSE__INIT;
	struct store_stats stats = {0};
	store_stats(c->service->store, &stats);
	m.header = etcd_header(c->service, &c->arena, stats.revision);
	m.version = (char *)etcd_version;
	m.dbsize = stats.size_bytes;
	m.dbsizeinuse = stats.size_in_use_bytes;
	m.leader = c->service->options.member_id;
	m.raftindex = m.raftappliedindex = (uint64_t)stats.revision;
	m.raftterm = 1;
	etcd_reply(c, &m.base);
}

void etcd_alarm(struct etcd_call *c, struct slice message)
{
	Etcdpb__AlarmRequest *r = etcd_unpack(c, &etcdpb__alarm_request__descriptor, message);
	Etcdpb__AlarmResponse m = ETCDPB__ALARM_RESPONSE__INIT;
	if (!r)
		return;
	if (r->action == 1) {
		etcd_reply_err(c, GRPC_UNIMPLEMENTED, "alarms cannot be raised by hand on this server");
		return;
	}
	m.header = etcd_header(c->service, &c->arena, store_revision(c->service->store));
	etcd_reply(c, &m.base); /* a full disk turns writes away by itself and heals by itself: no alarm stays */
}

void etcd_member_list(struct etcd_call *c, struct slice message)
{
	Etcdpb__MemberListResponse m = ETCDPB__MEMBER_LIST_RESPONSE__INIT;
	Etcdpb__Member self = ETCDPB__MEMBER__INIT, *members[] = {&self};
	char *peers[] = {(char *)c->service->options.peer_url}, *clients[] = {(char *)c->service->options.client_url};
	self.id = c->service->options.member_id;
	self.name = (char *)c->service->options.name;
	self.peerurls = peers;
	self.n_peerurls = 1;
	self.clienturls = clients;
	self.n_clienturls = 1;
	m.header = etcd_header(c->service, &c->arena, 0); /* membership has no place in the revisions */
	m.members = members;
	m.n_members = 1;
	etcd_reply(c, &m.base);
}

static void defragment_done(struct etcd_call *c)
{
	Etcdpb__HeaderResponse m = ETCDPB__HEADER_RESPONSE__INIT;
	m.header = etcd_header(c->service, &c->arena, store_revision(c->service->store));
	etcd_reply(c, &m.base);
}

/* The file shrinks by itself after compactions (store/machine.c); what is asked for here is that everything said before
 * has been done. */
void etcd_defragment(struct etcd_call *c, struct slice message)
{
	c->request.type = STORE_REQUEST_BARRIER;
	etcd_submit(c, defragment_done);
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
	if (slice_is(path, "/health"))
		http_respond_arena(x, 200, SLICE("{\"health\":\"true\",\"reason\":\"\"}"));
	else if (slice_is(path, "/livez") || slice_is(path, "/readyz"))
		http_respond_arena(x, 200, SLICE("ok\n"));
	else if (slice_is(path, "/version"))
		http_respond_arena(x, 200, SLICE("{\"etcdserver\":\"3.5.16\",\"etcdcluster\":\"3.5.0\"}"));
	else
		http_respond_arena(x, 404, SLICE("404 page not found\n"));
}
