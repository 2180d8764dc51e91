/* Optional values: optional.of(x), optional.none(), and what they are asked. `or` and `orValue`, which look at their
 * argument only when they must, and optMap are the evaluator's. */
#include "base/cel/program_int.h"

#include "base/check.h"

typedef const struct cel_value *args_t;

static struct cel_value of(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_optional(r->arena, &v[0]);
}

static struct cel_value none(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_optional(r->arena, NULL);
}

static bool is_zero(struct cel_value v)
{
	switch (v.kind) {
	case CEL_NULL:
		return true;
	case CEL_BOOL:
		return !v.boolean;
	case CEL_INT:
	case CEL_UINT:
	case CEL_DURATION:
		return v.integer == 0;
	case CEL_DOUBLE:
		return v.real == 0;
	case CEL_STRING:
	case CEL_BYTES:
	case CEL_LIST:
	case CEL_MAP:
	case CEL_OBJECT:
		return cel_size(v) == 0;
	case CEL_OPTIONAL:
		return !v.held;
	default:
		return false;
	}
}

static struct cel_value of_non_zero(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_optional(r->arena, is_zero(v[0]) ? NULL : &v[0]);
}

static struct cel_value has_value(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_bool(v[0].held != NULL);
}

static struct cel_value value(struct cel_run *r, args_t v, size_t n)
{
	return v[0].held ? *v[0].held : cel_error(r->arena, "optional.none() dereference");
}

static const struct cel_overload rows[] = {
        {"optional.of", "(A)optional(A)", of, CEL_COST_ONE},
        {"optional.ofNonZeroValue", "(A)optional(A)", of_non_zero, CEL_COST_ONE},
        {"optional.none", "()optional(A)", none, CEL_COST_ONE},
        {"hasValue", "optional(A).()bool", has_value, CEL_COST_ONE},
        {"value", "optional(A).()A", value, CEL_COST_ONE},
};

const struct cel_library cel_optionals = {rows, COUNT_OF(rows)};
