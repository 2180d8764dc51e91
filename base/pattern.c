/* From text to a tree, from the tree to steps, and the steps run as a set of threads over the text (Thompson 1968;
 * Russ Cox, "Regular Expression Matching: the Virtual Machine Approach"). Every step is in the set once at most, so a
 * text of n characters costs n times the steps.
 *
 * What can go wrong: a pattern that is none, or whose repetitions multiply beyond PATTERN_STEPS_MAX: both are errors of
 * the compilation. Matching cannot fail. */
#include "base/pattern_int.h"

#include "base/check.h"
#include "base/mem/utf8.h"

#include <stdlib.h>

enum node_kind { NODE_EMPTY, NODE_CLASS, NODE_ASSERT, NODE_CAT, NODE_ALT, NODE_REPEAT };
enum { RUNE_MAX = 0x10ffff, RUNE_BAD = 0xfffd };

struct node {
	enum node_kind kind;
	enum assert_kind assertion;
	struct class *class;
	struct node *left, *right; /* of CAT and ALT; REPEAT has left */
	int min, max;              /* max -1: without end */
	bool is_lazy;              /* as few as may be */
};

struct parser {
	struct arena *arena;  /* of what stays: classes */
	struct arena scratch; /* of the tree */
	struct slice whole, rest;
	struct err *err;
	int depth;
	bool folds, multi_line, dot_all;
	bool failed;
};

static struct node *parse_alternatives(struct parser *p);

static void *fail(struct parser *p, const char *what, struct slice where)
{
	if (!p->failed)
		err_set(p->err, ERR_INVAL, "error parsing regexp: %s: `%.*s`", what, SLICE_FMT(where));
	p->failed = true;
	return NULL;
}

/* ---- characters ---- */

uint32_t pattern_take_rune(struct slice *s)
{
	const unsigned char *b = (const unsigned char *)s->ptr;
	size_t n = utf8_len(b, s->len);
	uint32_t r = RUNE_BAD;
	if (n == 1)
		r = b[0];
	else if (n == 2)
		r = (b[0] & 0x1fu) << 6 | (b[1] & 0x3fu);
	else if (n == 3)
		r = (b[0] & 0x0fu) << 12 | (b[1] & 0x3fu) << 6 | (b[2] & 0x3fu);
	else if (n == 4)
		r = (b[0] & 0x07u) << 18 | (b[1] & 0x3fu) << 12 | (b[2] & 0x3fu) << 6 | (b[3] & 0x3fu);
	n = n ? n : 1;
	s->ptr += n;
	s->len -= n;
	return r;
}

static bool at(const struct parser *p, const char *text)
{
	return slice_starts(p->rest, text);
}

static bool take(struct parser *p, const char *text)
{
	if (!at(p, text))
		return false;
	p->rest.ptr += strlen(text);
	p->rest.len -= strlen(text);
	return true;
}

/* ---- classes ---- */

static void class_add(struct parser *p, struct class *c, uint32_t low, uint32_t high)
{
	if (c->count == c->cap) {
		struct range *more = ARENA_ARRAY(p->arena, struct range, c->cap * 2 + 4);
		if (c->count)
			memcpy(more, c->ranges, c->count * sizeof *more);
		c->ranges = more;
		c->cap = c->cap * 2 + 4;
	}
	c->ranges[c->count++] = (struct range){low, high};
}

static void class_add_folded(struct parser *p, struct class *c, uint32_t low, uint32_t high)
{
	class_add(p, c, low, high);
	if (!p->folds)
		return;
	for (uint32_t r = low; r <= high && r < 128; r++) {
		if (r >= 'a' && r <= 'z')
			class_add(p, c, r - 32, r - 32);
		if (r >= 'A' && r <= 'Z')
			class_add(p, c, r + 32, r + 32);
	}
}

bool pattern_class_has(const struct class *c, uint32_t r)
{
	bool found = false;
	for (unsigned i = 0; i < c->count && !found; i++)
		found = r >= c->ranges[i].low && r <= c->ranges[i].high;
	return found != c->negated;
}

static const struct named_class {
	const char *name;
	const char *ranges; /* pairs */
} named[] = {
        {"d", "09"},
        {"w", "09AZ__az"},
        {"s", "\t\n\f\r  "},
        {"alnum", "09AZaz"},
        {"alpha", "AZaz"},
        {"ascii", "\x01\x7f"},
        {"blank", "\t\t  "},
        {"cntrl", "\x01\x1f\x7f\x7f"},
        {"digit", "09"},
        {"graph", "!~"},
        {"lower", "az"},
        {"print", " ~"},
        {"punct", "!/:@[`{~"},
        {"space", "\t\r  "},
        {"upper", "AZ"},
        {"word", "09AZ__az"},
        {"xdigit", "09AFaf"},
};

/* Adds a named class, or all that is not in it. */
static bool class_add_named(struct parser *p, struct class *c, struct slice name, bool negated)
{
	uint32_t next = 0;
	for (size_t i = 0; i < COUNT_OF(named); i++) {
		if (!slice_is(name, named[i].name))
			continue;
		for (const char *r = named[i].ranges; *r; r += 2) {
			uint32_t low = (unsigned char)r[0], high = (unsigned char)r[1];
			if (!negated)
				class_add_folded(p, c, low, high);
			else if (low > next)
				class_add(p, c, next, low - 1);
			next = high + 1;
		}
		if (negated)
			class_add(p, c, next, RUNE_MAX);
		return true;
	}
	return false;
}

/* Behind "\x". */
static uint32_t take_hex(struct parser *p, struct slice from)
{
	uint32_t r = 0;
	int digits = 0, most = take(p, "{") ? 8 : 2;
	while (p->rest.len && digits < most && hex_digit(p->rest.ptr[0]) >= 0) {
		r = r * 16 + (uint32_t)hex_digit(p->rest.ptr[0]);
		p->rest.ptr++;
		p->rest.len--;
		digits++;
	}
	if (!digits || (most == 2 && digits != 2) || (most == 8 && !take(p, "}")) || r > RUNE_MAX)
		fail(p, "invalid escape sequence", (struct slice){from.ptr, from.len < 4 ? from.len : 4});
	return r;
}

/* Behind a backslash: one character. */
static uint32_t take_escaped(struct parser *p, struct slice from)
{
	static const char letters[] = "afnrtv", means[] = "\a\f\n\r\t\v";
	if (!p->rest.len) {
		fail(p, "trailing backslash at end of expression", SLICE(""));
		return 0;
	}
	uint32_t r = pattern_take_rune(&p->rest);
	if (r == 'x')
		return take_hex(p, from);
	const char *found = r < 128 && r ? strchr(letters, (int)r) : NULL;
	if (found)
		return (unsigned char)means[found - letters];
	if (r == '0')
		return 0;
	if (r >= 128 || (r >= '1' && r <= '9') || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z'))
		fail(p, r == 'p' || r == 'P' ? "classes of Unicode are not known here" : "invalid escape sequence",
		        (struct slice){from.ptr, from.len < 2 ? from.len : 2});
	return r;
}

/* "\d" and its like; false: it is another escape. */
static bool take_perl_class(struct parser *p, struct class *c)
{
	if (p->rest.len < 2 || p->rest.ptr[0] != '\\' || !memchr("dDwWsS", p->rest.ptr[1], 6))
		return false;
	char letter = p->rest.ptr[1], low = (char)(letter | 0x20);
	p->rest.ptr += 2;
	p->rest.len -= 2;
	return class_add_named(p, c, (struct slice){&low, 1}, letter != low);
}

/* "[:alpha:]" inside brackets. */
static bool take_posix_class(struct parser *p, struct class *c)
{
	const char *end = at(p, "[:") ? memmem(p->rest.ptr, p->rest.len, ":]", 2) : NULL;
	if (!end)
		return false;
	struct slice whole = {p->rest.ptr, (size_t)(end + 2 - p->rest.ptr)}, name = {whole.ptr + 2, whole.len - 4};
	bool negated = name.len && name.ptr[0] == '^';
	if (negated)
		name = (struct slice){name.ptr + 1, name.len - 1};
	if (!class_add_named(p, c, name, negated))
		fail(p, "invalid character class range", whole);
	p->rest.ptr += whole.len;
	p->rest.len -= whole.len;
	return true;
}

static uint32_t take_class_rune(struct parser *p)
{
	struct slice from = p->rest;
	return take(p, "\\") ? take_escaped(p, from) : pattern_take_rune(&p->rest);
}

static struct node *node_new(struct parser *p, enum node_kind kind)
{
	struct node *n = ARENA_NEW(&p->scratch, struct node);
	n->kind = kind;
	return n;
}

static struct node *class_node(struct parser *p)
{
	struct node *n = node_new(p, NODE_CLASS);
	n->class = ARENA_NEW(p->arena, struct class);
	return n;
}

/* Behind "[". */
static struct node *parse_brackets(struct parser *p, struct slice from)
{
	struct node *n = class_node(p);
	bool is_first = true;
	n->class->negated = take(p, "^");
	for (; !p->failed && (is_first || !at(p, "]")); is_first = false) {
		if (!p->rest.len)
			return fail(p, "missing closing ]", from);
		if (take_posix_class(p, n->class) || take_perl_class(p, n->class))
			continue;
		struct slice start = p->rest;
		uint32_t low = take_class_rune(p), high = low;
		if (at(p, "-") && p->rest.len > 1 && p->rest.ptr[1] != ']') {
			take(p, "-");
			high = take_class_rune(p);
		}
		if (high < low)
			return fail(
			        p, "invalid character class range", (struct slice){start.ptr, start.len - p->rest.len});
		class_add_folded(p, n->class, low, high);
	}
	take(p, "]");
	return p->failed ? NULL : n;
}

/* ---- atoms ---- */

static struct node *assert_node(struct parser *p, enum assert_kind kind)
{
	struct node *n = node_new(p, NODE_ASSERT);
	n->assertion = kind;
	return n;
}

/* Behind "(?": flags until ')' or ':'. *ret_is_group: a group follows. */
static bool parse_flags(struct parser *p, struct slice from, bool *ret_is_group)
{
	bool value = true;
	*ret_is_group = false;
	while (p->rest.len) {
		uint32_t r = pattern_take_rune(&p->rest);
		if (r == ')')
			return true;
		if (r == ':') {
			*ret_is_group = true;
			return true;
		}
		if (r == '-')
			value = false;
		else if (r == 'i')
			p->folds = value;
		else if (r == 'm')
			p->multi_line = value;
		else if (r == 's')
			p->dot_all = value;
		else if (r != 'U')
			break;
	}
	fail(p, "invalid or unsupported Perl syntax", (struct slice){from.ptr, from.len - p->rest.len});
	return false;
}

/* Behind "(". */
static struct node *parse_group(struct parser *p, struct slice from)
{
	bool folds = p->folds, multi_line = p->multi_line, dot_all = p->dot_all, is_group = true;
	if (at(p, "?P<") || (at(p, "?<") && !at(p, "?<=") && !at(p, "?<!"))) {
		const char *end = memchr(p->rest.ptr, '>', p->rest.len);
		if (!end)
			return fail(p, "invalid named capture", from);
		p->rest.len -= (size_t)(end + 1 - p->rest.ptr);
		p->rest.ptr = end + 1;
	} else if (take(p, "?") && !parse_flags(p, from, &is_group)) {
		return NULL;
	}
	if (!is_group)
		return node_new(p, NODE_EMPTY); /* flags hold to the end of the group around */
	struct node *n = parse_alternatives(p);
	if (!p->failed && !take(p, ")"))
		return fail(p, "missing closing )", p->whole);
	p->folds = folds;
	p->multi_line = multi_line;
	p->dot_all = dot_all;
	return n;
}

static struct node *parse_escape(struct parser *p)
{
	struct slice from = p->rest;
	struct node *n = class_node(p);
	if (take_perl_class(p, n->class))
		return n;
	if (take(p, "\\A"))
		return assert_node(p, AT_TEXT_START);
	if (take(p, "\\z"))
		return assert_node(p, AT_TEXT_END);
	if (take(p, "\\b"))
		return assert_node(p, AT_WORD);
	if (take(p, "\\B"))
		return assert_node(p, AT_NO_WORD);
	take(p, "\\");
	uint32_t r = take_escaped(p, from);
	class_add_folded(p, n->class, r, r);
	return n;
}

static struct node *parse_atom(struct parser *p)
{
	struct slice from = p->rest;
	if (at(p, "\\"))
		return parse_escape(p);
	if (take(p, "["))
		return parse_brackets(p, from);
	if (take(p, "("))
		return parse_group(p, from);
	if (take(p, "^"))
		return assert_node(p, p->multi_line ? AT_LINE_START : AT_TEXT_START);
	if (take(p, "$"))
		return assert_node(p, p->multi_line ? AT_LINE_END : AT_TEXT_END);
	if (at(p, "*") || at(p, "+") || at(p, "?"))
		return fail(p, "missing argument to repetition operator", (struct slice){from.ptr, 1});
	struct node *n = class_node(p);
	if (take(p, ".")) {
		n->class->negated = true;
		if (!p->dot_all)
			class_add(p, n->class, '\n', '\n');
		return n;
	}
	uint32_t r = pattern_take_rune(&p->rest);
	class_add_folded(p, n->class, r, r);
	return n;
}

/* ---- repetitions, sequences, choices ---- */

static bool take_number(struct parser *p, int *out)
{
	int n = 0, digits = 0;
	for (; p->rest.len && p->rest.ptr[0] >= '0' && p->rest.ptr[0] <= '9'; digits++) {
		n = n > PATTERN_REPEAT_MAX ? n : n * 10 + (p->rest.ptr[0] - '0');
		p->rest.ptr++;
		p->rest.len--;
	}
	*out = n;
	return digits > 0;
}

/* "{2}", "{2,}", "{2,5}"; all else that begins with a brace is itself. */
static bool take_bounds(struct parser *p, int *min, int *max)
{
	struct slice from = p->rest;
	if (take(p, "{") && take_number(p, min)) {
		*max = *min;
		if (take(p, ",") && !take_number(p, max))
			*max = -1;
		if (take(p, "}"))
			return true;
	}
	p->rest = from;
	return false;
}

static bool take_repetition(struct parser *p, int *min, int *max)
{
	*min = at(p, "+") ? 1 : 0;
	*max = at(p, "?") ? 1 : -1;
	return take(p, "*") || take(p, "+") || take(p, "?") || take_bounds(p, min, max);
}

static struct node *parse_repeated(struct parser *p)
{
	struct node *n = parse_atom(p);
	struct slice from = p->rest;
	int min, max;
	bool again = false;
	while (!p->failed && take_repetition(p, &min, &max)) {
		if (again)
			return fail(p, "invalid nested repetition operator",
			        (struct slice){from.ptr, from.len - p->rest.len});
		if (min > PATTERN_REPEAT_MAX || max > PATTERN_REPEAT_MAX || (max >= 0 && max < min))
			return fail(p, "invalid repeat count", (struct slice){from.ptr, from.len - p->rest.len});
		struct node *r = node_new(p, NODE_REPEAT);
		*r = (struct node){.kind = NODE_REPEAT, .left = n, .min = min, .max = max, .is_lazy = take(p, "?")};
		n = r;
		again = true;
	}
	return n;
}

static struct node *join(struct parser *p, enum node_kind kind, struct node *left, struct node *right)
{
	struct node *n = node_new(p, kind);
	n->left = left;
	n->right = right;
	return n;
}

static struct node *parse_sequence(struct parser *p)
{
	struct node *n = NULL;
	while (!p->failed && p->rest.len && !at(p, "|") && !at(p, ")")) {
		struct node *next = parse_repeated(p);
		n = n ? join(p, NODE_CAT, n, next) : next;
	}
	return n ? n : node_new(p, NODE_EMPTY);
}

static struct node *parse_alternatives(struct parser *p)
{
	if (++p->depth > PATTERN_DEPTH_MAX)
		return fail(p, "expression nests too deeply", p->whole);
	struct node *n = parse_sequence(p);
	while (!p->failed && take(p, "|"))
		n = join(p, NODE_ALT, n, parse_sequence(p));
	p->depth--;
	return n;
}

/* ---- steps ---- */

struct emitter {
	struct step *steps; /* from malloc */
	unsigned count, cap;
	bool is_full;
};

static unsigned emit(struct emitter *e, struct step s)
{
	if (e->count == PATTERN_STEPS_MAX) {
		e->is_full = true;
		return e->count - 1;
	}
	if (e->count == e->cap) {
		e->cap = e->cap * 2 + 64;
		e->steps = xrealloc(e->steps, e->cap * sizeof *e->steps);
	}
	e->steps[e->count] = s;
	return e->count++;
}

static void emit_node(struct emitter *e, const struct node *n);

static void emit_alternatives(struct emitter *e, const struct node *n)
{
	unsigned split = emit(e, (struct step){.kind = STEP_SPLIT});
	e->steps[split].x = e->count;
	emit_node(e, n->left);
	unsigned jump = emit(e, (struct step){.kind = STEP_JUMP});
	e->steps[split].y = e->count;
	emit_node(e, n->right);
	e->steps[jump].x = e->count;
}

/* A split into going on and going out; what is wanted more comes first. */
static void set_split(struct emitter *e, unsigned split, unsigned on, bool is_lazy)
{
	e->steps[split].x = is_lazy ? e->count : on;
	e->steps[split].y = is_lazy ? on : e->count;
}

static void emit_repeat(struct emitter *e, const struct node *n)
{
	for (int i = 0; i < n->min && !e->is_full; i++)
		emit_node(e, n->left);
	if (n->max < 0) {
		unsigned split = emit(e, (struct step){.kind = STEP_SPLIT}), on = e->count;
		emit_node(e, n->left);
		emit(e, (struct step){.kind = STEP_JUMP, .x = split});
		set_split(e, split, on, n->is_lazy);
		return;
	}
	for (int i = n->min; i < n->max && !e->is_full; i++) {
		unsigned split = emit(e, (struct step){.kind = STEP_SPLIT}), on = e->count;
		emit_node(e, n->left);
		set_split(e, split, on, n->is_lazy);
	}
}

/* A sequence is a chain to the left as long as the pattern: walked, not called into. */
static void emit_sequence(struct emitter *e, const struct node *n)
{
	size_t length = 1, i;
	for (const struct node *c = n; c->kind == NODE_CAT; c = c->left)
		length++;
	const struct node **parts = xcalloc(length, sizeof(struct node *));
	for (i = length - 1; i > 0; i--, n = n->left)
		parts[i] = n->right;
	parts[0] = n;
	for (i = 0; i < length && !e->is_full; i++)
		emit_node(e, parts[i]);
	free(parts);
}

static void emit_node(struct emitter *e, const struct node *n)
{
	if (e->is_full)
		return;
	switch (n->kind) {
	case NODE_EMPTY:
		break;
	case NODE_CLASS:
		emit(e, (struct step){.kind = STEP_CLASS, .class = n->class});
		break;
	case NODE_ASSERT:
		emit(e, (struct step){.kind = STEP_ASSERT, .assertion = n->assertion});
		break;
	case NODE_CAT:
		emit_sequence(e, n);
		break;
	case NODE_ALT:
		emit_alternatives(e, n);
		break;
	case NODE_REPEAT:
		emit_repeat(e, n);
		break;
	}
}

const struct pattern *pattern_compile(struct arena *a, struct slice text, struct err *err)
{
	struct parser p = {.arena = a, .whole = text, .rest = text, .err = err};
	struct node *root = parse_alternatives(&p);
	struct pattern *out = NULL;
	if (!p.failed && p.rest.len)
		fail(&p, "unexpected )", p.whole);
	if (!p.failed) {
		struct emitter e = {0};
		emit_node(&e, root);
		emit(&e, (struct step){.kind = STEP_MATCH});
		if (e.is_full) {
			fail(&p, "expression is too large", p.whole);
		} else {
			out = ARENA_NEW(a, struct pattern);
			out->count = e.count;
			out->steps = ARENA_ARRAY(a, struct step, e.count);
			memcpy(out->steps, e.steps, e.count * sizeof *e.steps);
		}
		free(e.steps);
	}
	arena_release(&p.scratch);
	return out;
}

/* ---- matching ---- */

struct set {
	unsigned *steps;
	unsigned count;
};

static bool is_word(uint32_t r)
{
	return (r >= '0' && r <= '9') || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z') || r == '_';
}

bool pattern_holds(const struct pattern_run *r, enum assert_kind kind)
{
	bool at_word = (!r->at_start && is_word(r->before)) != (!r->at_end && is_word(r->after));
	switch (kind) {
	case AT_TEXT_START:
		return r->at_start;
	case AT_TEXT_END:
		return r->at_end;
	case AT_LINE_START:
		return r->at_start || r->before == '\n';
	case AT_LINE_END:
		return r->at_end || r->after == '\n';
	case AT_WORD:
		return at_word;
	case AT_NO_WORD:
		return !at_word;
	}
	return false;
}

/* Adds a step and all that follow it without a character. A step that is new pushes two at most. */
static void follow(struct pattern_run *r, struct set *s, unsigned from)
{
	unsigned depth = 0;
	r->stack[depth++] = from;
	while (depth) {
		unsigned at_step = r->stack[--depth];
		if (r->marks[at_step] == r->turn)
			continue;
		r->marks[at_step] = r->turn;
		const struct step *step = &r->pattern->steps[at_step];
		if (step->kind == STEP_MATCH) {
			r->matched = true;
		} else if (step->kind == STEP_CLASS) {
			s->steps[s->count++] = at_step;
		} else if (step->kind == STEP_ASSERT) {
			if (pattern_holds(r, step->assertion))
				r->stack[depth++] = at_step + 1;
		} else {
			if (step->kind == STEP_SPLIT)
				r->stack[depth++] = step->y;
			r->stack[depth++] = step->x;
		}
	}
}

void pattern_look_ahead(struct pattern_run *r, struct slice rest)
{
	r->at_end = rest.len == 0;
	r->after = rest.len ? pattern_take_rune(&rest) : 0;
	r->turn++;
}

enum { FEW_UNITS = 256 };

bool pattern_matches(const struct pattern *p, struct slice text)
{
	unsigned n = p->count;
	unsigned few[FEW_UNITS] = {0}; /* most patterns are short, and asked often */
	bool is_short = 5 * (size_t)n + 2 <= FEW_UNITS;
	unsigned *memory = is_short ? few : xcalloc(5 * (size_t)n + 2, sizeof(unsigned));
	struct set now = {.steps = memory}, next = {.steps = memory + n};
	struct pattern_run r = {.pattern = p, .marks = memory + 2 * n, .stack = memory + 3 * n, .at_start = true};
	pattern_look_ahead(&r, text);
	follow(&r, &now, 0);
	while (!r.matched && text.len) {
		uint32_t c = pattern_take_rune(&text);
		r.at_start = false;
		r.before = c;
		pattern_look_ahead(&r, text);
		next.count = 0;
		for (unsigned i = 0; i < now.count && !r.matched; i++)
			if (pattern_class_has(p->steps[now.steps[i]].class, c))
				follow(&r, &next, now.steps[i] + 1);
		follow(&r, &next, 0); /* it may begin anywhere */
		struct set swap = now;
		now = next;
		next = swap;
	}
	if (!is_short)
		free(memory);
	return r.matched;
}
