/* Validation: what upstream's ValidateX functions refuse, with the same reasons, fields and words.
 *
 * Errors are collected, not returned one by one: the answer is a Status with reason Invalid and one cause per error.
 * Any thread. */
#ifndef K3X_API_MACHINERY_RULES_VALIDATE_H
#define K3X_API_MACHINERY_RULES_VALIDATE_H

#include "api/machinery/rules/field_errors.h"
#include "api/machinery/rules/names.h"
#include "api/machinery/schema/resources.h"

/* Metadata rules of every kind (names, labels, annotations, finalizers, generateName, ownerReferences) and the rules of
 * the kind. `old` NULL: a creation; else an update of it: immutable fields too. sub: "" or the subresource written. */
void validate_object(struct field_errors *e, const struct resource *r, const struct json *object,
        const struct json *old, const char *sub);

#endif
