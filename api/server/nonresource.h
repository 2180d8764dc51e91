/* Paths that are not resources: discovery, OpenAPI, health, version, metrics. */
#ifndef K3X_API_SERVER_NONRESOURCE_H
#define K3X_API_SERVER_NONRESOURCE_H

#include "api/server/call.h"

/* Answers it. API loop. */
void api_nonresource(struct call *c);

#endif
