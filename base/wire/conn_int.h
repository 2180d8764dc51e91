/* Inside a connection, for conn.c and its transports (conn_uv.c, conn_pair.c, mux_stream.c). */
#ifndef K3X_BASE_WIRE_CONN_INT_H
#define K3X_BASE_WIRE_CONN_INT_H

#include "base/wire/conn.h"
#include "base/wire/tls_int.h"
#include "base/wire/wqueue_int.h"

#include <uv.h>

/* CONNECTING -> HANDSHAKE -> OPEN -> LINGER -> CLOSED; any state may go to CLOSED, plain connections skip HANDSHAKE. */
enum conn_state {
	CONN_CONNECTING, /* no transport yet */
	CONN_HANDSHAKE,  /* the transport works, TLS does not yet */
	CONN_OPEN,
	CONN_LINGER, /* conn_close() with time to send what is queued; nothing is delivered any more */
	CONN_CLOSED, /* handles are closing; memory goes with the last of them */
};

struct conn_ops {
	ssize_t (*try_write)(struct conn *c, uv_buf_t *bufs, unsigned n); /* bytes, 0 when full, or a libuv error */
	void (*send_waiting)(struct conn *c); /* sends the front of c->raw when there is room, then conn_sent() */
	void (*read)(struct conn *c, bool on);
	void (*shutdown)(struct conn *c);
	void (*close)(struct conn *c); /* conn_handle_closed() follows, from the loop */
};

struct conn {
	struct loop *loop;
	const struct conn_ops *ops;
	enum conn_state state;
	bool started; /* has callbacks */
	bool reading;
	bool paused;
	bool ended;   /* on_end was called or is not to be called any more */
	bool sending; /* the transport holds the front of `raw` */
	bool wants_drained;
	bool wants_shutdown;
	bool shut_down;
	bool overflowed;
	bool timer_used;
	unsigned handles; /* open handles and requests; the memory goes with the last */
	struct tls_session *tls;
	struct wqueue plain; /* TLS only: what was written and is not encrypted yet */
	struct wqueue raw;
	struct strbuf unread;
	struct strbuf cipher_in; /* TLS only: encrypted bytes that came while reading was paused */
	struct loop_defer turn;
	struct conn_callbacks cb;
	void *arg;
	uv_timer_t timer; /* connecting and handshake, then lingering */
	struct conn_peer peer;
	bool peer_known;
	char address[72];
	union {
		struct {
			union {
				uv_stream_t stream;
				uv_tcp_t tcp;
				uv_pipe_t pipe;
			};
			uv_write_t write_req;
			uv_shutdown_t shutdown_req;
			struct conn_connecting *connecting;
			size_t in_flight;
		};
		struct {
			struct conn *other; /* NULL once it has closed */
			struct strbuf inbox;
			struct loop_defer deliver;
			bool other_shut;
			bool other_waits;
		} pair;
		struct {
			struct mux *session; /* NULL: it has left, or there never was one */
			struct list_link link;
			struct strbuf inbox; /* what came and is not delivered: at most the window */
			struct loop_defer turn;
			char *failure; /* why it is over */
			int failure_code;
			uint32_t id;
			uint32_t room;  /* bytes that may be sent */
			uint32_t owed;  /* bytes that were delivered, and the other side does not know */
			uint32_t await; /* bytes that may still come */
			bool waits;     /* has bytes to send */
			bool sent_end, got_end;
		} mux;
	};
};

struct conn *conn_alloc(struct loop *loop, const struct conn_ops *ops);
/* TLS from now on. On error nothing has changed. */
int conn_add_tls(struct conn *c, struct tls_context *tls, bool is_server, const char *server_name, struct err *err);
void conn_start_timer(struct conn *c, unsigned ms);

/* Reports from the transport; only from callbacks of the loop. */
void conn_connected(struct conn *c);
void conn_received(struct conn *c, const char *data, size_t len);
void conn_received_end(struct conn *c);
void conn_sent(struct conn *c, size_t bytes, int uv_error);
void conn_fail(struct conn *c, const struct err *err);
void conn_handle_closed(struct conn *c);
void conn_flush_later(struct conn *c);

#endif
