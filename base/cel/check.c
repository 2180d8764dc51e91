/* Types for every node, and which overloads a call may mean (cel-spec, "Gradual Type Checking").
 *
 * One walk, inner nodes first. Names are resolved: the variable of a fold around, a variable of the program, a type's
 * name. Dotted names may be functions ("sets.contains") or types. After a fault a node has the type of errors, which
 * fits everywhere, so that one fault is told once.
 *
 * What can go wrong: an expression whose tree is deeper than CEL_DEPTH_MAX, which all later walks rely on. */
#include "base/cel/program_int.h"

#include "base/check.h"

/* Of the names of types and functions. */
enum { NAME_DOTS_MAX = 4 };

static const struct cel_type type_error = {.kind = CEL_ERROR, .size_max = CEL_SIZE_UNBOUND};

struct scope {
	const struct scope *parent;
	struct slice name;
	const struct cel_type *type, *declared;
	size_t slot;
};

struct checker {
	struct arena *arena;
	const struct cel_env *env;
	const struct cel_variable *vars;
	size_t var_count;
	struct cel_issues *issues;
	const struct scope *scope;
	bool *uses;
	size_t slots;
	unsigned depth;
	unsigned formats; /* calls of format() around: their lists may be mixed */
};

static void check(struct checker *c, struct node *n);

static const char *words(struct checker *c, const struct cel_type *t)
{
	return cel_type_text(c->arena, t);
}

static bool fits(const struct cel_type *to, const struct cel_type *from)
{
	struct bindings b = {0};
	return cel_type_fits(&b, to, from);
}

static void mismatch(struct checker *c, const struct node *n, const struct cel_type *wanted, const struct cel_type *got)
{
	cel_issue(c->issues, n->offset, "expected type '%s' but found '%s'", words(c, wanted), words(c, got));
}

static void no_match(struct checker *c, struct node *n)
{
	struct strbuf b = STRBUF_INIT;
	for (size_t i = 0; i < n->count; i++) {
		bool is_target = n->is_member && i == 0;
		if (i == (n->is_member ? 1u : 0u))
			strbuf_addc(&b, '(');
		strbuf_adds(&b, words(c, n->args[i]->type));
		if (is_target)
			strbuf_addc(&b, '.');
		else if (i + 1 < n->count)
			strbuf_adds(&b, ", ");
	}
	strbuf_adds(&b, n->count == (n->is_member ? 1u : 0u) ? "()" : ")");
	cel_issue(c->issues, n->offset, "found no matching overload for '%.*s' applied to '%s'", SLICE_FMT(n->name),
	        strbuf_cstr(&b));
	strbuf_release(&b);
	n->type = &type_error;
}

/* ---- names ---- */

static const struct scope *local(const struct checker *c, struct slice name)
{
	const struct scope *s = c->scope;
	while (s && !slice_eq(s->name, name))
		s = s->parent;
	return s;
}

static bool variable(const struct checker *c, struct slice name, size_t *ret)
{
	for (size_t i = 0; i < c->var_count; i++) {
		if (slice_is(name, c->vars[i].name)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

/* "a.b.c" of a chain of selects whose root is a name that is no variable; SLICE_NULL. */
static struct slice dotted_name(struct checker *c, const struct node *n, unsigned dots)
{
	size_t at;
	if (n->kind == NODE_NAME)
		return local(c, n->name) || variable(c, n->name, &at) ? SLICE_NULL : n->name;
	if (n->kind != NODE_SELECT || n->is_optional || n->is_test || dots == 0)
		return SLICE_NULL;
	struct slice before = dotted_name(c, n->args[0], dots - 1);
	return before.len ? slice_of(arena_printf(c->arena, "%.*s.%.*s", SLICE_FMT(before), SLICE_FMT(n->name)))
	                  : SLICE_NULL;
}

static bool refer_to_type(struct checker *c, struct node *n, struct slice name)
{
	const struct cel_type *t = name.len ? cel_type_of_name(c->arena, name) : NULL;
	if (!t && name.len)
		t = cel_env_type(c->env, name);
	if (!t)
		return false;
	n->refers = REFERS_VALUE;
	n->kind = NODE_NAME;
	n->value = (struct cel_value){.kind = CEL_TYPE, .of = t};
	n->type = cel_type_of_types(c->arena, t);
	return true;
}

static void check_name(struct checker *c, struct node *n)
{
	const struct scope *s = local(c, n->name);
	size_t at;
	if (s) {
		n->refers = REFERS_LOCAL;
		n->slots[0] = (uint32_t)s->slot;
		n->type = s->type;
		n->declared = s->declared;
		/* upstream takes elements of what is made in an expression for as large as the first variable, and
		 * rules in the field rely on it */
		if (!s->declared && c->var_count) {
			n->has_size = true;
			n->size_max = c->vars[0].type->size_max;
		}
	} else if (variable(c, n->name, &at)) {
		n->refers = REFERS_VARIABLE;
		n->slots[0] = (uint32_t)at;
		n->type = n->declared = c->vars[at].type;
		c->uses[at] = true;
	} else if (!refer_to_type(c, n, n->name)) {
		cel_issue(c->issues, n->offset, "undeclared reference to '%.*s' (in container '')", SLICE_FMT(n->name));
		n->type = &type_error;
	}
}

/* ---- members ---- */

/* What a member of a value of this type is; NULL: it was told. */
static const struct cel_type *member_type(struct checker *c, struct node *n, const struct cel_type *of)
{
	switch (of->kind) {
	case CEL_DYN:
	case CEL_ERROR:
		return of;
	case CEL_MAP:
		return of->elem;
	case CEL_OBJECT:
		n->field = cel_type_field(of, n->name);
		if (n->field)
			return n->field->type;
		cel_issue(c->issues, n->offset, "undefined field '%.*s'", SLICE_FMT(n->name));
		return NULL;
	default:
		cel_issue(c->issues, n->offset, "type '%s' does not support field selection", words(c, of));
		return NULL;
	}
}

/* A variable may be called "a.b". */
static bool refer_to_dotted(struct checker *c, struct node *n)
{
	const struct node *of = n->args[0];
	size_t at;
	if (of->kind != NODE_NAME || n->is_test || n->is_optional || local(c, of->name))
		return false;
	struct slice whole = slice_of(arena_printf(c->arena, "%.*s.%.*s", SLICE_FMT(of->name), SLICE_FMT(n->name)));
	if (!variable(c, whole, &at))
		return false;
	n->kind = NODE_NAME;
	n->name = whole;
	n->refers = REFERS_VARIABLE;
	n->slots[0] = (uint32_t)at;
	n->type = n->declared = c->vars[at].type;
	c->uses[at] = true;
	return true;
}

static void check_select(struct checker *c, struct node *n)
{
	if (refer_to_dotted(c, n))
		return;
	if (!n->is_test && !n->is_optional && refer_to_type(c, n, dotted_name(c, n, NAME_DOTS_MAX)))
		return;
	struct node *of = n->args[0];
	check(c, of);
	bool is_chained = of->type->kind == CEL_OPTIONAL;
	const struct cel_type *t = member_type(c, n, is_chained ? of->type->elem : of->type);
	if (!t) {
		n->type = &type_error;
		return;
	}
	n->declared = of->declared && !n->is_test ? t : NULL;
	n->type = n->is_test ? &cel_type_bool : n->is_optional || is_chained ? cel_type_optional(c->arena, t) : t;
}

static void check_index(struct checker *c, struct node *n)
{
	struct node *of = n->args[0], *key = n->args[1];
	bool is_chained = of->type->kind == CEL_OPTIONAL;
	const struct cel_type *t = is_chained ? of->type->elem : of->type, *out = NULL;
	if (t->kind == CEL_DYN || t->kind == CEL_ERROR)
		out = t;
	else if (t->kind == CEL_LIST && fits(&cel_type_int, key->type))
		out = t->elem;
	else if (t->kind == CEL_MAP && fits(t->key, key->type))
		out = t->elem;
	if (!out) {
		no_match(c, n);
		return;
	}
	n->declared = of->declared && out != t ? out : NULL;
	n->type = is_chained || n->op == OP_INDEX_OPTIONAL ? cel_type_optional(c->arena, out) : out;
}

/* ---- literals ---- */

/* The type of both, or NULL: they are not alike. */
static const struct cel_type *joined(const struct cel_type *a, const struct cel_type *b)
{
	if (!a || b->kind == CEL_DYN)
		return b;
	return fits(a, b) ? a : fits(b, a) ? b : NULL;
}

/* One element or value: what it adds to the type of all. An optional one was wrapped by the parser. */
static void check_element(struct checker *c, struct node *n, const struct cel_type **type)
{
	bool is_optional = n->kind == NODE_LIST && n->is_optional;
	struct node *of = is_optional ? n->args[0] : n;
	check(c, of);
	const struct cel_type *t = of->type;
	if (is_optional) {
		n->type = t;
		if (t->kind != CEL_OPTIONAL && t->kind != CEL_DYN && t->kind != CEL_ERROR) {
			mismatch(c, of, cel_type_optional(c->arena, t), t);
			return;
		}
		t = t->kind == CEL_OPTIONAL ? t->elem : t;
	}
	const struct cel_type *both = joined(*type, t);
	if (!both && c->formats)
		*type = &cel_type_dyn;
	else if (!both)
		mismatch(c, of, *type, t);
	else
		*type = both;
}

/* A list of literals is made once. */
static void make_constant(struct checker *c, struct node *n)
{
	for (size_t i = 0; i < n->count; i++)
		if (n->args[i]->kind != NODE_LITERAL)
			return;
	struct cel_list *l = ARENA_NEW(c->arena, struct cel_list);
	struct cel_value *items = ARENA_ARRAY(c->arena, struct cel_value, n->count + 1);
	for (size_t i = 0; i < n->count; i++)
		items[i] = n->args[i]->value;
	l->items = items;
	l->count = n->count;
	n->value = (struct cel_value){.kind = CEL_LIST, .list = l};
	n->is_constant = true;
}

static void check_list(struct checker *c, struct node *n)
{
	const struct cel_type *elem = NULL;
	for (size_t i = 0; i < n->count; i++)
		check_element(c, n->args[i], &elem);
	n->type = cel_type_list(c->arena, elem ? elem : &cel_type_dyn);
	make_constant(c, n);
}

static bool is_key_type(enum cel_kind kind)
{
	return kind == CEL_DYN || kind == CEL_ERROR || kind == CEL_STRING || kind == CEL_INT || kind == CEL_UINT ||
	       kind == CEL_BOOL;
}

static void check_map(struct checker *c, struct node *n)
{
	const struct cel_type *key = NULL, *elem = NULL;
	for (size_t i = 0; i < n->count; i++)
		check_element(c, n->args[i], i % 2 ? &elem : &key);
	if (key && !is_key_type(key->kind))
		cel_issue(c->issues, n->offset, "unsupported key type: %s", words(c, key));
	n->type = cel_type_map(c->arena, key ? key : &cel_type_dyn, elem ? elem : &cel_type_dyn);
}

static const struct cel_type *literal_type(struct cel_value v)
{
	static const struct cel_type *const types[] = {[CEL_NULL] = &cel_type_null,
	        [CEL_BOOL] = &cel_type_bool,
	        [CEL_INT] = &cel_type_int,
	        [CEL_UINT] = &cel_type_uint,
	        [CEL_DOUBLE] = &cel_type_double,
	        [CEL_STRING] = &cel_type_string,
	        [CEL_BYTES] = &cel_type_bytes};
	return types[v.kind];
}

/* ---- calls ---- */

static bool overload_fits(
        struct checker *c, const struct node *n, const struct function_overload *o, const struct cel_type **ret_result)
{
	struct bindings b = {0};
	if (o->count != n->count || o->is_member != n->is_member)
		return false;
	for (size_t i = 0; i < n->count; i++)
		if (!cel_type_fits(&b, o->args[i], n->args[i]->type))
			return false;
	*ret_result = cel_type_filled(c->arena, &b, o->result);
	return true;
}

static void check_overloads(struct checker *c, struct node *n)
{
	const struct function *f = n->function;
	size_t found = 0;
	n->type = NULL;
	for (size_t i = 0; i < f->count; i++) {
		const struct cel_type *t;
		if (!overload_fits(c, n, &f->overloads[i], &t))
			continue;
		n->fits |= 1ull << i;
		n->only = &f->overloads[i];
		n->type = !n->type || cel_type_same(n->type, t) ? t : &cel_type_dyn;
		found++;
	}
	if (!found)
		no_match(c, n);
	if (found != 1)
		n->only = NULL;
}

/* Constants that are wrong whenever they are evaluated. */
static void check_constant(struct checker *c, struct node *n)
{
	bool is_pattern = slice_is(n->name, "matches") || slice_is(n->name, "find") || slice_is(n->name, "findAll");
	int64_t whole;
	int32_t nanos;
	struct node *arg = n->count > (is_pattern ? 1u : 0u) ? n->args[is_pattern ? 1 : 0] : NULL;
	if (!arg || arg->kind != NODE_LITERAL || arg->value.kind != CEL_STRING)
		return;
	if (is_pattern) {
		n->pattern = pattern_compile(c->arena, arg->value.text, NULL);
		if (!n->pattern && slice_is(n->name, "matches"))
			cel_issue(c->issues, arg->offset, "invalid matches argument");
	} else if (slice_is(n->name, "duration") && !cel_span_parse(arg->value.text, &whole)) {
		cel_issue(c->issues, arg->offset, "invalid duration argument");
	} else if (slice_is(n->name, "timestamp") && !cel_time_parse(arg->value.text, &whole, &nanos)) {
		cel_issue(c->issues, arg->offset, "invalid timestamp argument");
	}
}

static void check_logic(struct checker *c, struct node *n)
{
	struct bindings b = {0};
	static const struct cel_type param = {.kind = CEL_PARAM, .name = "A"};
	bool good = fits(&cel_type_bool, n->args[0]->type);
	if (n->op != OP_IF) {
		good = good && fits(&cel_type_bool, n->args[1]->type);
		n->type = &cel_type_bool;
	} else {
		good = good && cel_type_fits(&b, &param, n->args[1]->type) &&
		       cel_type_fits(&b, &param, n->args[2]->type);
		n->type = good ? cel_type_filled(c->arena, &b, &param) : &type_error;
		if (n->args[1]->type->kind == CEL_DYN || n->args[2]->type->kind == CEL_DYN)
			n->type = &cel_type_dyn;
	}
	if (!good)
		no_match(c, n);
}

/* a.or(b) and a.orValue(b) look at b only when they must. */
static bool check_or(struct checker *c, struct node *n)
{
	bool is_value = slice_is(n->name, "orValue");
	if (!n->is_member || n->count != 2 || !(is_value || slice_is(n->name, "or")))
		return false;
	const struct cel_type *t = n->args[0]->type, *u = n->args[1]->type;
	bool is_optional = t->kind == CEL_OPTIONAL, is_dyn = t->kind == CEL_DYN || t->kind == CEL_ERROR;
	if (!is_dyn && (!is_optional || !(is_value ? fits(t->elem, u) : fits(t, u)))) {
		no_match(c, n);
		return true;
	}
	n->op = is_value ? OP_OR_VALUE : OP_OR_OPTIONAL;
	n->type = is_dyn ? &cel_type_dyn : is_value ? t->elem : t;
	return true;
}

/* A target that is no value but the first words of a function's name. */
static void join_function_name(struct checker *c, struct node *n)
{
	struct slice before = n->is_member ? dotted_name(c, n->args[0], NAME_DOTS_MAX) : SLICE_NULL;
	if (!before.len)
		return;
	struct slice whole = slice_of(arena_printf(c->arena, "%.*s.%.*s", SLICE_FMT(before), SLICE_FMT(n->name)));
	if (!cel_env_function(c->env, whole))
		return;
	n->name = whole;
	n->is_member = false;
	n->args++;
	n->count--;
}

static void check_call(struct checker *c, struct node *n)
{
	join_function_name(c, n);
	bool is_format = n->is_member && slice_is(n->name, "format");
	c->formats += is_format;
	for (size_t i = 0; i < n->count; i++)
		check(c, n->args[i]);
	c->formats -= is_format;
	if (n->op == OP_AND || n->op == OP_OR || n->op == OP_IF) {
		check_logic(c, n);
		return;
	}
	if (n->op == OP_INDEX || n->op == OP_INDEX_OPTIONAL) {
		check_index(c, n);
		return;
	}
	if (check_or(c, n))
		return;
	n->function = cel_env_function(c->env, n->name);
	if (!n->function) {
		cel_issue(c->issues, n->offset, "undeclared reference to '%.*s' (in container '')", SLICE_FMT(n->name));
		n->type = &type_error;
		return;
	}
	check_overloads(c, n);
	check_constant(c, n);
}

/* ---- folds ---- */

/* The types of the variables. False: it is no range, and was told. */
static bool range_types(struct checker *c, struct node *n, struct scope vars[2])
{
	const struct node *range = n->args[0];
	const struct cel_type *t = range->type;
	bool has_two = n->has_two, is_optional = n->fold == FOLD_OPTIONAL || n->fold == FOLD_OPTIONAL_FLAT;
	vars[0].type = vars[1].type = t->kind == CEL_ERROR ? &type_error : &cel_type_dyn;
	if (t->kind == CEL_DYN || t->kind == CEL_ERROR)
		return true;
	if (is_optional && t->kind == CEL_OPTIONAL) {
		vars[0].type = t->elem;
	} else if (!is_optional && t->kind == CEL_LIST) {
		vars[has_two].type = t->elem;
		vars[has_two].declared = range->declared ? t->elem : NULL;
		if (has_two)
			vars[0].type = &cel_type_int;
	} else if (!is_optional && t->kind == CEL_MAP) {
		vars[0].type = t->key;
		vars[1].type = t->elem;
		vars[0].declared = range->declared ? t->key : NULL;
		vars[1].declared = range->declared ? t->elem : NULL;
	} else {
		cel_issue(c->issues, range->offset,
		        "expression of type '%s' cannot be range of a comprehension (must be list, map, or dynamic)",
		        words(c, t));
		return false;
	}
	return true;
}

static void want(struct checker *c, const struct node *n, const struct cel_type *type)
{
	if (!fits(type, n->type))
		mismatch(c, n, type, n->type);
}

static void set_fold_type(struct checker *c, struct node *n, const struct scope vars[2])
{
	struct node *last = n->args[n->count - 1];
	const struct cel_type *t = last->type;
	switch (n->fold) {
	case FOLD_ALL:
	case FOLD_EXISTS:
	case FOLD_ONE:
		want(c, last, &cel_type_bool);
		n->type = &cel_type_bool;
		break;
	case FOLD_MAP:
		n->type = cel_type_list(c->arena, t);
		break;
	case FOLD_FILTER:
		want(c, last, &cel_type_bool);
		n->type = cel_type_list(c->arena, vars[0].type);
		break;
	case FOLD_TO_MAP:
		n->type = cel_type_map(c->arena, vars[0].type, t);
		break;
	case FOLD_TO_ENTRIES:
		want(c, last, cel_type_map(c->arena, &cel_type_dyn, &cel_type_dyn));
		n->type = t->kind == CEL_MAP ? t : cel_type_map(c->arena, &cel_type_dyn, &cel_type_dyn);
		break;
	case FOLD_OPTIONAL:
		n->type = cel_type_optional(c->arena, t);
		break;
	case FOLD_OPTIONAL_FLAT:
		want(c, last, cel_type_optional(c->arena, &cel_type_dyn));
		n->type = t;
		break;
	}
}

static void check_fold(struct checker *c, struct node *n)
{
	struct scope vars[2] = {{.parent = c->scope, .name = n->vars[0]}, {.name = n->vars[1]}};
	const struct scope *around = c->scope;
	check(c, n->args[0]);
	if (!range_types(c, n, vars)) {
		n->type = &type_error;
		return;
	}
	vars[0].slot = n->slots[0] = (uint32_t)c->slots++;
	c->scope = &vars[0];
	if (n->has_two) {
		vars[1].parent = &vars[0];
		vars[1].slot = n->slots[1] = (uint32_t)c->slots++;
		c->scope = &vars[1];
	}
	for (size_t i = 1; i < n->count; i++)
		check(c, n->args[i]);
	c->scope = around;
	if (n->is_conditioned)
		want(c, n->args[1], &cel_type_bool);
	set_fold_type(c, n, vars);
}

static void check(struct checker *c, struct node *n)
{
	if (++c->depth > CEL_DEPTH_MAX) {
		if (c->depth == CEL_DEPTH_MAX + 1)
			cel_issue(c->issues, n->offset, "expression recursion limit exceeded: %u",
			        (unsigned)CEL_DEPTH_MAX);
		n->type = &type_error;
	} else {
		switch (n->kind) {
		case NODE_LITERAL:
			n->type = literal_type(n->value);
			break;
		case NODE_NAME:
			check_name(c, n);
			break;
		case NODE_SELECT:
			check_select(c, n);
			break;
		case NODE_CALL:
			check_call(c, n);
			break;
		case NODE_LIST:
			check_list(c, n);
			break;
		case NODE_MAP:
			check_map(c, n);
			break;
		case NODE_FOLD:
			check_fold(c, n);
			break;
		}
	}
	c->depth--;
}

bool cel_check_expression(struct arena *a, const struct cel_env *env, const struct cel_variable *vars, size_t count,
        struct node *root, struct cel_issues *issues, bool *uses, size_t *ret_slots)
{
	struct checker c = {.arena = a, .env = env, .vars = vars, .var_count = count, .issues = issues, .uses = uses};
	check(&c, root);
	*ret_slots = c.slots;
	return issues->count == 0;
}
