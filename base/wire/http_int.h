/* Inside a server: what http.c (exchanges), http_server.c (listeners, connections) and the two protocols (h1.c, h2.c)
 * share.
 *
 * An exchange has two lives that end independently: the handler's (`user_done`: answered, given up, or told of an
 * abort) and the wire's (`wire_done`: all bytes handed to the connection, or nothing more can be). When both are over
 * it is recycled, from the loop, never inside a call.
 *
 * The protocol calls exchange_*() as the request comes in, and is called through http_protocol as the response goes
 * out; in between lies the exchange's queue of pieces. */
#ifndef K3X_BASE_WIRE_HTTP_INT_H
#define K3X_BASE_WIRE_HTTP_INT_H

#include "base/limits.h"
#include "base/mem/list.h"
#include "base/wire/conn.h"
#include "base/wire/http.h"

struct http_connection;

enum body_mode { BODY_UNDECIDED, BODY_COLLECT, BODY_STREAM, BODY_DISCARD };

struct header_list {
	struct http_header *items;
	size_t count;
	size_t cap;
};

struct http_exchange {
	struct http_server *server;
	struct http_connection *connection; /* NULL once the wire is done with it */
	struct list_link link;              /* in the connection's exchanges */
	struct loop_defer turn;
	struct arena arena;
	struct http_peer peer;

	/* request */
	struct http_request request;
	struct strbuf head;      /* HTTP/1.1: the bytes of its head */
	struct arena head_arena; /* HTTP/2: the same; gone once the request is answered */
	size_t held_bytes;       /* of head and body, as they are counted with connection and server */
	bool is_trusted;         /* somebody has vouched for the peer: http_trust() */
	uint64_t progress_ms;    /* loop time at which it came or went on */
	struct header_list headers;
	enum body_mode body_mode;
	bool body_ended; /* all of it has come */
	bool body_paused;
	bool end_delivered;
	bool wants_held; /* a decision or resume: the turn delivers what was held back */
	bool expects_continue;
	bool is_body_too_large; /* its Content-Length says so */
	bool is_upgrade;
	size_t body_limit;
	struct strbuf body; /* collected, or held back while undecided or paused */
	void (*on_body)(struct http_exchange *x, struct slice body, void *arg);
	void (*on_body_refused)(struct http_exchange *x, int status, const char *why, void *arg);
	void (*on_data)(struct http_exchange *x, struct slice data, bool is_end, void *arg);
	void *body_arg;

	/* response */
	int status;             /* 0: not begun */
	int64_t content_length; /* -1: unknown */
	bool no_body;           /* HEAD, 204, 304: what is written is dropped */
	bool head_sent;
	bool ended; /* http_respond_end() or whole: nothing more will be queued */
	bool wants_writable;
	bool aborted; /* the wire broke; on_abort is due or was called */
	bool reset;   /* http_abort() */
	struct header_list out_headers;
	struct header_list trailers;
	struct http_buf *queue; /* ring */
	size_t queue_cap;
	size_t queue_head;
	size_t queue_count;
	size_t queue_bytes;
	const struct http_buf *bufs; /* http_respond_bufs(): pulled into the queue as it empties */
	size_t bufs_count;
	size_t bufs_next;
	bool wants_gzip;          /* http_compress() */
	struct gzip_stream *gzip; /* what bufs go through; NULL: they go out as they are */
	struct http_buf piece;    /* what is left of the one that is going through it */
	int64_t written;          /* body bytes taken so far */

	bool user_done;
	bool wire_done;
	bool dispatched; /* the handler has it */
	void *user;
	void (*on_abort)(struct http_exchange *x, void *arg);
	void *abort_arg;
	void (*on_writable)(struct http_exchange *x, void *arg);
	void *writable_arg;

	int32_t stream_id; /* HTTP/2 */
	size_t unconsumed; /* HTTP/2: body bytes whose window was not given back */
	bool deferred;     /* HTTP/2: the data source waits for more */
	bool submitted;
};

/* What a protocol does for an exchange. All only note what is to do and act at the end of the turn. */
struct http_protocol {
	void (*wake)(struct http_exchange *x); /* the response has begun, more is queued, it ended, or was reset */
	void (*body_wanted)(
	        struct http_exchange *x); /* from the loop: what was held back is delivered, go on reading */
	void (*received)(struct http_connection *c, const char *data, size_t len);
	void (*flush)(struct http_connection *c);   /* end of the turn, and when the connection has drained */
	void (*ended)(struct http_connection *c);   /* the peer sends no more (in order) */
	void (*drain)(struct http_connection *c);   /* finish what is under way, then close */
	void (*expired)(struct http_connection *c); /* the deadline has passed */
	void (*tick)(struct http_connection *c);    /* twice a second */
	void (*stalled)(struct http_exchange *x);   /* the peer has brought or taken nothing for too long: end it */
	void (*closed)(struct http_connection *c);  /* the connection is gone: free the state */
};

extern const struct http_protocol h1_protocol, h2_protocol;

struct http_connection {
	struct http_server *server;
	struct conn *conn;
	struct list_link link;
	struct list_link in_strangers;        /* linked while nobody has vouched for the peer */
	const struct http_protocol *protocol; /* NULL until known */
	struct loop_defer turn;
	bool upgraded; /* the conn is somebody else's now; the memory goes with the next turn */
	struct list_link exchanges;
	size_t exchanges_count;
	size_t held_bytes;         /* of its exchanges */
	uint64_t deadline_ms;      /* loop time; 0: none. Of the connection by itself: idle, or closing */
	size_t stalled_bytes;      /* what was queued at the last tick ... */
	uint64_t stalled_since_ms; /* ... and since when it has not changed */
	bool ended;                /* the peer is gone, or we have given it up */
	bool closing;              /* conn_close() was called */
	bool draining;
	void *state; /* the protocol's */
	char preface[24];
	size_t preface_len;
};

struct http_server {
	struct loop *loop;
	struct http_server_options o;
	struct list_link connections;
	size_t connections_count;
	struct list_link strangers; /* of the connections: who has waited longest is first */
	size_t strangers_count;
	uint64_t told_full_ms; /* when it was last logged that connections are turned away */
	struct conn_listener *listeners[8];
	unsigned listeners_count;
	unsigned listeners_open;
	uv_timer_t tick;
	bool closing;
	bool tick_closed;
	uint64_t close_deadline_ms;
	void (*on_closed)(void *arg);
	void *closed_arg;
	struct list_link spare; /* exchanges to use again */
	size_t spare_count;
	size_t strangers_held_bytes; /* of exchanges nobody has vouched for */
	size_t exchanges_live;
	char date[32];
	time_t date_s;
};

/* ---- http.c ---- */
struct http_exchange *exchange_new(struct http_connection *c);
/* Adds to the request's headers while the head comes in: offsets into x->head. */
void header_list_add(struct header_list *l, struct slice name, struct slice value);
/* Counts bytes that are held for a request. False: connection, or strangers all together, hold too much already; then
 * nothing was counted. */
bool exchange_hold(struct http_exchange *x, size_t bytes);
/* The peer has not done its part of this exchange for `ms`: brought the rest of its request, or taken the answer. */
bool exchange_has_stalled(const struct http_exchange *x, uint64_t now_ms);
/* The head is complete: calls the handler. */
void exchange_dispatch(struct http_exchange *x);
/* Body bytes. False: it is paused or undecided now, send no more until body_wanted (these bytes were taken). */
bool exchange_body(struct http_exchange *x, const char *data, size_t len);
void exchange_body_end(struct http_exchange *x);
bool exchange_takes_body(const struct http_exchange *x);
/* Gives the handler what was held back. */
void exchange_deliver_held(struct http_exchange *x);
/* The client is gone or the stream was reset: the wire is done and the handler is to hear of it. */
void exchange_broken(struct http_exchange *x);
/* All is sent. */
void exchange_sent(struct http_exchange *x);
/* Refuses a request that never reached the handler, or whose body is too large. */
void exchange_refuse(struct http_exchange *x, int status, const char *message);

/* The pieces at the front: false when there are none. */
bool exchange_front(struct http_exchange *x, struct slice *piece);
/* Hands `len` bytes of the front piece to the connection. */
void exchange_move(struct http_exchange *x, struct conn *to, size_t len);
bool exchange_has_more(struct http_exchange *x);        /* something is queued or can be pulled */
bool exchange_is_queued(const struct http_exchange *x); /* nothing more will be pulled */
void exchange_drop_queue(struct http_exchange *x);
void exchange_free(struct http_exchange *x); /* for the spare list at the end */

/* ---- http_server.c ---- */
/* A connection that was accepted elsewhere: pairs in tests. */
void http_server_take(struct http_server *s, struct conn *conn);
void http_connection_wake(struct http_connection *c); /* protocol->flush at the end of the turn */
void http_connection_close(struct http_connection *c, unsigned linger_ms);
void http_connection_deadline(struct http_connection *c, unsigned ms);
/* It is no stranger's any more. */
void http_connection_known(struct http_connection *c);
void http_server_recycle(struct http_server *s, struct http_exchange *x);
const char *http_server_date(struct http_server *s);
/* Takes the conn away for an upgrade. */
struct conn *http_connection_detach(struct http_connection *c);

#endif
