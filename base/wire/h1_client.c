/* HTTP/1.1 for clients: one call at a time on a connection, answers parsed by llhttp.
 *
 * A connection is used again when the answer ended by itself and nothing says close. A call that is given up half-way
 * takes its connection with it. While a call is paused the parser stops, its bytes stay in the connection, and TCP
 * slows the server down. */
#include "base/wire/http_client_int.h"

#include "base/check.h"

#include <llhttp.h>

#include <stdlib.h>

enum h1_event { EVENT_NONE, EVENT_HEAD, EVENT_PAUSED, EVENT_DONE };

enum { OUT_KEPT = 2048 };

struct h1c {
	struct client_conn *k;
	llhttp_t parser;
	struct http_call *call;
	enum h1_event event;
	struct strbuf name;
	struct strbuf value;
	struct strbuf out; /* heads are made here */
	bool in_value;
	bool blocked;
	bool chunked_out;
	bool request_sent;
	bool too_large;
};

static void store_header(struct h1c *h)
{
	struct http_call *call = h->call;
	if (!h->in_value)
		return;
	h->in_value = false;
	struct header_vec *v = call->head_done ? &call->trailers : &call->headers;
	struct slice value = slice_trim(strbuf_slice(&h->value));
	if (!header_vec_add(v, &call->arena, h->name.data, h->name.len, value.ptr, value.len))
		h->too_large = true;
	strbuf_reset(&h->name);
	strbuf_reset(&h->value);
}

static int on_header_field(llhttp_t *p, const char *at, size_t len)
{
	struct h1c *h = p->data;
	if (!h->call)
		return HPE_USER; /* given up in a callback: the connection is closing */
	store_header(h);
	strbuf_add(&h->name, at, len);
	return h->too_large || h->name.len > HTTP_HEADER_BYTES_MAX ? HPE_USER : 0;
}

static int on_header_value(llhttp_t *p, const char *at, size_t len)
{
	struct h1c *h = p->data;
	h->in_value = true;
	strbuf_add(&h->value, at, len);
	return h->value.len > HTTP_HEADER_BYTES_MAX ? HPE_USER : 0;
}

static int on_headers_complete(llhttp_t *p)
{
	struct h1c *h = p->data;
	struct http_call *call = h->call;
	if (!call)
		return -1;
	store_header(h);
	call->answer.status = p->status_code;
	if (p->status_code < 100) {
		llhttp_set_error_reason(p, "its status is none");
		return -1;
	}
	if (p->status_code == 101 && !call->o.upgrade) {
		llhttp_set_error_reason(p, "upgrade that was not asked for");
		return -1;
	}
	if (p->status_code < 200 && p->status_code != 101) {
		call->headers.count = 0;
		return 0;
	}
	h->event = EVENT_HEAD;
	call_head(call);
	if (!h->call) /* it was given up */
		return -1;
	if (p->status_code == 101)
		return 2;
	return strcmp(h->call->o.method, "HEAD") == 0 ? 1 : 0;
}

static int on_body(llhttp_t *p, const char *at, size_t len)
{
	struct h1c *h = p->data;
	if (!h->call)
		return HPE_USER;
	if (p->status_code < 200) {
		llhttp_set_error_reason(p, "an interim answer has a body");
		return -1;
	}
	if (call_data(h->call, at, len))
		return 0;
	h->event = EVENT_PAUSED;
	return HPE_PAUSED;
}

static int on_message_complete(llhttp_t *p)
{
	struct h1c *h = p->data;
	if (!h->call)
		return -1;
	store_header(h);
	if (p->status_code < 200 && p->status_code != 101)
		return 0;
	h->event = EVENT_DONE;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
        .on_header_field = on_header_field,
        .on_header_value = on_header_value,
        .on_headers_complete = on_headers_complete,
        .on_body = on_body,
        .on_message_complete = on_message_complete,
};

static struct h1c *state_of(struct client_conn *k)
{
	if (!k->state) {
		struct h1c *h = xcalloc(1, sizeof *h);
		h->k = k;
		llhttp_init(&h->parser, HTTP_RESPONSE, &settings);
		h->parser.data = h;
		k->state = h;
	}
	return k->state;
}

/* ---- requests ---- */

/* `given` as it is; else where the client connects to. */
static void write_host(struct strbuf *b, const struct http_client_options *o, const char *given)
{
	const char *host = given ? given : o->host;
	bool v6 = !given && strchr(host, ':') && host[0] != '[';
	if (v6)
		strbuf_addc(b, '[');
	strbuf_adds(b, host);
	if (v6)
		strbuf_addc(b, ']');
	if (o->port && !given) {
		strbuf_addc(b, ':');
		strbuf_add_i64(b, o->port);
	}
	strbuf_adds(b, "\r\n");
}

static void write_head(struct h1c *h)
{
	struct http_call *call = h->call;
	const struct http_client_options *o = &h->k->client->o;
	struct strbuf *b = &h->out;
	strbuf_reset(b);
	strbuf_adds(b, call->o.method);
	strbuf_addc(b, ' ');
	strbuf_adds(b, call->o.target);
	strbuf_adds(b, " HTTP/1.1\r\nHost: ");
	write_host(b, o, call->o.host ? call->o.host : o->host_header);
	for (size_t i = 0; i < call->o.headers_count; i++) {
		strbuf_add_slice(b, call->o.headers[i].name);
		strbuf_adds(b, ": ");
		strbuf_add_slice(b, call->o.headers[i].value);
		strbuf_adds(b, "\r\n");
	}
	bool is_known = !call->out_ended && call->o.body_length > 0;
	h->chunked_out = !call->out_ended && !is_known;
	bool no_body =
	        call_out_left(call) == 0 && (strcmp(call->o.method, "GET") == 0 || strcmp(call->o.method, "HEAD") == 0);
	if (call->o.upgrade)
		strbuf_addf(b, "Connection: Upgrade\r\nUpgrade: %s\r\n", call->o.upgrade);
	if (h->chunked_out)
		strbuf_adds(b, "Transfer-Encoding: chunked\r\n");
	else if (is_known)
		strbuf_addf(b, "Content-Length: %lld\r\n", (long long)call->o.body_length);
	else if (!no_body)
		strbuf_addf(b, "Content-Length: %zu\r\n", call_out_left(call));
	strbuf_adds(b, "\r\n");
	conn_write(h->k->conn, b->data, b->len);
	if (b->cap > OUT_KEPT)
		strbuf_release(b);
}

static void h1_start(struct client_conn *k, struct http_call *call)
{
	struct h1c *h = state_of(k);
	h->call = call;
	h->request_sent = h->blocked = h->in_value = h->too_large = false;
	strbuf_reset(&h->name);
	strbuf_reset(&h->value);
	write_head(h);
}

static void h1_flush(struct client_conn *k)
{
	struct h1c *h = state_of(k);
	struct http_call *call = h->call;
	char size[24];
	if (!call || call->finished || h->request_sent)
		return;
	while (call_out_left(call) && conn_write_has_room(k->conn)) {
		size_t left = call_out_left(call), n = left < 65536 ? left : 65536;
		if (h->chunked_out)
			conn_write(k->conn, size, (size_t)snprintf(size, sizeof size, "%zx\r\n", n));
		conn_write(k->conn, call->out.data + call->out_at, n);
		if (h->chunked_out)
			conn_write(k->conn, "\r\n", 2);
		call_out_taken(call, n);
	}
	if (call_out_left(call)) {
		conn_write(k->conn, "", 0); /* asks for on_drained */
	} else if (call->out_ended) {
		h->request_sent = true;
		if (h->chunked_out)
			conn_write(k->conn, "0\r\n\r\n", 5);
	}
}

/* ---- answers ---- */

static void answer_done(struct h1c *h)
{
	struct http_call *call = h->call;
	struct client_conn *k = h->k;
	k->used = true;
	h->call = NULL;
	if (!llhttp_should_keep_alive(&h->parser) || !h->request_sent)
		k->going = true;
	if (call->finished)
		k->going = true;
	call_done(call, NULL);
}

static void upgraded(struct h1c *h, const char *rest, size_t len)
{
	struct http_call *call = h->call;
	struct client_conn *k = h->k;
	struct conn *conn = k->conn;
	h->call = NULL;
	k->detached = k->going = k->closing = true;
	call->finished = true;
	list_del(&call->link);
	k->calls_count--;
	call->on = NULL;
	loop_defer(k->client->loop, &call->turn);
	loop_defer(k->client->loop, &k->turn);
	conn_unread(conn, rest, len);
	call->o.on_upgraded(call, &call->answer, conn, call->o.arg);
}

static void bad_answer(struct h1c *h, const char *why)
{
	struct err err = ERR_INIT;
	err_set(&err, ERR_PROTOCOL, "answer is broken: %s", why ? why : "header is too large");
	client_conn_fail(h->k, &err);
}

/* Bytes nobody asked for on an idle connection end it. */
static void h1_received(struct client_conn *k, const char *data, size_t len)
{
	struct h1c *h = state_of(k);
	size_t used = 0;
	while (used < len && !k->closing) {
		if (!h->call) {
			struct err err = ERR_INIT;
			err_set(&err, ERR_PROTOCOL, "answer without a request");
			client_conn_fail(k, &err);
			return;
		}
		h->call->got_bytes = true;
		h->event = EVENT_NONE;
		llhttp_errno_t rc = llhttp_execute(&h->parser, data + used, len - used);
		if (rc == HPE_OK || k->closing)
			return;
		if (rc != HPE_PAUSED && rc != HPE_PAUSED_UPGRADE) {
			bad_answer(h, rc == HPE_USER ? NULL : llhttp_get_error_reason(&h->parser));
			return;
		}
		used = (size_t)(llhttp_get_error_pos(&h->parser) - data);
		if (rc == HPE_PAUSED_UPGRADE || (h->parser.status_code == 101 && h->event == EVENT_DONE)) {
			if (h->call->o.upgrade && h->call->o.on_upgraded)
				upgraded(h, data + used, len - used);
			else
				bad_answer(h, "upgrade that was not asked for");
			return;
		}
		llhttp_resume(&h->parser);
		if (h->event == EVENT_DONE) {
			answer_done(h);
		} else if (h->event == EVENT_PAUSED) {
			conn_unread(k->conn, data + used, len - used);
			conn_read_pause(k->conn);
			return;
		}
	}
}

static void h1_ended(struct client_conn *k)
{
	struct h1c *h = state_of(k);
	if (!h->call)
		return;
	h->event = EVENT_NONE;
	llhttp_finish(&h->parser);
	if (h->event == EVENT_DONE) { /* the end of the connection was the end of the body */
		k->going = true;
		answer_done(h);
	}
}

static void h1_wake(struct http_call *call)
{
	if (!call->paused)
		conn_read_resume(call->on->conn);
	client_conn_wake(call->on);
}

static void h1_drop(struct client_conn *k, struct http_call *call)
{
	struct h1c *h = state_of(k);
	(void)call;
	h->call = NULL;
	k->going = true; /* closes when the call has left */
}

static bool h1_has_room(struct client_conn *k)
{
	return k->calls_count == 0 && state_of(k)->call == NULL;
}

static void h1_tick(struct client_conn *k, uint64_t now)
{
	(void)k, (void)now;
}

static void h1_closed(struct client_conn *k)
{
	struct h1c *h = k->state;
	if (!h)
		return;
	strbuf_release(&h->name);
	strbuf_release(&h->value);
	strbuf_release(&h->out);
	free(h);
	k->state = NULL;
}

const struct client_protocol h1_client = {
        .start = h1_start,
        .received = h1_received,
        .ended = h1_ended,
        .flush = h1_flush,
        .wake = h1_wake,
        .drop = h1_drop,
        .has_room = h1_has_room,
        .tick = h1_tick,
        .closed = h1_closed,
};
