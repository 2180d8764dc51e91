/* What the files of discovery share: the parts of documents that tell of other servers. */
#ifndef K3X_API_MACHINERY_OPENAPI_DISCOVERY_INT_H
#define K3X_API_MACHINERY_OPENAPI_DISCOVERY_INT_H

#include "api/machinery/openapi/discovery.h"

/* Behind the last version of the group at `from`. */
size_t discovery_extras_span(struct discovery_extras x, size_t from);

/* The members of an APIGroup, without its braces; and one of an APIGroupDiscoveryList. */
void discovery_put_extra_group(struct strbuf *out, struct discovery_extras x, size_t from);
void discovery_put_extra(struct strbuf *out, struct discovery_extras x, size_t from);

/* Whole documents, or ERR_NOT_FOUND. */
int discovery_extra_group(struct strbuf *out, struct slice group, struct discovery_extras x, struct err *err);
int discovery_extra_resources(
        struct strbuf *out, struct slice group, struct slice version, struct discovery_extras x, struct err *err);

#endif
