/* The tokenizer under everything that reads JSON (RFC 8259). See scan.h.
 *
 * It validates as it goes: escapes, UTF-8 (no overlong forms, no surrogates), number grammar, control characters,
 * commas and colons, depth. State is a position, a depth and whether the innermost container is still at its start;
 * which kind of container encloses is known by the caller's own nesting (member or element loops), so no stack is kept.
 * json_scan_skip() walks nested values with a bit stack of its own. */
#include "base/json/scan.h"

#include "base/json/json.h"
#include "base/mem/utf8.h"

#include <stdarg.h>

void json_scan_init(struct json_scan *s, struct slice text)
{
	const char *p = text.ptr ? text.ptr : "";
	*s = (struct json_scan){.begin = p, .pos = p, .end = p + text.len};
}

size_t json_scan_offset(const struct json_scan *s)
{
	return (size_t)(s->pos - s->begin);
}

static bool fail(struct json_scan *s, const char *what)
{
	if (!s->error)
		s->error = what;
	return false;
}

static void skip_space(struct json_scan *s)
{
	while (s->pos < s->end && (*s->pos == ' ' || *s->pos == '\n' || *s->pos == '\t' || *s->pos == '\r'))
		s->pos++;
}

static bool scan_escape(struct json_scan *s)
{
	if (s->end - s->pos < 2)
		return fail(s, "unterminated string");
	char c = s->pos[1];
	if (c != 'u') {
		if (!memchr("\"\\/bfnrt", c, 8))
			return fail(s, "invalid escape in string");
		s->pos += 2;
		return true;
	}
	if (s->end - s->pos < 6)
		return fail(s, "unterminated string");
	for (int i = 2; i < 6; i++)
		if (hex_digit(s->pos[i]) < 0)
			return fail(s, "invalid \\u escape in string");
	s->pos += 6;
	return true;
}

static const unsigned char plain[256] = {
        /* 1: may stand in a string as it is; quote, backslash, controls and bytes over 0x7f are looked at */
        [0x20 ... 0x21] = 1,
        [0x23 ... 0x5b] = 1,
        [0x5d ... 0x7f] = 1,
};

/* A bit at the top of each of eight bytes that is not plain. Above the lowest one there may be bits that mean nothing
 * (a borrow from the byte below). */
static uint64_t special8(const char *p)
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t w;
	memcpy(&w, p, sizeof w);
	uint64_t special = w | (w - ones * 0x20) | ((w ^ ones * '"') - ones) | ((w ^ ones * '\\') - ones);
	return special & ones * 0x80;
}

/* The first byte that is not plain, or the end. */
static const char *skip_plain(const char *p, const char *end)
{
	for (; end - p >= 8; p += 8) {
		uint64_t special = special8(p);
		if (special)
			return p + (__builtin_ctzll(special) >> 3);
	}
	while (p < end && plain[(unsigned char)*p])
		p++;
	return p;
}

/* At the opening quote. */
static bool scan_string(struct json_scan *s, struct slice *text, bool *escaped)
{
	const char *start = ++s->pos;
	*escaped = false;
	for (;;) {
		s->pos = skip_plain(s->pos, s->end);
		if (s->pos >= s->end)
			return fail(s, "unterminated string");
		unsigned char c = (unsigned char)*s->pos;
		if (c == '"')
			break;
		if (c == '\\') {
			*escaped = true;
			if (!scan_escape(s))
				return false;
			continue;
		}
		if (c < 0x20)
			return fail(s, "control character in string");
		size_t n = utf8_len((const unsigned char *)s->pos, (size_t)(s->end - s->pos));
		if (!n)
			return fail(s, "string is not valid UTF-8");
		s->pos += n;
	}
	*text = (struct slice){start, (size_t)(s->pos - start)};
	s->pos++;
	return true;
}

static bool scan_digits(struct json_scan *s)
{
	const char *start = s->pos;
	while (s->pos < s->end && *s->pos >= '0' && *s->pos <= '9')
		s->pos++;
	return s->pos > start || fail(s, "invalid number");
}

static bool scan_number(struct json_scan *s)
{
	const char *start = s->pos;
	if (*s->pos == '-')
		s->pos++;
	if (s->pos < s->end && *s->pos == '0')
		s->pos++;
	else if (!scan_digits(s))
		return false;
	if (s->pos < s->end && *s->pos == '.') {
		s->pos++;
		if (!scan_digits(s))
			return false;
	}
	if (s->pos < s->end && (*s->pos == 'e' || *s->pos == 'E')) {
		s->pos++;
		if (s->pos < s->end && (*s->pos == '+' || *s->pos == '-'))
			s->pos++;
		if (!scan_digits(s))
			return false;
	}
	s->text = (struct slice){start, (size_t)(s->pos - start)};
	return true;
}

static enum json_token scan_word(struct json_scan *s, const char *word, enum json_token token)
{
	size_t n = strlen(word);
	if ((size_t)(s->end - s->pos) < n || memcmp(s->pos, word, n) != 0) {
		fail(s, "invalid literal");
		return JSON_TOKEN_END;
	}
	s->pos += n;
	return token;
}

static enum json_token enter(struct json_scan *s, enum json_token token)
{
	if (s->depth >= JSON_DEPTH_MAX) {
		fail(s, "nested too deeply");
		return JSON_TOKEN_END;
	}
	s->depth++;
	s->pos++;
	s->first = true;
	return token;
}

enum json_token json_scan_next(struct json_scan *s)
{
	if (s->error)
		return JSON_TOKEN_END;
	skip_space(s);
	if (s->pos >= s->end) {
		fail(s, "unexpected end of JSON input");
		return JSON_TOKEN_END;
	}
	char c = *s->pos;
	switch (c) {
	case '{':
		return enter(s, JSON_TOKEN_OBJECT);
	case '[':
		return enter(s, JSON_TOKEN_ARRAY);
	case '"':
		return scan_string(s, &s->text, &s->escaped) ? JSON_TOKEN_STRING : JSON_TOKEN_END;
	case 't':
		return scan_word(s, "true", JSON_TOKEN_TRUE);
	case 'f':
		return scan_word(s, "false", JSON_TOKEN_FALSE);
	case 'n':
		return scan_word(s, "null", JSON_TOKEN_NULL);
	default:
		if (c == '-' || (c >= '0' && c <= '9'))
			return scan_number(s) ? JSON_TOKEN_NUMBER : JSON_TOKEN_END;
		fail(s, "unexpected character");
		return JSON_TOKEN_END;
	}
}

/* True when another item follows, false at `close` (which is consumed) or on an error. */
static bool more(struct json_scan *s, char close)
{
	if (s->error)
		return false;
	skip_space(s);
	if (s->pos >= s->end)
		return fail(s, "unexpected end of JSON input");
	if (*s->pos == close) {
		s->pos++;
		s->depth--;
		s->first = false;
		return false;
	}
	if (s->first) {
		s->first = false;
		return true;
	}
	if (*s->pos != ',')
		return fail(s, close == '}' ? "expected ',' or '}' in object" : "expected ',' or ']' in array");
	s->pos++;
	skip_space(s);
	if (s->pos < s->end && *s->pos == close)
		return fail(s, "trailing comma");
	return true;
}

bool json_scan_member(struct json_scan *s)
{
	if (!more(s, '}'))
		return false;
	skip_space(s);
	if (s->pos >= s->end || *s->pos != '"')
		return fail(s, "expected a member name");
	if (!scan_string(s, &s->key, &s->key_escaped))
		return false;
	skip_space(s);
	if (s->pos >= s->end || *s->pos != ':')
		return fail(s, "expected ':' after member name");
	s->pos++;
	return true;
}

bool json_scan_element(struct json_scan *s)
{
	return more(s, ']');
}

bool json_scan_skip(struct json_scan *s)
{
	uint64_t in_object = 0; /* bit d: the container at depth base + d + 1 is an object */
	int base = s->depth;
	struct slice key = s->key;
	bool key_escaped = s->key_escaped;
	skip_space(s);
	const char *start = s->pos;
	do {
		enum json_token t = json_scan_next(s);
		if (t == JSON_TOKEN_END)
			return false;
		if (t == JSON_TOKEN_OBJECT || t == JSON_TOKEN_ARRAY) {
			uint64_t bit = 1ull << (s->depth - base - 1);
			in_object = t == JSON_TOKEN_OBJECT ? in_object | bit : in_object & ~bit;
		}
		while (s->depth > base) { /* to the next value ahead, out of containers that end */
			uint64_t bit = 1ull << (s->depth - base - 1);
			if (in_object & bit ? json_scan_member(s) : json_scan_element(s))
				break;
			if (s->error)
				return false;
		}
	} while (s->depth > base);
	s->text = (struct slice){start, (size_t)(s->pos - start)};
	s->key = key;
	s->key_escaped = key_escaped;
	s->first = false;
	return true;
}

bool json_scan_at_end(struct json_scan *s)
{
	if (s->error)
		return false;
	skip_space(s);
	return s->pos == s->end || fail(s, "unexpected data after the JSON value");
}

static unsigned read_hex4(const char *p)
{
	unsigned v = 0;
	for (int i = 0; i < 4; i++)
		v = v << 4 | (unsigned)hex_digit(p[i]);
	return v;
}

static size_t put_utf8(char *dst, unsigned cp)
{
	unsigned char *d = (unsigned char *)dst;
	if (cp < 0x80) {
		d[0] = (unsigned char)cp;
		return 1;
	}
	if (cp < 0x800) {
		d[0] = (unsigned char)(0xc0 | cp >> 6);
		d[1] = (unsigned char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		d[0] = (unsigned char)(0xe0 | cp >> 12);
		d[1] = (unsigned char)(0x80 | (cp >> 6 & 0x3f));
		d[2] = (unsigned char)(0x80 | (cp & 0x3f));
		return 3;
	}
	d[0] = (unsigned char)(0xf0 | cp >> 18);
	d[1] = (unsigned char)(0x80 | (cp >> 12 & 0x3f));
	d[2] = (unsigned char)(0x80 | (cp >> 6 & 0x3f));
	d[3] = (unsigned char)(0x80 | (cp & 0x3f));
	return 4;
}

/* The character of a \uXXXX escape at p (and of the low surrogate behind it); a lone surrogate is U+FFFD, as in Go. */
static unsigned read_unicode(const char **p, const char *end)
{
	unsigned cp = read_hex4(*p + 2);
	*p += 6;
	if (cp < 0xd800 || cp > 0xdfff)
		return cp;
	if (cp <= 0xdbff && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
		unsigned low = read_hex4(*p + 2);
		if (low >= 0xdc00 && low <= 0xdfff) {
			*p += 6;
			return 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	return 0xfffd;
}

size_t json_unescape(char *dst, struct slice raw)
{
	const char *p = raw.ptr, *end = raw.ptr + raw.len;
	char *d = dst;
	while (p < end) {
		if (*p != '\\') {
			*d++ = *p++;
			continue;
		}
		if (p[1] == 'u') {
			d += put_utf8(d, read_unicode(&p, end));
			continue;
		}
		static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
		const char *at = strchr(from, p[1]);
		*d++ = at ? to[at - from] : p[1];
		p += 2;
	}
	return (size_t)(d - dst);
}

/* Steps into an object and to its member of this name, whose value then lies ahead. */
static bool step_to(struct json_scan *s, const char *name)
{
	if (json_scan_next(s) != JSON_TOKEN_OBJECT)
		return false;
	while (json_scan_member(s)) {
		if (slice_is(s->key, name))
			return true;
		if (!json_scan_skip(s))
			return false;
	}
	return false;
}

/* What is on the way is walked once: only of the last value the end is sought. */
struct slice json_find(struct slice text, ...)
{
	struct json_scan s;
	struct slice found = SLICE_NULL;
	va_list ap;
	json_scan_init(&s, text);
	va_start(ap, text);
	const char *name = va_arg(ap, const char *);
	bool is_there = name != NULL;
	for (; name && is_there; name = va_arg(ap, const char *))
		is_there = step_to(&s, name);
	va_end(ap);
	if (is_there && json_scan_skip(&s))
		found = s.text;
	if (found.len >= 2 && found.ptr[0] == '"')
		found = (struct slice){found.ptr + 1, found.len - 2};
	else if (slice_is(found, "null"))
		found = SLICE_NULL;
	return found;
}
