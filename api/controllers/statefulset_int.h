/* What the stateful set controller's files share: one run's view of a set.
 *   statefulset.c         events, loading, the plan, the status
 *   statefulset_act.c     pods and their claims: made, mended, deleted */
#ifndef K3X_API_CONTROLLERS_STATEFULSET_INT_H
#define K3X_API_CONTROLLERS_STATEFULSET_INT_H

#include "api/controllers/children.h"
#include "api/controllers/controllers_int.h"
#include "api/controllers/history.h"
#include "api/controllers/slow_start.h"
#include "api/controllers/stateful.h"

struct stateful_sets {
	struct controllers *c;
	struct children children, revisions;
	struct shared_informer *claims;
	struct work_queue *queue;
	struct recorder *recorder;
};

/* One run. */
struct stateful_sync {
	struct stateful_sets *s;
	struct work *work;
	struct meta meta;
	struct json *set, *spec, *claim_templates, *retention;
	struct label_selector selector;
	struct history history;
	struct revision *current, *fresh;
	struct stateful_rules rules;
	int64_t min_ready_s;
	struct stateful_pod *pods, *condemned;
	size_t n_pods, n_condemned;
	/* under way (statefulset_act.c) */
	void (*acted)(struct stateful_sync *y);
	int64_t outstanding;
	struct stateful_pod **making;
	int64_t n_made;
	struct slow_start round;
};

/* Brings the owners of the pods' claims in line with persistentVolumeClaimRetentionPolicy, then carries out what the
 * plan says of every pod; acted() when every answer is there. Trouble fails the work. */
void stateful_act(struct stateful_sync *y, void (*acted)(struct stateful_sync *y));
/* A claim of a pod that is to be made belongs to an earlier pod of its name, and goes with that. */
bool stateful_must_wait(struct stateful_sync *y, struct slice pod);
struct slice stateful_pod_name(struct stateful_sync *y, int64_t ordinal);

#endif
