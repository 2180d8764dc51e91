/* What calls cost, and what an expression may cost at worst: upstream's model (cel-go checker/cost.go and
 * interpreter/runtimecost.go, with Kubernetes' pkg/cel/library/cost.go), so that what it refuses is refused here.
 *
 * The estimate walks the typed tree with the sizes that types declare. Where upstream follows a path of names to find
 * such a size, here the node has the declared type itself (node.declared). Sums and products stop at 2^64-1. */
#include "base/cel/program_int.h"

#include "base/check.h"

#include <math.h>

#define TEXT_COST 0.1     /* a byte walked over */
#define PATTERN_COST 0.25 /* a byte of a pattern */
/* Of comparing two addresses of 16 bytes; a network is masked before, and its length looked at. */
enum { IP_COST = 4, NET_COST = IP_COST + 2 + 1 };
enum { COST_LIST = 10, COST_MAP = 30, FORMAT_PATTERN_BYTES = 128, CHECK_COST = 350000 };

static uint64_t plus(uint64_t a, uint64_t b)
{
	uint64_t x;
	return __builtin_add_overflow(a, b, &x) ? UINT64_MAX : x;
}

static uint64_t times(uint64_t a, uint64_t b)
{
	uint64_t x;
	return __builtin_mul_overflow(a, b, &x) ? UINT64_MAX : x;
}

static uint64_t scaled(uint64_t a, double by)
{
	double d = ceil((double)a * by);
	return d >= 0x1p64 ? UINT64_MAX : (uint64_t)d;
}

/* ---- a call, by the sizes of its arguments ---- */

struct call_sizes {
	uint64_t args[FUNCTION_ARGS_MAX];
	uint64_t elements; /* of a walk: what all elements cost */
	uint64_t result;
	size_t count;
};

static uint64_t cost_of(enum cel_cost cost, const struct call_sizes *s)
{
	uint64_t a = s->args[0], b = s->count > 1 ? s->args[1] : 0;
	switch (cost) {
	case CEL_COST_ONE:
	case CEL_COST_ADD_LIST:
		return 1;
	case CEL_COST_SCAN:
	case CEL_COST_SCAN_SAME:
	case CEL_COST_TO_BYTES:
	case CEL_COST_TO_STRING:
	case CEL_COST_QUOTE:
		return scaled(a, TEXT_COST);
	case CEL_COST_SCAN_ARG:
		return scaled(b, TEXT_COST);
	case CEL_COST_SCAN_TWICE:
	case CEL_COST_REPLACE:
		return scaled(a, 2 * TEXT_COST);
	case CEL_COST_JOIN:
		return scaled(s->result, 2 * TEXT_COST);
	case CEL_COST_PATTERN:
		return times(scaled(plus(a, 1), TEXT_COST), scaled(b, PATTERN_COST));
	case CEL_COST_CONTAINS:
		return times(scaled(a, TEXT_COST), scaled(b, TEXT_COST));
	case CEL_COST_IN_LIST:
		return b;
	case CEL_COST_COMPARE:
		return scaled(a < b ? a : b, TEXT_COST);
	case CEL_COST_ADD_TEXT:
		return scaled(plus(a, b), TEXT_COST);
	case CEL_COST_WALK:
		return s->elements;
	case CEL_COST_SETS:
		return plus(times(a, b), 1);
	case CEL_COST_SETS_TWICE:
		return plus(times(times(a, b), 2), 1);
	case CEL_COST_HAS_IP:
		return IP_COST;
	case CEL_COST_HAS_NET:
		return NET_COST;
	case CEL_COST_HAS_IP_TEXT:
		return plus(IP_COST, scaled(b, TEXT_COST));
	case CEL_COST_HAS_NET_TEXT:
		return plus(NET_COST, scaled(b, TEXT_COST));
	case CEL_COST_FORMAT:
		return scaled(scaled(b, TEXT_COST), FORMAT_PATTERN_BYTES * PATTERN_COST);
	case CEL_COST_CHECK:
		return CHECK_COST;
	case CEL_COST_SELECTOR:
		return plus(COST_LIST, plus(scaled(b, TEXT_COST), scaled(scaled(b, 0.5), COST_LIST + 40)));
	}
	return 1;
}

/* ---- at run time ---- */

static uint64_t walk_cost(struct cel_run *r, struct cel_value v)
{
	struct cel_walk w;
	uint64_t sum = 0;
	if (v.kind == CEL_STRING || v.kind == CEL_BYTES)
		return (uint64_t)((double)v.text.len * TEXT_COST);
	if (v.kind != CEL_LIST)
		return 1;
	cel_walk_start(&w, v);
	while (sum <= r->cost_max && cel_walk_next(r, &w))
		sum = plus(sum, w.value.kind == CEL_STRING ? 1 + w.value.text.len / 10 : 1);
	return sum;
}

uint64_t cel_call_cost(struct cel_run *r, const struct function_overload *o, const struct cel_value *args, size_t count,
        struct cel_value result)
{
	struct call_sizes s = {.count = count};
	if (o->cost == CEL_COST_ONE)
		return 1;
	if (o->cost == CEL_COST_PATTERN)
		return 1; /* was counted as work, by the steps that the pattern has */
	for (size_t i = 0; i < count; i++)
		s.args[i] = cel_size(args[i]);
	if (o->cost == CEL_COST_WALK)
		s.elements = walk_cost(r, args[0]);
	if (o->cost == CEL_COST_JOIN)
		s.result = cel_size(result);
	return cost_of(o->cost, &s);
}

/* ---- the estimate ---- */

static uint64_t estimate(struct node *n);

static uint64_t size_of(const struct node *n)
{
	if (n->has_size)
		return n->size_max;
	if (n->declared)
		return n->declared->size_max;
	switch (n->type->kind) {
	case CEL_NULL:
	case CEL_TYPE:
	case CEL_BOOL:
	case CEL_INT:
	case CEL_UINT:
	case CEL_DOUBLE:
	case CEL_TIMESTAMP:
	case CEL_DURATION:
		return 1;
	default:
		return CEL_SIZE_UNBOUND;
	}
}

static void set_size(struct node *n, uint64_t min, uint64_t max)
{
	n->has_size = true;
	n->size_min = min;
	n->size_max = max;
}

static uint64_t element_size(const struct node *list)
{
	if (list->declared && list->declared->kind == CEL_LIST)
		return list->declared->elem->size_max;
	return CEL_SIZE_UNBOUND;
}

static uint64_t elements_cost(const struct node *n)
{
	const struct cel_type *elem = n->type->kind == CEL_LIST ? n->type->elem : NULL;
	uint64_t each = 1;
	if (n->type->kind == CEL_STRING)
		return scaled(size_of(n), TEXT_COST);
	if (elem && (elem->kind == CEL_STRING || elem->kind == CEL_BYTES))
		each = plus(1, scaled(element_size(n), TEXT_COST));
	return times(size_of(n), each);
}

/* The result's greatest size, where the call says something of it. */
static void result_size(struct node *n, enum cel_cost cost, const struct call_sizes *s)
{
	uint64_t a = s->args[0], b = s->count > 1 ? s->args[1] : 0;
	switch (cost) {
	case CEL_COST_SCAN_SAME:
	case CEL_COST_SCAN_TWICE:
	case CEL_COST_TO_STRING:
		set_size(n, 0, a);
		break;
	case CEL_COST_PATTERN:
		if (n->type->kind != CEL_BOOL)
			set_size(n, 0, a);
		break;
	case CEL_COST_TO_BYTES:
		set_size(n, 0, times(a, 4));
		break;
	case CEL_COST_QUOTE:
		set_size(n, 2, plus(times(a, 2), 2));
		break;
	case CEL_COST_ADD_TEXT:
	case CEL_COST_ADD_LIST:
		set_size(n, 0, plus(a, b));
		break;
	case CEL_COST_JOIN:
		set_size(n, 0, s->result);
		break;
	default:
		break;
	}
}

/* Of replace: the most of the longest replacements that fit in, and what they leave. */
static void replaced_size(struct node *n, const struct call_sizes *s)
{
	const struct node *from = n->args[1];
	uint64_t least = from->has_size ? from->size_min : 0;
	if (least == 0)
		set_size(n, 0, plus(times(plus(s->args[0], 1), s->args[2]), s->args[0]));
	else if (s->args[2] <= least)
		set_size(n, 0, s->args[0]);
	else
		set_size(n, 0, times(scaled(s->args[0], 1.0 / (double)least), s->args[2]));
}

/* Values of libraries, as addresses, quantities and formats are, have no size: two of them are compared at once. */
static bool compares_opaque(const struct node *n, enum cel_cost cost)
{
	return cost == CEL_COST_COMPARE && n->count == 2 && n->args[0]->type->kind == CEL_OPAQUE &&
	       n->args[1]->type->kind == CEL_OPAQUE;
}

static uint64_t estimate_overload(struct node *n, const struct function_overload *o)
{
	struct call_sizes s = {.count = n->count};
	enum cel_cost cost = (enum cel_cost)o->cost;
	if (compares_opaque(n, cost))
		return 1;
	for (size_t i = 0; i < n->count; i++)
		s.args[i] = size_of(n->args[i]);
	if (cost == CEL_COST_WALK)
		s.elements = elements_cost(n->args[0]);
	if (cost == CEL_COST_JOIN) {
		uint64_t separators = s.args[0] ? s.args[0] - 1 : 0;
		s.result = times(s.args[0], element_size(n->args[0]));
		if (n->count > 1)
			s.result = plus(s.result, times(s.args[1], separators));
	}
	uint64_t all = cost_of(cost, &s);
	if (cost == CEL_COST_JOIN)
		all = scaled(s.result, TEXT_COST);
	if (cost == CEL_COST_REPLACE)
		replaced_size(n, &s);
	else
		result_size(n, cost, &s);
	return all;
}

static uint64_t estimate_args(struct node *n)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < n->count; i++)
		sum = plus(sum, estimate(n->args[i]));
	return sum;
}

static uint64_t estimate_if(struct node *n)
{
	uint64_t test = estimate(n->args[0]), yes = estimate(n->args[1]), no = estimate(n->args[2]);
	uint64_t a = size_of(n->args[1]), b = size_of(n->args[2]);
	set_size(n, 0, a > b ? a : b);
	return plus(test, yes > no ? yes : no);
}

static uint64_t estimate_call(struct node *n)
{
	uint64_t most = 0, args;
	if (n->op == OP_IF)
		return estimate_if(n);
	args = estimate_args(n);
	if (n->op == OP_AND || n->op == OP_OR)
		return args;
	if (n->op != OP_CALL)
		return plus(args, 1);
	for (size_t i = 0; i < n->function->count; i++) {
		if (!(n->fits & 1ull << i))
			continue;
		uint64_t before = n->has_size ? n->size_max : 0;
		uint64_t cost = estimate_overload(n, &n->function->overloads[i]);
		if (n->has_size && before > n->size_max)
			n->size_max = before;
		most = cost > most ? cost : most;
	}
	return plus(args, most);
}

static uint64_t estimate_fold(struct node *n)
{
	uint64_t range = estimate(n->args[0]), turn = 0, size = size_of(n->args[0]), last;
	for (size_t i = 1; i + 1 < n->count; i++)
		turn = plus(turn, estimate(n->args[i]));
	last = estimate(n->args[n->count - 1]);
	turn = plus(turn, last);
	switch (n->fold) {
	case FOLD_ALL:
		return plus(plus(range, 1), times(size, plus(turn, 3)));
	case FOLD_EXISTS:
		return plus(plus(range, 1), times(size, plus(turn, 4)));
	case FOLD_ONE:
		return plus(plus(range, 2), times(size, plus(turn, 2)));
	case FOLD_MAP:
	case FOLD_FILTER:
		set_size(n, 0, size);
		return plus(plus(range, COST_LIST + 1), times(size, plus(turn, n->fold == FOLD_MAP ? 12 : 13)));
	case FOLD_TO_MAP:
	case FOLD_TO_ENTRIES:
		set_size(n, 0, size);
		return plus(plus(range, COST_MAP + 1), times(size, plus(turn, 2)));
	default:
		return plus(plus(range, 2), turn);
	}
}

static uint64_t estimate_select(struct node *n)
{
	uint64_t of = estimate(n->args[0]);
	enum cel_kind kind = n->args[0]->type->kind;
	return !n->is_test && (kind == CEL_MAP || kind == CEL_OBJECT || kind == CEL_OPTIONAL) ? plus(of, 1) : of;
}

/* What stands in a list or map literal; optional ones are wrapped. */
static uint64_t estimate_elements(struct node *n)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < n->count; i++) {
		struct node *e = n->args[i];
		sum = plus(sum, estimate(e->kind == NODE_LIST && e->is_optional ? e->args[0] : e));
	}
	return sum;
}

static uint64_t estimate(struct node *n)
{
	switch (n->kind) {
	case NODE_LITERAL:
		if (n->value.kind == CEL_STRING || n->value.kind == CEL_BYTES)
			set_size(n, n->value.text.len, n->value.text.len);
		return 0;
	case NODE_NAME:
		return 1;
	case NODE_SELECT:
		return estimate_select(n);
	case NODE_LIST:
		set_size(n, n->count, n->count);
		return plus(estimate_elements(n), COST_LIST);
	case NODE_MAP:
		set_size(n, n->count / 2, n->count / 2);
		return plus(estimate_elements(n), COST_MAP);
	case NODE_CALL:
		return estimate_call(n);
	case NODE_FOLD:
		return estimate_fold(n);
	}
	return 0;
}

uint64_t cel_estimate_cost(struct node *root)
{
	return estimate(root);
}
