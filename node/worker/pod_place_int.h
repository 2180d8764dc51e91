/* Is there a place for a pod on this node? Node's loop. */
#ifndef K3X_NODE_WORKER_POD_PLACE_INT_H
#define K3X_NODE_WORKER_POD_PLACE_INT_H

#include "node/worker/pod_admit_int.h"

struct pod;

struct pod_place {
	struct admit_verdict verdict;
	struct pod **victims; /* verdict.victims_count of them: they are to end before it may run */
};

/* Against all pods that have one. False: the Node is not known yet, ask again; *ret is untouched then. */
bool pod_place_ask(const struct pod *p, struct arena *a, struct pod_place *ret);

/* Would it be let in with that spec, in its own place? INFEASIBLE: never on this node. */
enum place_for_resize { RESIZE_FITS, RESIZE_DEFERRED, RESIZE_INFEASIBLE };
enum place_for_resize pod_place_for_resize(const struct pod *p, const struct json *spec, struct arena *a);

#endif
