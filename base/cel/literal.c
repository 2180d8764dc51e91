/* What literals mean: numbers, and strings with their escapes (cel-spec, "String and Bytes Values").
 *
 * In a string \x41, \101 and \u0041 are characters; in bytes \x and \101 are bytes, and \u is refused. */
#include "base/cel/program_int.h"

#include "base/mem/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static int digit_of(char c, int base)
{
	int d = c >= '0' && c <= '9'   ? c - '0'
	        : c >= 'a' && c <= 'f' ? c - 'a' + 10
	        : c >= 'A' && c <= 'F' ? c - 'A' + 10
	                               : 99;
	return d < base ? d : -1;
}

static char *put_rune(char *out, uint32_t r)
{
	if (r < 0x80) {
		*out++ = (char)r;
	} else if (r < 0x800) {
		*out++ = (char)(0xc0 | r >> 6);
		*out++ = (char)(0x80 | (r & 0x3f));
	} else if (r < 0x10000) {
		*out++ = (char)(0xe0 | r >> 12);
		*out++ = (char)(0x80 | (r >> 6 & 0x3f));
		*out++ = (char)(0x80 | (r & 0x3f));
	} else {
		*out++ = (char)(0xf0 | r >> 18);
		*out++ = (char)(0x80 | (r >> 12 & 0x3f));
		*out++ = (char)(0x80 | (r >> 6 & 0x3f));
		*out++ = (char)(0x80 | (r & 0x3f));
	}
	return out;
}

/* `count` digits behind *p. */
static bool take_code(const char **p, const char *end, int count, int base, uint32_t *ret)
{
	uint32_t r = 0;
	for (int i = 0; i < count; i++, (*p)++) {
		if (*p == end || digit_of(**p, base) < 0)
			return false;
		r = r * (uint32_t)base + (uint32_t)digit_of(**p, base);
	}
	*ret = r;
	return true;
}

/* Behind a backslash. NULL: no such escape. What an escape means is never longer than it is. */
static char *unescape(const char **p, const char *end, bool is_bytes, char *out)
{
	static const char letters[] = "abfnrtv\\?\"'`", means[] = "\a\b\f\n\r\t\v\\?\"'`";
	uint32_t r;
	bool is_code = true, good;
	if (*p == end)
		return NULL;
	char c = *(*p)++;
	const char *found = c ? strchr(letters, c) : NULL;
	if (found) {
		*out = means[found - letters];
		return out + 1;
	}
	if (c == 'x' || c == 'X') {
		good = take_code(p, end, 2, 16, &r);
	} else if (c == 'u' || c == 'U') {
		good = !is_bytes && take_code(p, end, c == 'u' ? 4 : 8, 16, &r);
		is_code = false;
	} else {
		(*p)--;
		good = c <= '3' && take_code(p, end, 3, 8, &r);
	}
	if (!good || (!is_bytes && (r > 0x10ffff || (r >= 0xd800 && r < 0xe000))))
		return NULL;
	if (!is_bytes || !is_code)
		return put_rune(out, r);
	*out = (char)r;
	return out + 1;
}

bool cel_literal_text(struct cel_issues *i, const struct token *t, struct slice *ret)
{
	bool is_bytes = t->kind == TOKEN_BYTES;
	char *text = arena_alloc(i->arena, t->text.len + 1), *out = text;
	const char *p = t->text.ptr, *end = p + t->text.len;
	while (p < end) {
		char c = *p++;
		if (c == '\\' && !t->is_raw) {
			out = unescape(&p, end, is_bytes, out);
			if (!out) {
				cel_issue(i, t->offset, "Syntax error: a literal has an escape that is none");
				return false;
			}
		} else if (c == '\r' && p < end && *p == '\n') {
			continue; /* lines end in one way */
		} else {
			*out++ = c;
		}
	}
	*ret = (struct slice){text, (size_t)(out - text)};
	for (size_t k = 0; !is_bytes && k < ret->len;) {
		size_t n = utf8_len((const unsigned char *)text + k, ret->len - k);
		if (!n) {
			cel_issue(i, t->offset, "Syntax error: a string is not UTF-8");
			return false;
		}
		k += n;
	}
	return true;
}

static bool whole_number(struct slice s, uint64_t *ret)
{
	int base = 10;
	uint64_t v = 0;
	size_t k = 0;
	if (s.len > 2 && s.ptr[0] == '0' && (s.ptr[1] | 0x20) == 'x') {
		base = 16;
		k = 2;
	}
	for (; k < s.len; k++)
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
		        __builtin_add_overflow(v, (uint64_t)digit_of(s.ptr[k], base), &v))
			return false;
	*ret = v;
	return true;
}

bool cel_literal_number(struct cel_issues *i, const struct token *t, bool is_negative, struct cel_value *ret)
{
	uint64_t v = 0;
	*ret = (struct cel_value){.kind = CEL_INT};
	if (t->kind == TOKEN_DOUBLE) {
		double d = strtod(arena_memdup(i->arena, t->text.ptr, t->text.len), NULL);
		*ret = cel_of_double(is_negative ? -d : d);
		if (isfinite(d))
			return true;
		cel_issue(i, t->offset, "Syntax error: invalid double literal");
		return false;
	}
	bool good = whole_number(t->text, &v);
	if (t->kind == TOKEN_UINT) {
		ret->kind = CEL_UINT;
		ret->natural = v;
	} else {
		good = good && v <= (uint64_t)INT64_MAX + is_negative;
		ret->integer = is_negative ? (int64_t)(0 - v) : (int64_t)v;
	}
	if (!good || (t->kind == TOKEN_UINT && is_negative)) {
		cel_issue(i, t->offset, "Syntax error: invalid %s literal", t->kind == TOKEN_UINT ? "uint" : "int");
		return false;
	}
	return true;
}
