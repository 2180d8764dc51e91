/* OpenAPI v2 (Swagger): one document over all group versions, as JSON and in gnostic's protobuf form.
 *
 * client-go asks for the protobuf only (application/com.github.proto-openapi.spec.v2@v1.0+protobuf); kubectl falls back
 * to it for validation and explain. Written anew each time, see openapi_v3.h. Any thread. */
#ifndef K3X_API_MACHINERY_OPENAPI_OPENAPI_V2_H
#define K3X_API_MACHINERY_OPENAPI_OPENAPI_V2_H

#include "base/mem/str.h"

/* The Content-Type of the answer, and what clients ask for: '@' is not allowed in a media type, Go refuses to read it.
 */
#define OPENAPI_V2_PROTOBUF_TYPE "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
#define OPENAPI_V2_PROTOBUF_ACCEPT "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"

void openapi_v2_json(struct strbuf *out);
void openapi_v2_protobuf(struct strbuf *out);

#endif
