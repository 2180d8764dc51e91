/* What the deployment controller's files share: one run's view of a deployment and its replica sets.
 *   deployment.c         events, loading, which way to go
 *   deployment_sets.c    finding, making, scaling and cleaning up replica sets
 *   deployment_status.c  counts, conditions, revision */
#ifndef K3X_API_CONTROLLERS_DEPLOYMENT_INT_H
#define K3X_API_CONTROLLERS_DEPLOYMENT_INT_H

#include "api/controllers/children.h"
#include "api/controllers/controllers_int.h"
#include "api/controllers/rollout.h"

#define REVISION "deployment.kubernetes.io/revision"
#define REVISION_HISTORY "deployment.kubernetes.io/revision-history"
#define DESIRED_REPLICAS "deployment.kubernetes.io/desired-replicas"
#define MAX_REPLICAS "deployment.kubernetes.io/max-replicas"

struct deployments {
	struct controllers *c;
	struct children children; /* deployments and their sets */
	struct informer_index *pods_by_owner;
	struct work_queue *queue;
	struct recorder *recorder;
};

/* A replica set under the deployment. */
struct child_set {
	struct json *tree;
	struct meta meta;
	int64_t replicas; /* spec */
	int64_t status_replicas, ready, available, observed;
	int64_t revision, created_s;
};

struct rollout {
	struct deployments *s;
	struct work *work;
	struct meta meta;
	struct json *object, *spec, *template;
	int64_t replicas, surge, unavailable;
	bool is_recreate;
	struct child_set *sets; /* oldest first */
	size_t count;
	struct child_set *fresh; /* the set of the present template, NULL: none yet */
	/* for the status */
	bool judge_progress; /* conditions of progress are kept up */
	int64_t collisions;  /* status.collisionCount */
	const char *progress_status, *progress_reason,
	        *progress_message; /* what a step has to say of it; NULL: nothing */
};

/* ---- deployment_sets.c ---- */
void deployment_find_sets(struct rollout *y, struct informer_object **objects, size_t n);
/* Makes the new set; its answer writes the status. */
void deployment_create_set(struct rollout *y);
/* Brings annotations and minReadySeconds of the new set up to date: true when a call was sent. */
bool deployment_refresh_set(struct rollout *y);
/* True when a call was sent: the size or the annotations differ. */
bool deployment_scale_set(struct rollout *y, struct child_set *set, int64_t want);
bool deployment_roll(struct rollout *y);       /* true when something was scaled */
bool deployment_is_scaling(struct rollout *y); /* spec.replicas was changed in the middle of a rollout, or at rest */
void deployment_scale_all(struct rollout *y);  /* proportionally */
void deployment_clean_up(struct rollout *y);   /* beyond the history limit */
int64_t deployment_annotation_int(const struct json *object, const char *name); /* 0 when absent */

/* ---- deployment_status.c ---- */
void deployment_write_status(struct rollout *y);
bool deployment_is_complete(struct rollout *y);
/* True when the condition of a pause was written. */
bool deployment_note_pause(struct rollout *y);

#endif
