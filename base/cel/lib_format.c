/* "text".format([args]): %s %d %f %e %b %x %X %o and %% (cel-go ext/formatting).
 *
 * %s takes everything that can be a text; lists and maps are written with their strings bare, times and durations as
 * string() has them. %f and %e have six digits behind the point unless the clause says otherwise. */
#include "base/cel/program_int.h"

#include "base/check.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

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
	} else if (v.kind == CEL_DOUBLE && clause == 'd' && !isfinite(v.real)) {
		cel_write_double(f->out, v.real);
	} else {
		wrong_kind(f, clause, v);
	}
}

static void put_real(struct format_run *f, char clause, int precision, struct cel_value v)
{
	double d = v.kind == CEL_INT ? (double)v.integer : v.kind == CEL_UINT ? (double)v.natural : v.real;
	char text[512];
	if (v.kind != CEL_DOUBLE && v.kind != CEL_INT && v.kind != CEL_UINT) {
		wrong_kind(f, clause, v);
		return;
	}
	if (!isfinite(d)) {
		strbuf_adds(f->out, isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
		return;
	}
	snprintf(text, sizeof text, clause == 'f' ? "%.*f" : "%.*e", precision, d);
	strbuf_adds(f->out, text);
}

static void put_text(struct format_run *f, struct cel_value v)
{
	if (v.kind == CEL_OPAQUE || v.kind == CEL_OPTIONAL)
		wrong_kind(f, 's', v);
	else if (v.kind == CEL_DOUBLE && !isfinite(v.real))
		put_real(f, 'f', 0, v);
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
