/* The frames in which streams share a connection (see mux.h): taken apart and made, no I/O. Any thread.
 *
 *     1 byte     type
 *     4 bytes    stream, big-endian; 0: the connection itself
 *     3 bytes    length of what follows, at most MUX_FRAME_BYTES_MAX
 *
 *     OPEN                      a stream begins; its id is larger than all before it
 *     DATA   bytes, 1 and more
 *     ROOM   4 bytes            so many bytes more may be sent, besides the MUX_WINDOW_BYTES of the beginning
 *     END                       no more bytes come from this side
 *     RESET  a text, maybe      the stream is over, and why
 *     PING, PONG  8 bytes       of the connection; PONG says the same 8 bytes again */
#ifndef K3X_BASE_WIRE_MUX_FRAME_H
#define K3X_BASE_WIRE_MUX_FRAME_H

#include "base/err.h"
#include "base/mem/str.h"

enum mux_type { MUX_OPEN = 1, MUX_DATA, MUX_ROOM, MUX_END, MUX_RESET, MUX_PING, MUX_PONG };
enum { MUX_HEAD_BYTES = 8, MUX_PING_BYTES = 8, MUX_ROOM_BYTES = 4 };

struct mux_frame {
	enum mux_type type;
	uint32_t stream;
	struct slice payload;
	uint32_t room; /* of ROOM */
};

/* Bytes of a frame that has not come whole. */
struct mux_decoder {
	struct strbuf partial;
	bool is_taken; /* what is there was given out */
};

void mux_decoder_release(struct mux_decoder *d);

/* Takes bytes from the front of `in`, which it shortens. 1: *ret is a frame, whose payload is valid until the next call
 * (and as long as the bytes of `in`); 0: all were taken, and more are needed; negative: the other side sends something
 * that is none (ERR_PROTOCOL). */
int mux_decode(struct mux_decoder *d, struct slice *in, struct mux_frame *ret, struct err *err);

/* Appends a whole frame; a payload of DATA is at most MUX_FRAME_BYTES_MAX. */
void mux_encode(struct strbuf *out, enum mux_type type, uint32_t stream, struct slice payload);
void mux_encode_room(struct strbuf *out, uint32_t stream, uint32_t room);
/* The head alone, for a payload that is sent from where it lies. */
void mux_encode_head(unsigned char ret[MUX_HEAD_BYTES], enum mux_type type, uint32_t stream, size_t len);

#endif
