/* See base64.h. */
#include "base/base64.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static struct slice encode(struct arena *a, struct slice bytes, const char *alphabet, bool pad)
{
	const unsigned char *p = (const unsigned char *)bytes.ptr;
	char *out = arena_alloc(a, (bytes.len + 2) / 3 * 4 + 1), *d = out;
	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
		unsigned v = (unsigned)p[i] << 16 | (n > 1 ? (unsigned)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0u);
		for (size_t k = 0; k <= n; k++)
			*d++ = alphabet[v >> (18 - 6 * k) & 63];
		for (size_t k = n; pad && k < 3; k++)
			*d++ = '=';
	}
	*d = 0;
	return (struct slice){out, (size_t)(d - out)};
}

struct slice base64_encode(struct arena *a, struct slice bytes)
{
	return encode(a, bytes, standard, true);
}

struct slice base64url_encode(struct arena *a, struct slice bytes)
{
	return encode(a, bytes, url_safe, false);
}

static int value_of(char c, const char *alphabet)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == alphabet[62] ? 62 : c == alphabet[63] ? 63 : -1;
}

static bool decode(struct arena *a, struct slice text, const char *alphabet, bool need_pad, struct slice *out)
{
	char *dst = arena_alloc(a, text.len / 4 * 3 + 4), *d = dst;
	unsigned bits = 0, n = 0;
	size_t pads = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (need_pad && (c == '\n' || c == '\r'))
			continue;
		if (c == '=') {
			pads++;
			continue;
		}
		int v = value_of(c, alphabet);
		if (v < 0 || pads)
			return false;
		bits = bits << 6 | (unsigned)v;
		if (++n == 4) {
			*d++ = (char)(bits >> 16);
			*d++ = (char)(bits >> 8);
			*d++ = (char)bits;
			bits = n = 0;
		}
	}
	size_t want = n ? 4 - n : 0;
	if (n == 1 || (pads ? pads != want : need_pad && want))
		return false;
	if (n == 2) {
		if (bits & 15)
			return false;
		*d++ = (char)(bits >> 4);
	} else if (n == 3) {
		if (bits & 3)
			return false;
		*d++ = (char)(bits >> 10);
		*d++ = (char)(bits >> 2);
	}
	*d = 0;
	*out = (struct slice){dst, (size_t)(d - dst)};
	return true;
}

bool base64_decode(struct arena *a, struct slice text, struct slice *out)
{
	return decode(a, text, standard, true, out);
}

bool base64url_decode(struct arena *a, struct slice text, struct slice *out)
{
	return decode(a, text, url_safe, false, out);
}
