/* What volumes and claims are checked for alike: core_volume.c's, for core_claim.c. Each adds what is wrong at `field`.
 */
#ifndef K3X_API_MACHINERY_RULES_GROUPS_CORE_VOLUME_INT_H
#define K3X_API_MACHINERY_RULES_GROUPS_CORE_VOLUME_INT_H

#include "api/machinery/rules/field_errors.h"

void check_access_modes(struct field_errors *e, const char *field, const struct json *modes);
/* Empty: none, which is fine. */
void check_class_name(struct field_errors *e, const char *field, struct slice name);
/* Quantities; what is none was refused before. */
void check_positive_amount(struct field_errors *e, const char *field, const struct json *amount);
void check_no_debt(struct field_errors *e, const char *field, const struct json *amount);

#endif
