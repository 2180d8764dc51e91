/* Functions of quantities: quantity("1Gi").isGreaterThan(quantity("500Mi")). */
#include "api/machinery/cel/kube_cel.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"

typedef const struct cel_value *args_t;

struct amount {
	struct cel_opaque head;
	struct quantity q;
};

static const struct cel_type type = {.kind = CEL_OPAQUE, .name = "kubernetes.Quantity"};

static struct cel_value value_of(struct cel_run *r, struct quantity q)
{
	struct amount *a = ARENA_NEW(r->arena, struct amount);
	char text[QUANTITY_TEXT_MAX];
	/* what is equal has equal words, whatever its suffix */
	struct quantity plain = {.whole = q.whole, .nanos = q.nanos, .is_negative = q.is_negative};
	size_t n = quantity_format(&plain, text);
	a->head.words = arena_memdup(r->arena, text, n);
	a->q = q;
	return cel_of_opaque(&type, &a->head);
}

static const struct quantity *of(struct cel_value v)
{
	return &((const struct amount *)v.opaque)->q;
}

static struct cel_value parse(struct cel_run *r, args_t v, size_t n)
{
	struct quantity q;
	struct err err = ERR_INIT;
	return quantity_parse(v[0].text, &q, &err) == 0 ? value_of(r, q) : cel_error(r->arena, "%s", err.msg);
}

static struct cel_value is_quantity(struct cel_run *r, args_t v, size_t n)
{
	struct quantity q;
	return cel_of_bool(quantity_parse(v[0].text, &q, NULL) == 0);
}

static bool is_whole(const struct quantity *q)
{
	/* what is beyond is held as the greatest */
	return q->nanos == 0 && q->whole < INT64_MAX;
}

static struct cel_value is_integer(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_bool(is_whole(of(v[0])));
}

static struct cel_value as_integer(struct cel_run *r, args_t v, size_t n)
{
	return is_whole(of(v[0])) ? cel_of_int(quantity_value(of(v[0])))
	                          : cel_error(r->arena, "cannot convert value to integer");
}

static struct cel_value as_double(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_double(quantity_double(of(v[0])));
}

static struct cel_value sign(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_int(quantity_sign(of(v[0])));
}

static struct cel_value is_greater(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_bool(quantity_cmp(of(v[0]), of(v[1])) > 0);
}

static struct cel_value is_less(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_bool(quantity_cmp(of(v[0]), of(v[1])) < 0);
}

static struct cel_value compare(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_int(quantity_cmp(of(v[0]), of(v[1])));
}

/* The second may be a plain number. */
static struct quantity second(args_t v)
{
	return v[1].kind == CEL_INT ? quantity_from_value(v[1].integer, QUANTITY_DECIMAL_SI) : *of(v[1]);
}

static struct cel_value add(struct cel_run *r, args_t v, size_t n)
{
	struct quantity q = *of(v[0]), other = second(v);
	quantity_add(&q, &other);
	return value_of(r, q);
}

static struct cel_value sub(struct cel_run *r, args_t v, size_t n)
{
	struct quantity q = *of(v[0]), other = second(v);
	quantity_sub(&q, &other);
	return value_of(r, q);
}

#define Q "kubernetes.Quantity"
static const struct cel_overload rows[] = {
        {"quantity", "(string)" Q, parse, CEL_COST_SCAN},
        {"isQuantity", "(string)bool", is_quantity, CEL_COST_SCAN},
        {"sign", Q ".()int", sign, CEL_COST_ONE},
        {"sign", "(" Q ")int", sign, CEL_COST_ONE},
        {"isInteger", Q ".()bool", is_integer, CEL_COST_ONE},
        {"asInteger", Q ".()int", as_integer, CEL_COST_ONE},
        {"asApproximateFloat", Q ".()double", as_double, CEL_COST_ONE},
        {"isGreaterThan", Q ".(" Q ")bool", is_greater, CEL_COST_ONE},
        {"isLessThan", Q ".(" Q ")bool", is_less, CEL_COST_ONE},
        {"compareTo", Q ".(" Q ")int", compare, CEL_COST_ONE},
        {"add", Q ".(" Q ")" Q, add, CEL_COST_ONE},
        {"add", Q ".(int)" Q, add, CEL_COST_ONE},
        {"sub", Q ".(" Q ")" Q, sub, CEL_COST_ONE},
        {"sub", Q ".(int)" Q, sub, CEL_COST_ONE},
};

const struct cel_library kube_quantities = {rows, COUNT_OF(rows)};
