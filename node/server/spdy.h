/* A SPDY/3.1 client, as far as container runtimes' streaming servers need it: exec and attach. WebSocket would do but
 * for one thing: its subprotocol there cannot end stdin alone.
 *
 * A session asks for an upgrade of a URL, opens its streams, and is open when the server has replied to all of them.
 * Then data goes both ways, each stream ends by itself. All on the loop's thread; callbacks come from the loop. */
#ifndef K3X_NODE_SERVER_SPDY_H
#define K3X_NODE_SERVER_SPDY_H

#include "base/err.h"
#include "base/mem/str.h"
#include "base/rt/loop.h"

struct conn;
struct http_client;
struct spdy;

enum { SPDY_STREAMS_MAX = 8 };

struct spdy_callbacks {
	void (*on_open)(struct spdy *s, void *arg);
	void (*on_data)(struct spdy *s, unsigned stream, struct slice data, bool is_end, void *arg);
	void (*on_drained)(struct spdy *s, void *arg);
	/* The last callback, once, also when it never opened; s is freed on return. err NULL: the server closed in
	 * order. */
	void (*on_closed)(struct spdy *s, const struct err *err, void *arg);
};

/* stream_types: the value of each stream's "streamType" header; streams are numbered in this order from 0. */
struct spdy *spdy_connect(struct loop *loop, const char *url, const char *const *stream_types, unsigned streams_count,
        const struct spdy_callbacks *callbacks, void *arg);
/* False: wait for on_drained; taken in either case. */
bool spdy_send(struct spdy *s, unsigned stream, struct slice data, bool is_end);
void spdy_read_pause(struct spdy *s);
void spdy_read_resume(struct spdy *s);
void spdy_close(struct spdy *s); /* on_closed follows */

/* An upgraded byte stream to such a URL for those who speak the protocol themselves (port-forward tunnels): done gets
 * the connection, to be conn_start()ed in the call, or an error. */
struct spdy_dial;
struct spdy_dial *spdy_dial(struct loop *loop, const char *url, const char *protocol,
        void (*done)(void *arg, struct conn *conn, const struct err *err), void *arg);
void spdy_dial_forget(struct spdy_dial *d);

#endif
