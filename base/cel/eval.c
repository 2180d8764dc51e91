/* Evaluation: a walk over the typed tree, with a count of what it costs.
 *
 * Errors are values that pass outward through everything strict; && and || give way to a side that decides, whichever
 * it is, and so do the folds that are made of them. Costs are upstream's: 1 for a name and a member, what a function
 * says for a call, 10 for a list and 30 for a map that is made, and for each turn of a fold what its expansion into the
 * language's one loop would cost. When the budget is used up (or the memory of a run) nothing is absorbed any more.
 *
 * What can go wrong: depth, which the checker has bounded. */
#include "base/cel/program_int.h"

#include "base/check.h"

enum { COST_LIST = 10, COST_MAP = 30 };

static struct cel_value eval(struct cel_run *r, const struct node *n);

static struct cel_value over(void)
{
	return (struct cel_value){.kind = CEL_ERROR, .error = CEL_OVER_BUDGET};
}

static bool spend(struct cel_run *r, uint64_t cost)
{
	if (__builtin_add_overflow(r->cost, cost, &r->cost))
		r->cost = UINT64_MAX;
	if (r->cost > r->cost_max || r->arena->used_bytes > r->bytes_max)
		r->is_over = true;
	return !r->is_over;
}

/* ---- members ---- */

static struct cel_value no_key(struct cel_run *r, struct cel_value key)
{
	struct strbuf b = STRBUF_INIT;
	cel_value_write(r, &b, key);
	struct cel_value v =
	        cel_error(r->arena, "no such key: %.*s", (int)(b.len < 500 ? b.len : 500), strbuf_cstr(&b));
	strbuf_release(&b);
	return v;
}

static struct cel_value wrap(struct cel_run *r, struct cel_value v, bool is_found)
{
	return is_error(v) ? v : cel_of_optional(r->arena, is_found ? &v : NULL);
}

static struct cel_value eval_select(struct cel_run *r, const struct node *n)
{
	struct cel_value of = eval(r, n->args[0]);
	bool is_optional = n->is_optional;
	if (is_error(of))
		return of;
	if (!n->is_test)
		spend(r, 1);
	if (of.kind == CEL_OPTIONAL) {
		if (!of.held)
			return n->is_test ? cel_of_bool(false) : of;
		of = *of.held;
		is_optional = true;
	}
	if (of.kind != CEL_MAP && of.kind != CEL_OBJECT)
		return cel_no_overload();
	struct cel_value v = cel_member_find(r, of, n->name, n->field);
	if (n->is_test)
		return is_error(v) ? v : cel_of_bool(v.kind != CEL_DYN);
	if (is_optional)
		return wrap(r, v, v.kind != CEL_DYN);
	return v.kind == CEL_DYN ? no_key(r, cel_of_text(n->name)) : v;
}

/* A place in a list: whole numbers of every kind. */
static bool place_of(struct cel_value key, int64_t *ret)
{
	*ret = key.integer;
	if (key.kind == CEL_UINT && key.natural > INT64_MAX)
		*ret = INT64_MAX;
	if (key.kind == CEL_DOUBLE) {
		if (!(key.real > -0x1p62 && key.real < 0x1p62) || key.real != (double)(int64_t)key.real)
			return false;
		*ret = (int64_t)key.real;
	}
	return key.kind == CEL_INT || key.kind == CEL_UINT || key.kind == CEL_DOUBLE;
}

static struct cel_value index_value(struct cel_run *r, struct cel_value of, struct cel_value key, bool is_optional)
{
	int64_t i;
	if (of.kind == CEL_MAP || of.kind == CEL_OBJECT) {
		struct cel_value v = cel_map_find(r, of, key);
		if (is_optional)
			return wrap(r, v, v.kind != CEL_DYN);
		return v.kind == CEL_DYN ? no_key(r, key) : v;
	}
	if (of.kind != CEL_LIST || !place_of(key, &i))
		return cel_no_overload();
	bool is_in = i >= 0 && (uint64_t)i < cel_list_count(of);
	if (!is_in)
		return is_optional ? cel_of_optional(r->arena, NULL)
		                   : cel_error(r->arena, "index out of bounds: %lld", (long long)i);
	struct cel_value v = cel_list_at(r, of, (uint64_t)i);
	return is_optional ? wrap(r, v, true) : v;
}

static struct cel_value eval_index(struct cel_run *r, const struct node *n)
{
	struct cel_value of = eval(r, n->args[0]), key;
	bool is_optional = n->op == OP_INDEX_OPTIONAL;
	if (is_error(of))
		return of;
	key = eval(r, n->args[1]);
	if (is_error(key))
		return key;
	spend(r, 1);
	if (of.kind == CEL_OPTIONAL) {
		if (!of.held)
			return of;
		of = *of.held;
		is_optional = true;
	}
	return index_value(r, of, key, is_optional);
}

/* ---- calls ---- */

static bool args_fit(const struct function_overload *o, const struct cel_value *args)
{
	for (size_t i = 0; i < o->count; i++)
		if (o->kinds[i] == CEL_OPAQUE ? !cel_type_kind_fits(o->args[i], args[i])
		                              : o->kinds[i] != CEL_DYN && o->kinds[i] != args[i].kind &&
		                                        !(o->kinds[i] == CEL_MAP && args[i].kind == CEL_OBJECT))
			return false;
	return true;
}

static const struct function_overload *choose(const struct node *n, const struct cel_value *args)
{
	if (n->only)
		return args_fit(n->only, args) ? n->only : NULL;
	for (size_t i = 0; i < n->function->count; i++)
		if (n->fits & 1ull << i && args_fit(&n->function->overloads[i], args))
			return &n->function->overloads[i];
	return NULL;
}

static struct cel_value eval_call(struct cel_run *r, const struct node *n)
{
	struct cel_value args[FUNCTION_ARGS_MAX], out;
	for (size_t i = 0; i < n->count; i++) {
		args[i] = eval(r, n->args[i]);
		if (is_error(args[i]))
			return args[i];
	}
	const struct function_overload *o = choose(n, args);
	if (!o)
		return cel_no_overload();
	if (n->pattern && o->fn == cel_matches)
		out = cel_of_bool(
		        cel_work_pattern(r, n->pattern, args[0].text.len) && pattern_matches(n->pattern, args[0].text));
	else
		out = o->fn(r, args, n->count);
	spend(r, cel_call_cost(r, o, args, n->count, out));
	return out;
}

/* One side decides, or both must be good. */
static struct cel_value eval_logic(struct cel_run *r, const struct node *n)
{
	bool decides = n->op == OP_OR;
	struct cel_value left = eval(r, n->args[0]);
	if (left.kind == CEL_BOOL && left.boolean == decides)
		return left;
	struct cel_value right = eval(r, n->args[1]);
	if (right.kind == CEL_BOOL && (right.boolean == decides || left.kind == CEL_BOOL))
		return right;
	if (is_error(left))
		return left;
	return is_error(right) ? right : cel_no_overload();
}

static struct cel_value eval_if(struct cel_run *r, const struct node *n)
{
	struct cel_value test = eval(r, n->args[0]);
	if (test.kind != CEL_BOOL)
		return is_error(test) ? test : cel_no_overload();
	return eval(r, n->args[test.boolean ? 1 : 2]);
}

static struct cel_value eval_or_else(struct cel_run *r, const struct node *n)
{
	struct cel_value v = eval(r, n->args[0]);
	if (v.kind != CEL_OPTIONAL)
		return is_error(v) ? v : cel_no_overload();
	if (!v.held)
		return eval(r, n->args[1]);
	return n->op == OP_OR_VALUE ? *v.held : v;
}

/* ---- literals ---- */

/* True: there is a value. An optional one may be none. */
static bool eval_element(struct cel_run *r, const struct node *n, struct cel_value *ret)
{
	bool is_optional = n->kind == NODE_LIST && n->is_optional;
	*ret = eval(r, is_optional ? n->args[0] : n);
	if (!is_optional || is_error(*ret))
		return true;
	if (ret->kind != CEL_OPTIONAL) {
		*ret = cel_no_overload();
		return true;
	}
	if (ret->held)
		*ret = *ret->held;
	else
		return false;
	return true;
}

static struct cel_value eval_list(struct cel_run *r, const struct node *n)
{
	struct cel_list_maker m = {0};
	if (n->is_constant) {
		spend(r, COST_LIST);
		return n->value;
	}
	for (size_t i = 0; i < n->count; i++) {
		struct cel_value v;
		bool is_there = eval_element(r, n->args[i], &v);
		if (is_error(v))
			return v;
		if (is_there)
			cel_list_add(r, &m, v);
	}
	spend(r, COST_LIST);
	return cel_list_value(r, &m);
}

static bool is_key(struct cel_value v)
{
	return v.kind == CEL_STRING || v.kind == CEL_INT || v.kind == CEL_UINT || v.kind == CEL_BOOL;
}

/* Adds what is not there yet; *ret_error else. */
static bool add_entry(struct cel_run *r, struct cel_map_maker *m, struct cel_value key, struct cel_value v,
        struct cel_value *ret_error)
{
	if (!is_key(key)) {
		*ret_error = cel_error(r->arena, "unsupported key type");
		return false;
	}
	for (size_t i = 0; i < m->keys.count; i++) {
		if (cel_equal(r, m->keys.items[i], key)) {
			struct cel_value text = no_key(r, key);
			*ret_error = cel_error(
			        r->arena, "Failed with repeated key %s", text.error + strlen("no such key: "));
			return false;
		}
	}
	cel_map_add(r, m, key, v);
	return true;
}

static struct cel_value eval_map(struct cel_run *r, const struct node *n)
{
	struct cel_map_maker m = {0};
	struct cel_value error;
	for (size_t i = 0; i < n->count; i += 2) {
		struct cel_value key = eval(r, n->args[i]), v;
		if (is_error(key))
			return key;
		bool is_there = eval_element(r, n->args[i + 1], &v);
		if (is_error(v))
			return v;
		if (is_there && !add_entry(r, &m, key, v, &error))
			return error;
	}
	spend(r, COST_MAP);
	return cel_map_value(r, &m);
}

/* ---- folds ---- */

struct fold_run {
	const struct node *n;
	struct cel_value error; /* of `all` and `exists`: the first, unless a turn decides; of others the end */
	size_t found;
	struct cel_list_maker list;
	struct cel_map_maker map;
	struct map keys; /* of the map */
	bool is_done;
};

/* What a turn costs beside its expressions. */
static const unsigned turn_costs[] = {[FOLD_ALL] = 3,
        [FOLD_EXISTS] = 4,
        [FOLD_ONE] = 2,
        [FOLD_MAP] = 12,
        [FOLD_FILTER] = 13,
        [FOLD_TO_MAP] = 2,
        [FOLD_TO_ENTRIES] = 2};

static void turn_of_test(struct cel_run *r, struct fold_run *f, struct cel_value v, bool decides)
{
	if (v.kind == CEL_BOOL) {
		f->is_done = v.boolean == decides;
		f->found += f->is_done;
		return;
	}
	if (f->error.kind != CEL_ERROR)
		f->error = is_error(v) ? v : cel_no_overload();
}

static void put_key(struct cel_run *r, struct fold_run *f, struct cel_value key, struct cel_value v)
{
	struct strbuf b = STRBUF_INIT;
	strbuf_addc(&b, (char)key.kind);
	cel_value_write(r, &b, key);
	struct slice name = {arena_memdup(r->arena, b.data, b.len), b.len};
	strbuf_release(&b);
	if (!is_key(key) || map_get(&f->keys, name)) {
		f->error = cel_error(r->arena,
		        is_key(key) ? "insert failed: key %.*s already exists" : "unsupported key type",
		        (int)(name.len - 1 < 200 ? name.len - 1 : 200), name.ptr + 1);
		return;
	}
	map_put(&f->keys, name, (void *)f);
	cel_map_add(r, &f->map, key, v);
}

static void put_entries(struct cel_run *r, struct fold_run *f, struct cel_value v)
{
	struct cel_walk w;
	if (v.kind != CEL_MAP) {
		f->error = cel_no_overload();
		return;
	}
	cel_walk_start(&w, v);
	while (!is_error(f->error) && cel_walk_next(r, &w))
		put_key(r, f, w.key, w.value);
}

static void take_result(struct cel_run *r, struct fold_run *f, struct cel_value v)
{
	const struct node *n = f->n;
	switch (n->fold) {
	case FOLD_ALL:
	case FOLD_EXISTS:
		turn_of_test(r, f, v, n->fold == FOLD_EXISTS);
		return;
	case FOLD_ONE:
	case FOLD_FILTER:
		if (v.kind != CEL_BOOL)
			f->error = is_error(v) ? v : cel_no_overload();
		else if (v.boolean) {
			f->found++;
			if (n->fold == FOLD_FILTER)
				cel_list_add(r, &f->list, r->locals[n->slots[0]]);
		}
		return;
	default:
		break;
	}
	if (is_error(v))
		f->error = v;
	else if (n->fold == FOLD_MAP)
		cel_list_add(r, &f->list, v);
	else if (n->fold == FOLD_TO_MAP)
		put_key(r, f, r->locals[n->slots[0]], v);
	else
		put_entries(r, f, v);
}

/* One turn; the variables are set. */
static void turn(struct cel_run *r, struct fold_run *f)
{
	const struct node *n = f->n;
	struct cel_value error = f->error;
	spend(r, turn_costs[n->fold]);
	if (n->is_conditioned) {
		struct cel_value test = eval(r, n->args[1]);
		if (test.kind != CEL_BOOL)
			f->error = is_error(test) ? test : cel_no_overload();
		if (!cel_is_true(test))
			return;
	}
	take_result(r, f, eval(r, n->args[n->count - 1]));
	/* `all` and `exists` go on after an error, for a later turn may decide */
	f->is_done = f->is_done || (n->fold > FOLD_EXISTS && is_error(f->error) && !is_error(error));
}

static struct cel_value fold_result(struct cel_run *r, struct fold_run *f)
{
	switch (f->n->fold) {
	case FOLD_ALL:
	case FOLD_EXISTS:
		if (!f->found && is_error(f->error))
			return f->error;
		return cel_of_bool((f->found > 0) == (f->n->fold == FOLD_EXISTS));
	case FOLD_ONE:
		return is_error(f->error) ? f->error : cel_of_bool(f->found == 1);
	case FOLD_TO_MAP:
	case FOLD_TO_ENTRIES:
		return is_error(f->error) ? f->error : cel_map_value(r, &f->map);
	default:
		return is_error(f->error) ? f->error : cel_list_value(r, &f->list);
	}
}

static struct cel_value eval_optional_fold(struct cel_run *r, const struct node *n, struct cel_value of)
{
	if (of.kind != CEL_OPTIONAL)
		return cel_no_overload();
	spend(r, 1);
	if (!of.held)
		return of;
	r->locals[n->slots[0]] = *of.held;
	struct cel_value v = eval(r, n->args[1]);
	if (is_error(v) || n->fold == FOLD_OPTIONAL_FLAT)
		return v;
	return cel_of_optional(r->arena, &v);
}

static struct cel_value eval_fold(struct cel_run *r, const struct node *n)
{
	struct fold_run f = {.n = n};
	struct cel_walk w;
	struct cel_value of = eval(r, n->args[0]);
	bool has_two = n->has_two;
	if (is_error(of))
		return of;
	if (n->fold == FOLD_OPTIONAL || n->fold == FOLD_OPTIONAL_FLAT)
		return eval_optional_fold(r, n, of);
	if (of.kind != CEL_LIST && of.kind != CEL_MAP && of.kind != CEL_OBJECT)
		return cel_no_overload();
	spend(r, n->fold == FOLD_MAP || n->fold == FOLD_FILTER ? 1 + COST_LIST
	         : n->fold >= FOLD_TO_MAP                      ? 1 + COST_MAP
	                                                       : 1);
	cel_walk_start(&w, of);
	while (!f.is_done && !r->is_over && cel_walk_next(r, &w)) {
		r->locals[n->slots[0]] = has_two || of.kind != CEL_LIST ? w.key : w.value;
		if (has_two)
			r->locals[n->slots[1]] = w.value;
		turn(r, &f);
	}
	map_release(&f.keys);
	return fold_result(r, &f);
}

static struct cel_value eval_name(struct cel_run *r, const struct node *n)
{
	if (n->refers == REFERS_VALUE)
		return n->value;
	spend(r, 1);
	return n->refers == REFERS_LOCAL ? r->locals[n->slots[0]] : r->variables[n->slots[0]];
}

static struct cel_value eval_node(struct cel_run *r, const struct node *n)
{
	switch (n->kind) {
	case NODE_LITERAL:
		return n->value;
	case NODE_NAME:
		return eval_name(r, n);
	case NODE_SELECT:
		return eval_select(r, n);
	case NODE_LIST:
		return eval_list(r, n);
	case NODE_MAP:
		return eval_map(r, n);
	case NODE_FOLD:
		return eval_fold(r, n);
	case NODE_CALL:
		break;
	}
	switch (n->op) {
	case OP_AND:
	case OP_OR:
		return eval_logic(r, n);
	case OP_IF:
		return eval_if(r, n);
	case OP_INDEX:
	case OP_INDEX_OPTIONAL:
		return eval_index(r, n);
	case OP_OR_VALUE:
	case OP_OR_OPTIONAL:
		return eval_or_else(r, n);
	case OP_CALL:
		break;
	}
	return eval_call(r, n);
}

static struct cel_value eval(struct cel_run *r, const struct node *n)
{
	if (r->is_over)
		return over();
	struct cel_value v = eval_node(r, n);
	return r->is_over ? over() : v;
}

struct cel_value cel_run(const struct cel_program *p, struct cel_run *r)
{
	struct cel_value few[8] = {0}, *around = r->locals;
	r->locals = p->slots <= COUNT_OF(few) ? few : ARENA_ARRAY(r->arena, struct cel_value, p->slots);
	r->bytes_max = r->bytes_max ? r->bytes_max : r->arena->used_bytes + CEL_RUN_BYTES_MAX;
	struct cel_value v = eval(r, p->root);
	r->locals = around;
	return v;
}
