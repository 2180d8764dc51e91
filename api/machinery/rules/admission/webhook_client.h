/* Where a webhook is, as configurations of webhooks and CustomResourceDefinitions say it (clientConfig): defaults and
 * validation. Any thread. */
#ifndef K3X_API_MACHINERY_RULES_ADMISSION_WEBHOOK_CLIENT_H
#define K3X_API_MACHINERY_RULES_ADMISSION_WEBHOOK_CLIENT_H

#include "api/machinery/rules/field_errors.h"
#include "base/json/json.h"

void webhook_client_defaults(struct arena *a, struct json *client); /* NULL is allowed */
/* Exactly one of url and service, as upstream wants it. */
void webhook_client_check(struct field_errors *e, const struct json *client, const char *here);
/* Versions of reviews: labels, each once, one of which is spoken here unless `any` is true. `needed`: what is said when
 * there are none. */
void webhook_review_versions_check(
        struct field_errors *e, const struct json *list, const char *needed, bool any, const char *field);
/* Is one of them spoken here? */
bool webhook_review_version_is_known(const struct json *list);

#endif
