/* WebSocket frames (RFC 6455 section 5), without I/O. See ws.h.
 *
 * A frame's head is gathered byte by byte until its length is known, so frames may be cut anywhere. Payloads are
 * unmasked into the message under way; control frames, which may come between fragments, have a buffer of their own.
 *
 * What can go wrong, all answered with an error and a close code: reserved bits or opcodes, wrong masking, fragmented
 * or long control frames, fragments out of order, lengths in a longer form than needed, text that is not UTF-8, close
 * codes that must not be sent, messages above the limit. */
#include "base/wire/ws.h"

#include "base/base64.h"

#include <openssl/evp.h>

enum { CONTROL_MAX = 125 };

void ws_codec_init(struct ws_codec *c, bool is_server, size_t message_bytes_max)
{
	*c = (struct ws_codec){.is_server = is_server, .message_bytes_max = message_bytes_max};
}

void ws_codec_release(struct ws_codec *c)
{
	strbuf_release(&c->message);
	strbuf_release(&c->control);
}

bool ws_utf8_valid(struct slice s)
{
	const unsigned char *p = (const unsigned char *)s.ptr, *end = p + s.len;
	while (p < end) {
		unsigned c = *p++;
		if (c < 0x80)
			continue;
		int n = c >= 0xc2 && c <= 0xdf ? 1 : (c & 0xf0) == 0xe0 ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : 0;
		if (n == 0 || end - p < n)
			return false;
		if ((c == 0xe0 && p[0] < 0xa0) || (c == 0xed && p[0] > 0x9f) || (c == 0xf0 && p[0] < 0x90) ||
		        (c == 0xf4 && p[0] > 0x8f))
			return false;
		for (int i = 0; i < n; i++)
			if ((*p++ & 0xc0) != 0x80)
				return false;
	}
	return true;
}

static int broken(unsigned *close_code, struct err *err, const char *what)
{
	*close_code = WS_CLOSE_PROTOCOL;
	return err_set(err, ERR_PROTOCOL, "WebSocket: %s", what);
}

static size_t head_size(const unsigned char *h)
{
	unsigned len = h[1] & 0x7f;
	return 2 + (len == 126 ? 2u : len == 127 ? 8u : 0u) + (h[1] & 0x80 ? 4u : 0u);
}

static int check_opcode(struct ws_codec *c, unsigned *close_code, struct err *err)
{
	switch (c->opcode) {
	case 0:
		return c->fragmented ? 0 : broken(close_code, err, "continuation without a beginning");
	case WS_TEXT:
	case WS_BINARY:
		return c->fragmented ? broken(close_code, err, "new message inside a fragmented one") : 0;
	case WS_CLOSE:
	case WS_PING:
	case WS_PONG:
		if (!c->fin || c->left > CONTROL_MAX)
			return broken(close_code, err, "control frame is fragmented or too long");
		return 0;
	default:
		return broken(close_code, err, "unknown opcode");
	}
}

static int take_head(struct ws_codec *c, unsigned *close_code, struct err *err)
{
	const unsigned char *h = c->head;
	unsigned len = h[1] & 0x7f;
	bool masked = h[1] & 0x80;
	c->fin = h[0] & 0x80;
	c->opcode = h[0] & 0x0f;
	c->left = len;
	c->payload_at = 0;
	if (h[0] & 0x70)
		return broken(close_code, err, "reserved bits are set");
	if (masked != c->is_server)
		return broken(close_code, err, masked ? "server's frame is masked" : "client's frame is not masked");
	if (len >= 126) {
		c->left = 0;
		for (size_t i = 2; i < (len == 126 ? 4u : 10u); i++)
			c->left = c->left << 8 | h[i];
		if (c->left < (len == 126 ? 126u : 65536u) || c->left >> 63)
			return broken(close_code, err, "length is not in its shortest form");
	}
	if (masked)
		memcpy(c->mask, h + c->head_need - 4, 4);
	int rc = check_opcode(c, close_code, err);
	if (rc != 0)
		return rc;
	if (c->opcode < WS_CLOSE && c->left + c->message.len > c->message_bytes_max) {
		*close_code = WS_CLOSE_TOO_BIG;
		return err_set(err, ERR_TOO_BIG, "WebSocket: message is larger than %zu bytes", c->message_bytes_max);
	}
	if (c->opcode == WS_TEXT || c->opcode == WS_BINARY)
		c->fragmented = c->opcode;
	return 0;
}

static void take_payload(struct ws_codec *c, const char *data, size_t n)
{
	struct strbuf *to = c->opcode >= WS_CLOSE ? &c->control : &c->message;
	strbuf_add(to, data, n);
	if (c->is_server) {
		char *p = to->data + to->len - n;
		for (size_t i = 0; i < n; i++)
			p[i] ^= (char)c->mask[(c->payload_at + i) & 3];
	}
	c->payload_at += n;
	c->left -= n;
}

static bool close_code_allowed(unsigned code)
{
	return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
	       (code >= 3000 && code <= 4999);
}

static int check_close(struct ws_codec *c, unsigned *close_code, struct err *err)
{
	const unsigned char *p = (const unsigned char *)c->control.data;
	c->closed = true;
	if (c->control.len == 0)
		return 0;
	if (c->control.len == 1 || !close_code_allowed((unsigned)p[0] << 8 | p[1]))
		return broken(close_code, err, "close frame has no valid code");
	if (!ws_utf8_valid((struct slice){c->control.data + 2, c->control.len - 2}))
		return broken(close_code, err, "close reason is not UTF-8");
	return 0;
}

/* A frame is whole: *kind when a message is, too. */
static int end_frame(
        struct ws_codec *c, enum ws_kind *kind, struct slice *message, unsigned *close_code, struct err *err)
{
	c->in_payload = false;
	c->head_len = c->head_need = 0;
	if (c->opcode >= WS_CLOSE) {
		*kind = c->opcode;
		*message = strbuf_slice(&c->control);
		return c->opcode == WS_CLOSE ? check_close(c, close_code, err) : 0;
	}
	if (!c->fin)
		return 0;
	*kind = c->fragmented;
	*message = strbuf_slice(&c->message);
	c->fragmented = 0;
	if (*kind == WS_TEXT && !ws_utf8_valid(*message)) {
		*close_code = WS_CLOSE_BAD_DATA;
		return err_set(err, ERR_PROTOCOL, "WebSocket: text is not UTF-8");
	}
	return 0;
}

static int feed_head(struct ws_codec *c, char byte, unsigned *close_code, struct err *err)
{
	c->head[c->head_len++] = (unsigned char)byte;
	if (c->head_len == 2)
		c->head_need = head_size(c->head);
	if (c->head_len < 2 || c->head_len < c->head_need)
		return 0;
	c->in_payload = true;
	return take_head(c, close_code, err);
}

int ws_codec_feed(struct ws_codec *c, const char *data, size_t len, size_t *used, enum ws_kind *kind,
        struct slice *message, unsigned *close_code, struct err *err)
{
	int rc = 0;
	*used = 0;
	*kind = 0;
	*message = SLICE_NULL;
	if (!c->in_payload && c->head_len == 0) { /* what was reported last is over */
		strbuf_reset(&c->control);
		if (!c->fragmented)
			strbuf_reset(&c->message);
	}
	while (rc == 0 && *kind == 0 && !c->closed) {
		if (!c->in_payload) {
			if (*used == len)
				break;
			if (c->head_len == 0)
				strbuf_reset(&c->control);
			rc = feed_head(c, data[(*used)++], close_code, err);
			continue;
		}
		size_t n = c->left < len - *used ? (size_t)c->left : len - *used;
		take_payload(c, data + *used, n);
		*used += n;
		if (c->left)
			break;
		rc = end_frame(c, kind, message, close_code, err);
	}
	if (c->closed && *kind == 0)
		*used = len; /* nothing counts behind a close frame */
	return rc;
}

void ws_frame_write(struct strbuf *out, enum ws_kind kind, bool fin, struct slice data, const unsigned char *mask)
{
	unsigned char h[14];
	size_t n = 2;
	h[0] = (unsigned char)((fin ? 0x80 : 0) | (unsigned)kind);
	if (data.len < 126) {
		h[1] = (unsigned char)data.len;
	} else if (data.len < 65536) {
		h[1] = 126;
		h[n++] = (unsigned char)(data.len >> 8);
		h[n++] = (unsigned char)data.len;
	} else {
		h[1] = 127;
		for (int shift = 56; shift >= 0; shift -= 8)
			h[n++] = (unsigned char)((uint64_t)data.len >> shift);
	}
	if (mask) {
		h[1] |= 0x80;
		memcpy(h + n, mask, 4);
		n += 4;
	}
	strbuf_add(out, h, n);
	strbuf_add(out, data.ptr, data.len);
	for (size_t i = 0; mask && i < data.len; i++)
		out->data[out->len - data.len + i] ^= (char)mask[i & 3];
}

void ws_accept_key(struct slice key, char ret[29])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	struct strbuf b = STRBUF_INIT;
	struct arena a = ARENA_INIT;
	unsigned char md[20];
	unsigned len = 0;
	strbuf_add_slice(&b, key);
	strbuf_adds(&b, guid);
	EVP_Digest(b.data, b.len, md, &len, EVP_sha1(), NULL);
	struct slice text = base64_encode(&a, (struct slice){(const char *)md, sizeof md});
	memcpy(ret, text.ptr, 28);
	ret[28] = 0;
	arena_release(&a);
	strbuf_release(&b);
}
