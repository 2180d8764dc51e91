/* What the files of validation share. */
#ifndef K3X_API_MACHINERY_RULES_CHECKS_H
#define K3X_API_MACHINERY_RULES_CHECKS_H

#include "api/machinery/rules/field_errors.h"
#include "api/machinery/rules/names.h"
#include "base/json/json.h"
#include "base/mem/map.h"

/* Messages in upstream's shapes. `value` is shown as Go would print it. */
void bad_required(struct field_errors *e, const char *field, const char *detail);
void bad_value(struct field_errors *e, const char *field, struct slice value, const char *detail);
void bad_number(struct field_errors *e, const char *field, int64_t value, const char *detail);
struct quantity;
/* In its canonical form, without quotes, as a Quantity of Go's prints itself. */
void bad_quantity(struct field_errors *e, const char *field, const struct quantity *q, const char *detail);
void bad_choice(struct field_errors *e, const char *field, struct slice value, const char *supported);
void bad_duplicate(struct field_errors *e, const char *field, struct slice value);
void bad_immutable(struct field_errors *e, const char *field, struct slice value);
void bad_forbidden(struct field_errors *e, const char *field, const char *detail);
void bad_not_found(struct field_errors *e, const char *field, struct slice value);

/* "spec.containers[2].name" in the arena. */
__attribute__((format(printf, 2, 3))) const char *at(struct field_errors *e, const char *fmt, ...);

/* One of a comma-separated list; empty only when `required` is false. */
void check_choice(struct field_errors *e, const char *field, struct slice value, const char *supported, bool required);
void check_port(struct field_errors *e, const char *field, int64_t port);
void check_labels(struct field_errors *e, const char *field, const struct json *labels);
void check_annotations(struct field_errors *e, const char *field, const struct json *annotations);
/* metav1.LabelSelector */
void check_selector(struct field_errors *e, const char *field, const struct json *selector);
/* For how long a token is asked for: 10 minutes to 2^32 seconds. */
void check_token_seconds(struct field_errors *e, const char *field, int64_t seconds);
/* A member that is an object; NULL: there is none, or it is null. */
const struct json *object_member(const struct json *o, const char *name);
void check_non_negative(struct field_errors *e, const char *field, const struct json *v);
/* So much of a resource: not below 0, and whole where it is counted in pieces. What is no quantity was refused before.
 */
void check_resource_amount(struct field_errors *e, const char *field, struct slice resource, struct slice text);

/* Names that were seen, hashed: lists are as long as a client cares to send. */
struct name_set {
	struct map map;
};
bool name_set_add(struct name_set *s, struct slice name); /* false: it was there already. Bytes are borrowed. */
bool name_set_has(const struct name_set *s, struct slice name);
void name_set_release(struct name_set *s);

/* Whether two objects differ in members that `free_fields` (commas between) does not name. */
bool differs_beyond(const struct json *now, const struct json *before, const char *free_fields);
/* `now` must be what `before` was; either may be NULL. */
void check_immutable(struct field_errors *e, const char *field, const struct json *now, const struct json *before);

#endif
