/* What admission policies and webhooks say of the requests that they are for: rules, selectors, conditions. Defaults
 * and validation of those parts, for the kinds that have them. Any thread. */
#ifndef K3X_API_MACHINERY_RULES_ADMISSION_ADMISSION_MATCH_H
#define K3X_API_MACHINERY_RULES_ADMISSION_ADMISSION_MATCH_H

#include "api/machinery/rules/validate.h"
#include "base/json/json.h"

/* matchPolicy, namespaceSelector, objectSelector of an object that has them (a policy's matchConstraints, a webhook).
 * `rules`: the name of its list of rules, whose scope is filled in. */
void admission_match_defaults(struct arena *a, struct json *v, const char *rules);
/* One {operations, apiGroups, apiVersions, resources, scope}. */
void admission_check_rule(struct field_errors *e, const struct json *rule, const char *path);
/* MatchResources, of a policy or a binding. */
void admission_check_match(struct field_errors *e, const struct json *v, const char *path);
/* matchConditions: how many there are, their names, and whether they say anything. */
void admission_check_condition_names(struct field_errors *e, const struct json *list, const char *path);
/* The same, and their expressions are compiled; they may not ask for params. */
void admission_check_conditions(struct field_errors *e, const struct json *list, const char *path);

#endif
