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

static void on_request(struct http_exchange *x, void *arg)
{
	struct etcd_service *s = arg;
	s->counters.requests++;
	if (!grpc_is_request(x)) {
		if (etcd_gateway_takes(x))
			etcd_gateway_open(s, x);
		else
			etcd_http(s, x);
		return;
	}
	const struct etcd_method *method = etcd_method_find(http_request(x)->path);
	if (!method)
		grpc_refuse(x, GRPC_UNIMPLEMENTED, "this method is not built yet");
	else if (method->open)
		etcd_stream_open(s, x, method, false);
	else
		etcd_call_open(s, x, method);
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
	s->on_system = etcd_cluster_take_addresses;
	list_init(&s->watch_streams);
	list_init(&s->wanting_leader);
	list_init(&s->passwords);
	list_init(&s->snapshots);
	s->counts = etcd_counts_new();
	if (etcd_tokens_new(o->auth_token, o->auth_token_ttl_s, &s->tokens, err) != 0)
		goto fail;
	struct http_server_options http = {.loop = o->loop, .handler = on_request, .arg = s, .tls = o->tls};
	if (http_server_new(&http, &s->http, err) != 0 ||
	        http_server_listen_tcp(s->http, o->address, o->port, err) != 0) {
		if (s->http)
			http_server_close(s->http, 0, NULL, NULL);
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
	return http_server_port(s->http);
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
	http_server_close(s->http, timeout_ms, http_closed, s);
}
