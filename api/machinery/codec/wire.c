/* The protobuf wire format (protobuf.dev, "Encoding"). Groups, which proto3 dropped and upstream never writes, are
 * refused. Every length is checked against what is there before it is used. */
#include "api/machinery/codec/wire.h"

#include "base/check.h"

static bool get_varint(struct slice *s, uint64_t *out)
{
	*out = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (s->len == 0)
			return false;
		uint8_t b = (uint8_t)*s->ptr;
		s->ptr++;
		s->len--;
		*out |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return true;
	}
	return false;
}

static bool get_fixed(struct slice *s, size_t n, uint64_t *out)
{
	if (s->len < n)
		return false;
	*out = 0;
	for (size_t i = 0; i < n; i++)
		*out |= (uint64_t)(uint8_t)s->ptr[i] << (8 * i);
	s->ptr += n;
	s->len -= n;
	return true;
}

static bool get_bytes(struct slice *s, struct slice *out)
{
	uint64_t n;
	if (!get_varint(s, &n) || n > s->len)
		return false;
	*out = (struct slice){s->ptr, (size_t)n};
	s->ptr += n;
	s->len -= (size_t)n;
	return true;
}

int wire_next(struct slice *rest, struct wire_field *out, struct err *err)
{
	if (rest->len == 0)
		return 0;
	uint64_t tag;
	if (!get_varint(rest, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
		return err_set(err, ERR_INVAL, "protobuf: a field's tag is broken");
	*out = (struct wire_field){.number = (uint32_t)(tag >> 3), .type = (enum wire_type)(tag & 7)};
	bool ok = false;
	switch (tag & 7) {
	case WIRE_VARINT:
		ok = get_varint(rest, &out->value);
		break;
	case WIRE_FIXED64:
		ok = get_fixed(rest, 8, &out->value);
		break;
	case WIRE_BYTES:
		ok = get_bytes(rest, &out->bytes);
		break;
	case WIRE_FIXED32:
		ok = get_fixed(rest, 4, &out->value);
		break;
	default:
		return err_set(err, ERR_INVAL, "protobuf: field %u has wire type %u", out->number, (unsigned)(tag & 7));
	}
	return ok ? 1 : err_set(err, ERR_INVAL, "protobuf: field %u ends too early", out->number);
}

void wire_put_varint(struct strbuf *out, uint64_t v)
{
	char bytes[10];
	size_t n = 0;
	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (char)(v | 0x80);
	bytes[n++] = (char)v;
	strbuf_add(out, bytes, n);
}

void wire_put_tag(struct strbuf *out, uint32_t number, enum wire_type type)
{
	wire_put_varint(out, (uint64_t)number << 3 | type);
}

void wire_put_uint(struct strbuf *out, uint32_t number, uint64_t v)
{
	wire_put_tag(out, number, WIRE_VARINT);
	wire_put_varint(out, v);
}

void wire_put_bytes(struct strbuf *out, uint32_t number, struct slice bytes)
{
	wire_put_tag(out, number, WIRE_BYTES);
	wire_put_varint(out, bytes.len);
	strbuf_add_slice(out, bytes);
}

size_t wire_begin(struct strbuf *out, uint32_t number)
{
	wire_put_tag(out, number, WIRE_BYTES);
	strbuf_addc(out, 0); /* one byte of length, as most have; end() makes room when it takes more */
	return out->len;
}

void wire_end(struct strbuf *out, size_t mark)
{
	CHECK(mark <= out->len);
	size_t len = out->len - mark;
	char bytes[10];
	size_t n = 0;
	uint64_t v = len;
	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (char)(v | 0x80);
	bytes[n++] = (char)v;
	if (n > 1) {
		strbuf_add(out, bytes, n - 1); /* grows by what is missing; overwritten by the move */
		memmove(out->data + mark + n - 1, out->data + mark, len);
	}
	memcpy(out->data + mark - 1, bytes, n);
}
