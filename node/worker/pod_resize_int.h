/* Resizing a pod while it runs. Node's loop. */
#ifndef K3X_NODE_WORKER_POD_RESIZE_INT_H
#define K3X_NODE_WORKER_POD_RESIZE_INT_H

#include "base/json/json.h"

struct pod;

/* Grants what is wished when it fits, and tells the runtime what was granted. True: an operation of the pod was begun.
 * For a pod that runs and has been let in. */
bool pod_resize(struct pod *p);

/* What a container must do for another amount: pure. */
enum resize_way { RESIZE_NOTHING, RESIZE_IN_PLACE, RESIZE_BY_RESTART };

/* By its resizePolicy, of the resources that are not what the runtime was told. told NULL: that is not known. */
enum resize_way resize_way_of(const struct json *container, const struct json *told);

#endif
