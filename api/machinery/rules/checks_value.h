/* What fields of many kinds are checked for beyond checks.h: choices where nothing is no choice either, counts,
 * amounts that may be percentages, conditions, and selectors as Go shows them. Pure; any thread. Each adds what is
 * wrong to `e` at `field`. */
#ifndef K3X_API_MACHINERY_RULES_CHECKS_VALUE_H
#define K3X_API_MACHINERY_RULES_CHECKS_VALUE_H

#include "api/machinery/rules/field_errors.h"

/* One of a comma-separated list; "" is as unsupported as any other text. */
void check_supported(struct field_errors *e, const char *field, struct slice value, const char *supported);
/* A list that is longer than `max`. */
void check_not_too_many(struct field_errors *e, const char *field, const struct json *list, unsigned max);
/* A text that is longer than `max` bytes. */
void check_not_too_long(struct field_errors *e, const char *field, const struct json *v, unsigned max);

/* An IntOrString: a number that is not below 0, or "50%". NULL is fine. */
void check_count_or_percent(struct field_errors *e, const char *field, const struct json *v);
/* The same, and not more than 100%. */
void check_count_or_part(struct field_errors *e, const char *field, const struct json *v);
/* How many, or how many in a hundred; 0 when absent or neither. */
int64_t count_or_percent(const struct json *v);

/* A list of metav1.Condition: each type once, status, reason and time in order. */
void check_meta_conditions(struct field_errors *e, const char *field, const struct json *conditions);

/* As Go's %#v shows a map of labels and a metav1.LabelSelector: map[string]string{"a":"b"}. In the arena; a NULL
 * one too. */
const char *go_map_text(struct arena *a, const struct json *map);
const char *go_selector_text(struct arena *a, const struct json *selector);
/* A selector that is no longer what it was. */
void check_same_selector(struct field_errors *e, const char *field, const struct json *now, const struct json *before);

#endif
