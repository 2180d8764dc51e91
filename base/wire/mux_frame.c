/* See mux_frame.h. A frame that lies whole in what was read is given out where it lies; only one that was cut by a read
 * is collected. What can go wrong is all the other side's doing: a type that is none, a length that the type does not
 * have, a stream where there is none or the other way round; the connection is worth nothing then. */
#include "base/wire/mux_frame.h"

#include "base/check.h"
#include "base/limits.h"

static uint32_t get_u32(const char *p)
{
	const unsigned char *b = (const unsigned char *)p;
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void put_u32(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (24 - 8 * i));
}

static const struct rule {
	const char *name;
	size_t min, max;
	bool is_of_stream;
} rules[] = {
        [MUX_OPEN] = {"OPEN", 0, 0, true},
        [MUX_DATA] = {"DATA", 1, MUX_FRAME_BYTES_MAX, true},
        [MUX_ROOM] = {"ROOM", MUX_ROOM_BYTES, MUX_ROOM_BYTES, true},
        [MUX_END] = {"END", 0, 0, true},
        [MUX_RESET] = {"RESET", 0, MUX_REASON_BYTES_MAX, true},
        [MUX_PING] = {"PING", MUX_PING_BYTES, MUX_PING_BYTES, false},
        [MUX_PONG] = {"PONG", MUX_PING_BYTES, MUX_PING_BYTES, false},
};

static int check_head(const char *head, size_t *ret_len, struct err *err)
{
	unsigned type = (unsigned char)head[0];
	uint32_t stream = get_u32(head + 1);
	size_t len = get_u32(head + 4) & 0xffffff;
	if (type == 0 || type >= COUNT_OF(rules))
		return err_set(err, ERR_PROTOCOL, "a frame of type %u, which is none", type);
	const struct rule *r = &rules[type];
	if (len < r->min || len > r->max)
		return err_set(err, ERR_PROTOCOL, "%s of %zu bytes", r->name, len);
	if (r->is_of_stream != (stream != 0))
		return err_set(err, ERR_PROTOCOL, "%s on stream %u", r->name, stream);
	*ret_len = len;
	return 0;
}

static int give_out(const char *head, size_t len, struct mux_frame *ret)
{
	*ret = (struct mux_frame){
	        .type = (enum mux_type)head[0], .stream = get_u32(head + 1), .payload = {head + MUX_HEAD_BYTES, len}};
	if (ret->type == MUX_ROOM)
		ret->room = get_u32(ret->payload.ptr);
	return 1;
}

static void collect(struct mux_decoder *d, struct slice *in, size_t want)
{
	size_t missing = want - d->partial.len, n = in->len < missing ? in->len : missing;
	strbuf_add(&d->partial, in->ptr, n);
	in->ptr += n;
	in->len -= n;
}

int mux_decode(struct mux_decoder *d, struct slice *in, struct mux_frame *ret, struct err *err)
{
	size_t len;
	if (d->is_taken) {
		strbuf_reset(&d->partial);
		d->is_taken = false;
	}
	if (!d->partial.len && in->len >= MUX_HEAD_BYTES) {
		if (check_head(in->ptr, &len, err) != 0)
			return err->code;
		if (in->len >= MUX_HEAD_BYTES + len) {
			const char *head = in->ptr;
			in->ptr += MUX_HEAD_BYTES + len;
			in->len -= MUX_HEAD_BYTES + len;
			return give_out(head, len, ret);
		}
	}
	if (d->partial.len < MUX_HEAD_BYTES)
		collect(d, in, MUX_HEAD_BYTES);
	if (d->partial.len < MUX_HEAD_BYTES)
		return 0;
	if (check_head(d->partial.data, &len, err) != 0)
		return err->code;
	collect(d, in, MUX_HEAD_BYTES + len);
	if (d->partial.len < MUX_HEAD_BYTES + len)
		return 0;
	d->is_taken = true;
	return give_out(d->partial.data, len, ret);
}

void mux_decoder_release(struct mux_decoder *d)
{
	strbuf_release(&d->partial);
	d->is_taken = false;
}

void mux_encode_head(unsigned char ret[MUX_HEAD_BYTES], enum mux_type type, uint32_t stream, size_t len)
{
	CHECK(len <= MUX_FRAME_BYTES_MAX);
	ret[0] = (unsigned char)type;
	put_u32(ret + 1, stream);
	ret[5] = (unsigned char)(len >> 16);
	ret[6] = (unsigned char)(len >> 8);
	ret[7] = (unsigned char)len;
}

void mux_encode(struct strbuf *out, enum mux_type type, uint32_t stream, struct slice payload)
{
	unsigned char head[MUX_HEAD_BYTES];
	mux_encode_head(head, type, stream, payload.len);
	strbuf_add(out, head, sizeof head);
	strbuf_add_slice(out, payload);
}

void mux_encode_room(struct strbuf *out, uint32_t stream, uint32_t room)
{
	unsigned char bytes[MUX_ROOM_BYTES];
	put_u32(bytes, room);
	mux_encode(out, MUX_ROOM, stream, (struct slice){(const char *)bytes, sizeof bytes});
}
