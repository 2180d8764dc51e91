/* Equality, order, sizes, and the words of values.
 *
 * Numbers are compared by value whatever their kinds (cel-spec, "Numeric Values"); beside a double, an integer is what
 * a double can say of it. Lists that a schema calls sets are equal in any order, keyed ones by their keys. */
#include "base/cel/program_int.h"

#include "base/check.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- numbers ---- */

static bool is_number(struct cel_value v)
{
	return v.kind == CEL_INT || v.kind == CEL_UINT || v.kind == CEL_DOUBLE;
}

static int order_of(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static double as_double(struct cel_value v)
{
	return v.kind == CEL_INT ? (double)v.integer : v.kind == CEL_UINT ? (double)v.natural : v.real;
}

/* Of one that is not below zero. */
static uint64_t natural_of(struct cel_value v)
{
	return v.kind == CEL_INT ? (uint64_t)v.integer : v.natural;
}

static bool compare_numbers(struct cel_value a, struct cel_value b, int *ret)
{
	if (a.kind == CEL_DOUBLE || b.kind == CEL_DOUBLE) {
		double x = as_double(a), y = as_double(b);
		*ret = x < y ? -1 : x > y;
		return !isnan(x) && !isnan(y);
	}
	bool a_is_below = a.kind == CEL_INT && a.integer < 0, b_is_below = b.kind == CEL_INT && b.integer < 0;
	if (a_is_below && b_is_below)
		*ret = order_of(a.integer, b.integer);
	else if (a_is_below || b_is_below)
		*ret = a_is_below ? -1 : 1;
	else
		*ret = natural_of(a) < natural_of(b) ? -1 : natural_of(a) > natural_of(b);
	return true;
}

bool cel_compare(struct cel_value a, struct cel_value b, int *ret)
{
	if (is_number(a) && is_number(b))
		return compare_numbers(a, b, ret);
	if (a.kind != b.kind)
		return false;
	switch (a.kind) {
	case CEL_BOOL:
		*ret = (int)a.boolean - (int)b.boolean;
		return true;
	case CEL_STRING:
	case CEL_BYTES:
		*ret = slice_cmp(a.text, b.text);
		return true;
	case CEL_DURATION:
		*ret = order_of(a.integer, b.integer);
		return true;
	case CEL_TIMESTAMP:
		*ret = order_of(a.integer, b.integer);
		*ret = *ret ? *ret : order_of(a.nanos, b.nanos);
		return true;
	default:
		return false;
	}
}

/* ---- equality ---- */

/* Bytes that are as fast to compare, or to write, as one part of work is (cel_work()). */
enum { COMPARED_PER_PART = 160, WRITTEN_PER_PART = 8 };

/* What an element of a set, or of a keyed list, is known by. */
static struct slice element_name(struct cel_run *r, const struct cel_type *type, const struct json *e)
{
	struct strbuf b = STRBUF_INIT;
	if (type->list_type == CEL_LIST_SET) {
		json_write(&b, e);
	} else {
		for (size_t i = 0; i < type->key_count; i++) {
			const struct json *v = json_get_slice(e, type->keys[i]);
			if (v)
				json_write(&b, v);
			strbuf_addc(&b, ',');
		}
	}
	struct slice out = {arena_memdup(r->arena, strbuf_cstr(&b), b.len), b.len};
	cel_work(r, b.len / WRITTEN_PER_PART);
	strbuf_release(&b);
	return out;
}

static bool equal_in_any_order(struct cel_run *r, struct cel_value a, struct cel_value b)
{
	struct map names = MAP_INIT;
	bool same = true;
	for (const struct json *it = b.tree->first; it && cel_work(r, 1); it = it->next)
		map_put(&names, element_name(r, a.type, it), (void *)it);
	for (const struct json *it = a.tree->first; it && same; it = it->next) {
		const struct json *other = map_get(&names, element_name(r, a.type, it));
		same = other && cel_equal(r, cel_of_json(r->arena, it, a.type->elem),
		                        cel_of_json(r->arena, other, a.type->elem));
	}
	map_release(&names);
	return same;
}

static bool equal_lists(struct cel_run *r, struct cel_value a, struct cel_value b)
{
	struct cel_walk x, y;
	if (cel_list_count(a) != cel_list_count(b))
		return false;
	if (a.is_view && b.is_view && a.type && a.type == b.type && a.type->list_type != CEL_LIST_ATOMIC)
		return equal_in_any_order(r, a, b);
	cel_walk_start(&x, a);
	cel_walk_start(&y, b);
	while (cel_walk_next(r, &x) && cel_walk_next(r, &y))
		if (!cel_equal(r, x.value, y.value))
			return false;
	return true;
}

static bool equal_maps(struct cel_run *r, struct cel_value a, struct cel_value b)
{
	struct cel_walk w;
	if ((!a.is_view && a.kind == CEL_OBJECT) || (!b.is_view && b.kind == CEL_OBJECT))
		return !a.is_view && !b.is_view && a.kind == b.kind && a.lazy == b.lazy;
	if (cel_size(a) != cel_size(b))
		return false;
	cel_walk_start(&w, a);
	while (cel_walk_next(r, &w)) {
		struct cel_value other = cel_map_find(r, b, w.key);
		if (other.kind == CEL_DYN || !cel_equal(r, w.value, other))
			return false;
	}
	return true;
}

bool cel_equal(struct cel_run *r, struct cel_value a, struct cel_value b)
{
	int order;
	if (is_number(a) && is_number(b))
		return compare_numbers(a, b, &order) && order == 0;
	if (!cel_work(r, 1))
		return false;
	if ((a.kind == CEL_MAP || a.kind == CEL_OBJECT) && (b.kind == CEL_MAP || b.kind == CEL_OBJECT))
		return equal_maps(r, a, b);
	if (a.kind != b.kind)
		return false;
	switch (a.kind) {
	case CEL_NULL:
		return true;
	case CEL_LIST:
		return equal_lists(r, a, b);
	case CEL_TYPE:
		return a.of->kind == b.of->kind && (a.of->kind != CEL_OPAQUE || cel_type_same(a.of, b.of));
	case CEL_OPTIONAL:
		return !a.held || !b.held ? a.held == b.held : cel_equal(r, *a.held, *b.held);
	case CEL_OPAQUE: {
		/* libraries give equal things equal words */
		struct strbuf x = STRBUF_INIT, y = STRBUF_INIT;
		cel_value_write(r, &x, a);
		cel_value_write(r, &y, b);
		bool same = cel_type_same(a.type, b.type) && slice_eq(strbuf_slice(&x), strbuf_slice(&y));
		strbuf_release(&x);
		strbuf_release(&y);
		return same;
	}
	case CEL_STRING:
	case CEL_BYTES:
		if (a.text.len != b.text.len || !cel_work(r, a.text.len / COMPARED_PER_PART))
			return false;
		return slice_eq(a.text, b.text);
	default:
		return cel_compare(a, b, &order) && order == 0;
	}
}

uint64_t cel_size(struct cel_value v)
{
	switch (v.kind) {
	case CEL_STRING:
	case CEL_BYTES:
		return v.text.len;
	case CEL_LIST:
		return cel_list_count(v);
	case CEL_MAP:
		return v.is_view ? v.tree->count : v.map->count;
	case CEL_OBJECT:
		return v.is_view ? v.tree->count : 1;
	default:
		return 1;
	}
}

/* ---- words ---- */

/* As Go's strconv prints the shortest that reads back the same. */
void cel_write_double(struct strbuf *out, double d)
{
	char text[64];
	int digits = 1, exponent;
	if (isnan(d) || isinf(d)) {
		strbuf_adds(out, isnan(d) ? "NaN" : d > 0 ? "+Inf" : "-Inf");
		return;
	}
	do
		snprintf(text, sizeof text, "%.*e", digits - 1, d);
	while (strtod(text, NULL) != d && ++digits <= 17);
	exponent = atoi(strchr(text, 'e') + 1);
	if (exponent >= -4 && exponent < 21) {
		int decimals = digits - 1 - exponent;
		snprintf(text, sizeof text, "%.*f", decimals > 0 ? decimals : 0, d);
	}
	strbuf_adds(out, text);
}

static void write_list(struct cel_run *r, struct strbuf *out, struct cel_value v)
{
	struct cel_walk w;
	bool is_list = v.kind == CEL_LIST;
	strbuf_addc(out, is_list ? '[' : '{');
	cel_walk_start(&w, v);
	for (size_t i = 0; out->len < API_BODY_BYTES_MAX && cel_walk_next(r, &w); i++) {
		strbuf_adds(out, i ? ", " : "");
		if (!is_list) {
			cel_value_write(r, out, w.key);
			strbuf_adds(out, ": ");
		}
		cel_value_write(r, out, w.value);
	}
	strbuf_addc(out, is_list ? ']' : '}');
}

void cel_value_write(struct cel_run *r, struct strbuf *out, struct cel_value v)
{
	switch (v.kind) {
	case CEL_NULL:
		strbuf_adds(out, "null");
		break;
	case CEL_BOOL:
		strbuf_adds(out, v.boolean ? "true" : "false");
		break;
	case CEL_INT:
		strbuf_add_i64(out, v.integer);
		break;
	case CEL_UINT:
		strbuf_add_u64(out, v.natural);
		break;
	case CEL_DOUBLE:
		cel_write_double(out, v.real);
		break;
	case CEL_STRING:
	case CEL_BYTES:
		strbuf_add_slice(out, v.text);
		break;
	case CEL_TIMESTAMP:
		cel_time_write(out, v.integer, v.nanos);
		break;
	case CEL_DURATION:
		cel_span_write(out, v.integer);
		break;
	case CEL_TYPE:
		strbuf_adds(out, cel_type_text(r->arena, v.of));
		break;
	case CEL_OPTIONAL:
		strbuf_adds(out, v.held ? "optional(" : "optional.none()");
		if (v.held) {
			cel_value_write(r, out, *v.held);
			strbuf_addc(out, ')');
		}
		break;
	case CEL_OPAQUE:
		strbuf_adds(out, ((const struct cel_opaque *)v.opaque)->words);
		break;
	case CEL_ERROR:
		strbuf_adds(out, v.error);
		break;
	default:
		if (v.kind == CEL_OBJECT && !v.is_view)
			strbuf_adds(out, "object");
		else if (v.kind != CEL_DYN && v.kind != CEL_PARAM)
			write_list(r, out, v);
		break;
	}
}

const char *cel_show(struct cel_run *r, struct cel_value v)
{
	struct strbuf b = STRBUF_INIT;
	cel_value_write(r, &b, v);
	const char *text = arena_memdup(r->arena, strbuf_cstr(&b), b.len);
	strbuf_release(&b);
	return text;
}

const struct cel_type *cel_value_type(struct arena *a, struct cel_value v)
{
	static const struct cel_type *const scalars[] = {[CEL_DYN] = &cel_type_dyn,
	        [CEL_ERROR] = &cel_type_dyn,
	        [CEL_NULL] = &cel_type_null,
	        [CEL_BOOL] = &cel_type_bool,
	        [CEL_INT] = &cel_type_int,
	        [CEL_UINT] = &cel_type_uint,
	        [CEL_DOUBLE] = &cel_type_double,
	        [CEL_STRING] = &cel_type_string,
	        [CEL_BYTES] = &cel_type_bytes,
	        [CEL_TIMESTAMP] = &cel_type_timestamp,
	        [CEL_DURATION] = &cel_type_duration};
	if (v.kind < COUNT_OF(scalars))
		return scalars[v.kind];
	if (v.kind == CEL_OPAQUE || (v.kind == CEL_OBJECT && v.type))
		return v.type;
	return v.kind == CEL_LIST       ? cel_type_list(a, &cel_type_dyn)
	       : v.kind == CEL_OPTIONAL ? cel_type_optional(a, &cel_type_dyn)
	       : v.kind == CEL_TYPE     ? cel_type_of_types(a, &cel_type_dyn)
	                                : cel_type_map(a, &cel_type_dyn, &cel_type_dyn);
}
