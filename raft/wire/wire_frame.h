/* Frames between peers, without I/O: length (4 bytes), CRC-32C of the payload (4 bytes), payload. TCP's own checksum
 * lets one flipped bit in some ten million packets through, and a plain connection has no other. Private to raft/. */
#ifndef K3X_RAFT_WIRE_WIRE_FRAME_H
#define K3X_RAFT_WIRE_WIRE_FRAME_H

#include "base/err.h"
#include "base/mem/str.h"

enum { WIRE_FRAME_HEAD_BYTES = 8 };

struct wire_frame_reader {
	struct strbuf bytes; /* of a frame that is not whole yet */
	size_t bytes_max;    /* of a payload */
};

/* Calls fn for every whole frame; the payload is valid during the call. fn returns false to end the feeding; *ret_used
 * then says how many bytes were taken (all of them otherwise), the rest is the caller's to feed later. The reader must
 * outlive the call. ERR_TOO_BIG, ERR_PROTOCOL (a checksum that does not fit): close that connection. */
int wire_frame_feed(struct wire_frame_reader *r, const char *data, size_t len,
        bool (*fn)(void *arg, struct slice payload), void *arg, size_t *ret_used, struct err *err);
void wire_frame_reader_release(struct wire_frame_reader *r);

void wire_frame_head(char ret[WIRE_FRAME_HEAD_BYTES], struct slice payload);

/* What a connection begins with. */
enum wire_purpose { WIRE_MESSAGES = 1, WIRE_STATE = 2, WIRE_QUESTION = 3 };
struct wire_hello {
	uint64_t cluster_id; /* 0 in a question: the asker has none yet */
	uint64_t from, to;   /* server ids; to 0: whoever answers */
	enum wire_purpose purpose;
	struct slice address; /* of `from`, for answers; up to 255 bytes */
};
void wire_hello_encode(struct strbuf *out, const struct wire_hello *h);
/* The address points into `bytes`. ERR_PROTOCOL. */
int wire_hello_decode(struct slice bytes, struct wire_hello *ret, struct err *err);

/* The only frame that comes back on a connection for messages: whoever greeted is turned away, and why. The text points
 * into `bytes`; false: it is no such frame. Servers of before there was one ignore it. */
enum { WIRE_REFUSAL_BYTES_MAX = 1024 };
void wire_refusal_encode(struct strbuf *out, const char *why);
bool wire_refusal_decode(struct slice bytes, struct slice *ret_why);

#endif
