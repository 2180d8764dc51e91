/* Conversions between kinds (cel-spec, "Type Conversions"): what does not fit is an error, nothing is cut. */
#include "base/cel/program_int.h"

#include "base/check.h"
#include "base/mem/utf8.h"

#include <math.h>
#include <stdlib.h>

typedef const struct cel_value *args_t;

static struct cel_value same(struct cel_run *r, args_t v, size_t n)
{
	return v[0];
}

static struct cel_value range(struct cel_run *r, const char *what)
{
	return cel_error(r->arena, "%s overflow", what);
}

static struct cel_value to_int(struct cel_run *r, args_t v, size_t n)
{
	int64_t i;
	switch (v[0].kind) {
	case CEL_UINT:
		return v[0].natural > INT64_MAX ? range(r, "integer") : cel_of_int((int64_t)v[0].natural);
	case CEL_DOUBLE:
		/* both ends are left out, as a double near them may stand for what is beyond */
		if (!(v[0].real > -0x1p63 && v[0].real < 0x1p63))
			return range(r, "integer");
		return cel_of_int((int64_t)v[0].real);
	case CEL_STRING: {
		struct slice s = v[0].text;
		if (s.len > 1 && s.ptr[0] == '+')
			s = (struct slice){s.ptr + 1, s.len - 1};
		return slice_to_i64(s, &i) ? cel_of_int(i)
		                           : cel_error(r->arena, "type conversion error from 'string' to 'int'");
	}
	default:
		return cel_of_int(v[0].integer); /* of a timestamp its seconds */
	}
}

static struct cel_value span_to_int(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_int(v[0].integer);
}

static struct cel_value to_uint(struct cel_run *r, args_t v, size_t n)
{
	struct cel_value out = {.kind = CEL_UINT, .natural = v[0].natural};
	if (v[0].kind == CEL_INT && v[0].integer < 0)
		return range(r, "unsigned integer");
	if (v[0].kind == CEL_DOUBLE) {
		if (!(v[0].real >= 0 && v[0].real < 0x1p64))
			return range(r, "unsigned integer");
		out.natural = (uint64_t)v[0].real;
	}
	if (v[0].kind == CEL_STRING && !slice_to_u64(v[0].text, &out.natural))
		return cel_error(r->arena, "type conversion error from 'string' to 'uint'");
	return out;
}

static struct cel_value to_double(struct cel_run *r, args_t v, size_t n)
{
	char *end, *text;
	if (v[0].kind == CEL_INT)
		return cel_of_double((double)v[0].integer);
	if (v[0].kind == CEL_UINT)
		return cel_of_double((double)v[0].natural);
	text = arena_memdup(r->arena, v[0].text.ptr, v[0].text.len);
	double d = strtod(text, &end);
	bool blank = *text == ' ' || *text == '\t' || *text == '\n';
	if (!v[0].text.len || blank || end != text + v[0].text.len || (isinf(d) && !strchr("iI+-", text[0])))
		return cel_error(r->arena, "type conversion error from 'string' to 'double'");
	return cel_of_double(d);
}

static struct cel_value to_string(struct cel_run *r, args_t v, size_t n)
{
	struct strbuf b = STRBUF_INIT;
	if (v[0].kind == CEL_BYTES) {
		struct slice s = v[0].text;
		for (size_t i = 0; i < s.len;) {
			size_t len = utf8_len((const unsigned char *)s.ptr + i, s.len - i);
			if (!len)
				return cel_error(r->arena, "invalid UTF-8 in bytes, cannot convert to string");
			i += len;
		}
		return cel_of_text(s);
	}
	cel_value_write(r, &b, v[0]);
	struct slice text = {arena_memdup(r->arena, strbuf_cstr(&b), b.len), b.len};
	strbuf_release(&b);
	return cel_of_text(text);
}

static struct cel_value to_bytes(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_bytes(v[0].text);
}

static struct cel_value to_bool(struct cel_run *r, args_t v, size_t n)
{
	static const char *const yes[] = {"1", "t", "T", "true", "True", "TRUE"}, *const no[] = {"0", "f", "F", "false",
	                                                                                  "False", "FALSE"};
	for (size_t i = 0; i < COUNT_OF(yes); i++) {
		if (slice_is(v[0].text, yes[i]))
			return cel_of_bool(true);
		if (slice_is(v[0].text, no[i]))
			return cel_of_bool(false);
	}
	return cel_error(r->arena, "type conversion error from 'string' to 'bool'");
}

static struct cel_value to_time(struct cel_run *r, args_t v, size_t n)
{
	struct cel_value out = {.kind = CEL_TIMESTAMP, .integer = v[0].integer};
	if (v[0].kind == CEL_INT)
		return out.integer >= -62135596800ll && out.integer <= 253402300799ll ? out : range(r, "timestamp");
	if (!cel_time_parse(v[0].text, &out.integer, &out.nanos))
		return cel_error(r->arena, "type conversion error from 'string' to 'google.protobuf.Timestamp'");
	return out;
}

static struct cel_value to_span(struct cel_run *r, args_t v, size_t n)
{
	struct cel_value out = {.kind = CEL_DURATION, .integer = v[0].integer};
	if (v[0].kind == CEL_STRING && !cel_span_parse(v[0].text, &out.integer))
		return cel_error(r->arena, "type conversion error from 'string' to 'google.protobuf.Duration'");
	return out;
}

static struct cel_value type_of(struct cel_run *r, args_t v, size_t n)
{
	return (struct cel_value){.kind = CEL_TYPE, .of = cel_value_type(r->arena, v[0])};
}

static const struct cel_overload rows[] = {
        {"int", "(int)int", same, CEL_COST_ONE},
        {"int", "(uint)int", to_int, CEL_COST_ONE},
        {"int", "(double)int", to_int, CEL_COST_ONE},
        {"int", "(string)int", to_int, CEL_COST_ONE},
        {"int", "(timestamp)int", to_int, CEL_COST_ONE},
        {"int", "(duration)int", span_to_int, CEL_COST_ONE},
        {"uint", "(uint)uint", same, CEL_COST_ONE},
        {"uint", "(int)uint", to_uint, CEL_COST_ONE},
        {"uint", "(double)uint", to_uint, CEL_COST_ONE},
        {"uint", "(string)uint", to_uint, CEL_COST_ONE},
        {"double", "(double)double", same, CEL_COST_ONE},
        {"double", "(int)double", to_double, CEL_COST_ONE},
        {"double", "(uint)double", to_double, CEL_COST_ONE},
        {"double", "(string)double", to_double, CEL_COST_ONE},
        {"string", "(string)string", same, CEL_COST_ONE},
        {"string", "(bool)string", to_string, CEL_COST_ONE},
        {"string", "(int)string", to_string, CEL_COST_ONE},
        {"string", "(uint)string", to_string, CEL_COST_ONE},
        {"string", "(double)string", to_string, CEL_COST_ONE},
        {"string", "(bytes)string", to_string, CEL_COST_TO_STRING},
        {"string", "(timestamp)string", to_string, CEL_COST_ONE},
        {"string", "(duration)string", to_string, CEL_COST_ONE},
        {"bytes", "(bytes)bytes", same, CEL_COST_ONE},
        {"bytes", "(string)bytes", to_bytes, CEL_COST_TO_BYTES},
        {"bool", "(bool)bool", same, CEL_COST_ONE},
        {"bool", "(string)bool", to_bool, CEL_COST_ONE},
        {"timestamp", "(timestamp)timestamp", same, CEL_COST_ONE},
        {"timestamp", "(string)timestamp", to_time, CEL_COST_ONE},
        {"timestamp", "(int)timestamp", to_time, CEL_COST_ONE},
        {"duration", "(duration)duration", same, CEL_COST_ONE},
        {"duration", "(string)duration", to_span, CEL_COST_ONE},
        {"duration", "(int)duration", to_span, CEL_COST_ONE},
        {"dyn", "(A)dyn", same, CEL_COST_ONE},
        {"type", "(A)type(A)", type_of, CEL_COST_ONE},
};

const struct cel_library cel_convert = {rows, COUNT_OF(rows)};
