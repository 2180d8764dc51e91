/* The status of a pod. Loop's thread. */
#ifndef K3X_NODE_STATUS_POD_STATUS_H
#define K3X_NODE_STATUS_POD_STATUS_H

#include "base/json/json.h"

struct pod;

void pod_status_update(struct pod *p); /* writes it when it differs from the last */
/* The status as an object in the arena. */
struct json *pod_status_build(struct pod *p, struct arena *a);

#endif
