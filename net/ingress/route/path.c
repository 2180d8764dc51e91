/* See path.h. */
#include "net/ingress/route/path.h"

#include "base/check.h"
#include "net/ingress/route/expression.h"

#include <ctype.h>

enum { GROUPS = 11 };

/* ---- cleaning ---- */

static bool escapes_are_sound(struct slice p)
{
	for (size_t i = 0; i < p.len; i++) {
		if (p.ptr[i] != '%')
			continue;
		if (i + 2 >= p.len || hex_digit(p.ptr[i + 1]) < 0 || hex_digit(p.ptr[i + 2]) < 0)
			return false;
		if (p.ptr[i + 1] == '0' && p.ptr[i + 2] == '0')
			return false;
	}
	return true;
}

/* How many dots a segment is made of; 0: of something else. */
static unsigned dots(struct slice s)
{
	return slice_is(s, ".") ? 1 : slice_is(s, "..") ? 2 : 0;
}

static bool is_plain(struct slice p)
{
	for (size_t i = 0; i + 1 < p.len; i++)
		if (p.ptr[i] == '/' && (p.ptr[i + 1] == '/' || p.ptr[i + 1] == '.'))
			return false;
	return true;
}

/* An escape of what needs none is the same path (RFC 3986, 6.2.2.2), and must not pass by a rule for it. */
static struct slice decode_unreserved(struct arena *a, struct slice p)
{
	char *out = arena_alloc(a, p.len + 1);
	size_t n = 0;
	for (size_t i = 0; i < p.len; i++) {
		int c = p.ptr[i] == '%' ? hex_digit(p.ptr[i + 1]) * 16 + hex_digit(p.ptr[i + 2]) : 0;
		bool is_plain_char = c > 0 && c < 128 && (isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~');
		out[n++] = is_plain_char ? (char)c : p.ptr[i];
		i += is_plain_char ? 2 : 0;
	}
	return (struct slice){out, n};
}

bool path_clean(struct arena *a, struct slice path, struct slice *ret)
{
	if (!path.len || path.ptr[0] != '/' || !escapes_are_sound(path))
		return false;
	if (memchr(path.ptr, '%', path.len))
		path = decode_unreserved(a, path);
	*ret = path;
	if (is_plain(path))
		return true;
	char *out = arena_alloc(a, path.len + 1);
	size_t n = 0;
	struct slice rest = {path.ptr + 1, path.len - 1};
	while (rest.ptr) {
		struct slice one = slice_cut(&rest, '/');
		unsigned d = dots(one);
		bool is_last = !rest.ptr;
		if (d == 2 && n == 0)
			return false;
		if (d == 2) {
			while (out[--n] != '/')
				;
		} else if (one.len && d != 1) {
			out[n++] = '/';
			memcpy(out + n, one.ptr, one.len);
			n += one.len;
		}
		if (is_last && (!one.len || d == 1 || d == 2))
			out[n++] = '/';
	}
	*ret = (struct slice){out, n};
	return true;
}

/* ---- matching ---- */

int path_rule_compile(struct arena *a, struct path_rule *r, struct err *err)
{
	while (r->match == PATH_PREFIX && r->path.len && r->path.ptr[r->path.len - 1] == '/')
		r->path.len--;
	if (r->match != PATH_REGEX)
		return 0;
	return expression_compile(a, r->path, EXPRESSION_BEGINS, r->is_cased ? 0 : REG_ICASE, "path", &r->regex, err);
}

/* Groups cost more than all else: only rewriting asks for them. The first is the whole expression. */
static bool search(const struct path_rule *r, struct slice path, regmatch_t *groups, size_t n)
{
	groups[0] = (regmatch_t){0, (regoff_t)path.len};
	return regexec(r->regex, path.ptr, n, groups, REG_STARTEND) == 0;
}

static bool begins(struct slice path, struct slice with)
{
	return path.len >= with.len && memcmp(path.ptr, with.ptr, with.len) == 0;
}

bool path_rule_matches(const struct path_rule *r, struct slice path)
{
	regmatch_t all;
	switch (r->match) {
	case PATH_EXACT:
		return slice_eq(r->path, path);
	case PATH_PREFIX:
		return !r->path.len ||
		       (begins(path, r->path) && (path.len == r->path.len || path.ptr[r->path.len] == '/'));
	case PATH_TEXT:
		return begins(path, r->path);
	case PATH_REGEX:
		return search(r, path, &all, 1);
	}
	CHECK(false);
	return false;
}

struct slice path_rewrite(struct arena *a, const struct path_rule *r, struct slice path, const char *target)
{
	regmatch_t groups[GROUPS];
	struct strbuf out = STRBUF_INIT;
	bool matched = r->regex && search(r, path, groups, GROUPS);
	for (const char *c = target; *c; c++) {
		unsigned g = c[0] == '$' && c[1] >= '1' && c[1] <= '9' ? (unsigned)(c[1] - '0') : 0;
		if (!g) {
			strbuf_addc(&out, *c);
			continue;
		}
		if (matched && groups[g + 1].rm_so >= 0)
			strbuf_add(&out, path.ptr + groups[g + 1].rm_so,
			        (size_t)(groups[g + 1].rm_eo - groups[g + 1].rm_so));
		c++;
	}
	if (!out.len || out.data[0] != '/') {
		struct strbuf with = STRBUF_INIT;
		strbuf_addc(&with, '/');
		strbuf_add_slice(&with, strbuf_slice(&out));
		strbuf_release(&out);
		out = with;
	}
	struct slice s = {arena_memdup(a, out.data, out.len), out.len};
	strbuf_release(&out);
	return s;
}
