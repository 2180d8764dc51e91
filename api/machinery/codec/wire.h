/* The protobuf wire format: varints, tags, lengths. Under transcode_read.c and transcode_write.c,
 * and under the protobuf form of OpenAPI documents. */
#ifndef K3X_API_MACHINERY_CODEC_WIRE_H
#define K3X_API_MACHINERY_CODEC_WIRE_H

#include "base/limits.h"
#include "base/err.h"
#include "base/mem/str.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

enum { TRANSCODE_DEPTH_MAX = API_TREE_DEPTH_MAX };

/* One field read off a message: a number for varints and fixed ones, bytes else. */
struct wire_field {
	uint32_t number;
	enum wire_type type;
	uint64_t value;
	struct slice bytes;
};

/* Takes the next field off *rest. 1: read, 0: at the end, ERR_INVAL: broken. */
int wire_next(struct slice *rest, struct wire_field *out, struct err *err);

void wire_put_varint(struct strbuf *out, uint64_t v);
void wire_put_tag(struct strbuf *out, uint32_t number, enum wire_type type);
void wire_put_uint(struct strbuf *out, uint32_t number, uint64_t v);
void wire_put_bytes(struct strbuf *out, uint32_t number, struct slice bytes);
/* A message whose length is known only when it is written: begin returns a mark for end. */
size_t wire_begin(struct strbuf *out, uint32_t number);
void wire_end(struct strbuf *out, size_t mark);

#endif
