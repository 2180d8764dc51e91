/* See str.h. */
#include "base/mem/str.h"

#include "base/check.h"
#include "base/mem/arena.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

int slice_cmp(struct slice a, struct slice b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
	return c ? c : (a.len > b.len) - (a.len < b.len);
}

struct slice slice_lower(struct arena *a, struct slice s)
{
	char *copy = arena_memdup(a, s.ptr, s.len);
	for (size_t i = 0; i < s.len; i++)
		copy[i] = (char)tolower((unsigned char)copy[i]);
	return (struct slice){copy, s.len};
}

bool slice_is_any(struct slice s, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (slice_is(s, list[i]))
			return true;
	return false;
}

void hex_write(const void *raw, size_t len, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = raw;
	for (size_t i = 0; i < len; i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret[2 * len] = 0;
}

bool slice_starts(struct slice s, const char *prefix)
{
	size_t n = strlen(prefix);
	return s.len >= n && memcmp(s.ptr, prefix, n) == 0;
}

bool slice_ends(struct slice s, const char *suffix)
{
	size_t n = strlen(suffix);
	return s.len >= n && memcmp(s.ptr + s.len - n, suffix, n) == 0;
}

bool slice_caseis(struct slice s, const char *text)
{
	return s.len == strlen(text) && strncasecmp(s.ptr, text, s.len) == 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
	while (s.len && is_space(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	while (s.len && is_space(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

struct slice slice_cut(struct slice *s, char sep)
{
	const char *at = s->len ? memchr(s->ptr, sep, s->len) : NULL;
	struct slice head = *s;
	if (!at) {
		*s = SLICE_NULL;
		return head;
	}
	head.len = (size_t)(at - s->ptr);
	s->ptr = at + 1;
	s->len -= head.len + 1;
	return head;
}

bool slice_to_u64(struct slice s, uint64_t *out)
{
	uint64_t v = 0;
	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned)(s.ptr[i] - '0');
		if (digit > 9 || __builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, digit, &v))
			return false;
	}
	*out = v;
	return true;
}

bool slice_to_i64(struct slice s, int64_t *out)
{
	bool negative = s.len && s.ptr[0] == '-';
	uint64_t v;
	if (negative)
		s = (struct slice){s.ptr + 1, s.len - 1};
	if (!slice_to_u64(s, &v) || v > (uint64_t)INT64_MAX + negative)
		return false;
	*out = negative ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

void strbuf_init(struct strbuf *b)
{
	*b = STRBUF_INIT;
}

void strbuf_release(struct strbuf *b)
{
	free(b->data);
	*b = STRBUF_INIT;
}

void cleanup_strbuf(struct strbuf *b)
{
	strbuf_release(b);
}

void strbuf_reset(struct strbuf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = 0;
}

void strbuf_reserve(struct strbuf *b, size_t extra)
{
	CHECK(extra < SIZE_MAX / 4 && b->len < SIZE_MAX / 4);
	size_t need = b->len + extra + 1;
	if (need <= b->cap)
		return;
	size_t cap = b->cap ? b->cap + b->cap / 2 : 64;
	if (cap < need)
		cap = need;
	b->data = xrealloc(b->data, cap);
	b->cap = cap;
}

void strbuf_add(struct strbuf *b, const void *data, size_t len)
{
	strbuf_reserve(b, len);
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = 0;
}

void strbuf_adds(struct strbuf *b, const char *text)
{
	strbuf_add(b, text, strlen(text));
}

void strbuf_addc(struct strbuf *b, char c)
{
	strbuf_reserve(b, 1);
	b->data[b->len++] = c;
	b->data[b->len] = 0;
}

void strbuf_add_slice(struct strbuf *b, struct slice s)
{
	strbuf_add(b, s.ptr, s.len);
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;
	size_t room = b->cap - b->len;
	va_start(ap, fmt);
	int n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, ap);
	va_end(ap);
	CHECK(n >= 0);
	if ((size_t)n >= room) { /* it did not fit */
		strbuf_reserve(b, (size_t)n);
		va_start(ap, fmt);
		vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
}

void strbuf_add_u64(struct strbuf *b, uint64_t v)
{
	char digits[20];
	size_t i = sizeof digits;
	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	strbuf_add(b, digits + i, sizeof digits - i);
}

void strbuf_add_i64(struct strbuf *b, int64_t v)
{
	if (v < 0)
		strbuf_addc(b, '-');
	strbuf_add_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

const char *strbuf_cstr(const struct strbuf *b)
{
	return b->data ? b->data : "";
}

struct slice strbuf_slice(const struct strbuf *b)
{
	return (struct slice){strbuf_cstr(b), b->len};
}

char *strbuf_detach(struct strbuf *b)
{
	char *p = b->data ? b->data : xstrdup("");
	*b = STRBUF_INIT;
	return p;
}
