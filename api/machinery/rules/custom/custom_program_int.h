/* The compiled form: a node per schema. */
#ifndef K3X_API_MACHINERY_RULES_CUSTOM_CUSTOM_PROGRAM_INT_H
#define K3X_API_MACHINERY_RULES_CUSTOM_CUSTOM_PROGRAM_INT_H

#include "api/machinery/rules/custom/custom_program.h"
#include "api/machinery/rules/custom/custom_format.h"
#include "base/pattern.h"

enum custom_type {
	CUSTOM_ANY_TYPE = 0,
	CUSTOM_OBJECT = 1,
	CUSTOM_ARRAY = 2,
	CUSTOM_STRING = 4,
	CUSTOM_INTEGER = 8,
	CUSTOM_NUMBER = 16,
	CUSTOM_BOOLEAN = 32,
};

enum custom_flag {
	CUSTOM_NULLABLE = 1,
	CUSTOM_INT_OR_STRING = 2,
	CUSTOM_EMBEDDED = 4,
	CUSTOM_EXCLUSIVE_MAX = 8,
	CUSTOM_EXCLUSIVE_MIN = 16,
	CUSTOM_UNIQUE = 128,
	CUSTOM_FILLS = 256,   /* it or something below it has a default */
	CUSTOM_SET = 512,     /* x-kubernetes-list-type: set */
	CUSTOM_KEYED = 1024,  /* map */
	CUSTOM_CLOSED = 2048, /* additionalProperties: false */
	CUSTOM_RULED = 4096,  /* it or something below it has rules in CEL */
};

struct custom_node;
struct custom_rules;

struct custom_member {
	struct slice name;
	const struct custom_node *node;
};

struct custom_list {
	const struct custom_node **nodes;
	size_t count;
};

/* Bounds of numbers, with what messages call them; NULL: none. */
struct custom_range {
	double max, min, multiple_of;
	const char *max_text, *min_text, *multiple_text;
};

/* Bounds of strings, lists and objects; -1: none. */
struct custom_sizes {
	int64_t length_max, length_min, items_max, items_min, members_max, members_min;
};

struct custom_pattern {
	const char *text;
	const struct pattern *pattern;
};

struct custom_combinations {
	struct custom_list all_of, any_of, one_of;
	const struct custom_node *unlike; /* "not" */
};

/* There are some hundred of these in each of some hundred definitions: what is rare hangs on it, or
 * is NULL. */
struct custom_node {
	uint16_t type, flags;
	uint16_t required_count, key_count;
	struct custom_member *members; /* sorted by name */
	size_t member_count;
	const struct custom_node *items, *values;
	struct slice *required;
	struct slice *keys;          /* of a keyed list */
	const struct json *fallback; /* default; NULL: none */
	const struct json *choices;  /* enum */
	const struct custom_format *format;
	const struct custom_range *range;
	const struct custom_sizes *sizes;
	const struct custom_pattern *pattern;
	const struct custom_combinations *combinations;
	const struct custom_rules *rules;
};

struct custom_program {
	const struct custom_node *root;
};

/* Where a value stands in its object. */
struct custom_place {
	const struct custom_place *parent;
	struct slice name;
	size_t index;
	bool is_element;
	bool is_key; /* of a map, said in brackets as upstream's rules do */
};
const char *custom_place_text(struct arena *a, const char *base, const struct custom_place *at);
/* What an element of a keyed list or a set is known by. */
void custom_element_name(struct strbuf *out, const struct custom_node *list, const struct json *element);
/* custom_program_new() of a schema that is a part of another. */
const struct custom_program *custom_program_of_part(
        struct arena *a, const struct json *schema, bool with_rules, struct err *err);

const char *custom_type_name(unsigned type);                                                  /* as schemas have it */
const struct custom_node *custom_node_member(const struct custom_node *n, struct slice name); /* NULL: none */

#endif
