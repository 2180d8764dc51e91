/* "text".format([args]): %s %d %f %e %b %x %X %o and %% (cel-go ext/formatting).
 *
 * %s takes everything that can be a text; in lists and maps values are written as literals. %f and %e have six digits
 * behind the point unless the clause says otherwise, and look as English has numbers, for that is the locale of
 * upstream's library. */
#include "base/cel/program_int.h"

#include "base/check.h"
#include "base/mem/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef const struct cel_value *args_t;
enum { PRECISION_MAX = 100 };

struct format_run {
	struct cel_run *r;
	struct strbuf *out;
	struct cel_value error;
};

static void bad(struct format_run *f, const char *what)
{
	f->error = cel_error(f->r->arena, "%s", what);
}

static void wrong_kind(struct format_run *f, char clause, struct cel_value v)
{
	f->error = cel_error(f->r->arena, "error during formatting: %s clause can't be used on %s",
	        clause == 'd'                    ? "decimal"
	        : clause == 'b'                  ? "binary"
	        : clause == 'o'                  ? "octal"
	        : clause == 'x' || clause == 'X' ? "hexadecimal"
	        : clause == 's'                  ? "string"
	                                         : "fixed-point",
	        cel_type_text(f->r->arena, cel_value_type(f->r->arena, v)));
}

static void put_base(struct strbuf *out, uint64_t v, unsigned base, bool is_upper)
{
	char text[65], *p = text + sizeof text;
	do {
		*--p = (is_upper ? "0123456789ABCDEF" : "0123456789abcdef")[v % base];
		v /= base;
	} while (v);
	strbuf_add(out, p, (size_t)(text + sizeof text - p));
}

static void put_whole(struct format_run *f, char clause, struct cel_value v)
{
	unsigned base = clause == 'd' ? 10 : clause == 'b' ? 2 : clause == 'o' ? 8 : 16;
	if (v.kind == CEL_INT) {
		if (v.integer < 0)
			strbuf_addc(f->out, '-');
		put_base(f->out, v.integer < 0 ? 0 - (uint64_t)v.integer : (uint64_t)v.integer, base, clause == 'X');
	} else if (v.kind == CEL_UINT) {
		put_base(f->out, v.natural, base, clause == 'X');
	} else if (v.kind == CEL_BOOL && clause == 'b') {
		strbuf_addc(f->out, v.boolean ? '1' : '0');
	} else if ((v.kind == CEL_STRING || v.kind == CEL_BYTES) && base == 16) {
		for (size_t i = 0; i < v.text.len; i++)
			strbuf_addf(f->out, clause == 'X' ? "%02X" : "%02x", (unsigned char)v.text.ptr[i]);
	} else {
		wrong_kind(f, clause, v);
	}
}

/* With commas between thousands, as English has them. */
static void put_grouped(struct strbuf *out, const char *text)
{
	size_t whole = strspn(text + (*text == '-'), "0123456789");
	if (*text == '-')
		strbuf_addc(out, *text++);
	for (size_t i = 0; text[i]; i++) {
		if (i && i < whole && (whole - i) % 3 == 0)
			strbuf_addc(out, ',');
		strbuf_addc(out, text[i]);
	}
}

/* "1.5e-03" as 1.5 \u00d7 10 and a raised exponent. */
static void put_scientific(struct strbuf *out, const char *text)
{
	static const char *const raised[] = {
	        "\u2070", "\u00b9", "\u00b2", "\u00b3", "\u2074", "\u2075", "\u2076", "\u2077", "\u2078", "\u2079"};
	const char *e = strchr(text, 'e');
	strbuf_add(out, text, (size_t)(e - text));
	strbuf_adds(out, " \u00d7 10");
	if (e[1] == '-')
		strbuf_adds(out, "\u207b");
	for (e += 2; *e; e++)
		strbuf_adds(out, raised[*e - '0']);
}

static void put_real(struct format_run *f, char clause, int precision, struct cel_value v)
{
	char text[512];
	double d = v.real;
	if (v.kind == CEL_STRING && slice_is(v.text, "NaN"))
		d = NAN;
	else if (v.kind == CEL_STRING && slice_is(v.text, "Infinity"))
		d = INFINITY;
	else if (v.kind == CEL_STRING && slice_is(v.text, "-Infinity"))
		d = -INFINITY;
	else if (v.kind != CEL_DOUBLE) {
		wrong_kind(f, clause, v);
		return;
	}
	if (!isfinite(d)) {
		strbuf_adds(f->out, isnan(d) ? "NaN" : d > 0 ? "\u221e" : "-\u221e");
		return;
	}
	snprintf(text, sizeof text, clause == 'f' ? "%.*f" : "%.*e", precision, d);
	if (clause == 'f')
		put_grouped(f->out, text);
	else
		put_scientific(f->out, text);
}

/* ---- %s ---- */

/* As Go quotes. */
static void put_quoted(struct strbuf *out, struct slice s)
{
	static const char marks[] = "\a\b\f\n\r\t\v\\\"", letters[] = "abfnrtv\\\"";
	strbuf_addc(out, '"');
	for (size_t i = 0; i < s.len;) {
		size_t n = utf8_len((const unsigned char *)s.ptr + i, s.len - i);
		unsigned char c = (unsigned char)s.ptr[i];
		const char *found = c ? strchr(marks, c) : NULL;
		if (found)
			strbuf_addf(out, "\\%c", letters[found - marks]);
		else if (!n || c < 0x20 || c == 0x7f)
			strbuf_addf(out, "\\x%02x", c);
		else
			strbuf_add(out, s.ptr + i, n);
		i += n ? n : 1;
	}
	strbuf_addc(out, '"');
}

static void put_list(struct format_run *f, struct cel_value v);
static void put_map(struct format_run *f, struct cel_value v);

/* In a list or map a value is written as its literal. */
static void put_literal(struct format_run *f, struct cel_value v)
{
	switch (v.kind) {
	case CEL_STRING:
	case CEL_BYTES:
		strbuf_adds(f->out, v.kind == CEL_BYTES ? "b" : "");
		put_quoted(f->out, v.text);
		break;
	case CEL_TIMESTAMP:
	case CEL_DURATION:
		strbuf_adds(f->out, v.kind == CEL_TIMESTAMP ? "timestamp(\"" : "duration(\"");
		cel_value_write(f->r, f->out, v);
		strbuf_adds(f->out, "\")");
		break;
	case CEL_DOUBLE:
		if (isfinite(v.real))
			strbuf_addf(f->out, "%f", v.real);
		else
			strbuf_adds(f->out, isnan(v.real) ? "\"NaN\"" : v.real > 0 ? "\"+Inf\"" : "\"-Inf\"");
		break;
	case CEL_LIST:
		put_list(f, v);
		break;
	case CEL_MAP:
	case CEL_OBJECT:
		put_map(f, v);
		break;
	case CEL_OPAQUE:
	case CEL_OPTIONAL:
		wrong_kind(f, 's', v);
		break;
	case CEL_ERROR:
		f->error = v;
		break;
	default:
		cel_value_write(f->r, f->out, v);
		break;
	}
}

static void put_list(struct format_run *f, struct cel_value v)
{
	struct cel_walk w;
	strbuf_addc(f->out, '[');
	cel_walk_start(&w, v);
	while (f->error.kind != CEL_ERROR && f->out->len < API_BODY_BYTES_MAX && cel_walk_next(f->r, &w)) {
		strbuf_adds(f->out, w.at > 1 ? ", " : "");
		put_literal(f, w.value);
	}
	strbuf_addc(f->out, ']');
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In the order of the entries' words. */
static void put_map(struct format_run *f, struct cel_value v)
{
	struct cel_walk w;
	size_t n = 0, max = cel_size(v);
	struct strbuf *whole = f->out, one = STRBUF_INIT;
	const char **entries = ARENA_ARRAY(f->r->arena, const char *, max + 1);
	cel_walk_start(&w, v);
	f->out = &one;
	while (f->error.kind != CEL_ERROR && n < max && whole->len + one.len < API_BODY_BYTES_MAX &&
	        cel_walk_next(f->r, &w)) {
		strbuf_reset(&one);
		put_literal(f, w.key);
		strbuf_addc(&one, ':');
		put_literal(f, w.value);
		entries[n++] = arena_memdup(f->r->arena, one.data, one.len);
	}
	f->out = whole;
	strbuf_release(&one);
	if (n)
		qsort(entries, n, sizeof *entries, by_text);
	strbuf_addc(whole, '{');
	for (size_t i = 0; i < n; i++)
		strbuf_addf(whole, "%s%s", i ? ", " : "", entries[i]);
	strbuf_addc(whole, '}');
}

static void put_text(struct format_run *f, struct cel_value v)
{
	if (v.kind == CEL_LIST || v.kind == CEL_MAP || v.kind == CEL_OBJECT || v.kind == CEL_OPAQUE ||
	        v.kind == CEL_OPTIONAL)
		put_literal(f, v);
	else
		cel_value_write(f->r, f->out, v);
}

/* Behind '%'. */
static void put_clause(struct format_run *f, struct slice *s, struct cel_value args, size_t *next)
{
	int precision = 6;
	size_t i = 0;
	if (i < s->len && s->ptr[i] == '.') {
		precision = 0;
		for (i = 1; i < s->len && s->ptr[i] >= '0' && s->ptr[i] <= '9'; i++)
			precision = precision > PRECISION_MAX ? precision : precision * 10 + (s->ptr[i] - '0');
	}
	if (precision > PRECISION_MAX || i >= s->len) {
		bad(f, i >= s->len ? "unexpected end of string" : "precision specified exceeds maximum of 100");
		return;
	}
	char clause = s->ptr[i];
	*s = (struct slice){s->ptr + i + 1, s->len - i - 1};
	if (clause == '%') {
		strbuf_addc(f->out, '%');
		return;
	}
	if (*next >= cel_list_count(args)) {
		f->error = cel_error(f->r->arena, "index %zu out of range", *next);
		return;
	}
	struct cel_value v = cel_list_at(f->r, args, (*next)++);
	if (is_error(v))
		f->error = v;
	else if (clause == 's')
		put_text(f, v);
	else if (clause == 'f' || clause == 'e')
		put_real(f, clause, precision, v);
	else if (strchr("dbxXo", clause))
		put_whole(f, clause, v);
	else
		f->error = cel_error(f->r->arena,
		        "could not parse formatting clause: unrecognized formatting clause \"%c\"", clause);
}

static struct cel_value format(struct cel_run *r, args_t v, size_t n)
{
	struct strbuf b = STRBUF_INIT;
	struct format_run f = {.r = r, .out = &b};
	struct slice s = v[0].text;
	size_t next = 0;
	while (s.len && !is_error(f.error)) {
		const char *mark = memchr(s.ptr, '%', s.len);
		size_t plain = mark ? (size_t)(mark - s.ptr) : s.len;
		strbuf_add(&b, s.ptr, plain);
		s = (struct slice){s.ptr + plain, s.len - plain};
		if (!mark)
			break;
		s = (struct slice){s.ptr + 1, s.len - 1};
		put_clause(&f, &s, v[1], &next);
		if (b.len > API_BODY_BYTES_MAX)
			bad(&f, "a text is too long");
	}
	struct cel_value out =
	        is_error(f.error) ? f.error
	                          : cel_of_text((struct slice){arena_memdup(r->arena, strbuf_cstr(&b), b.len), b.len});
	strbuf_release(&b);
	return out;
}

static const struct cel_overload rows[] = {{"format", "string.(list(dyn))string", format, CEL_COST_SCAN}};

const struct cel_library cel_formats = {rows, COUNT_OF(rows)};
