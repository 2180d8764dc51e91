/* The schema of a custom resource, compiled once: what it fills in and what it refuses. What it does not know at all is
 * taken out before, by its type (schema/custom_schema.h) as with built-in kinds.
 *
 * A program lies in the arena that it was made in, copies all it needs, and never changes: any thread. */
#ifndef K3X_API_MACHINERY_RULES_CUSTOM_CUSTOM_PROGRAM_H
#define K3X_API_MACHINERY_RULES_CUSTOM_CUSTOM_PROGRAM_H

#include "api/machinery/rules/field_errors.h"
#include "base/err.h"
#include "base/json/json.h"

struct custom_program;

/* Of an openAPIV3Schema (as a tree, read during the call alone). NULL with ERR_INVAL: a pattern or a rule is none, or
 * it nests too deep; all are refused when a definition is validated. */
const struct custom_program *custom_program_new(struct arena *a, const struct json *schema, struct err *err);

/* Is there a rule in CEL in a schema, or below it? */
bool custom_schema_has_rules(const struct json *schema);

/* Fills in defaults, and takes out nulls where the schema allows none (a default takes their place). In place, new
 * nodes from the arena. apiVersion, kind and metadata of the whole object are left alone. A second time it changes
 * nothing. True: something was changed. */
bool custom_program_fill(struct arena *a, const struct custom_program *p, struct json *object);

/* Adds what is wrong, in upstream's words. `old` not NULL: parts that are as they were there are not looked at, so that
 * a schema may become stricter than what is stored (KEP-4008). `path` "" for whole objects, else the place of the value
 * in messages; is_whole: apiVersion, kind and metadata are not the schema's. */
void custom_program_check(struct field_errors *e, const struct custom_program *p, const struct json *value,
        const struct json *old, const char *path, bool is_whole);

/* Then its rules in CEL (x-kubernetes-validations), which count on values of the right shape: when what is wrong so far
 * leaves it in doubt, that is said instead. Rules that look at oldSelf are asked where there is an old value, all
 * others where the value is new or another. */
void custom_program_check_rules(struct field_errors *e, const struct custom_program *p, const struct json *value,
        const struct json *old, const char *path);

/* A value by a schema that is not compiled yet, for defaults. ERR_INVAL when the schema does not compile. */
int custom_schema_check_value(
        struct field_errors *e, const struct json *schema, const struct json *value, const char *path, struct err *err);

#endif
