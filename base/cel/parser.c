/* The grammar (cel-spec, "Syntax"), by descent.
 *
 *     expr      or ["?" or ":" expr]
 *     or        and {"||" and}
 *     and       relation {"&&" relation}
 *     relation  sum {("<" | "<=" | ">=" | ">" | "==" | "!=" | "in") sum}
 *     sum       product {("+" | "-") product}
 *     product   unary {("*" | "/" | "%") unary}
 *     unary     {"!"} member | {"-"} member
 *     member    primary {"." ["?"] name ["(" args ")"] | "[" ["?"] expr "]" | "{" fields "}"}
 *
 * Operators become calls with the names that upstream's messages show ("_+_"). What can go wrong: no expression, which
 * ends the parse at its first fault; one that nests deeper than CEL_DEPTH_MAX, which counts chains of operators and
 * members, too, for the tree they make is as deep as they are long. */
#include "base/cel/program_int.h"

#include "base/check.h"

struct parser {
	struct arena *arena;
	struct cel_issues *issues;
	struct lexer lexer;
	struct token now;
	unsigned depth;
	bool failed;
};

static struct node *parse_expr(struct parser *p);

struct node *cel_node_new(struct arena *a, enum node_kind kind, size_t offset, size_t args)
{
	struct node **list = args ? ARENA_ARRAY(a, struct node *, args) : NULL; /* beside the node's head */
	struct node *n = ARENA_NEW(a, struct node);
	n->kind = (uint8_t)kind;
	n->offset = offset;
	n->count = (uint32_t)args;
	n->args = list;
	return n;
}

struct node *cel_node_call(struct arena *a, const char *name, size_t offset, struct node *x, struct node *y)
{
	struct node *n = cel_node_new(a, NODE_CALL, offset, y ? 2 : 1);
	n->name = slice_of(name);
	n->args[0] = x;
	if (y)
		n->args[1] = y;
	return n;
}

static struct node *fail(struct parser *p, size_t offset, const char *what)
{
	if (!p->failed)
		cel_issue(p->issues, offset, "Syntax error: %s", what);
	p->failed = true;
	return NULL;
}

static void advance(struct parser *p)
{
	p->now = cel_lexer_next(&p->lexer);
	p->failed = p->failed || p->now.kind == TOKEN_BAD;
}

static bool at(const struct parser *p, const char *mark)
{
	return !p->failed && p->now.kind == TOKEN_MARK && slice_is(p->now.text, mark);
}

static bool take(struct parser *p, const char *mark)
{
	if (!at(p, mark))
		return false;
	advance(p);
	return true;
}

static void unexpected(struct parser *p, const char *wanted)
{
	struct slice got = p->now.kind == TOKEN_END ? SLICE("<EOF>") : p->now.text;
	fail(p, p->now.offset,
	        arena_printf(p->arena, "mismatched input '%.*s' expecting %s", (int)(got.len < 60 ? got.len : 60),
	                got.ptr, wanted));
}

static void expect(struct parser *p, const char *mark)
{
	if (!p->failed && !take(p, mark))
		unexpected(p, arena_printf(p->arena, "'%s'", mark));
}

static bool deeper(struct parser *p)
{
	if (++p->depth <= CEL_DEPTH_MAX)
		return true;
	fail(p, p->now.offset,
	        arena_printf(p->arena, "expression recursion limit exceeded: %u", (unsigned)CEL_DEPTH_MAX));
	return false;
}

/* ---- lists of things ---- */

struct nodes {
	struct node **items;
	size_t count, cap;
};

static void nodes_add(struct parser *p, struct nodes *n, struct node *x)
{
	if (n->count == n->cap) {
		struct node **more = ARENA_ARRAY(p->arena, struct node *, n->cap * 2 + 4);
		if (n->count)
			memcpy(more, n->items, n->count * sizeof *more);
		n->items = more;
		n->cap = n->cap * 2 + 4;
	}
	n->items[n->count++] = x;
}

/* Up to the closing mark, which is taken; a comma may stand before it when it is no argument list. */
static void parse_list(struct parser *p, struct nodes *out, const char *close, bool is_call)
{
	while (!p->failed && !at(p, close)) {
		bool is_optional = !is_call && take(p, "?");
		struct node *n = parse_expr(p);
		if (!n)
			return;
		if (is_optional) { /* a mark of the place, not of the expression */
			struct node *wrap = cel_node_new(p->arena, NODE_LIST, n->offset, 1);
			wrap->args[0] = n;
			wrap->is_optional = true;
			n = wrap;
		}
		nodes_add(p, out, n);
		if (!take(p, ","))
			break;
		if (is_call && at(p, close))
			return unexpected(p, "an argument");
	}
	expect(p, close);
}

static struct node *list_literal(struct parser *p, size_t offset)
{
	struct nodes items = {0};
	parse_list(p, &items, "]", false);
	struct node *n = cel_node_new(p->arena, NODE_LIST, offset, 0);
	n->args = items.items;
	n->count = (uint32_t)items.count;
	return p->failed ? NULL : n;
}

/* Keys and values in turn; an optional entry has is_optional on a list around its value. */
static struct node *map_literal(struct parser *p, size_t offset)
{
	struct nodes items = {0};
	while (!p->failed && !at(p, "}")) {
		bool is_optional = take(p, "?");
		nodes_add(p, &items, parse_expr(p));
		expect(p, ":");
		struct node *v = p->failed ? NULL : parse_expr(p);
		if (v && is_optional) {
			struct node *wrap = cel_node_new(p->arena, NODE_LIST, v->offset, 1);
			wrap->args[0] = v;
			wrap->is_optional = true;
			v = wrap;
		}
		nodes_add(p, &items, v);
		if (!take(p, ","))
			break;
	}
	expect(p, "}");
	struct node *n = cel_node_new(p->arena, NODE_MAP, offset, 0);
	n->args = items.items;
	n->count = (uint32_t)items.count;
	return p->failed ? NULL : n;
}

/* ---- primaries ---- */

static bool is_reserved(struct slice name)
{
	static const char *const words[] = {"as", "break", "const", "continue", "else", "for", "function", "if",
	        "import", "let", "loop", "package", "namespace", "return", "var", "void", "while"};
	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (slice_is(name, words[i]))
			return true;
	return false;
}

static bool is_keyword(struct slice name)
{
	return slice_is(name, "in") || slice_is(name, "true") || slice_is(name, "false") || slice_is(name, "null");
}

static struct node *literal(struct parser *p, size_t offset, struct cel_value v)
{
	struct node *n = cel_node_new(p->arena, NODE_LITERAL, offset, 0);
	n->value = v;
	return n;
}

/* A call's node; macros become what they mean. */
static struct node *finish_call(struct parser *p, struct node *target, struct slice name, size_t offset)
{
	struct nodes args = {0};
	bool is_bad = false;
	if (target)
		nodes_add(p, &args, target);
	parse_list(p, &args, ")", true);
	if (p->failed)
		return NULL;
	struct node *n = cel_node_new(p->arena, NODE_CALL, offset, 0);
	n->name = name;
	n->is_member = target != NULL;
	n->args = args.items;
	n->count = (uint32_t)args.count;
	struct node *expanded = cel_macro_expand(p->arena, p->issues, n, &is_bad);
	p->failed = p->failed || is_bad;
	return p->failed ? NULL : expanded ? expanded : n;
}

static struct node *parse_name(struct parser *p, bool is_absolute)
{
	struct token t = p->now;
	if (is_keyword(t.text) && !is_absolute) {
		advance(p);
		if (slice_is(t.text, "null"))
			return literal(p, t.offset, cel_null());
		if (!slice_is(t.text, "in"))
			return literal(p, t.offset, cel_of_bool(slice_is(t.text, "true")));
	}
	if (t.kind != TOKEN_NAME || is_keyword(t.text))
		return fail(p, t.offset,
		        arena_printf(p->arena, "mismatched input '%.*s' expecting an expression", SLICE_FMT(t.text)));
	if (is_reserved(t.text))
		return fail(p, t.offset, arena_printf(p->arena, "reserved identifier: %.*s", SLICE_FMT(t.text)));
	advance(p);
	if (at(p, "(")) {
		size_t offset = p->now.offset;
		advance(p);
		return finish_call(p, NULL, t.text, offset);
	}
	struct node *n = cel_node_new(p->arena, NODE_NAME, t.offset, 0);
	n->name = t.text;
	return n;
}

static struct node *parse_text(struct parser *p)
{
	struct token t = p->now;
	struct slice text;
	if (!cel_literal_text(p->issues, &t, &text)) {
		p->failed = true;
		return NULL;
	}
	advance(p);
	return literal(p, t.offset, t.kind == TOKEN_BYTES ? cel_of_bytes(text) : cel_of_text(text));
}

static struct node *parse_number(struct parser *p, bool is_negative, size_t offset)
{
	struct token t = p->now;
	struct cel_value v;
	if (!cel_literal_number(p->issues, &t, is_negative, &v)) {
		p->failed = true;
		return NULL;
	}
	advance(p);
	return literal(p, offset, v);
}

static struct node *parse_primary(struct parser *p)
{
	size_t offset = p->now.offset;
	switch (p->now.kind) {
	case TOKEN_INT:
	case TOKEN_UINT:
	case TOKEN_DOUBLE:
		return parse_number(p, false, offset);
	case TOKEN_STRING:
	case TOKEN_BYTES:
		return parse_text(p);
	case TOKEN_NAME:
		return parse_name(p, false);
	default:
		break;
	}
	if (take(p, "(")) {
		struct node *n = parse_expr(p);
		expect(p, ")");
		return p->failed ? NULL : n;
	}
	if (take(p, "["))
		return list_literal(p, offset);
	if (take(p, "{"))
		return map_literal(p, offset);
	if (take(p, "."))
		return parse_name(p, true);
	if (!p->failed)
		unexpected(p, "an expression");
	return NULL;
}

/* ---- members ---- */

static struct node *parse_select(struct parser *p, struct node *target, size_t dot)
{
	bool is_optional = take(p, "?");
	struct token t = p->now;
	if (t.kind != TOKEN_NAME || is_keyword(t.text)) {
		unexpected(p, "a name");
		return NULL;
	}
	advance(p);
	if (!is_optional && at(p, "(")) {
		size_t offset = p->now.offset;
		advance(p);
		return finish_call(p, target, t.text, offset);
	}
	struct node *n = cel_node_new(p->arena, NODE_SELECT, dot, 1);
	n->args[0] = target;
	n->name = t.text;
	n->is_optional = is_optional;
	return n;
}

static struct node *parse_index(struct parser *p, struct node *target, size_t offset)
{
	bool is_optional = take(p, "?");
	struct node *key = parse_expr(p);
	expect(p, "]");
	if (p->failed)
		return NULL;
	struct node *n = cel_node_call(p->arena, is_optional ? "_[?_]" : "_[_]", offset, target, key);
	n->op = is_optional ? OP_INDEX_OPTIONAL : OP_INDEX;
	return n;
}

static struct node *parse_member(struct parser *p)
{
	struct node *n = parse_primary(p);
	unsigned depth = p->depth;
	while (n && !p->failed) {
		size_t offset = p->now.offset;
		if (!at(p, ".") && !at(p, "[") && !at(p, "{"))
			break;
		if (!deeper(p))
			return NULL;
		if (take(p, "."))
			n = parse_select(p, n, offset);
		else if (take(p, "["))
			n = parse_index(p, n, offset);
		else if (n->kind == NODE_NAME || n->kind == NODE_SELECT)
			return fail(p, offset, "types that are made by name are not known here");
		else
			break;
	}
	p->depth = depth;
	return n;
}

static struct node *parse_unary(struct parser *p)
{
	size_t offset = p->now.offset, count = 0;
	const char *mark = at(p, "!") ? "!" : "-";
	while (take(p, mark))
		count++;
	bool is_number = p->now.kind == TOKEN_INT || p->now.kind == TOKEN_DOUBLE;
	struct node *n;
	if (count && mark[0] == '-' && is_number && !p->failed) {
		n = parse_number(p, true, offset);
		count--;
	} else {
		n = parse_member(p);
	}
	return n && count % 2 ? cel_node_call(p->arena, mark[0] == '!' ? "!_" : "-_", offset, n, NULL) : n;
}

/* ---- operators ---- */

struct operator_row {
	const char *mark, *name;
};
static const struct operator_row products[] = {{"*", "_*_"}, {"/", "_/_"}, {"%", "_%_"}, {NULL, NULL}};
static const struct operator_row sums[] = {{"+", "_+_"}, {"-", "_-_"}, {NULL, NULL}};
static const struct operator_row relations[] = {{"<", "_<_"}, {"<=", "_<=_"}, {">=", "_>=_"}, {">", "_>_"},
        {"==", "_==_"}, {"!=", "_!=_"}, {"in", "@in"}, {NULL, NULL}};
static const struct operator_row ands[] = {{"&&", "_&&_"}, {NULL, NULL}};
static const struct operator_row ors[] = {{"||", "_||_"}, {NULL, NULL}};
static const struct operator_row *const levels[] = {ors, ands, relations, sums, products};

static const char *operator_at(const struct parser *p, const struct operator_row *rows)
{
	for (; !p->failed && rows->mark; rows++)
		if ((p->now.kind == TOKEN_MARK || p->now.kind == TOKEN_NAME) && slice_is(p->now.text, rows->mark))
			return rows->name;
	return NULL;
}

/* && and || of equal weight make a tree that is as flat as may be: long chains of them are common. */
static struct node *balance(struct parser *p, const char *name, struct node **terms, size_t *offsets, size_t count)
{
	if (count == 1)
		return terms[0];
	size_t half = (count + 1) / 2;
	struct node *left = balance(p, name, terms, offsets, half),
	            *right = balance(p, name, terms + half, offsets + half, count - half);
	struct node *n = cel_node_call(p->arena, name, offsets[half], left, right);
	n->op = name[1] == '&' ? OP_AND : OP_OR;
	return n;
}

static struct node *parse_logic(struct parser *p, size_t level);

static struct node *parse_level(struct parser *p, size_t level)
{
	const char *name;
	if (level == COUNT_OF(levels))
		return parse_unary(p);
	if (level < 2)
		return parse_logic(p, level);
	struct node *n = parse_level(p, level + 1);
	unsigned depth = p->depth;
	while (n && (name = operator_at(p, levels[level]))) {
		size_t offset = p->now.offset;
		if (!deeper(p))
			return NULL;
		advance(p);
		struct node *right = parse_level(p, level + 1);
		n = right ? cel_node_call(p->arena, name, offset, n, right) : NULL;
	}
	p->depth = depth;
	return p->failed ? NULL : n;
}

static struct node *parse_logic(struct parser *p, size_t level)
{
	struct nodes terms = {0};
	size_t *offsets = NULL, cap = 0;
	const char *name = level == 0 ? "_||_" : "_&&_";
	do {
		if (terms.count == cap) {
			size_t *more = ARENA_ARRAY(p->arena, size_t, cap * 2 + 4);
			if (cap)
				memcpy(more, offsets, cap * sizeof *more);
			offsets = more;
			cap = cap * 2 + 4;
		}
		offsets[terms.count] = p->now.offset;
		if (terms.count)
			advance(p);
		struct node *n = parse_level(p, level + 1);
		if (!n)
			return NULL;
		nodes_add(p, &terms, n);
	} while (operator_at(p, levels[level]));
	return p->failed ? NULL : balance(p, name, terms.items, offsets, terms.count);
}

static struct node *parse_expr(struct parser *p)
{
	if (p->failed || !deeper(p))
		return NULL;
	struct node *n = parse_level(p, 0);
	size_t offset = p->now.offset;
	if (n && take(p, "?")) {
		struct node *yes = parse_level(p, 0);
		expect(p, ":");
		struct node *no = p->failed ? NULL : parse_expr(p);
		struct node *all = cel_node_new(p->arena, NODE_CALL, offset, 3);
		all->name = SLICE("_?_:_");
		all->op = OP_IF;
		all->args[0] = n;
		all->args[1] = yes;
		all->args[2] = no;
		n = no ? all : NULL;
	}
	p->depth--;
	return p->failed ? NULL : n;
}

struct node *cel_parse_expression(struct arena *a, struct cel_issues *issues)
{
	struct parser p = {.arena = a, .issues = issues, .lexer = {.issues = issues}};
	if (issues->text.len > CEL_TEXT_BYTES_MAX) {
		cel_issue(issues, 0, "expression code point size exceeds limit: size: %zu, limit %u", issues->text.len,
		        (unsigned)CEL_TEXT_BYTES_MAX);
		return NULL;
	}
	advance(&p);
	struct node *n = parse_expr(&p);
	if (!p.failed && p.now.kind != TOKEN_END)
		unexpected(&p, "<EOF>");
	return p.failed ? NULL : n;
}
