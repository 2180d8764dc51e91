/* What a session (mux.c) and its streams (mux_stream.c) know of each other. */
#ifndef K3X_BASE_WIRE_MUX_INT_H
#define K3X_BASE_WIRE_MUX_INT_H

#include "base/wire/conn_int.h"
#include "base/wire/mux.h"
#include "base/wire/mux_frame.h"

struct mux {
	struct loop *loop;
	struct conn *conn;
	struct mux_options o;
	struct mux_decoder decoder;
	struct list_link streams; /* in the order in which they may send next */
	size_t streams_count;
	uint32_t last_id;
	uint64_t heard_ms;
	bool ended, closing, conn_closed;
	bool asked; /* a PING is out */
	unsigned handles;
	uv_timer_t timer;
	struct loop_defer turn; /* lets waiting streams send; reports the end */
	struct err err;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- of a session, for its streams ---- */

bool mux_has_room(const struct mux *m);
void mux_send(struct mux *m, enum mux_type type, uint32_t stream, struct slice payload);
void mux_send_room(struct mux *m, uint32_t stream, uint32_t room);
void mux_wake(struct mux *m); /* a stream waits to send */

/* ---- of a stream, for its session ---- */

struct conn *mux_stream_new(struct loop *loop, struct mux *m, uint32_t id); /* m: NULL, it fails */
void mux_stream_data(struct conn *c, struct slice data, struct err *err);   /* ERR_PROTOCOL: more than it may */
void mux_stream_room(struct conn *c, uint32_t room, struct err *err);
void mux_stream_end(struct conn *c);
void mux_stream_fail(struct conn *c, int code, struct slice why); /* and leaves the session */
/* It may send again; true when it has something to send. */
bool mux_stream_wake(struct conn *c);
struct conn *mux_stream_of(struct list_link *link);

#endif
