/* Connections: byte streams over TCP, unix sockets, TLS over either, and pairs in memory for tests, behind one set of
 * functions. See conn.c for how they work.
 *
 * A connection belongs to the loop it was made on; everything here is called on that loop's thread. Callbacks come from
 * the loop, never from inside a function of this file (conn_close() included).
 *
 *   conn_connect_*()/accept --> on_open(err) --> on_read(data)* --> on_end(err) --> conn_close() --> on_closed
 *
 * Reading is push with a pause; writing is a bounded queue: conn_write*() always takes the bytes and returns false when
 * the queue is above its low mark, on_drained is called when it has fallen below. What is written within one turn goes
 * out together at the end of the turn (one writev, one run of TLS records). */
#ifndef K3X_BASE_WIRE_CONN_H
#define K3X_BASE_WIRE_CONN_H

#include "base/err.h"
#include "base/mem/rcbuf.h"
#include "base/mem/str.h"
#include "base/rt/loop.h"
#include "base/wire/peer.h"

struct conn;
struct tls_context;

/* All optional except on_read, on_end. */
struct conn_callbacks {
	/* Connected (and the handshake done), or err says why not; then only conn_close() is left to do. Only for
	 * connections that were not open yet when the callbacks were set. */
	void (*on_open)(struct conn *c, const struct err *err, void *arg);
	/* len > 0; the bytes are valid during the call. */
	void (*on_read)(struct conn *c, const char *data, size_t len, void *arg);
	/* No more reads: the peer ended its side in order (err NULL; writing may still work) or the connection broke.
	 * Once. */
	void (*on_end)(struct conn *c, const struct err *err, void *arg);
	void (*on_drained)(struct conn *c, void *arg);
	/* The last callback; the memory is freed on return. */
	void (*on_closed)(struct conn *c, void *arg);
};

/* Takes the connection: from now on these callbacks are used, and reading goes on. Bytes that were pushed back
 * (conn_unread) are delivered first, from the next turn of the loop. */
void conn_start(struct conn *c, const struct conn_callbacks *callbacks, void *arg);

struct conn_connect_options {
	struct tls_context *tls; /* NULL: plain */
	const char *server_name; /* checked against the certificate; a DNS name or an address; NULL: `host` */
	int http_major;          /* offer only this one by ALPN: 1 or 2; 0: what the context offers */
	unsigned timeout_ms;     /* for connecting and the handshake together; 0: 10 s */
};

/* Starts connecting; on_open tells. Never NULL. host may be an address or a name (resolved without blocking). */
struct conn *conn_connect_tcp(struct loop *loop, const char *host, int port, const struct conn_connect_options *options,
        const struct conn_callbacks *callbacks, void *arg);
struct conn *conn_connect_unix(struct loop *loop, const char *path, const struct conn_connect_options *options,
        const struct conn_callbacks *callbacks, void *arg);

/* On an open connection: ends it when the other side has not acknowledged for so long what was sent to it. By itself
 * TCP goes on for a quarter of an hour, and waits as long again as a network was away before it looks whether it is
 * back. */
void conn_limit_stall(struct conn *c, unsigned ms);

/* Two ends of a pipe in memory, both on this loop. With a server context and a client context TLS runs over it; NULL:
 * plain. Callbacks are set with conn_start(). */
void conn_pair(struct loop *loop, struct tls_context *server_tls, struct tls_context *client_tls,
        struct conn **ret_server, struct conn **ret_client);

/* A listener: calls on_accept with each new connection (conn_start() it at once; on_open comes after the handshake).
 * Handshakes that take longer than handshake_ms are ended. */
struct conn_listener;
struct conn_listen_options {
	struct tls_context *tls;
	bool reuse_port;
	unsigned handshake_ms; /* 0: 10 s */
	void (*on_accept)(struct conn_listener *l, struct conn *c, void *arg);
	void *arg;
};
int conn_listen_tcp(struct loop *loop, const char *address, int port, const struct conn_listen_options *options,
        struct conn_listener **ret, struct err *err);
int conn_listen_unix(struct loop *loop, const char *path, unsigned mode, const struct conn_listen_options *options,
        struct conn_listener **ret, struct err *err);
int conn_listener_port(const struct conn_listener *l);
/* Frees it; on_closed(arg) may be NULL. */
void conn_listener_close(struct conn_listener *l, void (*on_closed)(void *arg), void *arg);

/* Writes. False: the queue is above its low mark, wait for on_drained. Above CONN_WRITE_QUEUE_BYTES_MAX + what one
 * call adds the connection is broken off (on_end with ERR_BUSY): producers must listen. Nothing happens on a connection
 * that is ended or closing. */
bool conn_write(struct conn *c, const void *data, size_t len);             /* copied */
bool conn_write_ref(struct conn *c, struct rcbuf *ref, struct slice part); /* part of ref, reference taken over */
/* Bytes that the caller keeps alive until free_fn(arg) is called (at sending, or at the close). */
bool conn_write_borrowed(struct conn *c, struct slice data, void (*free_fn)(void *arg), void *arg);
size_t conn_write_pending(const struct conn *c);
bool conn_write_has_room(const struct conn *c);

void conn_read_pause(struct conn *c);
void conn_read_resume(struct conn *c);
/* Puts bytes back in front of what is read next (for hand-overs). */
void conn_unread(struct conn *c, const void *data, size_t len);

/* Ends our side after what is queued has been sent (TLS close_notify, FIN). */
void conn_shutdown(struct conn *c);
/* Sends what is queued (for at most linger_ms, 0: not at all), then closes; on_closed follows, no other callback. */
void conn_close(struct conn *c, unsigned linger_ms);

/* Closes one that was just taken over (of an upgrade that comes too late), without callbacks. */
void conn_drop(struct conn *c);

bool conn_is_open(const struct conn *c); /* connected, handshake done, not closing */
bool conn_is_tls(const struct conn *c);
const struct conn_peer *conn_peer(struct conn *c);
struct slice conn_alpn(const struct conn *c); /* "h2", "http/1.1" or empty */
struct loop *conn_loop(const struct conn *c);

#endif
