/* The API server's life, and the HTTP transport of calls. See server.h.
 *
 *     new -> loading (cache, then custom resources) -> bootstrapping (first objects) -> ready -> closing -> closed
 *
 * The listener is open from the start, so that a client that comes early waits instead of being refused: until the
 * cache is loaded calls are answered 503 with the health paths excepted. */
#include "api/server/server.h"

#include "api/server/admission/admission.h"
#include "api/server/admission/policies/policy.h"
#include "api/server/admission/webhooks/webhooks.h"
#include "api/server/admission/plugins/service_addresses.h"
#include "api/server/aggregate/aggregate.h"
#include "api/server/answer.h"
#include "api/server/arguments.h"
#include "api/server/audit/audit.h"
#include "api/server/auth/identity/authn.h"
#include "api/server/auth/rights/authorize.h"
#include "api/server/auth/identity/impersonation.h"
#include "api/server/auth/rights/node_graph.h"
#include "api/server/auth/rights/rbac_index.h"
#include "api/server/dispatch.h"
#include "api/server/duties/duties.h"
#include "api/server/extend/definitions.h"
#include "api/server/fairness/fairness.h"
#include "api/server/join/join.h"
#include "base/wire/outgoing.h"
#include "api/server/passing/sessions.h"
#include "api/server/sealing/sealer.h"
#include "api/server/state.h"
#include "api/server/tunnel/tunnel.h"
#include "api/server/verbs/verbs.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/wire/tls.h"

#include <malloc.h>
#include <stdlib.h>

/* ---- the HTTP transport ---- */

/* Answers beyond this are compressed for who takes it, as upstream has it. */
enum { GZIP_FROM_BYTES = 128 * 1024 };

static void set_headers(struct call *c, struct http_exchange *x, int status, const char *content_type)
{
	http_set_content_type(x, content_type);
	http_set_header(x, "cache-control", SLICE("no-cache, private"));
	if (c->audit)
		http_set_header(x, "audit-id", audit_id(c));
	if (c->flow && fairness_schema_uid(c).len) {
		http_set_header(x, "x-kubernetes-pf-flowschema-uid", fairness_schema_uid(c));
		http_set_header(x, "x-kubernetes-pf-prioritylevel-uid", fairness_level_uid(c));
	}
	for (size_t i = 0; i < c->n_warnings; i++) {
		struct strbuf v = STRBUF_INIT;
		strbuf_adds(&v, "299 - ");
		json_write_str(&v, slice_of(c->warnings[i]));
		http_set_header(x, "warning", strbuf_slice(&v));
		strbuf_release(&v);
	}
	if (status == 401)
		http_set_header(x, "www-authenticate", SLICE("Bearer"));
	if (status == 429 && !c->not_again)
		http_set_header(x, "retry-after", SLICE("1"));
}

static void unref_call(void *arg)
{
	call_unref(arg);
}

static bool is_long(const struct http_buf *bufs, size_t count)
{
	size_t bytes = 0;
	for (size_t i = 0; i < count && bytes <= GZIP_FROM_BYTES; i++)
		bytes += bufs[i].data.len;
	return bytes > GZIP_FROM_BYTES;
}

static void http_transport_respond(
        struct call *c, int status, const char *content_type, struct http_buf *bufs, size_t count)
{
	struct http_exchange *x = c->exchange;
	if (is_long(bufs, count) && http_accepts_gzip(http_header(x, "accept-encoding")))
		http_compress(x);
	set_headers(c, x, status, content_type);
	c->exchange = NULL;
	arena_on_release(http_arena(x), unref_call, c); /* bufs lie in the call's arena until all is sent */
	http_respond_bufs(x, status, bufs, count);
}

static void http_transport_begin(struct call *c, int status, const char *content_type)
{
	set_headers(c, c->exchange, status, content_type);
	http_respond_begin(c->exchange, status, -1);
}

static bool http_transport_write(struct call *c, struct http_buf piece)
{
	return http_write_buf(c->exchange, piece);
}

static void http_transport_end(struct call *c)
{
	struct http_exchange *x = c->exchange;
	c->exchange = NULL;
	http_respond_end(x);
	call_unref(c);
}

static void on_abort(struct http_exchange *x, void *arg)
{
	struct call *c = arg;
	c->exchange = NULL;
	call_set_gone(c);
}

static void on_writable(struct http_exchange *x, void *arg)
{
	struct call *c = arg;
	if (c->on_writable)
		c->on_writable(c);
}

/* Copies from the exchange what must outlive it. */
static struct slice keep(struct call *c, struct slice s)
{
	return s.len ? (struct slice){arena_memdup(&c->arena, s.ptr, s.len), s.len} : SLICE_NULL;
}

static bool is_public(struct slice path)
{
	return slice_is(path, "/healthz") || slice_is(path, "/livez") || slice_is(path, "/readyz") ||
	       slice_is(path, "/version") || slice_is(path, "/version/") || slice_is(path, "/cacerts") ||
	       slice_is(path, "/ping");
}

/* What is to be said of the token that was shown, whatever becomes of the request. */
static void take_notes(struct call *c, const struct token_question *q)
{
	c->notes = q->notes;
	c->n_notes = q->n_notes;
	if (q->warning)
		call_warn(c, q->warning);
	c->n_kept_warnings = c->n_warnings;
}

/* Somebody may ask, or those who prove nothing may ask what is public; then it goes its way. */
static void admitted(struct call *c, struct token_question *q, bool is_silent, struct err *err)
{
	struct http_exchange *x = c->exchange;
	c->user = q->user;
	take_notes(c, q);
	if (!err->code)
		http_trust(x);
	bool may_be_silent = is_public(c->path) || (c->server->is_ready && authn_allows_anonymous(c->server, c->path));
	if (err->code == ERR_UNAUTHENTICATED && is_silent && may_be_silent) {
		*err = ERR_INIT;
		c->user = user_anonymous();
	} else if (!err->code) {
		impersonation_read(c, http_request(x), &c->impersonation, err);
	}
	if (!err->code)
		api_dispatch(c);
	else
		api_refuse(c, err);
}

static void authenticated(struct token_question *q, const struct err *err)
{
	struct call *c = q->arg;
	struct err now = *err;
	if (c->gone)
		user_unref(q->user);
	else
		admitted(c, q, false, &now);
	call_unref(c);
}

static void admit(struct call *c)
{
	struct api_server *s = c->server;
	struct err err = ERR_INIT;
	bool is_silent = true;
	struct token_question *q = ARENA_NEW(&c->arena, struct token_question);
	LOOP_CHECK_OWNER(s->loop);
	if (!s->is_ready && !is_public(c->path)) {
		err_set(&err, ERR_UNAVAILABLE, "the server is starting: try again in a moment");
		api_refuse(c, &err);
		return;
	}
	q->arena = &c->arena;
	q->done = authenticated;
	q->arg = c;
	int rc = s->is_ready ? authn_request(s, c->exchange, q, &is_silent, &err)
	                     : err_set(&err, ERR_UNAUTHENTICATED, "Unauthorized");
	if (rc == AUTHN_LATER)
		call_ref(c);
	else
		admitted(c, q, is_silent, &err);
}

static void on_body(struct http_exchange *x, struct slice body, void *arg)
{
	struct call *c = arg;
	c->body = body;
	c->with_body(c);
}

static void on_body_refused(struct http_exchange *x, int status, const char *why, void *arg)
{
	struct err err = ERR_INIT;
	err_set(&err, status == 413 ? ERR_TOO_BIG : ERR_BUSY, "%s: at most %u bytes", why, API_BODY_BYTES_MAX);
	call_respond_err(arg, &err);
}

static void http_transport_read_body(struct call *c, void (*then)(struct call *c))
{
	CHECK(c->exchange && then);
	c->with_body = then;
	http_on_body_refused(c->exchange, on_body_refused, c);
	http_body_collect(c->exchange, API_BODY_BYTES_MAX, on_body, c);
}

static const struct call_transport http_transport = {http_transport_read_body, http_transport_respond,
        http_transport_begin, http_transport_write, http_transport_end, NULL};

static void on_request(struct http_exchange *x, void *arg)
{
	const struct http_request *r = http_request(x);
	struct call *c = call_new(arg, &http_transport, NULL);
	c->exchange = x;
	c->method = keep(c, r->method);
	c->path = keep(c, r->path);
	c->query = keep(c, r->query);
	c->accept = keep(c, http_header(x, "accept"));
	c->content_type = keep(c, http_header(x, "content-type"));
	c->user_agent = keep(c, http_header(x, "user-agent"));
	c->wants_managed = true;
	http_on_abort(x, on_abort, c);
	http_on_writable(x, on_writable, c);
	admit(c);
}

/* ---- start ---- */

enum { TRIM_TICKS = 60, SEALER_TICKS = 5, INFLIGHT_MAX = 1000000 };

/* After so long it is no election any more. */
enum { LEADERLESS_S = 3 };

static void look_for_leader(struct api_server *s)
{
	bool has_leader = store_has_leader(s->store);
	if (has_leader && s->leaderless >= LEADERLESS_S)
		log_info("server", "there is a leader again: writes are taken", "seconds=%u", s->leaderless);
	s->leaderless = has_leader ? 0 : s->leaderless + 1;
	if (s->leaderless == LEADERLESS_S)
		log_warn("server", "no server leads: nothing is written, and what is read may be old", "mend=\"%s\"",
		        store_is_external(s->store) ? "the datastore must be reached, and one of the servers on it run"
		                                    : "a majority of the servers must run and reach each other's peer "
		                                      "port; when they are gone for "
		                                      "good, see --cluster-reset");
}

static int reload_sealer(struct api_server *s, struct err *err)
{
	bool changed = false;
	if (sealer_reload(s->sealer, &changed, err) != 0)
		return err->code;
	if (changed) {
		log_info("server", "the encryption configuration has changed", "sha256=%s", sealer_hash(s->sealer));
		cache_sealer_changed(s->cache);
	}
	return 0;
}

/* A file that does not read is told once, and looked at again when it has changed once more. */
static void look_at_sealer(struct api_server *s)
{
	struct err err = ERR_INIT;
	if (sealer_has_recovered(s->sealer))
		cache_sealer_changed(s->cache);
	if (!s->options.arguments->encryption_reloads || s->ticks % SEALER_TICKS || !sealer_file_changed(s->sealer))
		return;
	if (reload_sealer(s, &err) != 0)
		log_error("server", "the encryption configuration stays as it was", "error=\"%s\"", err.msg);
}

/* Every second. What a burst of connections or writes has freed would otherwise stay with malloc for good; giving it
 * back takes a millisecond or two. */
static void tick(uv_timer_t *t)
{
	struct api_server *s = t->data;
	watches_tick(s);
	look_for_leader(s);
	definitions_tick(s->definitions);
	aggregator_tick(s->aggregator);
	look_at_sealer(s);
	authorizers_look(s);
	authenticator_look(s);
	fairness_tick(s->fairness);
	if (++s->ticks % TRIM_TICKS == 0) {
		arena_drop_kept();
		malloc_trim(0);
	}
}

static void report_ready(struct api_server *s, const struct err *err)
{
	if (s->ready)
		s->ready(s->ready_arg, err);
}

static void duties_ready(void *arg, const struct err *err)
{
	struct api_server *s = arg;
	if (!err->code)
		s->is_ready = true;
	report_ready(s, err);
}

static void kinds_ready(struct api_server *s)
{
	aggregator_start(s->aggregator);
	duties_start(s->duties, duties_ready, s);
}

static void cache_loaded(void *arg, const struct err *err)
{
	struct api_server *s = arg;
	if (err->code)
		report_ready(s, err);
	else
		definitions_start(s->definitions, kinds_ready);
}

static const char *keep_text(struct api_server *s, const char *text)
{
	return text ? arena_strdup(&s->arena, text) : NULL;
}

static void copy_options(struct api_server *s, const struct api_server_options *o)
{
	static const struct api_arguments nothing_said = API_ARGUMENTS_INIT;
	s->options = *o;
	if (!o->arguments)
		s->options.arguments = &nothing_said;
	s->options.bind_address = keep_text(s, o->bind_address);
	s->options.cert_file = keep_text(s, o->cert_file);
	s->options.key_file = keep_text(s, o->key_file);
	s->options.client_ca_file = keep_text(s, o->client_ca_file);
	s->options.service_account_key_file = keep_text(s, o->service_account_key_file);
	s->options.service_account_issuer = keep_text(s, o->service_account_issuer);
	s->options.server_ca_file = keep_text(s, o->server_ca_file);
	s->options.service_cidr = keep_text(s, o->service_cidr);
	s->options.advertise_address = keep_text(s, o->advertise_address);
	s->options.kubelet_ca_file = keep_text(s, o->kubelet_ca_file);
	s->options.kubelet_cert_file = keep_text(s, o->kubelet_cert_file);
	s->options.kubelet_key_file = keep_text(s, o->kubelet_key_file);
	s->options.proxy_ca_file = keep_text(s, o->proxy_ca_file);
	s->options.proxy_cert_file = keep_text(s, o->proxy_cert_file);
	s->options.proxy_key_file = keep_text(s, o->proxy_key_file);
	s->options.tls_min_version = keep_text(s, o->tls_min_version);
	s->options.encryption_config_file = keep_text(s, o->encryption_config_file);
	s->options.token_file = keep_text(s, o->token_file);
	s->options.agent_token_file = keep_text(s, o->agent_token_file);
	s->options.tls_cipher_suites = keep_text(s, o->tls_cipher_suites);
}

static unsigned seats_of(const struct api_server *s)
{
	const struct api_arguments *a = s->options.arguments;
	return (unsigned)(a->inflight_max + a->mutating_inflight_max);
}

static int check_seats(const struct api_server *s, struct err *err)
{
	const struct api_arguments *a = s->options.arguments;
	if (a->inflight_max >= 0 && a->mutating_inflight_max >= 0 && a->inflight_max <= INFLIGHT_MAX &&
	        a->mutating_inflight_max <= INFLIGHT_MAX && a->inflight_max + a->mutating_inflight_max > 0)
		return 0;
	return err_set(err, ERR_INVAL,
	        "max-requests-inflight and max-mutating-requests-inflight: from 0 to %d, and not both 0", INFLIGHT_MAX);
}

static int open_sealer(struct api_server *s, struct err *err)
{
	const char *given = s->options.arguments->encryption_config;
	return sealer_new(given ? given : s->options.encryption_config_file, !given, &s->sealer, err);
}

static int open_tls(struct api_server *s, struct err *err)
{
	struct tls_options serve = {.is_server = true,
	        .certificate_file = s->options.cert_file,
	        .key_file = s->options.key_file,
	        .ca_file = s->options.client_ca_file,
	        .proxy_ca_file = s->options.arguments->front_proxy.ca_file,
	        .min_version = s->options.tls_min_version,
	        .cipher_suites = s->options.tls_cipher_suites};
	if (tls_context_new(&serve, &s->tls, err) != 0)
		return err->code;
	if (!s->options.kubelet_cert_file)
		return 0;
	struct tls_options to_kubelet = {.certificate_file = s->options.kubelet_cert_file,
	        .key_file = s->options.kubelet_key_file,
	        .ca_file = s->options.kubelet_ca_file,
	        .http1_only = true};
	return tls_context_new(&to_kubelet, &s->kubelet_tls, err);
}

static int open_http(struct api_server *s, struct err *err)
{
	struct http_server_options o = {
	        .loop = s->loop, .handler = on_request, .arg = s, .tls = s->tls, .vouches = true};
	if (http_server_new(&o, &s->http, err) != 0)
		return err->code;
	return http_server_listen_tcp(s->http, s->options.bind_address, s->options.port, err);
}

static void free_parts(struct api_server *s)
{
	tls_context_unref(s->tls);
	tls_context_unref(s->kubelet_tls);
	tls_context_unref(s->any_tls);
	authenticator_free(s->authenticator);
	authorizers_unref(s->authorizers);
	admission_config_free(s->admission);
	definitions_free(s->definitions);
	aggregator_free(s->aggregator);
	service_allocator_free(s->services);
	join_free(s->join);
	tunnels_free(s->tunnels);
	sealer_free(s->sealer);
	fairness_free(s->fairness);
	rcbuf_unref(s->frame.object);
	rcbuf_unref(s->frame.text);
	CHECK(s->quota_lines.count == 0); /* all calls are over */
	map_release(&s->quota_lines);
	arena_release(&s->arena);
	arena_keep(0);
	free(s);
}

int api_server_new(const struct api_server_options *options, void (*ready)(void *arg, const struct err *err), void *arg,
        struct api_server **ret, struct err *err)
{
	struct api_server *s = xcalloc(1, sizeof *s);
	arena_keep(API_KEPT_ARENA_BYTES_MAX);
	s->loop = options->loop;
	s->store = options->store;
	s->ready = ready;
	s->ready_arg = arg;
	s->to_store.end = &s->to_store.first;
	loop_defer_init(&s->to_store.defer, call_submit_all);
	list_init(&s->watches);
	list_init(&s->sessions);
	s->tunnels = tunnels_new(s->loop);
	s->outgoing = outgoing_pool_new(s->loop);
	copy_options(s, options);
	s->services = service_allocator_new(options->service_cidr, options->node_port_min, options->node_port_max, err);
	if (!s->services || authenticator_new(s, &s->authenticator, err) != 0 ||
	        authorizers_new(s, &s->authorizers, err) != 0 || admission_config_new(s, &s->admission, err) != 0 ||
	        (options->join && join_new(s, options->join, &s->join, err) != 0) || check_seats(s, err) != 0 ||
	        open_sealer(s, err) != 0 ||
	        audit_new(s->loop, s->outgoing, &s->options.arguments->audit, &s->audit, err) != 0 ||
	        open_tls(s, err) != 0 || open_http(s, err) != 0) {
		if (s->http)
			http_server_close(s->http, 0, NULL, NULL);
		outgoing_pool_close(s->outgoing, NULL, NULL);
		free_parts(s);
		return err->code;
	}
	CHECK(uv_timer_init(loop_uv(s->loop), &s->bookmark_timer) == 0);
	s->bookmark_timer.data = s;
	uv_timer_start(&s->bookmark_timer, tick, 1000, 1000);
	s->duties = duties_new(s);
	s->cache = cache_new(s->loop, s->store, s->sealer, cache_loaded, s);
	s->definitions = definitions_new(s);
	s->aggregator = aggregator_new(s);
	s->rbac = rbac_index_new(s->cache);
	s->node_graph = node_graph_new(s->cache);
	authenticator_start(s->authenticator);
	s->fairness = fairness_new(s, seats_of(s));
	*ret = s;
	return 0;
}

int api_server_port(const struct api_server *s)
{
	return http_server_port(s->http);
}

int api_server_reload(struct api_server *s, struct err *err)
{
	LOOP_CHECK_OWNER(s->loop);
	if (reload_sealer(s, err) != 0 || authenticator_reload(s, err) != 0 ||
	        (s->join && join_reload(s->join, err) != 0))
		return err->code;
	aggregator_reload(s->aggregator);
	if (s->kubelet_tls && tls_context_reload(s->kubelet_tls, err) != 0)
		return err_wrap(err, "the identity towards kubelets");
	return tls_context_reload(s->tls, err);
}

/* ---- the end ---- */

static void audit_closed(void *arg)
{
	struct api_server *s = arg;
	void (*closed)(void *) = s->closed;
	void *closed_arg = s->closed_arg;
	free_parts(s);
	if (closed)
		closed(closed_arg);
}

/* All calls are over: what is to be written of them is complete. */
static void all_closed(struct closing *closing)
{
	struct api_server *s = CONTAINER_OF(closing, struct api_server, closing_parts);
	if (s->audit)
		audit_close(TAKE(s->audit), audit_closed, s);
	else
		audit_closed(s);
}

static void timer_closed(uv_handle_t *h)
{
	struct api_server *s = h->data;
	closing_part_done(&s->closing_parts);
}

static void webhook_closed(void *arg)
{
	struct api_server *s = arg;
	definitions_stop(s->definitions);
	aggregator_stop(s->aggregator);
	service_allocator_free(TAKE(s->services)); /* these watch the cache */
	policies_free(s);
	webhooks_free(s);
	rbac_index_free(TAKE(s->rbac));
	node_graph_free(TAKE(s->node_graph));
	fairness_stop(s->fairness);
	closing_hold(&s->closing_parts);
	sessions_close(s, closing_part_done, &s->closing_parts);
	closing_hold(&s->closing_parts);
	outgoing_pool_close(s->outgoing, closing_part_done, &s->closing_parts); /* nobody asks any more */
	closing_hold(&s->closing_parts);
	tunnels_close(s->tunnels, closing_part_done, &s->closing_parts);
	if (s->join) {
		closing_hold(&s->closing_parts);
		join_close(s->join, closing_part_done, &s->closing_parts);
	}
	closing_hold(&s->closing_parts);
	cache_close(s->cache, closing_part_done, &s->closing_parts);
	uv_close((uv_handle_t *)&s->bookmark_timer, timer_closed);
}

/* Nobody is connected, and nobody waits for the store. */
static void all_answered(struct loop_task *t)
{
	struct api_server *s = CONTAINER_OF(t, struct api_server, answered);
	if (s->asked) /* the last answer made another request; its answer comes here again */
		return;
	s->awaits_answers = false;
	audit_close_webhook(s->audit, webhook_closed, s);
}

static void http_closed(void *arg)
{
	struct api_server *s = arg;
	s->answered.run = all_answered;
	s->awaits_answers = true;
	if (!s->asked)
		loop_post(s->loop, &s->answered);
}

static void aggregator_closed(void *arg)
{
	struct api_server *s = arg;
	http_server_close(s->http, s->drain_ms, http_closed, s);
}

static void definitions_closed(void *arg)
{
	struct api_server *s = arg;
	aggregator_close(s->aggregator, aggregator_closed, s);
}

static void duties_closed(void *arg)
{
	struct api_server *s = arg;
	definitions_close(s->definitions, definitions_closed, s);
}

void api_server_close(struct api_server *s, unsigned timeout_ms, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(s->loop);
	s->closing = true;
	s->closed = closed;
	s->closed_arg = arg;
	s->drain_ms = timeout_ms;
	s->closing_parts.all_closed = all_closed;
	closing_hold(&s->closing_parts); /* the timer's */
	duties_close(s->duties, duties_closed, s);
}
