/* What is wrong with an object, collected: the causes of a Status with reason Invalid. Any thread. */
#ifndef K3X_API_MACHINERY_RULES_FIELD_ERRORS_H
#define K3X_API_MACHINERY_RULES_FIELD_ERRORS_H

#include "base/json/json.h"

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

/* A list of texts as Go prints it, for messages: []string{"a", "b"}; `type` is what stands before the brace. */
const char *go_list_text(struct arena *a, const char *type, const struct json *list);

#endif
