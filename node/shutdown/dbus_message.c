/* See dbus_message_int.h. The D-Bus specification, "Marshaling" and "Message Format": every value is aligned to its own
 * size from the message's beginning, a text has its length before and a zero byte behind it, a header is an array of
 * (code, variant). What can go wrong: lengths beyond the message, texts without their zero byte, types that are not
 * spoken here, nesting: such a message is none, or its value is not there. */
#include "node/shutdown/dbus_message_int.h"

#include "base/check.h"

#include <stdarg.h>

enum { FIXED_HEADER_BYTES = 16, HEADER_FIELDS_BYTES_MAX = 65536 };
enum { FIELD_PATH = 1, FIELD_INTERFACE, FIELD_MEMBER, FIELD_ERROR, FIELD_REPLY_SERIAL, FIELD_SIGNATURE = 8, FIELD_FDS };

/* ---- reading ---- */

struct reader {
	struct slice bytes;
	size_t at;
	bool is_big, is_bad;
};

static void align(struct reader *r, size_t to)
{
	r->at = (r->at + to - 1) / to * to;
}

static uint64_t number(struct reader *r, size_t size)
{
	uint64_t v = 0;
	align(r, size);
	if (r->is_bad || r->at > r->bytes.len || r->bytes.len - r->at < size) {
		r->is_bad = true;
		return 0;
	}
	for (size_t i = 0; i < size; i++)
		v |= (uint64_t)(uint8_t)r->bytes.ptr[r->at + i] << 8 * (r->is_big ? size - 1 - i : i);
	r->at += size;
	return v;
}

/* With a length of one byte (signatures) or four. */
static struct slice text(struct reader *r, size_t length_size)
{
	uint64_t len = number(r, length_size);
	if (r->is_bad || len >= r->bytes.len - r->at || r->bytes.ptr[r->at + len] != 0) {
		r->is_bad = true;
		return SLICE_NULL;
	}
	struct slice s = {r->bytes.ptr + r->at, (size_t)len};
	r->at += len + 1;
	return s;
}

static size_t size_of(char type)
{
	switch (type) {
	case 'y':
		return 1;
	case 'n':
	case 'q':
		return 2;
	case 'b':
	case 'i':
	case 'u':
	case 'h':
		return 4;
	case 'x':
	case 't':
	case 'd':
		return 8;
	default:
		return 0;
	}
}

struct value {
	struct slice text;
	uint64_t number;
	bool is_text;
};

/* A value of a basic type, or a variant of one. */
static struct value value(struct reader *r, char type)
{
	struct value v = {SLICE_NULL, 0, false};
	if (type == 'v') {
		struct slice inner = text(r, 1);
		if (r->is_bad || inner.len != 1 || *inner.ptr == 'v') {
			r->is_bad = true;
			return v;
		}
		type = *inner.ptr;
	}
	v.is_text = type == 's' || type == 'o' || type == 'g';
	if (v.is_text)
		v.text = text(r, type == 'g' ? 1 : 4);
	else if (size_of(type))
		v.number = number(r, size_of(type));
	else
		r->is_bad = true;
	return v;
}

static void take_field(struct dbus_message *m, uint64_t code, const struct value *v)
{
	struct slice *texts[] = {[FIELD_PATH] = &m->path,
	        [FIELD_INTERFACE] = &m->interface,
	        [FIELD_MEMBER] = &m->member,
	        [FIELD_ERROR] = &m->error,
	        [FIELD_SIGNATURE] = &m->signature};
	if (v->is_text && code < COUNT_OF(texts) && texts[code])
		*texts[code] = v->text;
	else if (!v->is_text && code == FIELD_REPLY_SERIAL)
		m->reply_serial = (uint32_t)v->number;
	else if (!v->is_text && code == FIELD_FDS)
		m->fds = (uint32_t)v->number;
}

int64_t dbus_message_read(struct slice bytes, struct dbus_message *ret)
{
	if (bytes.len && *bytes.ptr != 'l' && *bytes.ptr != 'B')
		return -1;
	if (bytes.len < FIXED_HEADER_BYTES)
		return 0;
	struct dbus_message m = {.type = (uint8_t)bytes.ptr[1], .is_big = *bytes.ptr == 'B'};
	struct reader r = {bytes, 4, m.is_big, false};
	uint64_t body = number(&r, 4);
	m.serial = (uint32_t)number(&r, 4);
	uint64_t fields = number(&r, 4), begin = (FIXED_HEADER_BYTES + fields + 7) / 8 * 8;
	if (bytes.ptr[3] != 1 || fields > HEADER_FIELDS_BYTES_MAX || body > DBUS_MESSAGE_BYTES_MAX - begin)
		return -1;
	if (bytes.len < begin + body)
		return 0;
	r.bytes.len = FIXED_HEADER_BYTES + fields;
	while (r.at < r.bytes.len) {
		align(&r, 8);
		uint64_t code = number(&r, 1);
		struct value v = value(&r, 'v');
		if (r.is_bad)
			return -1;
		take_field(&m, code, &v);
	}
	m.body = (struct slice){bytes.ptr + begin, body};
	*ret = m;
	return (int64_t)(begin + body);
}

static bool nth(const struct dbus_message *m, unsigned n, struct value *ret)
{
	struct reader r = {m->body, 0, m->is_big, false};
	for (unsigned i = 0; i <= n; i++) {
		if (i >= m->signature.len)
			return false;
		*ret = value(&r, m->signature.ptr[i]);
	}
	return !r.is_bad;
}

bool dbus_message_text(const struct dbus_message *m, unsigned n, struct slice *ret)
{
	struct value v;
	if (!nth(m, n, &v) || !v.is_text)
		return false;
	*ret = v.text;
	return true;
}

bool dbus_message_number(const struct dbus_message *m, unsigned n, uint64_t *ret)
{
	struct value v;
	if (!nth(m, n, &v) || v.is_text)
		return false;
	*ret = v.number;
	return true;
}

/* ---- writing, always with the lowest byte first ---- */

static void pad(struct strbuf *b, size_t begin, size_t to)
{
	while ((b->len - begin) % to)
		strbuf_addc(b, 0);
}

static void put_u32(struct strbuf *b, size_t begin, uint32_t v)
{
	pad(b, begin, 4);
	for (int i = 0; i < 4; i++)
		strbuf_addc(b, (char)(v >> 8 * i & 0xff));
}

static void set_u32(struct strbuf *b, size_t at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		b->data[at + (size_t)i] = (char)(v >> 8 * i & 0xff);
}

static void put_text(struct strbuf *b, size_t begin, const char *s)
{
	put_u32(b, begin, (uint32_t)strlen(s));
	strbuf_add(b, s, strlen(s) + 1);
}

static void put_signature(struct strbuf *b, const char *s)
{
	strbuf_addc(b, (char)strlen(s));
	strbuf_add(b, s, strlen(s) + 1);
}

static void put_field(struct strbuf *b, size_t begin, char code, const char *type, const char *v)
{
	pad(b, begin, 8);
	strbuf_addc(b, code);
	put_signature(b, type);
	if (*type == 'g')
		put_signature(b, v);
	else
		put_text(b, begin, v);
}

void dbus_call_write(struct strbuf *out, uint32_t serial, const char *destination, const char *path,
        const char *interface, const char *member, const char *signature, ...)
{
	size_t begin = out->len;
	va_list ap;
	CHECK(serial);
	strbuf_add(out, "l\1\0\1\0\0\0\0", 8); /* a call; the body's length comes later */
	put_u32(out, begin, serial);
	put_u32(out, begin, 0); /* of the fields */
	size_t fields = out->len;
	put_field(out, begin, FIELD_PATH, "o", path);
	put_field(out, begin, 6, "s", destination);
	put_field(out, begin, FIELD_INTERFACE, "s", interface);
	put_field(out, begin, FIELD_MEMBER, "s", member);
	if (*signature)
		put_field(out, begin, FIELD_SIGNATURE, "g", signature);
	set_u32(out, begin + 12, (uint32_t)(out->len - fields));
	pad(out, begin, 8);
	size_t body = out->len;
	va_start(ap, signature);
	for (const char *c = signature; *c; c++) {
		CHECK(*c == 's' || *c == 'i');
		if (*c == 's')
			put_text(out, body, va_arg(ap, const char *));
		else
			put_u32(out, body, (uint32_t)va_arg(ap, int32_t));
	}
	va_end(ap);
	set_u32(out, begin + 4, (uint32_t)(out->len - body));
}
