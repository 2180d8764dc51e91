/* The language's operators and its own functions (cel-spec, "Standard Definitions"). */
#include "base/cel/program_int.h"

#include "base/check.h"
#include "base/mem/utf8.h"

#include <math.h>

typedef const struct cel_value *args_t;

static struct cel_value of_uint(uint64_t u)
{
	return (struct cel_value){.kind = CEL_UINT, .natural = u};
}

/* ---- arithmetic ---- */

static struct cel_value int_overflow(struct cel_run *r)
{
	return cel_error(r->arena, "integer overflow");
}

static struct cel_value uint_overflow(struct cel_run *r)
{
	return cel_error(r->arena, "unsigned integer overflow");
}

#define CHECKED(name, builtin) \
	static struct cel_value name##_int(struct cel_run *r, args_t v, size_t n) \
	{ \
		int64_t x; \
		return builtin(v[0].integer, v[1].integer, &x) ? int_overflow(r) : cel_of_int(x); \
	} \
	static struct cel_value name##_uint(struct cel_run *r, args_t v, size_t n) \
	{ \
		uint64_t x; \
		return builtin(v[0].natural, v[1].natural, &x) ? uint_overflow(r) : of_uint(x); \
	}
CHECKED(add, __builtin_add_overflow)
CHECKED(sub, __builtin_sub_overflow)
CHECKED(mul, __builtin_mul_overflow)

#define REAL(name, op) \
	static struct cel_value name##_double(struct cel_run *r, args_t v, size_t n) \
	{ \
		return cel_of_double(v[0].real op v[1].real); \
	}
REAL(add, +)
REAL(sub, -)
REAL(mul, *)
REAL(div, /)

static struct cel_value div_int(struct cel_run *r, args_t v, size_t n)
{
	if (v[1].integer == 0)
		return cel_error(r->arena, "division by zero");
	if (v[0].integer == INT64_MIN && v[1].integer == -1)
		return int_overflow(r);
	return cel_of_int(v[0].integer / v[1].integer);
}

static struct cel_value div_uint(struct cel_run *r, args_t v, size_t n)
{
	return v[1].natural ? of_uint(v[0].natural / v[1].natural) : cel_error(r->arena, "division by zero");
}

static struct cel_value mod_int(struct cel_run *r, args_t v, size_t n)
{
	if (v[1].integer == 0)
		return cel_error(r->arena, "modulus by zero");
	if (v[0].integer == INT64_MIN && v[1].integer == -1)
		return int_overflow(r);
	return cel_of_int(v[0].integer % v[1].integer);
}

static struct cel_value mod_uint(struct cel_run *r, args_t v, size_t n)
{
	return v[1].natural ? of_uint(v[0].natural % v[1].natural) : cel_error(r->arena, "modulus by zero");
}

static struct cel_value negate_int(struct cel_run *r, args_t v, size_t n)
{
	return v[0].integer == INT64_MIN ? int_overflow(r) : cel_of_int(-v[0].integer);
}

static struct cel_value negate_double(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_double(-v[0].real);
}

static struct cel_value add_text(struct cel_run *r, args_t v, size_t n)
{
	struct cel_value out = v[0];
	char *both = arena_alloc(r->arena, v[0].text.len + v[1].text.len + 1);
	if (v[0].text.len)
		memcpy(both, v[0].text.ptr, v[0].text.len);
	if (v[1].text.len)
		memcpy(both + v[0].text.len, v[1].text.ptr, v[1].text.len);
	out.text = (struct slice){both, v[0].text.len + v[1].text.len};
	return out;
}

/* Lists that are sets keep each element once; of keyed ones the right one's elements replace. */
static struct cel_value add_list(struct cel_run *r, args_t v, size_t n)
{
	bool is_set = v[0].is_view && v[0].type && v[0].type->list_type == CEL_LIST_SET;
	struct cel_list_maker m = {0};
	struct cel_walk w;
	if (!is_set || !v[1].is_view || v[1].type != v[0].type)
		return cel_list_concat(r, v[0], v[1]);
	struct map seen = MAP_INIT;
	for (int i = 0; i < 2; i++) {
		cel_walk_start(&w, v[i]);
		while (cel_walk_next(r, &w)) {
			struct strbuf name = STRBUF_INIT;
			cel_value_write(r, &name, w.value);
			struct slice key = {arena_memdup(r->arena, strbuf_cstr(&name), name.len), name.len};
			strbuf_release(&name);
			if (!map_get(&seen, key)) {
				map_put(&seen, key, (void *)key.ptr);
				cel_list_add(r, &m, w.value);
			}
		}
	}
	map_release(&seen);
	return cel_list_value(r, &m);
}

/* ---- relations ---- */

static struct cel_value not_bool(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_bool(!v[0].boolean);
}

static struct cel_value equals(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_bool(cel_equal(r, v[0], v[1]));
}

static struct cel_value differs(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_bool(!cel_equal(r, v[0], v[1]));
}

static struct cel_value ordered(args_t v, bool less, bool same, bool more)
{
	int order;
	if (cel_compare(v[0], v[1], &order))
		return cel_of_bool(order < 0 ? less : order > 0 ? more : same);
	bool numbers = v[0].kind == CEL_DOUBLE || v[1].kind == CEL_DOUBLE; /* NaN has no order */
	return numbers ? cel_of_bool(false) : cel_no_overload();
}

static struct cel_value less(struct cel_run *r, args_t v, size_t n)
{
	return ordered(v, true, false, false);
}

static struct cel_value less_or_equal(struct cel_run *r, args_t v, size_t n)
{
	return ordered(v, true, true, false);
}

static struct cel_value greater(struct cel_run *r, args_t v, size_t n)
{
	return ordered(v, false, false, true);
}

static struct cel_value greater_or_equal(struct cel_run *r, args_t v, size_t n)
{
	return ordered(v, false, true, true);
}

static struct cel_value in_list(struct cel_run *r, args_t v, size_t n)
{
	struct cel_walk w;
	cel_walk_start(&w, v[1]);
	while (cel_walk_next(r, &w))
		if (cel_equal(r, w.value, v[0]))
			return cel_of_bool(true);
	return cel_of_bool(false);
}

static struct cel_value in_map(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_bool(cel_map_find(r, v[1], v[0]).kind != CEL_DYN);
}

/* ---- functions ---- */

static struct cel_value size(struct cel_run *r, args_t v, size_t n)
{
	size_t count = 0;
	if (v[0].kind != CEL_STRING)
		return cel_of_int((int64_t)cel_size(v[0]));
	for (size_t i = 0; i < v[0].text.len; count++) {
		size_t len = utf8_len((const unsigned char *)v[0].text.ptr + i, v[0].text.len - i);
		i += len ? len : 1;
	}
	return cel_of_int((int64_t)count);
}

static struct cel_value contains(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_bool(!v[1].text.len || memmem(v[0].text.ptr, v[0].text.len, v[1].text.ptr, v[1].text.len));
}

static struct cel_value starts_with(struct cel_run *r, args_t v, size_t n)
{
	struct slice s = v[0].text, p = v[1].text;
	return cel_of_bool(p.len <= s.len && slice_eq((struct slice){s.ptr, p.len}, p));
}

static struct cel_value ends_with(struct cel_run *r, args_t v, size_t n)
{
	struct slice s = v[0].text, p = v[1].text;
	return cel_of_bool(p.len <= s.len && slice_eq((struct slice){s.ptr + s.len - p.len, p.len}, p));
}

struct cel_value cel_matches(struct cel_run *r, args_t v, size_t n)
{
	struct cel_value error;
	const struct pattern *p = cel_run_pattern(r, v[1].text, &error);
	if (!p)
		return error;
	return cel_of_bool(cel_work_pattern(r, p, v[0].text.len) && pattern_matches(p, v[0].text));
}

#define ORDERS(name, fn, a, b) \
	{ \
		name, "(" a "," b ")bool", fn, CEL_COST_ONE \
	}
#define ORDERED(name, fn) \
	{name, "(bool,bool)bool", fn, CEL_COST_ONE}, {name, "(int,int)bool", fn, CEL_COST_ONE}, \
	        ORDERS(name, fn, "int", "uint"), ORDERS(name, fn, "int", "double"), ORDERS(name, fn, "uint", "uint"), \
	        ORDERS(name, fn, "uint", "int"), ORDERS(name, fn, "uint", "double"), \
	        ORDERS(name, fn, "double", "double"), ORDERS(name, fn, "double", "int"), \
	        ORDERS(name, fn, "double", "uint"), {name, "(string,string)bool", fn, CEL_COST_COMPARE}, \
	        {name, "(bytes,bytes)bool", fn, CEL_COST_COMPARE}, ORDERS(name, fn, "timestamp", "timestamp"), \
	{ \
		name, "(duration,duration)bool", fn, CEL_COST_ONE \
	}

static const struct cel_overload rows[] = {
        {"_+_", "(int,int)int", add_int, CEL_COST_ONE},
        {"_+_", "(uint,uint)uint", add_uint, CEL_COST_ONE},
        {"_+_", "(double,double)double", add_double, CEL_COST_ONE},
        {"_+_", "(string,string)string", add_text, CEL_COST_ADD_TEXT},
        {"_+_", "(bytes,bytes)bytes", add_text, CEL_COST_ADD_TEXT},
        {"_+_", "(list(A),list(A))list(A)", add_list, CEL_COST_ADD_LIST},
        {"_-_", "(int,int)int", sub_int, CEL_COST_ONE},
        {"_-_", "(uint,uint)uint", sub_uint, CEL_COST_ONE},
        {"_-_", "(double,double)double", sub_double, CEL_COST_ONE},
        {"_*_", "(int,int)int", mul_int, CEL_COST_ONE},
        {"_*_", "(uint,uint)uint", mul_uint, CEL_COST_ONE},
        {"_*_", "(double,double)double", mul_double, CEL_COST_ONE},
        {"_/_", "(int,int)int", div_int, CEL_COST_ONE},
        {"_/_", "(uint,uint)uint", div_uint, CEL_COST_ONE},
        {"_/_", "(double,double)double", div_double, CEL_COST_ONE},
        {"_%_", "(int,int)int", mod_int, CEL_COST_ONE},
        {"_%_", "(uint,uint)uint", mod_uint, CEL_COST_ONE},
        {"-_", "(int)int", negate_int, CEL_COST_ONE},
        {"-_", "(double)double", negate_double, CEL_COST_ONE},
        {"!_", "(bool)bool", not_bool, CEL_COST_ONE},
        {"_==_", "(A,A)bool", equals, CEL_COST_COMPARE},
        {"_!=_", "(A,A)bool", differs, CEL_COST_COMPARE},
        ORDERED("_<_", less),
        ORDERED("_<=_", less_or_equal),
        ORDERED("_>_", greater),
        ORDERED("_>=_", greater_or_equal),
        {"@in", "(A,list(A))bool", in_list, CEL_COST_IN_LIST},
        {"@in", "(A,map(A,B))bool", in_map, CEL_COST_ONE},
        {"size", "(string)int", size, CEL_COST_ONE},
        {"size", "(bytes)int", size, CEL_COST_ONE},
        {"size", "(list(A))int", size, CEL_COST_ONE},
        {"size", "(map(A,B))int", size, CEL_COST_ONE},
        {"size", "string.()int", size, CEL_COST_ONE},
        {"size", "bytes.()int", size, CEL_COST_ONE},
        {"size", "list(A).()int", size, CEL_COST_ONE},
        {"size", "map(A,B).()int", size, CEL_COST_ONE},
        {"contains", "string.(string)bool", contains, CEL_COST_CONTAINS},
        {"startsWith", "string.(string)bool", starts_with, CEL_COST_SCAN_ARG},
        {"endsWith", "string.(string)bool", ends_with, CEL_COST_SCAN_ARG},
        {"matches", "string.(string)bool", cel_matches, CEL_COST_PATTERN},
        {"matches", "(string,string)bool", cel_matches, CEL_COST_PATTERN},
};

const struct cel_library cel_standard = {rows, COUNT_OF(rows)};
