/* Functions of strings (cel-go ext/strings, version 2, which Kubernetes 1.32 has). Places are counted in characters,
 * not bytes. `format` is in lib_format.c. */
#include "base/cel/program_int.h"

#include "base/check.h"
#include "base/mem/utf8.h"

typedef const struct cel_value *args_t;

static size_t step(struct slice s, size_t at)
{
	size_t n = utf8_len((const unsigned char *)s.ptr + at, s.len - at);
	return n ? n : 1;
}

static int64_t characters(struct slice s)
{
	int64_t n = 0;
	for (size_t i = 0; i < s.len; n++)
		i += step(s, i);
	return n;
}

/* The byte at which the character of this place begins; s.len for the place behind the last. False: outside. */
static bool byte_of(struct slice s, int64_t place, size_t *ret)
{
	size_t i = 0;
	if (place < 0)
		return false;
	for (; place > 0 && i < s.len; place--)
		i += step(s, i);
	*ret = i;
	return place == 0;
}

static struct cel_value outside(struct cel_run *r, int64_t place)
{
	return cel_error(r->arena, "index out of range: %lld", (long long)place);
}

static struct cel_value text_of(const char *ptr, size_t len)
{
	return cel_of_text((struct slice){ptr, len});
}

static struct cel_value char_at(struct cel_run *r, args_t v, size_t n)
{
	size_t at;
	if (!byte_of(v[0].text, v[1].integer, &at))
		return outside(r, v[1].integer);
	return text_of(v[0].text.ptr + at, at < v[0].text.len ? step(v[0].text, at) : 0);
}

/* Beyond the end there is nothing. */
static struct cel_value index_of(struct cel_run *r, args_t v, size_t n)
{
	struct slice s = v[0].text, part = v[1].text;
	int64_t place = n > 2 ? v[2].integer : 0;
	size_t from;
	if (!part.len)
		return cel_of_int(place);
	if (place < 0)
		return outside(r, place);
	if (!byte_of(s, place, &from))
		return cel_of_int(-1);
	const char *found = memmem(s.ptr + from, s.len - from, part.ptr, part.len);
	return cel_of_int(found ? characters((struct slice){s.ptr, (size_t)(found - s.ptr)}) : -1);
}

static struct cel_value last_index_of(struct cel_run *r, args_t v, size_t n)
{
	struct slice s = v[0].text, part = v[1].text;
	int64_t place = n > 2 ? v[2].integer : characters(s);
	size_t from = s.len;
	if (!part.len)
		return cel_of_int(place);
	if (place < 0)
		return outside(r, place);
	if (!byte_of(s, place, &from) || (n > 2 && from == s.len) || part.len > s.len)
		return cel_of_int(-1);
	from = from > s.len - part.len ? s.len - part.len : from;
	for (size_t i = from + 1; i-- > 0;) {
		if (s.ptr[i] != part.ptr[0])
			continue;
		if (!cel_work(r, part.len / 160))
			break;
		if (slice_eq((struct slice){s.ptr + i, part.len}, part))
			return cel_of_int(characters((struct slice){s.ptr, i}));
	}
	return cel_of_int(-1);
}

static struct cel_value change_case(struct cel_run *r, struct slice s, char first, char last, int by)
{
	char *out = arena_memdup(r->arena, s.ptr ? s.ptr : "", s.len);
	for (size_t i = 0; i < s.len; i++)
		if (out[i] >= first && out[i] <= last)
			out[i] = (char)(out[i] + by);
	return text_of(out, s.len);
}

static struct cel_value lower(struct cel_run *r, args_t v, size_t n)
{
	return change_case(r, v[0].text, 'A', 'Z', 'a' - 'A');
}

static struct cel_value upper(struct cel_run *r, args_t v, size_t n)
{
	return change_case(r, v[0].text, 'a', 'z', 'A' - 'a');
}

/* A limit below 0: all of them. */
static struct cel_value replaced(struct cel_run *r, struct slice s, struct slice from, struct slice to, int64_t limit)
{
	struct strbuf b = STRBUF_INIT;
	size_t at = 0;
	for (; limit != 0; limit -= limit > 0) {
		const char *found = from.len ? memmem(s.ptr + at, s.len - at, from.ptr, from.len) : s.ptr + at;
		if (!found || b.len > CEL_RUN_BYTES_MAX)
			break;
		strbuf_add(&b, s.ptr + at, (size_t)(found - s.ptr) - at);
		strbuf_add_slice(&b, to);
		at = (size_t)(found - s.ptr) + from.len;
		if (!from.len) {
			if (at == s.len)
				break;
			size_t width = step(s, at);
			strbuf_add(&b, s.ptr + at, width);
			at += width;
		}
	}
	strbuf_add(&b, s.ptr + at, s.len - at);
	struct cel_value out = b.len > CEL_RUN_BYTES_MAX
	                               ? cel_error(r->arena, "a text is too long")
	                               : text_of(arena_memdup(r->arena, strbuf_cstr(&b), b.len), b.len);
	strbuf_release(&b);
	return out;
}

static struct cel_value replace(struct cel_run *r, args_t v, size_t n)
{
	return replaced(r, v[0].text, v[1].text, v[2].text, n > 3 ? v[3].integer : -1);
}

static struct cel_value split(struct cel_run *r, args_t v, size_t n)
{
	struct slice s = v[0].text, by = v[1].text;
	int64_t limit = n > 2 ? v[2].integer : -1;
	struct cel_list_maker m = {0};
	size_t at = 0;
	if (limit == 0 || (!by.len && !s.len))
		return cel_list_value(r, &m);
	while (limit < 0 || (int64_t)m.count + 1 < limit) {
		const char *found = by.len ? memmem(s.ptr + at, s.len - at, by.ptr, by.len) : NULL;
		size_t end = by.len ? (size_t)(found - s.ptr) : at + step(s, at);
		if (by.len ? !found : end >= s.len)
			break;
		cel_list_add(r, &m, text_of(s.ptr + at, end - at));
		at = end + by.len;
	}
	cel_list_add(r, &m, text_of(s.ptr + at, s.len - at));
	return cel_list_value(r, &m);
}

static struct cel_value join(struct cel_run *r, args_t v, size_t n)
{
	struct strbuf b = STRBUF_INIT;
	struct cel_walk w;
	struct cel_value out = {0};
	cel_walk_start(&w, v[0]);
	while (!is_error(out) && cel_walk_next(r, &w)) {
		if (w.value.kind != CEL_STRING) {
			out = is_error(w.value) ? w.value : cel_no_overload();
			continue;
		}
		if (w.at > 1 && n > 1)
			strbuf_add_slice(&b, v[1].text);
		strbuf_add_slice(&b, w.value.text);
		if (b.len > CEL_RUN_BYTES_MAX)
			out = cel_error(r->arena, "a text is too long");
	}
	if (!is_error(out))
		out = text_of(arena_memdup(r->arena, strbuf_cstr(&b), b.len), b.len);
	strbuf_release(&b);
	return out;
}

static struct cel_value substring(struct cel_run *r, args_t v, size_t n)
{
	struct slice s = v[0].text;
	size_t begin, end = s.len;
	if (!byte_of(s, v[1].integer, &begin))
		return outside(r, v[1].integer);
	if (n > 2 && !byte_of(s, v[2].integer, &end))
		return outside(r, v[2].integer);
	if (begin > end)
		return cel_error(r->arena, "invalid substring range. start: %lld, end: %lld", (long long)v[1].integer,
		        (long long)v[2].integer);
	return text_of(s.ptr + begin, end - begin);
}

/* White space as Unicode has it. */
static size_t blank_at(struct slice s, size_t at)
{
	static const char *const wide[] = {"\xc2\x85", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003",
	        "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f",
	        "\u205f", "\u3000"};
	char c = s.ptr[at];
	struct slice rest = {s.ptr + at, s.len - at};
	if (c == ' ' || (c >= '\t' && c <= '\r'))
		return 1;
	for (size_t i = 0; i < COUNT_OF(wide); i++)
		if (slice_starts(rest, wide[i]))
			return strlen(wide[i]);
	return 0;
}

static struct cel_value trim(struct cel_run *r, args_t v, size_t n)
{
	struct slice s = v[0].text;
	size_t begin = 0, end;
	while (begin < s.len && blank_at(s, begin))
		begin += blank_at(s, begin);
	end = begin;
	for (size_t i = begin; i < s.len;) {
		size_t blank = blank_at(s, i);
		i += blank ? blank : step(s, i);
		end = blank ? end : i;
	}
	return text_of(s.ptr + begin, end - begin);
}

static struct cel_value quote(struct cel_run *r, args_t v, size_t n)
{
	static const char marks[] = "\a\b\f\n\r\t\v\\\"", letters[] = "abfnrtv\\\"";
	struct strbuf b = STRBUF_INIT;
	strbuf_addc(&b, '"');
	for (size_t i = 0; i < v[0].text.len; i++) {
		char c = v[0].text.ptr[i];
		const char *found = c ? strchr(marks, c) : NULL;
		if (found)
			strbuf_addc(&b, '\\');
		strbuf_addc(&b, found ? letters[found - marks] : c);
	}
	strbuf_addc(&b, '"');
	struct cel_value out = text_of(arena_memdup(r->arena, b.data, b.len), b.len);
	strbuf_release(&b);
	return out;
}

static const struct cel_overload rows[] = {
        {"charAt", "string.(int)string", char_at, CEL_COST_ONE},
        {"indexOf", "string.(string)int", index_of, CEL_COST_WALK},
        {"indexOf", "string.(string,int)int", index_of, CEL_COST_WALK},
        {"lastIndexOf", "string.(string)int", last_index_of, CEL_COST_WALK},
        {"lastIndexOf", "string.(string,int)int", last_index_of, CEL_COST_WALK},
        {"lowerAscii", "string.()string", lower, CEL_COST_SCAN_SAME},
        {"upperAscii", "string.()string", upper, CEL_COST_SCAN_SAME},
        {"replace", "string.(string,string)string", replace, CEL_COST_REPLACE},
        {"replace", "string.(string,string,int)string", replace, CEL_COST_REPLACE},
        {"split", "string.(string)list(string)", split, CEL_COST_SCAN_TWICE},
        {"split", "string.(string,int)list(string)", split, CEL_COST_SCAN_TWICE},
        {"join", "list(string).()string", join, CEL_COST_JOIN},
        {"join", "list(string).(string)string", join, CEL_COST_JOIN},
        {"substring", "string.(int)string", substring, CEL_COST_SCAN_SAME},
        {"substring", "string.(int,int)string", substring, CEL_COST_SCAN_SAME},
        {"trim", "string.()string", trim, CEL_COST_SCAN_SAME},
        {"strings.quote", "(string)string", quote, CEL_COST_QUOTE},
};

const struct cel_library cel_strings = {rows, COUNT_OF(rows)};
