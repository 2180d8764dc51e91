/* The arithmetic of daemon sets: which nodes get a pod, which pods go, and what an update may take away at once. Pure:
 * no API, no clock but the one that is passed in. Upstream: pkg/controller/daemon. */
#ifndef K3X_API_CONTROLLERS_DAEMON_H
#define K3X_API_CONTROLLERS_DAEMON_H

#include "api/client/meta.h"

/* ---- one node ---- */

struct daemon_verdict {
	bool runs;  /* a pod belongs there */
	bool stays; /* one that is there may stay: it only would not be placed there anew */
};
/* `spec`: of the pods, with daemon_tolerate() done; `node`: a Node's text. */
struct daemon_verdict daemon_judge_node(const struct json *spec, struct slice node);

/* ---- pods ---- */

/* Adds the tolerations every daemon pod has, so that it runs on nodes that are not ready, under pressure or cordoned.
 */
void daemon_tolerate(struct arena *a, struct json *spec);
/* Ties a pod to a node by required node affinity on metadata.name, in place of what was required: the scheduler binds
 * it. `name` is copied. */
void daemon_pin(struct arena *a, struct json *spec, struct slice name);
/* The node that a pod is on or tied to, of its text; SLICE_NULL: none. In the arena or in the text. */
struct slice daemon_node_of(struct arena *a, struct slice pod);

enum daemon_why { DAEMON_EXTRA, DAEMON_FAILED, DAEMON_SUCCEEDED, DAEMON_UPDATE };

struct daemon_pod {
	struct pod_view view;
	struct slice node;
	bool is_new;       /* made from the present template */
	bool is_available; /* ready for minReadySeconds */
	bool is_doomed;    /* result */
	enum daemon_why why;
};

struct daemon_node {
	struct slice name;
	struct daemon_verdict verdict; /* both false for a node that is gone */
	bool exists;
	struct daemon_pod *pods; /* by age, scheduled ones first */
	size_t count;
	bool makes; /* result: a pod is to be made */
};

/* By node, those that have one first, then by age. */
void daemon_sort(struct daemon_pod *pods, size_t n);

/* A failed pod may wait for its back-off: called for each, true when it may be deleted now. */
typedef bool daemon_may_delete(void *arg, const struct daemon_pod *pod);
/* Pods that are missing, superfluous, ended, or tied to a node that is gone. */
void daemon_manage(struct daemon_node *nodes, size_t n, bool surges, daemon_may_delete *may_delete, void *arg);
/* One step of a rolling update. Nodes that are gone have no say in it: their pods are for who cleans up after nodes. */
void daemon_roll(struct daemon_node *nodes, size_t n, int64_t surge, int64_t unavailable);
/* maxSurge and maxUnavailable as numbers of `desired`, both rounded up; not both are 0. */
void daemon_fenceposts(const struct json *strategy, int64_t desired, int64_t *surge, int64_t *unavailable);

struct daemon_counts {
	int64_t desired, current, misscheduled, ready, available, updated;
};
struct daemon_counts daemon_count(const struct daemon_node *nodes, size_t n);

/* ---- back-off of failed pods ---- */

struct daemon_backoff {
	uint64_t since_ms;
	int64_t delay_ms;
};
/* 0: a failed pod may be deleted now, and the next one waits longer (1 s, 2 s, ... 15 min); else how long to wait. A
 * long quiet time forgets. */
int64_t daemon_backoff_next(struct daemon_backoff *b, uint64_t now_ms);
bool daemon_backoff_is_over(const struct daemon_backoff *b, uint64_t now_ms); /* it may be forgotten */

#endif
