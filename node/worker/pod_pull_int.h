/* A container's image, brought to the node: with the pod's secrets, its events, and what its status says while it
 * fails. Loop's thread. */
#ifndef K3X_NODE_WORKER_POD_PULL_INT_H
#define K3X_NODE_WORKER_POD_PULL_INT_H

#include "base/err.h"
#include "base/mem/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct image_request;
struct image_result;
struct pod;
struct slot;

/* Embedded by the caller, zeroed. */
struct pod_pull {
	struct pod *pod;
	struct slot *slot;
	struct image_request *request; /* NULL: none is under way */
	const char *image;             /* in the caller's arena */
	uint64_t began_ms;
	bool has_begun;
	bool is_early; /* set by the caller: to see what the image is, before its container's turn: one that is there
	                  will do, and is not worth an event */
	/* Once, not inside of pod_pull_begin(), which may be called again from it. `r` lives during the call; on an
	 * error (not ERR_CANCELED) the slot waits with the reason, and the events are told. */
	void (*done)(struct pod_pull *pull, const struct image_result *r, const struct err *err);
};

/* refs_fetch() has ended. The arena is for what the request needs. */
void pod_pull_begin(struct pod_pull *pull, struct pod *p, struct slot *slot, struct arena *a);
/* Gives up: done() is not called. False: none was under way. */
bool pod_pull_cancel(struct pod_pull *pull);

/* The slot waits, for this reason (static), and is tried again by the rule. */
struct retry_rule;
extern const struct retry_rule pod_pull_rule;
void slot_wait_with(
        struct pod *p, struct slot *slot, const char *reason, const char *message, const struct retry_rule *rule);
void slot_clear_waiting(struct slot *slot);

#endif
