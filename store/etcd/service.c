/* The etcd service's life, and which way a request goes. See etcd_service.h. */
#include "store/etcd/serve/service.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rt/pool.h"
#include "base/wire/tls.h"
#include "store/etcd/auth/auth.h"
#include "store/etcd/calls/cluster.h"
#include "store/etcd/calls/snapshot.h"
#include "store/etcd/calls/watch.h"
#include "store/etcd/compactor_int.h"
#include "store/etcd/http_int.h"
#include "store/etcd/serve/call.h"
#include "store/etcd/serve/counts.h"
#include "store/etcd/serve/gateway.h"
#include "store/etcd/serve/method.h"
#include "store/etcd/serve/quota.h"
#include "store/etcd/serve/stream.h"
#include "store/etcd/serve/system.h"

#include <stdlib.h>

enum { PROGRESS_MS = 10 * 60 * 1000, TICK_MS = 1000 };

static void on_http(struct etcd_door *d, struct http_exchange *x)
{
	bool is_all = d->serves & ETCD_SERVES_HTTP;
	if (is_all && !d->service->options.without_gateway && etcd_gateway_takes(x))
		etcd_gateway_open(d->service, x);
	else
		etcd_http(d->service, x, is_all, d->serves & (ETCD_SERVES_HTTP | ETCD_SERVES_METRICS));
}

static void on_request(struct http_exchange *x, void *arg)
{
	struct etcd_door *d = arg;
	struct etcd_service *s = d->service;
	s->counters.requests++;
	if (!grpc_is_request(x)) {
		on_http(d, x);
		return;
	}
	const struct etcd_method *method = etcd_method_find(http_request(x)->path);
	if (!(d->serves & ETCD_SERVES_GRPC))
		grpc_refuse(x, GRPC_UNIMPLEMENTED, "no gRPC is served at this URL");
	else if (!method)
		grpc_refuse(x, GRPC_UNIMPLEMENTED, "this method is not built yet");
	else if (method->open)
		etcd_stream_open(s, x, method, false);
	else
		etcd_call_open(s, x, method);
}

/* ---- listening ---- */

static int open_door(struct etcd_service *s, const struct etcd_listen *l, struct err *err)
{
	const struct etcd_service_options *o = &s->options;
	struct etcd_door *d = &s->doors[s->n_doors];
	struct http_server_options http = {.loop = s->loop,
	        .handler = on_request,
	        .arg = d,
	        .tls = l->tls,
	        .reuse_port = o->reuse_port,
	        .streams_max = o->streams_max,
	        .ping_ms = o->ping_ms,
	        .ping_wait_ms = o->ping_wait_ms,
	        .ping_min_ms = o->ping_min_ms};
	*d = (struct etcd_door){.service = s, .serves = l->serves};
	if (http_server_new(&http, &d->http, err) != 0)
		return err->code;
	s->n_doors++;
	return l->unix_path ? http_server_listen_unix(d->http, l->unix_path, 0600, err)
	                    : http_server_listen_tcp(d->http, l->address, l->port, err);
}

static int open_doors(struct etcd_service *s, struct err *err)
{
	const struct etcd_service_options *o = &s->options;
	if (o->n_listens == 0 || o->n_listens > ETCD_LISTENS_MAX)
		return err_set(err, ERR_INVAL, "1 to %d URLs can be listened on", ETCD_LISTENS_MAX);
	for (size_t i = 0; i < o->n_listens; i++)
		if (open_door(s, &o->listens[i], err) != 0)
			return err->code;
	return 0;
}

/* ---- life ---- */

static void tick(uv_timer_t *t)
{
	etcd_streams_tick(t->data);
	etcd_watch_tick(t->data);
	etcd_snapshots_tick(t->data);
	etcd_quota_tick(t->data);
	etcd_system_tick(t->data);
	etcd_cluster_tick(t->data);
}

int etcd_service_new(const struct etcd_service_options *o, struct etcd_service **ret, struct err *err)
{
	struct etcd_service *s = xcalloc(1, sizeof *s);
	s->options = *o;
	s->options.name = arena_strdup(&s->arena, o->name);
	s->options.client_url = arena_strdup(&s->arena, o->client_url);
	s->options.peer_url = arena_strdup(&s->arena, o->peer_url);
	if (!s->options.progress_ms)
		s->options.progress_ms = PROGRESS_MS;
	if (!s->options.request_bytes_max)
		s->options.request_bytes_max = STORE_REQUEST_BYTES_MAX;
	s->loop = o->loop;
	s->store = o->store;
	s->raft = raft_engine_of(o->store);
	CHECK(s->raft != NULL); /* etcd's members, terms and learners are those of a replicated engine */
	s->on_system = etcd_cluster_take_addresses;
	list_init(&s->watch_streams);
	list_init(&s->wanting_leader);
	list_init(&s->passwords);
	list_init(&s->snapshots);
	s->counts = etcd_counts_new();
	if (etcd_tokens_new(o->auth_token, o->auth_token_ttl_s, &s->tokens, err) != 0)
		goto fail;
	if (open_doors(s, err) != 0) {
		for (size_t i = 0; i < s->n_doors; i++)
			http_server_close(s->doors[i].http, 0, NULL, NULL);
		goto fail;
	}
	CHECK(uv_timer_init(loop_uv(s->loop), &s->timer) == 0);
	s->timer.data = s;
	uv_timer_start(&s->timer, tick, TICK_MS, TICK_MS);
	etcd_quota_tick(s);
	etcd_compactor_start(s);
	etcd_system_start(s);
	*ret = s;
	return 0;
fail:
	etcd_tokens_free(s->tokens);
	free(s->counts);
	arena_release(&s->arena);
	free(s);
	return err->code;
}

int etcd_service_port(const struct etcd_service *s)
{
	int port = 0;
	for (size_t i = 0; i < s->n_doors && !port; i++)
		port = http_server_port(s->doors[i].http);
	return port;
}

static void free_now(uv_handle_t *h)
{
	struct etcd_service *s = h->data;
	void (*closed)(void *) = s->closed;
	void *arg = s->closed_arg;
	if (s->pool)
		pool_free(s->pool);
	etcd_snapshots_release(s);
	etcd_tokens_free(s->tokens);
	etcd_system_release(s);
	arena_release(&s->arena);
	free(s->counts);
	free(s);
	if (closed)
		closed(arg);
}

static void wait_for_calls(uv_timer_t *t)
{
	struct etcd_service *s = t->data;
	if (!s->calls && list_empty(&s->watch_streams))
		uv_close((uv_handle_t *)t, free_now);
}

static void http_closed(void *arg)
{
	struct etcd_service *s = arg;
	if (--s->n_doors)
		return;
	uv_timer_start(
	        &s->timer, wait_for_calls, 0, 1); /* store requests of calls that are gone come back in a moment */
}

void etcd_service_close(struct etcd_service *s, unsigned timeout_ms, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(s->loop);
	s->closed = closed;
	s->closed_arg = arg;
	uv_timer_stop(&s->timer);
	etcd_compactor_stop(s);
	for (size_t i = 0, n = s->n_doors; i < n; i++)
		http_server_close(s->doors[i].http, timeout_ms, http_closed, s);
}
