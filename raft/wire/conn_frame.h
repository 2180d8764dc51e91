/* A frame written to a connection. Private to raft/. */
#ifndef K3X_RAFT_WIRE_CONN_FRAME_H
#define K3X_RAFT_WIRE_CONN_FRAME_H

#include "base/wire/conn.h"
#include "raft/wire/wire_frame.h"

/* As conn_write(): false, wait for on_drained. */
static inline bool conn_write_frame(struct conn *c, struct slice payload)
{
	char head[WIRE_FRAME_HEAD_BYTES];
	wire_frame_head(head, payload);
	conn_write(c, head, sizeof head);
	return conn_write(c, payload.ptr, payload.len);
}

#endif
