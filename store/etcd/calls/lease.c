/* Lease: grant, revoke, time to live, list, and the keep-alive stream. */
#include "store/etcd/calls/lease.h"

#include "base/check.h"
#include "store/etcd/auth/admit.h"
#include "store/etcd/serve/answer.h"
#include "store/etcd/serve/call.h"
#include "store/etcd/serve/quota.h"
#include "store/etcd/serve/service.h"
#include "store/etcd/serve/stream.h"
#include "store/proto/unpack.h"

#include <stdlib.h>

/* Shorter ones are raised to it: etcd's, one and a half times its default election timeout in whole seconds. */
enum { TTL_S_MIN = 2 };

static bool failed(struct etcd_call *c)
{
	if (!c->request.err.code)
		return false;
	etcd_reply_store_err(c, &c->request);
	return true;
}

static void grant_done(struct etcd_call *c)
{
	Etcdpb__LeaseGrantResponse m = ETCDPB__LEASE_GRANT_RESPONSE__INIT;
	if (failed(c))
		return;
	m.header = etcd_header(c->service, &c->arena, c->request.revision);
	m.id = c->request.lease.id;
	m.ttl = c->request.lease.ttl_s;
	etcd_reply(c, &m.base);
}

void etcd_lease_grant(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__LeaseGrantRequest *r = etcd_unpack(c, &etcdpb__lease_grant_request__descriptor, message);
	if (!r)
		return;
	c->request.type = STORE_REQUEST_LEASE_GRANT;
	c->request.lease.id = r->id;
	c->request.lease.ttl_s = r->ttl < TTL_S_MIN ? TTL_S_MIN : r->ttl;
	if (!etcd_lease_refused(c))
		etcd_submit(c, grant_done);
}

static void revoke_done(struct etcd_call *c)
{
	if (!failed(c))
		etcd_reply_header(c, c->request.revision);
}

void etcd_lease_revoke(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__LeaseRevokeRequest *r = etcd_unpack(c, &etcdpb__lease_revoke_request__descriptor, message);
	if (!r)
		return;
	c->request.type = STORE_REQUEST_LEASE_REVOKE;
	c->request.lease.id = r->id;
	etcd_submit(c, revoke_done);
}

static void ttl_done(struct etcd_call *c)
{
	Etcdpb__LeaseTimeToLiveResponse m = ETCDPB__LEASE_TIME_TO_LIVE_RESPONSE__INIT;
	struct store_lease_args *l = &c->request.lease;
	bool gone = c->request.cause == STORE_CAUSE_LEASE_NOT_FOUND; /* an answer, not an error: TTL -1 */
	if (!gone && failed(c))
		return;
	enum etcd_auth_error error =
	        l->want_keys ? etcd_admit_reading(c->service->system.auth, &c->who, l->keys, gone ? 0 : l->n_keys)
	                     : ETCD_AUTH_OK;
	if (error) {
		etcd_reply_auth_err(c, error);
		return;
	}
	m.header = etcd_header(c->service, &c->arena, store_revision(c->service->store));
	m.id = l->id;
	m.ttl = gone ? -1 : l->ttl_s;
	m.grantedttl = gone ? 0 : l->granted_ttl_s;
	m.keys = ARENA_ARRAY(&c->arena, ProtobufCBinaryData, l->n_keys + 1);
	m.n_keys = gone ? 0 : l->n_keys;
	for (size_t i = 0; i < m.n_keys; i++)
		m.keys[i] = etcd_bytes(l->keys[i]);
	etcd_reply(c, &m.base);
}

void etcd_lease_ttl(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__LeaseTimeToLiveRequest *r = etcd_unpack(c, &etcdpb__lease_time_to_live_request__descriptor, message);
	if (!r)
		return;
	c->request.type = STORE_REQUEST_LEASE_TTL;
	c->request.lease.id = r->id;
	c->request.lease.want_keys = r->keys;
	etcd_submit(c, ttl_done);
}

static void list_done(struct etcd_call *c)
{
	Etcdpb__LeaseLeasesResponse m = ETCDPB__LEASE_LEASES_RESPONSE__INIT;
	if (failed(c))
		return;
	m.header = etcd_header(c->service, &c->arena, store_revision(c->service->store));
	m.n_leases = c->request.lease.n_ids;
	m.leases = ARENA_ARRAY(&c->arena, Etcdpb__LeaseStatus *, m.n_leases + 1);
	for (size_t i = 0; i < m.n_leases; i++) {
		m.leases[i] = arena_alloc(&c->arena, sizeof **m.leases);
		etcdpb__lease_status__init(m.leases[i]);
		m.leases[i]->id = c->request.lease.ids[i];
	}
	etcd_reply(c, &m.base);
}

void etcd_lease_list(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	c->request.type = STORE_REQUEST_LEASE_LIST;
	etcd_submit(c, list_done);
}

/* ---- keep-alive: each message renews one lease and gets one answer, in order ----
 *
 * The store's readers may finish them in another order: an answer waits for those before it. A TTL of 0 says that the
 * lease is gone, and clients give it up for that: it is said of no lease that merely could not be asked for. Such an
 * error ends the stream, and clients open another. */

struct keepalive_stream {
	struct etcd_service *service;
	struct etcd_stream *stream;  /* NULL: gone */
	struct list_link unanswered; /* of struct keepalive */
	unsigned outstanding;
	bool ended;
};

struct keepalive {
	struct list_link link;
	struct keepalive_stream *of;
	struct store_request request;
	bool is_done;
};

enum { KEEPALIVES_OUTSTANDING_MAX = 64 };

static void keepalive_release(struct keepalive_stream *k)
{
	LOOP_CHECK_OWNER(k->service->loop);
	if (k->outstanding || (k->stream && !k->ended))
		return;
	if (k->stream)
		etcd_stream_finish(k->stream, GRPC_OK, NULL);
	k->service->calls--;
	free(k);
}

static void keepalive_answer(struct keepalive_stream *k, struct store_request *req)
{
	LOOP_CHECK_OWNER(k->service->loop);
	if (req->err.code && req->err.code != ERR_NOT_FOUND) {
		int status;
		const char *text = etcd_error_text(req, &status);
		etcd_stream_finish(TAKE(k->stream), status, text);
		return;
	}
	Etcdpb__LeaseKeepAliveResponse m = ETCDPB__LEASE_KEEP_ALIVE_RESPONSE__INIT;
	m.header = etcd_header(k->service, &req->arena, store_revision(k->service->store));
	m.id = req->lease.id;
	m.ttl = req->err.code ? 0 : req->lease.ttl_s; /* 0: the lease is gone */
	etcd_stream_send(k->stream, &m.base);
	etcd_stream_resume(k->stream);
}

static void keepalive_done(struct store_request *req)
{
	struct keepalive *r = CONTAINER_OF(req, struct keepalive, request);
	struct keepalive_stream *k = r->of;
	r->is_done = true;
	LIST_FOREACH (it, &k->unanswered) {
		r = CONTAINER_OF(it, struct keepalive, link);
		if (!r->is_done)
			break;
		list_del(&r->link);
		k->outstanding--;
		if (k->stream)
			keepalive_answer(k, &r->request);
		store_request_release(&r->request);
		free(r);
	}
	keepalive_release(k);
}

static void keepalive_message(struct etcd_stream *x, struct slice message, void *arg)
{
	struct keepalive_stream *k = arg;
	struct arena a = ARENA_INIT;
	Etcdpb__LeaseKeepAliveRequest *m =
	        etcd_message_unpack(&a, &etcdpb__lease_keep_alive_request__descriptor, message);
	if (m) {
		struct keepalive *r = xcalloc(1, sizeof *r);
		r->of = k;
		r->request = (struct store_request){.type = STORE_REQUEST_LEASE_KEEPALIVE,
		        .lease.id = m->id,
		        .loop = k->service->loop,
		        .done = keepalive_done};
		list_push_back(&k->unanswered, &r->link);
		if (++k->outstanding >= KEEPALIVES_OUTSTANDING_MAX)
			etcd_stream_pause(x);
		store_submit(k->service->store, &r->request);
	}
	arena_release(&a);
}

static void keepalive_end(struct etcd_stream *x, void *arg)
{
	struct keepalive_stream *k = arg;
	k->ended = true;
	keepalive_release(k);
}

static void keepalive_abort(struct etcd_stream *x, void *arg)
{
	struct keepalive_stream *k = arg;
	k->stream = NULL;
	keepalive_release(k);
}

void etcd_lease_keepalive_open(struct etcd_stream *x)
{
	LOOP_CHECK_OWNER(etcd_stream_service(x)->loop);
	static const struct etcd_stream_callbacks callbacks = {
	        .on_message = keepalive_message, .on_end = keepalive_end, .on_abort = keepalive_abort};
	struct keepalive_stream *k = xcalloc(1, sizeof *k);
	k->service = etcd_stream_service(x);
	k->service->calls++;
	k->stream = x;
	list_init(&k->unanswered);
	etcd_stream_start(x, 1024, &callbacks, k);
}
