/* HTTP/1.1 for servers (RFC 9112), the grammar by llhttp in its strict mode.
 *
 * One request at a time per connection: the parser pauses when the head is complete (the handler is called) and when
 * the message is complete (until its response is sent). What a pipelining client sent behind it is put back into the
 * connection and reading pauses; without such bytes reading goes on, so that a client that leaves is noticed.
 *
 *   IDLE --first byte--> HEAD --dispatch--> BODY --> DONE --response sent--> IDLE, or close
 *
 * Requests that two parsers could read differently are refused: Content-Length with Transfer-Encoding, codings other
 * than chunked, a missing or second Host, bare LF, spaces before a colon, folded headers.
 *
 * What can go wrong: bad grammar (400), too large a head (431), a head or body that stalls (408), a response shorter or
 * longer than promised (the connection is closed so that the client notices). A body nobody wants is read and thrown
 * away when it is short, else the connection closes behind the response. */
#include "base/wire/http_int.h"

#include "base/check.h"

#include <llhttp.h>

#include <stdlib.h>

enum { DISCARD_MAX = 64 * 1024, LINGER_MS = 2000, CHUNK_BYTES_MAX = 64 * 1024, OUT_KEPT = 2048 };
enum h1_event { EVENT_NONE, EVENT_HEAD, EVENT_BODY_PAUSED, EVENT_DONE };

struct h1 {
	struct http_connection *connection;
	llhttp_t parser;
	struct http_exchange *x; /* the one exchange, from its first byte until it is over */
	enum h1_event event;
	bool message_done;
	bool response_done;
	bool close_after;
	bool chunked;
	bool blocked; /* the parser must not run */
	bool in_trailers;
	bool in_value;
	bool drained; /* draining: no further request */
	size_t head_bytes, extension_bytes;
	size_t name_start;
	size_t value_start;
	int fail_status; /* what to answer when a callback refuses */
	const char *fail_text;
	struct strbuf out;
};

/* ---- parsing ---- */

static int refuse(struct h1 *h, int status, const char *text)
{
	h->fail_status = status;
	h->fail_text = text;
	return HPE_USER;
}

static int on_message_begin(llhttp_t *p)
{
	struct h1 *h = p->data;
	CHECK(h->x == NULL);
	h->x = exchange_new(h->connection);
	h->head_bytes = h->extension_bytes = 0;
	h->message_done = h->response_done = h->close_after = h->chunked = false;
	h->in_trailers = h->in_value = false;
	http_connection_deadline(h->connection, 0); /* from here on the exchange has to go on */
	return 0;
}

static int count_head(struct h1 *h, size_t len)
{
	h->head_bytes += len;
	if (h->head_bytes > h->connection->server->o.header_bytes_max)
		return refuse(h, 431, "request head is too large");
	return exchange_hold(h->x, len) ? 0 : refuse(h, 503, "too much is held for strangers: try again");
}

static int on_url(llhttp_t *p, const char *at, size_t len)
{
	struct h1 *h = p->data;
	if (count_head(h, len) != 0)
		return HPE_USER;
	strbuf_add(&h->x->head, at, len);
	return 0;
}

/* The head is one buffer that may move while it grows, so positions are kept as offsets until it is complete. */
static struct slice at_offset(size_t start, size_t end)
{
	return (struct slice){(const char *)(uintptr_t)start, end - start};
}

static int on_header_field(llhttp_t *p, const char *at, size_t len)
{
	struct h1 *h = p->data;
	if (count_head(h, len + 4) != 0)
		return HPE_USER;
	if (h->in_trailers)
		return 0;
	struct strbuf *b = &h->x->head;
	if (h->in_value || h->x->headers.count == 0) {
		if (h->x->headers.count >= h->connection->server->o.headers_max)
			return refuse(h, 431, "too many request headers");
		if (h->x->headers.count == 0 && !h->in_value)
			h->x->request.target = at_offset(0, b->len);
		h->name_start = b->len;
		h->in_value = false;
		header_list_add(&h->x->headers, at_offset(b->len, b->len), at_offset(0, 0));
	}
	strbuf_add(b, at, len);
	for (char *c = b->data + b->len - len; c < b->data + b->len; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c |= 0x20;
	h->x->headers.items[h->x->headers.count - 1].name = at_offset(h->name_start, b->len);
	return 0;
}

static int on_header_value(llhttp_t *p, const char *at, size_t len)
{
	struct h1 *h = p->data;
	if (count_head(h, len) != 0)
		return HPE_USER;
	if (h->in_trailers)
		return 0;
	struct strbuf *b = &h->x->head;
	if (!h->in_value) {
		h->in_value = true;
		h->value_start = b->len;
	}
	strbuf_add(b, at, len);
	h->x->headers.items[h->x->headers.count - 1].value = at_offset(h->value_start, b->len);
	return 0;
}

static struct slice fix(const struct strbuf *b, struct slice s)
{
	s.ptr = strbuf_cstr(b) + (uintptr_t)s.ptr;
	while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static void fix_offsets(struct http_exchange *x)
{
	if (x->headers.count == 0)
		x->request.target = at_offset(0, x->head.len);
	x->request.target = fix(&x->head, x->request.target);
	for (size_t i = 0; i < x->headers.count; i++) {
		x->headers.items[i].name = fix(&x->head, x->headers.items[i].name);
		x->headers.items[i].value = fix(&x->head, x->headers.items[i].value);
	}
}

static int take_host(struct h1 *h)
{
	struct http_exchange *x = h->x;
	unsigned hosts = 0;
	for (size_t i = 0; i < x->headers.count; i++)
		if (slice_is(x->headers.items[i].name, "host")) {
			x->request.authority = x->headers.items[i].value;
			hosts++;
		}
	if (hosts > 1 || (hosts == 0 && h->parser.http_minor == 1))
		return refuse(h, 400, "a request needs exactly one Host header");
	return 0;
}

/* "http://host/path" is allowed for servers too (RFC 9112 section 3.2.2). */
static int take_target(struct h1 *h)
{
	struct slice *t = &h->x->request.target;
	if (h->parser.method == HTTP_CONNECT)
		return refuse(h, 405, "CONNECT is not served here");
	if (t->len && t->ptr[0] == '/')
		return 0;
	if (slice_is(*t, "*") && h->parser.method == HTTP_OPTIONS)
		return 0;
	if (slice_starts(*t, "http://") || slice_starts(*t, "https://")) {
		const char *from = strstr(t->ptr, "//") + 2, *end = t->ptr + t->len;
		while (from < end && *from != '/' && *from != '?' && *from != '#')
			from++;
		struct slice rest = {from, (size_t)(end - from)};
		bool has_path = rest.len && rest.ptr[0] == '/';
		*t = has_path ? rest : slice_of(arena_printf(&h->x->arena, "/%.*s", SLICE_FMT(rest)));
		return 0;
	}
	return refuse(h, 400, "request target must be a path");
}

/* llhttp looks at the last coding alone: "gzip, chunked" would be taken for chunked. */
static bool is_chunked_alone(const struct http_exchange *x)
{
	for (size_t i = 0; i < x->headers.count; i++)
		if (slice_is(x->headers.items[i].name, "transfer-encoding") &&
		        !slice_caseis(slice_trim(x->headers.items[i].value), "chunked"))
			return false;
	return true;
}

static int take_framing(struct h1 *h)
{
	struct http_exchange *x = h->x;
	bool chunked = h->parser.flags & F_CHUNKED;
	if ((h->parser.flags & F_TRANSFER_ENCODING) && (!is_chunked_alone(x) || !chunked || h->parser.http_minor == 0))
		return refuse(h, 501, "transfer encoding is not supported; use chunked");
	if ((h->parser.flags & F_TRANSFER_ENCODING) && (h->parser.flags & F_CONTENT_LENGTH))
		return refuse(h, 400, "Content-Length and Transfer-Encoding exclude each other");
	x->request.content_length = chunked ? -1 : 0;
	if (!chunked && (h->parser.flags & F_CONTENT_LENGTH)) {
		if (h->parser.content_length > INT64_MAX)
			return refuse(h, 400, "Content-Length is out of range");
		x->request.content_length = (int64_t)h->parser.content_length;
	}
	x->expects_continue = x->request.content_length != 0 && slice_caseis(http_header(x, "expect"), "100-continue");
	return 0;
}

static int on_headers_complete(llhttp_t *p)
{
	struct h1 *h = p->data;
	struct http_exchange *x = h->x;
	fix_offsets(x);
	x->request.http_major = 1;
	x->request.method = slice_of(llhttp_method_name((llhttp_method_t)p->method));
	if (p->http_major != 1 || p->http_minor > 1)
		refuse(h, 505, "HTTP version is not supported");
	if (h->fail_status || take_host(h) != 0 || take_target(h) != 0 || take_framing(h) != 0)
		return -1;
	x->is_upgrade = p->upgrade && x->request.content_length == 0;
	h->close_after = !llhttp_should_keep_alive(p);
	h->in_trailers = true;
	h->event = EVENT_HEAD;
	return HPE_PAUSED;
}

static int on_body(llhttp_t *p, const char *at, size_t len)
{
	struct h1 *h = p->data;
	if (exchange_body(h->x, at, len))
		return 0;
	h->event = EVENT_BODY_PAUSED;
	return HPE_PAUSED;
}

/* Nobody uses them; they are passed over, but not without end. */
static int on_chunk_extension(llhttp_t *p, const char *at, size_t len)
{
	struct h1 *h = p->data;
	h->extension_bytes += len;
	return h->extension_bytes <= HTTP_CHUNK_EXTENSION_BYTES_MAX ? 0
	                                                            : refuse(h, 400, "chunk extensions are too large");
}

static int on_message_complete(llhttp_t *p)
{
	struct h1 *h = p->data;
	h->event = EVENT_DONE;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
        .on_message_begin = on_message_begin,
        .on_url = on_url,
        .on_header_field = on_header_field,
        .on_header_value = on_header_value,
        .on_headers_complete = on_headers_complete,
        .on_body = on_body,
        .on_chunk_extension_name = on_chunk_extension,
        .on_chunk_extension_value = on_chunk_extension,
        .on_message_complete = on_message_complete,
};

static struct h1 *state_of(struct http_connection *c)
{
	if (!c->state) {
		struct h1 *h = xcalloc(1, sizeof *h);
		h->connection = c;
		llhttp_init(&h->parser, HTTP_REQUEST, &settings);
		h->parser.data = h;
		c->state = h;
	}
	return c->state;
}

/* ---- requests ---- */

static void fail(struct h1 *h, int status, const char *text)
{
	struct http_connection *c = h->connection;
	struct strbuf *b = &h->out;
	h->blocked = true;
	strbuf_reset(b);
	strbuf_addf(b, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: text/plain; charset=utf-8\r\n", status,
	        http_status_text(status), http_server_date(c->server));
	strbuf_addf(b, "Content-Length: %zu\r\nConnection: close\r\n\r\n%s", strlen(text), text);
	if (!h->x || !h->x->head_sent)
		conn_write(c->conn, b->data, b->len);
	http_connection_close(c, LINGER_MS);
}

static void response_over(struct h1 *h);

static void dispatch(struct h1 *h)
{
	struct http_exchange *x = h->x;
	struct http_connection *c = h->connection;
	exchange_dispatch(x);
	if (c->upgraded || c->closing)
		return;
	if (x->request.content_length != 0 && !exchange_takes_body(x))
		h->blocked = true;
}

static void message_done(struct h1 *h)
{
	h->message_done = true;
	h->blocked = true;
	exchange_body_end(h->x);
	if (!h->connection->upgraded && h->response_done)
		response_over(h);
}

static void parse_failed(struct h1 *h)
{
	if (h->fail_status)
		fail(h, h->fail_status, h->fail_text);
	else
		fail(h, 400, llhttp_get_error_reason(&h->parser));
}

/* Runs the parser over data until it is used up or blocked; returns how much was used. */
static size_t parse(struct h1 *h, const char *data, size_t len)
{
	struct http_connection *c = h->connection;
	size_t used = 0;
	while (used < len && !h->blocked && !c->closing && !c->upgraded) {
		h->event = EVENT_NONE;
		llhttp_errno_t rc = llhttp_execute(&h->parser, data + used, len - used);
		if (rc == HPE_OK)
			return len;
		if (rc != HPE_PAUSED && rc != HPE_PAUSED_UPGRADE) {
			parse_failed(h);
			return len;
		}
		used = (size_t)(llhttp_get_error_pos(&h->parser) - data);
		if (rc == HPE_PAUSED_UPGRADE) {
			llhttp_resume_after_upgrade(&h->parser);
			continue;
		}
		llhttp_resume(&h->parser);
		if (h->event == EVENT_HEAD)
			dispatch(h);
		else if (h->event == EVENT_DONE)
			message_done(h);
		else
			h->blocked = true;
		/* A message without a body is complete with its head, but llhttp says so only when it runs again. */
		if (h->event == EVENT_HEAD && used == len && !h->blocked && !c->closing && !c->upgraded &&
		        h->x->request.content_length == 0) {
			h->event = EVENT_NONE;
			rc = llhttp_execute(&h->parser, data + used, 0);
			if (rc == HPE_PAUSED && h->event == EVENT_DONE) {
				llhttp_resume(&h->parser);
				message_done(h);
			}
		}
	}
	return used;
}

static void h1_received(struct http_connection *c, const char *data, size_t len)
{
	struct h1 *h = state_of(c);
	struct conn *conn = c->conn;
	size_t used = parse(h, data, len);
	if (used < len && !c->closing)
		conn_unread(conn, data + used, len - used);
	if (used < len && !c->closing && !c->upgraded)
		conn_read_pause(conn);
}

static void h1_body_wanted(struct http_exchange *x)
{
	struct h1 *h = x->connection->state;
	if (h->x != x || x->connection->closing || !exchange_takes_body(x))
		return;
	if (x->expects_continue && !h->message_done && x->body_mode != BODY_DISCARD) {
		static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
		x->expects_continue = false;
		if (x->status == 0)
			conn_write(x->connection->conn, text, sizeof text - 1);
	}
	if (h->message_done)
		return;
	h->blocked = false;
	x->progress_ms = loop_now_ms(x->server->loop);
	conn_read_resume(x->connection->conn);
}

/* ---- responses ---- */

static void h1_wake(struct http_exchange *x)
{
	http_connection_wake(x->connection);
}

static void add_header(struct strbuf *b, struct slice name, struct slice value)
{
	strbuf_add_slice(b, name);
	strbuf_add(b, ": ", 2);
	strbuf_add_slice(b, value);
	strbuf_add(b, "\r\n", 2);
}

static void begin_head(struct h1 *h, int status)
{
	struct strbuf *b = &h->out;
	strbuf_reset(b);
	strbuf_adds(b, "HTTP/1.1 ");
	strbuf_add_u64(b, (uint64_t)status);
	strbuf_addc(b, ' ');
	strbuf_adds(b, http_status_text(status));
	strbuf_adds(b, "\r\nDate: ");
	strbuf_adds(b, http_server_date(h->connection->server));
	strbuf_add(b, "\r\n", 2);
	for (size_t i = 0; i < h->x->out_headers.count; i++)
		add_header(b, h->x->out_headers.items[i].name, h->x->out_headers.items[i].value);
}

/* What is left of the request's body when the response begins decides whether the connection can go on. */
static bool body_spoils_connection(const struct h1 *h)
{
	const struct http_exchange *x = h->x;
	if (h->message_done || x->request.content_length == 0)
		return false;
	if (x->body_mode == BODY_STREAM && !x->user_done)
		return false;
	return x->expects_continue || x->request.content_length < 0 || x->request.content_length > DISCARD_MAX;
}

static void write_head(struct h1 *h)
{
	struct http_exchange *x = h->x;
	struct strbuf *b = &h->out;
	begin_head(h, x->status);
	if (body_spoils_connection(h) || h->drained)
		h->close_after = true;
	if (x->content_length >= 0 && x->status != 204 && x->status != 304) {
		strbuf_adds(b, "Content-Length: ");
		strbuf_add_i64(b, x->content_length);
		strbuf_add(b, "\r\n", 2);
	} else if (x->content_length < 0 && !x->no_body && h->parser.http_minor == 1) {
		h->chunked = true;
		strbuf_adds(b, "Transfer-Encoding: chunked\r\n");
	} else if (x->content_length < 0 && !x->no_body) {
		h->close_after = true; /* HTTP/1.0: the end of the connection is the end of the body */
	}
	if (h->close_after)
		strbuf_adds(b, "Connection: close\r\n");
	else if (h->parser.http_minor == 0)
		strbuf_adds(b, "Connection: keep-alive\r\n");
	strbuf_add(b, "\r\n", 2);
	conn_write(h->connection->conn, b->data, b->len);
	x->head_sent = true;
	if (b->cap > OUT_KEPT)
		strbuf_release(b);
}

static void move_bytes(struct h1 *h, size_t len)
{
	struct slice piece;
	while (len && exchange_front(h->x, &piece)) {
		size_t n = piece.len < len ? piece.len : len;
		exchange_move(h->x, h->connection->conn, n);
		len -= n;
	}
}

static void write_body(struct h1 *h)
{
	struct http_exchange *x = h->x;
	struct conn *conn = h->connection->conn;
	char size[24];
	while (exchange_has_more(x) && conn_write_has_room(conn)) {
		size_t n = x->queue_bytes < CHUNK_BYTES_MAX ? x->queue_bytes : CHUNK_BYTES_MAX;
		if (h->chunked)
			conn_write(conn, size, (size_t)snprintf(size, sizeof size, "%zx\r\n", n));
		move_bytes(h, n);
		if (h->chunked)
			conn_write(conn, "\r\n", 2);
	}
	if (!conn_write_has_room(conn))
		conn_write(conn, "", 0); /* asks for on_drained */
}

static void end_body(struct h1 *h)
{
	struct http_exchange *x = h->x;
	if (h->chunked) {
		struct strbuf *b = &h->out;
		strbuf_reset(b);
		strbuf_adds(b, "0\r\n");
		for (size_t i = 0; i < x->trailers.count; i++)
			add_header(b, x->trailers.items[i].name, x->trailers.items[i].value);
		strbuf_adds(b, "\r\n");
		conn_write(h->connection->conn, b->data, b->len);
	} else if (!x->no_body && x->content_length >= 0 && x->written != x->content_length) {
		h->close_after = true; /* less than promised: the client must see it break off */
	}
	h->response_done = true;
	if (h->message_done || h->close_after)
		response_over(h);
}

/* Response sent and request read (or given up): on to the next request, or close. */
static void response_over(struct h1 *h)
{
	struct http_connection *c = h->connection;
	exchange_sent(h->x);
	h->x = NULL;
	if (h->close_after || h->drained || c->ended) {
		http_connection_close(c, LINGER_MS);
		return;
	}
	h->blocked = false;
	http_connection_deadline(c, c->server->o.idle_ms);
	conn_read_resume(c->conn);
}

static void h1_flush(struct http_connection *c)
{
	struct h1 *h = state_of(c);
	struct http_exchange *x = h->x;
	if (!x || h->response_done)
		return;
	if (x->reset) {
		http_connection_close(c, 0);
		return;
	}
	if (x->status == 0)
		return;
	if (!x->head_sent)
		write_head(h);
	write_body(h);
	if (x->ended && !exchange_has_more(x))
		end_body(h);
}

/* ---- ends ---- */

/* The client has closed its side: it may still read the rest of an answer that is complete, but a handler that is still
 * at work is told to stop, as most clients that end like this have gone. */
static void h1_ended(struct http_connection *c)
{
	struct h1 *h = state_of(c);
	if (!h->x || !h->x->dispatched || !h->x->user_done || !h->message_done)
		http_connection_close(c, 0);
}

static void h1_drain(struct http_connection *c)
{
	struct h1 *h = state_of(c);
	h->drained = true;
	if (!h->x)
		http_connection_close(c, LINGER_MS);
}

static void h1_expired(struct http_connection *c)
{
	http_connection_close(c, 0);
}

static void h1_stalled(struct http_exchange *x)
{
	struct h1 *h = state_of(x->connection);
	if (!x->head_sent && !h->message_done)
		fail(h, 408, "request took too long to arrive");
	else
		http_connection_close(x->connection, 0);
}

static void h1_closed(struct http_connection *c)
{
	struct h1 *h = c->state;
	if (!h)
		return;
	strbuf_release(&h->out);
	free(h);
	c->state = NULL;
}

const struct http_protocol h1_protocol = {
        .wake = h1_wake,
        .body_wanted = h1_body_wanted,
        .received = h1_received,
        .flush = h1_flush,
        .ended = h1_ended,
        .drain = h1_drain,
        .expired = h1_expired,
        .stalled = h1_stalled,
        .closed = h1_closed,
};

/* ---- upgrades ---- */

static bool lists_token(struct slice list, const char *token)
{
	while (list.len) {
		if (slice_caseis(slice_trim(slice_cut(&list, ',')), token))
			return true;
	}
	return false;
}

bool http_wants_upgrade(const struct http_exchange *x, const char *protocol)
{
	if (!x->is_upgrade || x->request.http_major != 1)
		return false;
	return !protocol || lists_token(http_header(x, "upgrade"), protocol);
}

int http_upgrade(struct http_exchange *x, const char *protocol, struct conn **ret_conn, struct err *err)
{
	CHECK(!x->user_done && x->status == 0);
	struct http_connection *c = x->connection;
	if (!http_wants_upgrade(x, protocol))
		return err_set(err, ERR_INVAL, "the request does not ask for an upgrade to %s", protocol);
	if (!c || x->wire_done || c->closing)
		return err_set(err, ERR_CLOSED, "the client has gone");
	struct h1 *h = c->state;
	begin_head(h, 101);
	strbuf_addf(&h->out, "Connection: Upgrade\r\nUpgrade: %s\r\n\r\n", protocol);
	conn_write(c->conn, h->out.data, h->out.len);
	x->user_done = true;
	exchange_sent(x);
	h->x = NULL;
	*ret_conn = http_connection_detach(c);
	return 0;
}
