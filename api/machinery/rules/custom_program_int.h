/* The compiled form: a node per schema. */
#ifndef K3X_API_MACHINERY_RULES_CUSTOM_PROGRAM_INT_H
#define K3X_API_MACHINERY_RULES_CUSTOM_PROGRAM_INT_H

#include "api/machinery/rules/custom_program.h"
#include "api/machinery/rules/custom_format.h"
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
	CUSTOM_HAS_MAX = 32,
	CUSTOM_HAS_MIN = 64,
	CUSTOM_UNIQUE = 128,
	CUSTOM_FILLS = 256,   /* it or something below it has a default */
	CUSTOM_SET = 512,     /* x-kubernetes-list-type: set */
	CUSTOM_KEYED = 1024,  /* map */
	CUSTOM_CLOSED = 2048, /* additionalProperties: false */
};

struct custom_node;

struct custom_member {
	struct slice name;
	const struct custom_node *node;
};

struct custom_list {
	const struct custom_node **nodes;
	size_t count;
};

struct custom_node {
	unsigned type, flags;
	const char *type_name;         /* as the schema has it, for messages */
	struct custom_member *members; /* sorted by name */
	size_t member_count;
	const struct custom_node *items, *values;
	struct slice *required;
	size_t required_count;
	struct slice *keys; /* of a keyed list */
	size_t key_count;
	const struct json *fallback;  /* default; NULL: none */
	const struct json *choices;   /* enum */
	double max, min, multiple_of; /* multiple_of 0: any */
	const char *max_text, *min_text, *multiple_text;
	int64_t length_max, length_min; /* -1: none; of strings */
	int64_t items_max, items_min, members_max, members_min;
	const char *pattern_text;
	const struct pattern *pattern;
	const struct custom_format *format;
	struct custom_list all_of, any_of, one_of;
	const struct custom_node * not ;
};

struct custom_program {
	const struct custom_node *root;
};

const struct custom_node *custom_node_member(const struct custom_node *n, struct slice name); /* NULL: none */

#endif
