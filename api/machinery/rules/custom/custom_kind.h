/* A CustomResourceDefinition as rows of the registry that have all a kind has: schema compiled, columns, scale. */
#ifndef K3X_API_MACHINERY_RULES_CUSTOM_CUSTOM_KIND_H
#define K3X_API_MACHINERY_RULES_CUSTOM_CUSTOM_KIND_H

#include "api/machinery/schema/custom_resource.h"

/* As custom_resources_new(), with `custom` and `columns` set. */
int custom_kind_new(const struct json *crd, struct custom_resources **ret, struct err *err);

/* The stored text as the row's version has it (its own one, where a webhook converts): apiVersion, what the schema does
 * not know taken out, and defaults filled in (objects may be older than the schema). `out` gets the text when it is
 * another; false: it is so already. */
bool custom_kind_renew(const struct resource *r, struct slice stored, struct strbuf *out);

#endif
