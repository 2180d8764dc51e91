/* Making and deleting the pods of an owner, with events and expectations, for every controller that has pods.
 *
 * A batch is one run's work: it raises the expectations, creates in rounds of 1, 2, 4, ... (what cannot be created
 * fails once and not a thousand times) or deletes, tells an event for each, and calls done() when every answer is
 * there. failure_reason then says whether anything went wrong; the work has failed too, except where the namespace is
 * going away. All on the client's loop. */
#ifndef K3X_API_CONTROLLERS_POD_CONTROL_H
#define K3X_API_CONTROLLERS_POD_CONTROL_H

#include "api/client/expectations.h"
#include "api/client/recorder.h"
#include "api/client/work_queue.h"
#include "api/controllers/slow_start.h"

/* More is for the next run. */
enum { POD_BATCH_MAX = 500 };

struct pod_batch {
	/* set by the controller */
	struct work *work;
	struct recorder *recorder;
	struct expectations *expectations; /* NULL: it has none; kept under the work's key */
	const char *api_version, *kind;    /* of the owner */
	const struct meta *owner;
	uint64_t now_ms;
	/* The text of the pod to be made, i counting from 0 (pod_control_text(), once for all or each its own). */
	struct slice (*text_of)(struct pod_batch *b, int64_t i);
	void (*done)(struct pod_batch *b);
	void *arg;
	/* the outcome */
	const char *failure_reason; /* "FailedCreate", "FailedDelete"; NULL: none */
	const char *failure_message;
	/* its own */
	struct slow_start round;
	int64_t made;
	const char *path;
};

/* A pod as the template says, owned by `owner`; what it is called begins
 * with `generate_name`. In the arena. */
struct json *pod_control_pod(struct arena *a, const struct json *template, const char *api_version, const char *kind,
        const struct meta *owner, const char *generate_name);
/* A pod as the template says, owned by `owner`, named after it. In the work's arena. */
struct slice pod_control_text(struct work *w, const struct json *template, const char *api_version, const char *kind,
        const struct meta *owner);

/* n > 0; at most POD_BATCH_MAX are made. */
void pod_control_create(struct pod_batch *b, int64_t n);
/* n > 0; the first POD_BATCH_MAX are deleted, if they are still the same. */
void pod_control_delete(struct pod_batch *b, const struct meta *const *victims, int64_t n);

#endif
