/* Kubernetes' functions of lists: isSorted, sum, min, max, indexOf, lastIndexOf. And those of sets (cel-go ext/sets).
 */
#include "base/cel/program_int.h"

#include "base/check.h"

typedef const struct cel_value *args_t;

static struct cel_value is_sorted(struct cel_run *r, args_t v, size_t n)
{
	struct cel_walk w;
	struct cel_value before = {0};
	int order;
	cel_walk_start(&w, v[0]);
	while (cel_walk_next(r, &w)) {
		if (is_error(w.value))
			return w.value;
		if (w.at > 1 && !cel_compare(before, w.value, &order))
			return cel_no_overload();
		if (w.at > 1 && order > 0)
			return cel_of_bool(false);
		before = w.value;
	}
	return cel_of_bool(true);
}

static struct cel_value add_to(struct cel_run *r, struct cel_value a, struct cel_value b)
{
	struct cel_value out = a;
	bool over = false;
	if (a.kind != b.kind)
		return cel_no_overload();
	if (a.kind == CEL_INT || a.kind == CEL_DURATION)
		over = __builtin_add_overflow(a.integer, b.integer, &out.integer);
	else if (a.kind == CEL_UINT)
		over = __builtin_add_overflow(a.natural, b.natural, &out.natural);
	else if (a.kind == CEL_DOUBLE)
		out.real = a.real + b.real;
	else
		return cel_no_overload();
	return over ? cel_error(r->arena, "%s overflow",
	                      a.kind == CEL_UINT  ? "unsigned integer"
	                      : a.kind == CEL_INT ? "integer"
	                                          : "duration")
	            : out;
}

static struct cel_value sum(struct cel_run *r, args_t v, enum cel_kind kind)
{
	struct cel_value total = {.kind = kind};
	struct cel_walk w;
	cel_walk_start(&w, v[0]);
	while (!is_error(total) && cel_walk_next(r, &w)) {
		/* of lists whose type is not known the first says what they are of */
		if (w.at == 1 && w.value.kind >= CEL_INT && w.value.kind <= CEL_DURATION)
			total.kind = w.value.kind;
		total = is_error(w.value) ? w.value : add_to(r, total, w.value);
	}
	return total;
}

#define SUM(name, kind) \
	static struct cel_value name(struct cel_run *r, args_t v, size_t n) \
	{ \
		return sum(r, v, kind); \
	}
SUM(sum_int, CEL_INT)
SUM(sum_uint, CEL_UINT)
SUM(sum_double, CEL_DOUBLE)
SUM(sum_duration, CEL_DURATION)

static struct cel_value extreme(struct cel_run *r, args_t v, int sign, const char *name)
{
	struct cel_walk w;
	struct cel_value best = {0};
	int order;
	cel_walk_start(&w, v[0]);
	while (cel_walk_next(r, &w)) {
		if (is_error(w.value))
			return w.value;
		if (w.at > 1 && !cel_compare(w.value, best, &order))
			return cel_no_overload();
		if (w.at == 1 || order * sign > 0)
			best = w.value;
	}
	return w.at ? best : cel_error(r->arena, "%s called on empty list", name);
}

static struct cel_value least(struct cel_run *r, args_t v, size_t n)
{
	return extreme(r, v, -1, "min");
}

static struct cel_value greatest(struct cel_run *r, args_t v, size_t n)
{
	return extreme(r, v, 1, "max");
}

static struct cel_value index_of(struct cel_run *r, args_t v, size_t n)
{
	struct cel_walk w;
	cel_walk_start(&w, v[0]);
	while (cel_walk_next(r, &w))
		if (cel_equal(r, w.value, v[1]))
			return w.key;
	return cel_of_int(-1);
}

static struct cel_value last_index_of(struct cel_run *r, args_t v, size_t n)
{
	struct cel_walk w;
	struct cel_value found = cel_of_int(-1);
	cel_walk_start(&w, v[0]);
	while (cel_walk_next(r, &w))
		if (cel_equal(r, w.value, v[1]))
			found = w.key;
	return found;
}

/* ---- sets ---- */

static bool has(struct cel_run *r, struct cel_value list, struct cel_value v)
{
	struct cel_walk w;
	cel_walk_start(&w, list);
	while (cel_walk_next(r, &w))
		if (cel_equal(r, w.value, v))
			return true;
	return false;
}

/* Each of `part` is in `whole`: known to be too dear before it is begun. */
static bool has_all(struct cel_run *r, struct cel_value whole, struct cel_value part)
{
	struct cel_walk w;
	if (cel_size(whole) * (double)cel_size(part) > (double)r->cost_max)
		return false; /* the call's cost ends the run */
	cel_walk_start(&w, part);
	while (cel_walk_next(r, &w))
		if (!has(r, whole, w.value))
			return false;
	return true;
}

static struct cel_value sets_contains(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_bool(has_all(r, v[0], v[1]));
}

static struct cel_value sets_equivalent(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_bool(has_all(r, v[0], v[1]) && has_all(r, v[1], v[0]));
}

static struct cel_value sets_intersects(struct cel_run *r, args_t v, size_t n)
{
	struct cel_walk w;
	if (cel_size(v[0]) * (double)cel_size(v[1]) > (double)r->cost_max)
		return cel_of_bool(false);
	cel_walk_start(&w, v[0]);
	while (cel_walk_next(r, &w))
		if (has(r, v[1], w.value))
			return cel_of_bool(true);
	return cel_of_bool(false);
}

#define COMPARABLE(name, type, result, fn) \
	{ \
		name, "list(" type ").()" result, fn, CEL_COST_WALK \
	}
#define EXTREME(name, fn) \
	COMPARABLE(name, "int", "int", fn), COMPARABLE(name, "uint", "uint", fn), \
	        COMPARABLE(name, "double", "double", fn), COMPARABLE(name, "bool", "bool", fn), \
	        COMPARABLE(name, "duration", "duration", fn), COMPARABLE(name, "timestamp", "timestamp", fn), \
	        COMPARABLE(name, "string", "string", fn), COMPARABLE(name, "bytes", "bytes", fn)

static const struct cel_overload list_rows[] = {
        COMPARABLE("isSorted", "int", "bool", is_sorted),
        COMPARABLE("isSorted", "uint", "bool", is_sorted),
        COMPARABLE("isSorted", "double", "bool", is_sorted),
        COMPARABLE("isSorted", "bool", "bool", is_sorted),
        COMPARABLE("isSorted", "duration", "bool", is_sorted),
        COMPARABLE("isSorted", "timestamp", "bool", is_sorted),
        COMPARABLE("isSorted", "string", "bool", is_sorted),
        COMPARABLE("isSorted", "bytes", "bool", is_sorted),
        COMPARABLE("sum", "int", "int", sum_int),
        COMPARABLE("sum", "uint", "uint", sum_uint),
        COMPARABLE("sum", "double", "double", sum_double),
        COMPARABLE("sum", "duration", "duration", sum_duration),
        EXTREME("min", least),
        EXTREME("max", greatest),
        {"indexOf", "list(A).(A)int", index_of, CEL_COST_WALK},
        {"lastIndexOf", "list(A).(A)int", last_index_of, CEL_COST_WALK},
};

static const struct cel_overload set_rows[] = {
        {"sets.contains", "(list(A),list(A))bool", sets_contains, CEL_COST_SETS},
        {"sets.equivalent", "(list(A),list(A))bool", sets_equivalent, CEL_COST_SETS_TWICE},
        {"sets.intersects", "(list(A),list(A))bool", sets_intersects, CEL_COST_SETS},
};

const struct cel_library cel_lists = {list_rows, COUNT_OF(list_rows)};
const struct cel_library cel_sets = {set_rows, COUNT_OF(set_rows)};
