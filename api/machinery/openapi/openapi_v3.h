/* OpenAPI v3: the index and one document per group version, as /openapi/v3 serves them.
 *
 * Documents are written from the schema tables and the resource registry each time they are asked for, and nothing is
 * kept: a caller that wants a cache keys it by the path and resources_generation(). Costs some milliseconds and, while
 * it runs, the unpacked docs (about 1 MB). Any thread; keep it off the loops' hot path. */
#ifndef K3X_API_MACHINERY_OPENAPI_OPENAPI_V3_H
#define K3X_API_MACHINERY_OPENAPI_OPENAPI_V3_H

#include "api/machinery/openapi/discovery.h"
#include "base/err.h"
#include "base/mem/str.h"

/* /openapi/v3: {"paths":{"api/v1":{"serverRelativeURL":"/openapi/v3/api/v1?hash=..."}, ...}}. The hash changes when the
 * document of that group version may have changed; what other servers serve has none. */
void openapi_v3_index(struct strbuf *out, struct discovery_extras extras);
/* The hash in the index, hex text, for ETag and the ?hash= check. ERR_NOT_FOUND when the group version is not served.
 */
int openapi_v3_hash(struct slice path, char out[65], struct err *err);
/* `path` is what follows /openapi/v3/: "api/v1", "apis/apps/v1". ERR_NOT_FOUND when that group version is not served.
 */
int openapi_v3_document(struct strbuf *out, struct slice path, struct err *err);

#endif
