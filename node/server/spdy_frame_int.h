/* The framing of SPDY/3.1, without I/O. */
#ifndef K3X_NODE_SERVER_SPDY_FRAME_INT_H
#define K3X_NODE_SERVER_SPDY_FRAME_INT_H

#include "base/err.h"
#include "base/mem/str.h"

enum { SPDY_DATA = 0, SPDY_SYN_STREAM = 1, SPDY_SYN_REPLY = 2, SPDY_RST_STREAM = 3, SPDY_PING = 6, SPDY_FLAG_FIN = 1 };

struct spdy_frame {
	unsigned type; /* SPDY_DATA, or what the control frame says: any number */
	uint32_t id;   /* of the stream or the ping; 0 for types that are not named above */
	bool is_end;
	struct slice body; /* in the input */
};

/* Takes a frame from the front of *in. 1: there is one; 0: more bytes are needed; negative: ERR_PROTOCOL, the session
 * cannot go on. */
int spdy_frame_next(struct slice *in, struct spdy_frame *ret, struct err *err);

/* stream_id: odd, from 1. *first: true before the first one of a session, whose header stream begins with it. */
void spdy_write_syn(struct strbuf *out, unsigned stream_id, const char *stream_type, bool *first);
void spdy_write_data(struct strbuf *out, unsigned stream_id, struct slice data, bool is_end);
void spdy_write_ping(struct strbuf *out, uint32_t id);

#endif
