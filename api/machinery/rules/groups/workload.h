/* What kinds that make pods by a selector and a template share. */
#ifndef K3X_API_MACHINERY_RULES_GROUPS_WORKLOAD_H
#define K3X_API_MACHINERY_RULES_GROUPS_WORKLOAD_H

#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/warnings.h"

/* spec.selector is there and matches the labels of spec.template. */
void check_selector_matches(struct field_errors *e, const struct json *spec);
/* The same of one that may not be empty; that it is there is the caller's to say. `kind`: "deployment". */
void check_selector_chooses(struct field_errors *e, const struct json *spec, const char *kind);

/* Members of the status (commas between) that count something: none is below 0. */
void check_counters(struct field_errors *e, const struct json *status, const char *members);
/* ... none is above what the member `most` says. */
void check_not_above(
        struct field_errors *e, const struct json *status, const char *members, const char *most, const char *detail);
/* How often a name was taken already: that only grows. */
void check_collisions(struct field_errors *e, const struct json *status, const struct json *before);
/* Warnings: of a template at `base` when the spec is new, and of the name of who makes pods that are called after it.
 */
void warn_of_template(struct warnings *w, const char *base, const struct json *object, const struct json *old,
        const struct json *template);
void warn_of_pods_name(struct warnings *w, const struct json *object, const struct json *old);
/* Both, as of most kinds. */
void warn_of_workload(struct warnings *w, const struct json *object, const struct json *old);

#endif
