/* HTTP for servers: one exchange interface above HTTP/1.1 and HTTP/2, over TCP, TLS or a unix socket.
 *
 * A server belongs to one loop and so do its connections and exchanges; every function here is called on that loop's
 * thread. A program that serves with several loops makes one server per loop, all listening on the same port with
 * `reuse_port`: the kernel spreads the connections.
 *
 * The life of an exchange. The handler is called when the request's head is complete. From then on the exchange is the
 * handler's, who first says what is to become of the body (http_body_collect(), http_body_stream(), or neither: it is
 * thrown away) and answers now or later, on the same loop. It stops being the handler's, and must not be touched any
 * more, with the first of
 *   - http_respond*() for a whole response, http_respond_end(), http_abort() or http_upgrade();
 *   - the return of its on_abort callback: the client went away, or the connection broke or timed out.
 * Exactly one of the two happens. on_abort is never called from inside a function of this file, nor is any other
 * callback, so a handler need not fear re-entry. Memory of the exchange's arena lives longer, until the response has
 * been sent or given up; arena_on_release() on it is the place to let go of what a response refers to.
 *
 * Back-pressure. What is written waits in a queue per exchange of about HTTP_WRITE_ROOM_BYTES, from which the
 * connection takes as the peer reads. http_write*() returns false when no more should be written; on_writable is called
 * when there is room again. A producer that pulls (a list of 10,000 objects) writes in on_writable until false,
 * returns, and is called again: memory stays bounded however slow the peer is.
 *
 * What can go wrong: broken requests are answered here (400, 408, 413, 431) and never reach the handler, except that a
 * body may break off later, which is an abort. */
#ifndef K3X_BASE_WIRE_HTTP_H
#define K3X_BASE_WIRE_HTTP_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/rcbuf.h"
#include "base/mem/str.h"
#include "base/rt/loop.h"

struct conn;
struct tls_context;
struct http_server;
struct http_exchange;

/* ---- requests ---- */

struct http_header {
	struct slice name; /* lower case */
	struct slice value;
};

/* Who is at the other end, as far as TLS proved it. */
struct http_peer {
	const char *address; /* "10.0.0.7:41234", "[::1]:80"; "@" for a unix socket */
	bool verified; /* a client certificate came and our CA vouches for it; else, and unless is_proxy, the rest is
	                  empty */
	bool is_proxy; /* the CA of proxies vouches for it: it may say for whom it asks */
	struct slice common_name;
	const struct slice *organizations;
	size_t organizations_count;
	struct slice certificate_sha256; /* hex; empty when there is none */
};

/* All bytes live in the exchange's arena or connection, as long as the arena. */
struct http_request {
	struct slice method;    /* "GET" */
	struct slice target;    /* as sent: path and query */
	struct slice path;      /* not percent-decoded; begins with '/' (or is "*" for OPTIONS) */
	struct slice query;     /* behind '?', not decoded; empty when there is none */
	struct slice authority; /* Host or :authority */
	const struct http_header *headers;
	size_t headers_count;
	int64_t content_length; /* -1: not known in advance; 0: no body */
	const struct http_peer *peer;
	bool is_tls;
	int http_major; /* 1 or 2 */
};

const struct http_request *http_request(const struct http_exchange *x);

/* Value of a header (`name` in lower case), SLICE_NULL when absent; the first when there are several. */
struct slice http_header(const struct http_exchange *x, const char *name);

/* Memory that lives as long as the exchange. */
struct arena *http_arena(struct http_exchange *x);
struct loop *http_loop(struct http_exchange *x);

/* One pointer for the handler's own state. NULL at first. */
void http_set_user(struct http_exchange *x, void *user);
void *http_user(struct http_exchange *x);

/* The client went away before the response was handed over completely. The exchange must not be touched after fn
 * returned. Without it aborts are silent, and a handler that answers later MUST set it. */
void http_on_abort(struct http_exchange *x, void (*fn)(struct http_exchange *x, void *arg), void *arg);

/* ---- request bodies ---- */

/* Collects the whole body, at most limit_bytes, and calls fn once, from a later turn of the loop or the same, never
 * inside this call. The body is one slice in memory of the exchange (empty when there is none), with a zero byte after
 * it, and lives as long as the arena. A larger body is answered with 413 here and counts as abort. */
void http_body_collect(struct http_exchange *x, size_t limit_bytes,
        void (*fn)(struct http_exchange *x, struct slice body, void *arg), void *arg);

/* To answer a body that is too large (413) or one too many (429) oneself, instead of with a line of plain text: fn is
 * called once, never from inside a call, and must answer. Before http_body_collect(). */
void http_on_body_refused(struct http_exchange *x,
        void (*fn)(struct http_exchange *x, int status, const char *why, void *arg), void *arg);

/* The peer is known: what its request holds counts no longer among that of strangers, which is bounded for all of them.
 */
void http_trust(struct http_exchange *x);

/* Streams it: fn is called with each piece (valid during the call) and at last with is_end (data may be empty then).
 * No limit. http_body_pause() stops the pieces, and with the flow control window full the sender too. */
void http_body_stream(struct http_exchange *x,
        void (*fn)(struct http_exchange *x, struct slice data, bool is_end, void *arg), void *arg);
void http_body_pause(struct http_exchange *x);
void http_body_resume(struct http_exchange *x);

/* ---- responses ---- */

/* A piece of a body: bytes, and what keeps them alive: a reference that the callee takes over and drops when the bytes
 * are sent, or NULL when they live as long as the exchange's arena (or for ever). */
struct http_buf {
	struct slice data;
	struct rcbuf *ref;
	/* Instead of `ref`: bytes that are made when their turn comes, so that a long answer is never in memory as a
	 * whole. data.ptr is NULL until then, data.len what make() will return. */
	const struct http_maker *maker;
	void *source; /* the maker's */
};

/* Called on the server's loop. */
struct http_maker {
	struct rcbuf *(*make)(void *source); /* one reference to exactly so many bytes as were said; once at the most */
	void (*drop)(void *source);          /* after it, or without it: once */
};

/* What is to be made, is made; else nothing happens. */
void http_buf_make(struct http_buf *b);
/* Of a piece that nobody will send. */
void http_buf_drop(struct http_buf *b);

/* Adds a header to the response, before it is begun. Name in lower case, static; the value is copied. Date,
 * Content-Length, Transfer-Encoding and Connection are made here and must not be set. */
void http_set_header(struct http_exchange *x, const char *name, struct slice value);
void http_set_content_type(struct http_exchange *x, const char *content_type); /* static */

/* Whole responses; the exchange is given away. Bodies of HEAD, 204 and 304 are dropped here, their Content-Length kept
 * where it is allowed. */
void http_respond(struct http_exchange *x, int status);                          /* no body */
void http_respond_copy(struct http_exchange *x, int status, struct slice body);  /* copied */
void http_respond_arena(struct http_exchange *x, int status, struct slice body); /* lives in the arena or for ever */
void http_respond_strbuf(
        struct http_exchange *x, int status, struct strbuf *body);                /* memory taken over, *body emptied */
void http_respond_rcbuf(struct http_exchange *x, int status, struct rcbuf *body); /* reference taken over */
/* Body in pieces, sent without copying, pulled as the peer takes them. The array must live as long as the arena
 * (allocate it there); the references in it are taken over. */
void http_respond_bufs(struct http_exchange *x, int status, const struct http_buf *bufs, size_t count);
/* Before it: the body goes out as gzip, made as the peer takes it, with Content-Encoding and Vary. What http_write()
 * writes is not touched. */
void http_compress(struct http_exchange *x);
/* Accept-Encoding names gzip, without a weight. */
bool http_accepts_gzip(struct slice accept_encoding);

/* Streams. content_length -1: not known (chunked on HTTP/1.1). Nothing is sent before the end of the turn. */
void http_respond_begin(struct http_exchange *x, int status, int64_t content_length);

/* Adds to the body; false: enough for now, wait for on_writable. The bytes are taken in either case; a producer that
 * goes on regardless beyond CONN_WRITE_QUEUE_BYTES_MAX has its exchange aborted (on_abort is called). */
bool http_write(struct http_exchange *x, struct slice data);         /* copied */
bool http_write_ref(struct http_exchange *x, struct rcbuf *data);    /* reference taken over */
bool http_write_buf(struct http_exchange *x, struct http_buf piece); /* part of an rcbuf, or arena bytes */
size_t http_write_pending(const struct http_exchange *x);            /* bytes not yet taken by the connection */

/* fn is called when there is room again after a write returned false, and once after each http_want_writable(). */
void http_on_writable(struct http_exchange *x, void (*fn)(struct http_exchange *x, void *arg), void *arg);
void http_want_writable(struct http_exchange *x);

/* Sent after the body (gRPC status). Between http_respond_begin() and http_respond_end(); the value is copied. */
void http_set_trailer(struct http_exchange *x, const char *name, struct slice value);
void http_respond_end(struct http_exchange *x);

/* Gives up: resets the HTTP/2 stream or closes the connection, so that the client sees a broken response. */
void http_abort(struct http_exchange *x);

/* ---- upgrades (HTTP/1.1 only; for WebSocket see ws.h) ---- */

/* The request asks for an upgrade to this protocol ("websocket"; any when NULL) and can have it. */
bool http_wants_upgrade(const struct http_exchange *x, const char *protocol);

/* Answers 101 with the headers set so far and "Upgrade: protocol", and gives the connection to the caller, who sets its
 * callbacks (conn_start()) and closes it. Bytes that came behind the request are its first read. The arena is released
 * with the exchange on return. Errors: ERR_INVAL, the exchange is still the caller's. */
int http_upgrade(struct http_exchange *x, const char *protocol, struct conn **ret_conn, struct err *err);

/* ---- servers ---- */

struct http_server_options {
	struct loop *loop;
	void (*handler)(struct http_exchange *x, void *arg);
	void *arg;
	struct tls_context *tls; /* NULL: plain; a reference is taken */
	bool reuse_port;         /* several servers share a TCP port */
	bool vouches; /* the handler vouches for peers by http_trust(); else whoever has asked for something is known */
	/* 0: the default of base/limits.h */
	size_t header_bytes_max;
	size_t headers_max;
	size_t connections_max;
	unsigned streams_max; /* per HTTP/2 connection */
	unsigned read_stall_ms;
	unsigned idle_ms;
	/* HTTP/2, as gRPC's servers do; 0: never. A peer that has said nothing for ping_ms is asked whether it is
	 * there, and closed when it still says nothing ping_wait_ms later (0: it is not). One that asks more often than
	 * every ping_min_ms, or, with no request under way, every two hours, is told to calm down and closed. */
	uint64_t ping_ms, ping_wait_ms, ping_min_ms;
};

/* *options is copied. */
int http_server_new(const struct http_server_options *options, struct http_server **ret, struct err *err);

/* Any number of each. address: "0.0.0.0", "::", "127.0.0.1"; NULL: all, of IPv4 alone where there is no IPv6; port 0:
 * the kernel picks, see http_server_port(). A leftover socket file at `path` is replaced; mode e.g. 0600. */
int http_server_listen_tcp(struct http_server *s, const char *address, int port, struct err *err);
int http_server_listen_unix(struct http_server *s, const char *path, unsigned mode, struct err *err);
int http_server_port(const struct http_server *s); /* of the first TCP listener */

size_t http_server_connections(const struct http_server *s);

/* Stops listening; idle connections close, others after their exchanges (HTTP/2: GOAWAY), at the latest after
 * timeout_ms, when what is left is aborted. Then on_closed is called, once, and the server's memory is gone. With
 * timeout 0 everything ends now. on_closed may be NULL. Never called from inside. */
void http_server_close(struct http_server *s, unsigned timeout_ms, void (*on_closed)(void *arg), void *arg);

/* ---- helpers ---- */

/* Belongs to one connection and not to the message, so that whoever passes the message on leaves it out (RFC
 * 9110, 7.6.1): by its name, or because the Connection header, of which `connection` is the value, names it. Name in
 * lower case. */
bool http_is_of_connection(struct slice name, struct slice connection);

const char *http_status_text(int status); /* "OK"; "" when unknown */

/* Percent-decodes into the arena ('+' becomes a space when is_query). False: broken escape or a zero byte. */
bool http_decode(struct arena *a, struct slice s, bool is_query, struct slice *ret);

/* Appends s percent-encoded for a path segment or a query value: all but the unreserved characters of RFC 3986. */
void http_encode(struct strbuf *out, struct slice s);

/* Walks the decoded name=value pairs of a query: *rest starts as the query. False at the end; broken pairs are
 * skipped. */
bool http_query_next(struct arena *a, struct slice *rest, struct slice *name, struct slice *value);

#endif
