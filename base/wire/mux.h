/* Many streams over one connection: each is a connection of its own for whoever uses it (conn.h), with flow control of
 * its own, so that one whose reader is slow holds up no other.
 *
 * One side opens streams, the other is told of them; both are told when the connection is gone. Both ask now and then
 * whether the other is there (PING), so a connection that died without a word is noticed, and a NAT keeps it open.
 *
 * A session and its streams belong to the loop of the connection. Callbacks come from the loop, never from inside a
 * function of this file. */
#ifndef K3X_BASE_WIRE_MUX_H
#define K3X_BASE_WIRE_MUX_H

#include "base/wire/conn.h"

struct mux;

struct mux_options {
	/* The other side has opened a stream: conn_start() it at once. NULL: this is the side that opens them. */
	void (*on_stream)(struct mux *m, struct conn *stream, void *arg);
	/* The connection has ended (err: NULL when in order), and with it all streams, which are told by themselves.
	 * Once; what is left to do is mux_close(). */
	void (*on_end)(struct mux *m, const struct err *err, void *arg);
	void *arg;
	unsigned ping_ms, lost_ms; /* when nothing has come for so long it is asked, and given up; 0: 10 s and 30 s */
};

/* Takes over an open connection. */
struct mux *mux_new(struct conn *c, const struct mux_options *options);

/* Ends the connection and all streams. closed(arg) (may be NULL) is the last callback; streams that their owners have
 * not closed by then are nobody's, and still have to be closed. */
void mux_close(struct mux *m, void (*closed)(void *arg), void *arg);

/* Opens a stream; it is used like a connection that conn_connect_tcp() has made, TLS and timeout included. Where the
 * other side does not take it, or `m` has ended, or has MUX_STREAMS_MAX of them, on_open says so. NULL as `m`: there is
 * no session (any more). Never NULL. */
struct conn *mux_open(struct mux *m, struct loop *loop, const struct conn_connect_options *options,
        const struct conn_callbacks *callbacks, void *arg);

/* Breaks a stream off, and tells the other side why (up to MUX_REASON_BYTES_MAX); conn_close() is still to be called.
 */
void mux_refuse(struct conn *stream, const char *why);

size_t mux_streams(const struct mux *m);
const char *mux_address(struct mux *m); /* of the other end of the connection */

#endif
