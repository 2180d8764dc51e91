/* Validation: what upstream's ValidateX functions refuse, with the same reasons, fields and words.
 *
 * Errors are collected, not returned one by one: the answer is a Status with reason Invalid and one cause per error.
 * Any thread. */
#ifndef K3X_API_MACHINERY_RULES_VALIDATE_H
#define K3X_API_MACHINERY_RULES_VALIDATE_H

#include "api/machinery/schema/resources.h"

struct field_error {
	const char *reason;  /* "FieldValueRequired", "FieldValueInvalid", "FieldValueNotSupported",
	                        "FieldValueForbidden", ... */
	const char *field;   /* "spec.containers[0].name" */
	const char *message; /* "Required value", "Invalid value: \"x\": must be ..." */
};

enum { FIELD_ERRORS_MAX = 64 };

struct field_errors {
	struct arena *arena;
	struct field_error items[FIELD_ERRORS_MAX];
	size_t count;
	size_t dropped;
};

void field_errors_init(struct field_errors *e, struct arena *a);
/* Copies its texts into the arena. */
__attribute__((format(printf, 4, 5))) void field_error_add(
        struct field_errors *e, const char *reason, const char *field, const char *fmt, ...);

/* Metadata rules of every kind (names, labels, annotations, finalizers, generateName, ownerReferences) and the rules of
 * the kind. `old` NULL: a creation; else an update of it: immutable fields too. sub: "" or the subresource written. */
void validate_object(struct field_errors *e, const struct resource *r, const struct json *object,
        const struct json *old, const char *sub);

/* Name rules by themselves: NULL when fine, else upstream's message. */
const char *validate_dns1123_label(struct slice s);
const char *validate_dns1123_subdomain(struct slice s);

const char *validate_label_key(struct slice s); /* "example.com/name" or "name" */
const char *validate_label_value(struct slice s);

#endif
