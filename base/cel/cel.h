/* CEL, the Common Expression Language (cel-spec, "Language Definition"), as Kubernetes 1.32 speaks it.
 *
 *     const struct cel_variable vars[] = {{"self", type}};
 *     const struct cel_program *p = cel_compile(&arena, env, vars, 1, text, &words);     once; NULL: words say why
 *     struct cel_run r = {.arena = &scratch, .variables = values, .cost_max = 1000000};
 *     struct cel_value v = cel_run(p, &r);                                                 often, from any thread
 *
 * Expressions come from users and objects from other users, so all is bounded: the length and depth of an expression
 * (CEL_TEXT_BYTES_MAX, CEL_DEPTH_MAX), what a run may cost (in upstream's units: cost_max) and the memory it may take
 * (CEL_RUN_BYTES_MAX). Errors of evaluation are values, as the language has it: && and || may absorb them.
 *
 * Values are views on JSON trees: nothing is copied, and they live as long as the tree, or as the run's arena. Types
 * and programs live in the arena they were made in, and never change. */
#ifndef K3X_BASE_CEL_CEL_H
#define K3X_BASE_CEL_CEL_H

#include "base/json/json.h"

#include <stdint.h>

/* ---- types ---- */

enum cel_kind {
	CEL_DYN, /* of types: any */
	CEL_ERROR,
	CEL_NULL,
	CEL_BOOL,
	CEL_INT,
	CEL_UINT,
	CEL_DOUBLE,
	CEL_STRING,
	CEL_BYTES,
	CEL_TIMESTAMP,
	CEL_DURATION,
	CEL_LIST,
	CEL_MAP,
	CEL_OBJECT,
	CEL_TYPE,
	CEL_OPTIONAL,
	CEL_OPAQUE, /* of a library */
	CEL_PARAM,  /* in declarations of functions */
};

enum cel_list_type { CEL_LIST_ATOMIC, CEL_LIST_SET, CEL_LIST_KEYED };

/* "no bound is known" */
#define CEL_SIZE_UNBOUND UINT64_MAX

struct cel_field {
	struct slice name;   /* in expressions: escaped */
	struct slice member; /* in JSON */
	const struct cel_type *type;
};

struct cel_type {
	enum cel_kind kind;
	enum cel_list_type list_type;
	const char *name;                  /* of objects, opaque types, parameters */
	const struct cel_type *key, *elem; /* maps have both; lists, optionals and types an elem */
	const struct cel_field *fields;    /* of an object, sorted by name */
	size_t field_count;
	const struct slice *keys; /* of a keyed list */
	size_t key_count;
	uint64_t size_max;       /* bytes of a text, elements: for the estimate of costs */
	uint64_t text_bytes_min; /* of its JSON text, at least: for the estimate of how often it can be there */
};

extern const struct cel_type cel_type_dyn, cel_type_null, cel_type_bool, cel_type_int, cel_type_uint, cel_type_double,
        cel_type_string, cel_type_bytes, cel_type_timestamp, cel_type_duration;

const struct cel_type *cel_type_list(struct arena *a, const struct cel_type *elem);
const struct cel_type *cel_type_map(struct arena *a, const struct cel_type *key, const struct cel_type *elem);
const struct cel_type *cel_type_optional(struct arena *a, const struct cel_type *elem);
/* "map(string, list(int))", in the arena. */
const char *cel_type_text(struct arena *a, const struct cel_type *t);
const struct cel_field *cel_type_field(const struct cel_type *object, struct slice name); /* NULL: none */

/* ---- values ---- */

struct cel_list;
struct cel_map;
struct cel_lazy;

struct cel_value {
	enum cel_kind kind;
	bool is_view;                /* of a JSON array or object: `tree`, and `type` when it is declared */
	int32_t nanos;               /* of a timestamp */
	const struct cel_type *type; /* of a view: its declared type, or NULL; of CEL_OPAQUE: its type */
	union {
		bool boolean;
		int64_t integer; /* and seconds of a timestamp, nanoseconds of a duration */
		uint64_t natural;
		double real;
		struct slice text; /* and bytes */
		const struct json *tree;
		const struct cel_list *list;
		const struct cel_map *map;
		const struct cel_lazy *lazy;  /* CEL_OBJECT that is no view */
		const struct cel_type *of;    /* CEL_TYPE */
		const struct cel_value *held; /* CEL_OPTIONAL; NULL: none */
		const void *opaque;
		const char *error; /* CEL_ERROR: words */
	};
};

struct cel_run;

/* An object whose members are made when they are asked for. `member` answers kind CEL_DYN when there is none. */
struct cel_lazy {
	struct cel_value (*member)(void *arg, struct cel_run *r, struct slice name);
	void *arg;
};

/* A view. `type` NULL or dyn: as the JSON is. NULL trees are null. Texts that are not what their type says (a time, a
 * duration, base64) become errors. The arena is for decoded bytes. */
struct cel_value cel_of_json(struct arena *a, const struct json *tree, const struct cel_type *type);
struct cel_value cel_of_text(struct slice text);
struct cel_value cel_of_bool(bool b);
struct cel_value cel_of_int(int64_t i);
struct cel_value cel_of_lazy(const struct cel_lazy *lazy);
struct cel_value cel_null(void);
/* optional.of(v); NULL: optional.none(). Copied into the arena. */
struct cel_value cel_of_optional(struct arena *a, const struct cel_value *held);
__attribute__((format(printf, 2, 3))) struct cel_value cel_error(struct arena *a, const char *fmt, ...);

/* ---- programs ---- */

struct cel_env; /* which functions there are; see library.h */
struct cel_program;

struct cel_variable {
	const char *name;
	const struct cel_type *type;
};

/* Compiles into the arena; all texts are copied. NULL: `words` got what is wrong, a line "ERROR: <input>:1:5: ..." for
 * each fault with the source below it. `words` may be NULL. The types of variables must live as long as the program. */
const struct cel_program *cel_compile(struct arena *a, const struct cel_env *env, const struct cel_variable *variables,
        size_t count, struct slice text, struct strbuf *words);
const struct cel_type *cel_program_type(const struct cel_program *p);
/* The worst it can cost by the sizes its types declare. */
uint64_t cel_program_cost(const struct cel_program *p);
/* Does it name this variable? */
bool cel_program_uses(const struct cel_program *p, size_t variable);

struct cel_run {
	/* set by the caller */
	struct arena *arena;               /* of all that is made */
	const struct cel_value *variables; /* in the order of compilation */
	uint64_t cost_max;
	void *context; /* for libraries of the caller's */
	/* what it did cost; stays over several runs if the caller does not reset it */
	uint64_t cost;
	/* the run's own */
	struct cel_value *locals;
	struct map *cache; /* indexes of large trees, compiled patterns, time zones; goes with the arena */
	size_t bytes_max;
	uint64_t work; /* what is done inside of functions, in parts of a unit of cost */
	bool is_over;  /* the budget is used up: every step is an error from here on */
};

#define CEL_OVER_BUDGET "operation cancelled: actual cost limit exceeded"

/* Never fails but with a value of kind CEL_ERROR. The cost is counted from r->cost on; when it exceeds cost_max the
 * value is an error with the words CEL_OVER_BUDGET. A struct cel_run may serve several programs while its arena lives:
 * it keeps what it indexed. */
struct cel_value cel_run(const struct cel_program *p, struct cel_run *r);

/* "no such key: x" and the like; "" when it is no error. */
const char *cel_error_text(struct cel_value v);
static inline bool cel_is_true(struct cel_value v)
{
	return v.kind == CEL_BOOL && v.boolean;
}

/* The name of a property as expressions have it: __dot__, __dash__, __slash__, __underscores__, and __in__ for words of
 * the language. SLICE_NULL when it has none. In the arena, or the name itself. */
struct slice cel_escape(struct arena *a, struct slice name);

/* A text of the format "duration" as schemas have it (kube-openapi's strfmt.ParseDuration): Go's "1h30m", or numbers
 * with words, "5 minutes", of which those that mean nothing don't count. Nanoseconds. Any thread. */
bool cel_duration_parse(struct slice text, int64_t *ret_nanos);

#endif
