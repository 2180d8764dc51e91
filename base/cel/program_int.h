/* What the files of this room share: the tree of an expression, tokens, the table of functions. */
#ifndef K3X_BASE_CEL_PROGRAM_INT_H
#define K3X_BASE_CEL_PROGRAM_INT_H

#include "base/cel/library.h"
#include "base/pattern.h"

/* ---- faults of an expression ---- */

struct cel_issues {
	struct arena *arena;
	struct slice text;
	struct strbuf *words; /* NULL: nobody reads them */
	size_t count;
};
enum { CEL_ISSUES_MAX = 20 };
__attribute__((format(printf, 3, 4))) void cel_issue(struct cel_issues *i, size_t offset, const char *fmt, ...);

/* ---- tokens ---- */

enum token_kind {
	TOKEN_END,
	TOKEN_BAD, /* was told */
	TOKEN_NAME,
	TOKEN_INT,
	TOKEN_UINT,
	TOKEN_DOUBLE,
	TOKEN_STRING,
	TOKEN_BYTES,
	TOKEN_MARK, /* an operator or bracket */
};

struct token {
	enum token_kind kind;
	size_t offset;
	struct slice text; /* as it stands there; of a string without prefix and quotes */
	bool is_raw;
};

struct lexer {
	struct cel_issues *issues;
	size_t at;
};
struct token cel_lexer_next(struct lexer *l);
/* The bytes of a string or bytes literal; false: it was told. */
bool cel_literal_text(struct cel_issues *i, const struct token *t, struct slice *ret);
/* A number, with its sign if the parser saw one. False: told. */
bool cel_literal_number(struct cel_issues *i, const struct token *t, bool is_negative, struct cel_value *ret);

/* ---- the tree ---- */

enum node_kind { NODE_LITERAL, NODE_NAME, NODE_SELECT, NODE_CALL, NODE_LIST, NODE_MAP, NODE_FOLD };

/* What is not an ordinary function, though it is written or named like one. */
enum operation { OP_CALL, OP_AND, OP_OR, OP_IF, OP_INDEX, OP_INDEX_OPTIONAL, OP_OR_VALUE, OP_OR_OPTIONAL };

enum fold {
	FOLD_ALL,
	FOLD_EXISTS,
	FOLD_ONE,
	FOLD_MAP,
	FOLD_FILTER,
	FOLD_TO_MAP,     /* transformMap */
	FOLD_TO_ENTRIES, /* transformMapEntry */
	FOLD_OPTIONAL,   /* optMap */
	FOLD_OPTIONAL_FLAT,
};

enum reference { REFERS_VARIABLE, REFERS_LOCAL, REFERS_VALUE };

struct function;

/* What evaluation touches comes first: an expression that is run once in a while is read from memory, a line at a time.
 */
struct node {
	uint8_t kind, op, fold, refers; /* of the enums above */
	bool is_member;                 /* a call: args[0] is its target */
	bool is_optional;               /* a.?b, a[?b], [?a], {?a: b} */
	bool is_test;                   /* has(a.b) */
	bool is_conditioned;            /* a fold that maps: args[1] picks, args[2] makes */
	bool has_two;                   /* a fold of two variables */
	bool is_constant;               /* a list whose value is here */
	bool has_size;                  /* by the estimate of costs */
	uint32_t count;                 /* of args */
	uint32_t slots[2];              /* of a fold's variables; slots[0] of a name */
	struct node **args;
	const struct function_overload *only; /* the one that fits, when it is clear */
	const struct cel_field *field;        /* of a select in an object */
	struct slice name;                    /* a name, a field, a function */
	struct cel_value value;
	const struct pattern *pattern; /* of `matches` and its like with a constant */
	const struct function *function;
	uint64_t fits;                   /* overloads that may: bits */
	struct slice vars[2];            /* of a fold; the second may be SLICE_NULL */
	size_t offset;                   /* in the text */
	const struct cel_type *type;     /* by the checker */
	const struct cel_type *declared; /* the value's place in the types of variables, for its size; or NULL */
	uint64_t size_min, size_max;
};

struct node *cel_node_new(struct arena *a, enum node_kind kind, size_t offset, size_t args);
struct node *cel_node_call(struct arena *a, const char *name, size_t offset, struct node *x, struct node *y);

/* The tree, or NULL with issues. */
struct node *cel_parse_expression(struct arena *a, struct cel_issues *issues);
/* A call that is a macro becomes what it means; NULL: it is none, or issues were added (then *ret_bad). */
struct node *cel_macro_expand(struct arena *a, struct cel_issues *issues, const struct node *call, bool *ret_bad);

/* ---- functions ---- */

enum { FUNCTION_ARGS_MAX = 4, FUNCTION_OVERLOADS_MAX = 48 };

struct function_overload {
	cel_fn *fn;
	uint8_t cost;                     /* enum cel_cost */
	uint8_t kinds[FUNCTION_ARGS_MAX]; /* of the arguments: CEL_DYN any, CEL_OPAQUE is to be looked at */
	const struct cel_type *args[FUNCTION_ARGS_MAX];
	const struct cel_type *result;
	uint32_t count;
	bool is_member;
};

struct function {
	struct slice name;
	struct function_overload *overloads;
	size_t count;
};

/* An opaque type that some declaration speaks of; NULL: none of this name. */
const struct cel_type *cel_env_type(const struct cel_env *env, struct slice name);
const struct function *cel_env_function(const struct cel_env *env, struct slice name); /* NULL: none */
cel_fn cel_matches; /* the one function whose pattern the checker may have compiled */
extern const struct cel_library cel_standard, cel_convert, cel_times, cel_strings, cel_lists, cel_regex, cel_urls,
        cel_addresses, cel_sets, cel_optionals, cel_formats;

/* ---- types ---- */

enum { TYPE_PARAMS_MAX = 4 };
struct bindings {
	const char *names[TYPE_PARAMS_MAX];
	const struct cel_type *types[TYPE_PARAMS_MAX];
	size_t count;
};
/* May a value of type `from` stand where `to` is wanted? Parameters of `to` are bound. */
bool cel_type_fits(struct bindings *b, const struct cel_type *to, const struct cel_type *from);
const struct cel_type *cel_type_filled(struct arena *a, const struct bindings *b, const struct cel_type *t);
bool cel_type_same(const struct cel_type *a, const struct cel_type *b);
const struct cel_type *cel_type_of_name(struct arena *a, struct slice name); /* "int", ...: NULL: none */
const struct cel_type *cel_type_of_types(struct arena *a, const struct cel_type *of);
const struct cel_type *cel_type_parse(struct arena *a, struct slice *text); /* a declaration's */
bool cel_type_kind_fits(const struct cel_type *t, struct cel_value v);      /* at run time: by kinds alone */

/* ---- values ---- */

struct cel_list {
	size_t count;
	unsigned depth;
	const struct cel_value *items;        /* or */
	const struct cel_value *left, *right; /* two lists, one behind the other */
};

struct cel_map {
	size_t count;
	const struct cel_value *keys, *values;
};

struct cel_value cel_list_concat(struct cel_run *r, struct cel_value a, struct cel_value b);
/* CEL_DYN: there is none. */
struct cel_value cel_map_find(struct cel_run *r, struct cel_value map, struct cel_value key);
struct cel_value cel_member_find(
        struct cel_run *r, struct cel_value v, struct slice name, const struct cel_field *field);
const struct cel_type *cel_value_type(struct arena *a, struct cel_value v);
/* As errors and string() have it. */
void cel_value_write(struct cel_run *r, struct strbuf *out, struct cel_value v);
void cel_write_double(struct strbuf *out, double d);
struct cel_value cel_no_overload(void);
static inline bool is_error(struct cel_value v)
{
	return v.kind == CEL_ERROR;
}
/* Compiled once a run. NULL with an error of that run. */
const struct pattern *cel_run_pattern(struct cel_run *r, struct slice text, struct cel_value *ret_error);
void *cel_run_cache_get(struct cel_run *r, char what, struct slice key);
void cel_run_cache_put(struct cel_run *r, char what, struct slice key, void *value);

/* Work inside of a function that its cost does not tell: `parts` of which CEL_WORK_PARTS make a unit. False: the budget
 * is used up, and the function need not go on: nobody will see its value. */
enum { CEL_WORK_PARTS = 16 };
bool cel_work(struct cel_run *r, uint64_t parts);
/* The same for a pattern that is about to look at so many bytes. */
bool cel_work_pattern(struct cel_run *r, const struct pattern *p, size_t bytes);

/* times */
bool cel_time_parse(struct slice text, int64_t *ret_s, int32_t *ret_nanos);
bool cel_span_parse(struct slice text, int64_t *ret_nanos);
void cel_time_write(struct strbuf *out, int64_t s, int32_t nanos);
void cel_span_write(struct strbuf *out, int64_t nanos);

/* ---- programs ---- */

struct cel_program {
	struct node *root;
	const struct cel_type *type;
	uint64_t cost;
	size_t slots;
	bool *uses;
};

/* Types all nodes; false: issues were added. */
bool cel_check_expression(struct arena *a, const struct cel_env *env, const struct cel_variable *vars, size_t count,
        struct node *root, struct cel_issues *issues, bool *uses, size_t *ret_slots);
uint64_t cel_estimate_cost(struct node *root);
uint64_t cel_call_cost(struct cel_run *r, const struct function_overload *o, const struct cel_value *args, size_t count,
        struct cel_value result);

#endif
