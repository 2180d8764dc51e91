/* What the parts of the schema generator share: the model that gen_schema_parse.c reads out of Go sources and
 * gen_schema_emit.c turns into C tables. A build tool: it runs once, frees nothing, and stops at the first fault. */
#ifndef K3X_TOOLS_SCHEMA_GEN_SCHEMA_H
#define K3X_TOOLS_SCHEMA_GEN_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

enum { NAME_MAX_ = 200, PACKAGES_MAX = 64, TYPES_MAX = 4000, FIELDS_MAX = 400, ENUMS_MAX = 4000 };

struct go_field {
	const char *name; /* Go name */
	const char *expr; /* type expression, package-qualified by import path: "[]*k8s.io/api/core/v1.Pod" */
	const char *json; /* JSON name, "" for inlined ones, NULL for "-" */
	const char *doc;
	const char *patch_strategy;
	const char *patch_merge_key;
	const char *list_type;
	char list_keys[NAME_MAX_];
	const char *default_json;
	int number; /* protobuf, 0 when none */
	bool is_fixed;
	bool omitempty;
	bool inlined;
	bool optional;
	bool atomic;
};

struct go_type {
	const char *package; /* import path */
	const char *name;
	const char *doc;
	const char *alias; /* type expression of what is no struct; NULL for structs */
	struct go_field *fields;
	size_t field_count;
	bool is_enum;
	bool is_atomic;
	bool is_union;   /* +k3x:union: JSON is a schema or what the other field holds */
	bool is_message; /* a slice that protobuf wraps into a message */
	int index;       /* in the emitted table, -1: not emitted */
};

struct go_const {
	const char *package;
	const char *type; /* "" when untyped */
	const char *name;
	const char *value; /* without quotes */
};

struct go_model {
	struct go_type *types;
	size_t type_count;
	struct go_const *consts;
	size_t const_count;
};

/* gen_schema_parse.c */
void go_parse_file(struct go_model *m, const char *package, const char *path);
struct go_type *go_type_find(struct go_model *m, const char *qualified); /* "k8s.io/api/core/v1.Pod" */

/* gen_schema_emit.c */
void gen_emit(struct go_model *m, const char *out_path);

/* gen_schema.c */
__attribute__((noreturn, format(printf, 1, 2))) void gen_fail(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) char *gen_printf(const char *fmt, ...);

#endif
