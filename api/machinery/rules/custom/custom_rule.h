/* Rules in CEL of a schema (x-kubernetes-validations), compiled. See custom_program.h for how they are asked. */
#ifndef K3X_API_MACHINERY_RULES_CUSTOM_CUSTOM_RULE_H
#define K3X_API_MACHINERY_RULES_CUSTOM_CUSTOM_RULE_H

#include "api/machinery/rules/field_errors.h"
#include "base/cel/cel.h"

struct custom_rule {
	struct slice rule, message, reason; /* trimmed; the last two may be empty */
	const char *field_path;             /* below the value: ".spec.name"; "" */
	const struct cel_program *program;
	const struct cel_program *message_program; /* NULL: none */
	bool uses_old, optional_old;
};

struct custom_rules {
	const struct cel_type *type; /* of the value */
	struct custom_rule *items;
	size_t count;
};

enum { CUSTOM_RULE_SELF, CUSTOM_RULE_OLD_SELF };

/* Compiles one rule over values of this type. False: `words` has what is wrong with the rule, `message_words` what with
 * its messageExpression; both lines for people. Either may be NULL. */
bool custom_rule_compile(struct arena *a, const struct json *rule, const struct cel_type *type, struct custom_rule *out,
        struct strbuf *words, struct strbuf *message_words);
/* All of a schema. ERR_INVAL and NULL: one does not compile. */
const struct custom_rules *custom_rules_new(
        struct arena *a, const struct json *rules, const struct cel_type *type, struct err *err);

#endif
