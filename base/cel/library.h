/* For those who add functions to CEL: a library is a table of overloads.
 *
 *     static const struct cel_overload greet[] = {{"hello", "string.(int)string", hello, CEL_COST_ONE}};
 *     const struct cel_library greetings = {greet, COUNT_OF(greet)};
 *     env = cel_env_new(&arena, (const struct cel_library *[]){&greetings}, 1);
 *
 * A declaration is "TARGET.(ARGUMENTS)RESULT" for members and "(ARGUMENTS)RESULT" for functions. Types: null bool int
 * uint double string bytes timestamp duration dyn, list(T), map(K,V), optional(T), type(T), a single capital for a
 * parameter, and every other word for an opaque type of that name.
 *
 * A function gets arguments of the kinds that it declared, never errors, and answers with a value or cel_error(). What
 * it allocates comes from run->arena, and must be in proportion to its arguments: costs are counted after it. */
#ifndef K3X_BASE_CEL_LIBRARY_H
#define K3X_BASE_CEL_LIBRARY_H

#include "base/cel/cel.h"

typedef struct cel_value cel_fn(struct cel_run *r, const struct cel_value *args, size_t count);

/* How a call's cost follows from its arguments, at run time and in the estimate. A text is 0.1 a byte. */
enum cel_cost {
	CEL_COST_ONE,
	CEL_COST_SCAN,       /* over the first argument */
	CEL_COST_SCAN_SAME,  /* and the result is no longer */
	CEL_COST_SCAN_ARG,   /* over the second */
	CEL_COST_SCAN_TWICE, /* over the first, and a result of as many bytes or parts */
	CEL_COST_REPLACE,
	CEL_COST_JOIN,
	CEL_COST_PATTERN,  /* text times pattern */
	CEL_COST_CONTAINS, /* text times text */
	CEL_COST_IN_LIST,  /* elements of the second */
	CEL_COST_COMPARE,  /* the smaller of the two */
	CEL_COST_ADD_TEXT,
	CEL_COST_ADD_LIST,
	CEL_COST_WALK, /* the elements of the first, and their bytes */
	CEL_COST_SETS, /* elements times elements */
	CEL_COST_SETS_TWICE,
	CEL_COST_TO_BYTES,
	CEL_COST_TO_STRING,
	CEL_COST_QUOTE,
	CEL_COST_HAS_IP,      /* two addresses compared */
	CEL_COST_HAS_NET,     /* two networks */
	CEL_COST_HAS_IP_TEXT, /* and the second parsed */
	CEL_COST_HAS_NET_TEXT,
	CEL_COST_FORMAT,   /* a pattern over the second */
	CEL_COST_CHECK,    /* an authorizer asked */
	CEL_COST_SELECTOR, /* the second parsed as a selector */
};

struct cel_overload {
	const char *name, *declaration;
	cel_fn *fn;
	enum cel_cost cost;
};

struct cel_library {
	const struct cel_overload *overloads;
	size_t count;
};

/* The language's own functions and the libraries that need no knowledge of Kubernetes' kinds (strings, lists, regex,
 * URL, IP, CIDR, sets, optional, format of strings) are always there. In the arena. */
const struct cel_env *cel_env_new(struct arena *a, const struct cel_library *const *libraries, size_t count);

/* ---- values, for functions ---- */
/* A library's own values begin with their words: what is equal has equal words. `p` lies in the run's arena, or for
 * ever. */
struct cel_opaque {
	const char *words;
};
struct cel_value cel_of_opaque(const struct cel_type *type, const struct cel_opaque *p);
struct cel_value cel_of_double(double d);
struct cel_value cel_of_bytes(struct slice bytes);
/* Of any list, a view or made by a run. */
struct cel_value cel_list_at(struct cel_run *r, struct cel_value list, uint64_t i); /* i is in it */
size_t cel_list_count(struct cel_value list);

/* Lists that grow; end by cel_list_value(). */
struct cel_list_maker {
	struct cel_value *items;
	size_t count, cap;
};
void cel_list_add(struct cel_run *r, struct cel_list_maker *m, struct cel_value v);
struct cel_value cel_list_value(struct cel_run *r, const struct cel_list_maker *m);
struct cel_map_maker {
	struct cel_list_maker keys, values;
};
void cel_map_add(struct cel_run *r, struct cel_map_maker *m, struct cel_value key, struct cel_value v);
struct cel_value cel_map_value(struct cel_run *r, const struct cel_map_maker *m);

/* Walks the elements of a list, or the keys of a map: `v` is set and true, or false at the end. */
struct cel_walk {
	struct cel_value of;
	const struct json *next;
	size_t at;
	struct cel_value key, value; /* of lists: its place, and the element */
};
void cel_walk_start(struct cel_walk *w, struct cel_value of);
bool cel_walk_next(struct cel_run *r, struct cel_walk *w);

/* Bytes of texts as characters, elements, members; 1 for all else. */
uint64_t cel_size(struct cel_value v);
/* 1: equal, 0: not. Numbers by value, whatever their kinds. */
bool cel_equal(struct cel_run *r, struct cel_value a, struct cel_value b);
/* False: they have no order. */
bool cel_compare(struct cel_value a, struct cel_value b, int *ret_order);
/* Its words, as string() and messages have them; in the run's arena. */
const char *cel_show(struct cel_run *r, struct cel_value v);
/* A printf into the run's arena. */
__attribute__((format(printf, 2, 3))) struct cel_value cel_text(struct cel_run *r, const char *fmt, ...);

#endif
