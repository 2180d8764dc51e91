/* A ValidatingAdmissionPolicy's expressions, compiled once. */
#ifndef K3X_API_MACHINERY_CEL_POLICY_PROGRAM_H
#define K3X_API_MACHINERY_CEL_POLICY_PROGRAM_H

#include "api/machinery/cel/policy_env.h"

struct policy_check {
	struct slice expression, message, reason; /* trimmed; the last two may be empty */
	const struct cel_program *program, *message_program;
};

struct policy_annotation {
	struct slice key;
	const struct cel_program *program;
};

struct policy_named {
	struct slice name;
	const struct cel_program *program;
};

/* More of them are not looked at: validation has refused them. */
enum { POLICY_VARIABLES_COUNT_MAX = 256 };

struct policy_program {
	const struct match_conditions *conditions;
	struct policy_named *variables;
	struct policy_check *checks;
	struct policy_annotation *annotations;
	size_t variable_count, check_count, annotation_count;
};

/* What is told of each expression that is wrong: its place below spec ("validations[0].expression"), the expression,
 * and why. */
struct policy_faults {
	void (*bad)(void *arg, const char *field, struct slice expression, const char *words);
	void *arg;
};

/* Of a policy's spec. `object` and `params`: the types to compile against; NULL: any. All is copied into the arena. A
 * program that does not compile is NULL in the result, and told to `faults` (NULL: nobody). */
const struct policy_program *policy_program_new(struct arena *a, const struct json *spec, const struct cel_type *object,
        const struct cel_type *params, const struct policy_faults *faults);

/* The value of `variables`: each is evaluated when it is first asked for, in the run that asks. `values` are the run's
 * own variables; they and the result must live as long as it. */
struct cel_value policy_variables(struct arena *a, const struct policy_program *p, const struct cel_value *values);

#endif
