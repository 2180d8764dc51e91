/* Two connections joined: what comes from one is written to the other, held back while that one's peer does not read.
 * Of each direction no more is held than a connection queues (two reads). */
#ifndef K3X_BASE_WIRE_CONN_JOIN_H
#define K3X_BASE_WIRE_CONN_JOIN_H

#include "base/wire/conn.h"

struct conn_join;

enum conn_join_end {
	CONN_JOIN_HALVES, /* a side that ends in order ends that direction alone, as TCP does */
	CONN_JOIN_WHOLE,  /* both end when one does */
};

/* Takes over two open connections of one loop. done(arg) (may be NULL), once, when both are closed and nothing is left:
 * never from inside a call. */
struct conn_join *conn_join(struct conn *a, struct conn *b, enum conn_join_end end, void (*done)(void *arg), void *arg);

/* Breaks both off; done() follows. Not after it. */
void conn_join_cut(struct conn_join *j);

#endif
