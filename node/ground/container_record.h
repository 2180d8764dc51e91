/* A sandbox and a container as the runtime has them. The view (runtime/view.c) makes, changes and drops these records;
 * the worker notes in them what it has begun. */
#ifndef K3X_NODE_GROUND_CONTAINER_RECORD_H
#define K3X_NODE_GROUND_CONTAINER_RECORD_H

#include "base/mem/list.h"

#include <stdbool.h>
#include <stdint.h>

struct sandbox {
	struct list_link in_pod;
	char *id;
	/* Of the node's first family, and of the other one; "" until known, and with the host's network. */
	char *ip, *ip_other;
	unsigned attempt;
	bool is_ready, is_known;
	bool is_beside; /* containers of the second runtime go into it, too (runtime/cri.h) */
	int64_t created_ns;
	uint64_t seen; /* look generation */
};

/* The numbers are the CRI's. */
enum container_state { CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_EXITED, CONTAINER_UNKNOWN };

/* What a probe says; NONE: it has not spoken, or there is none. */
enum container_verdict { VERDICT_NONE, VERDICT_NO, VERDICT_YES };

struct container {
	struct list_link in_pod;
	char *id, *sandbox_id, *name;
	unsigned attempt; /* restart count */
	enum container_state state;
	enum container_state known_state; /* the one the details below belong to */
	bool is_known;
	bool is_stopping; /* we asked for its end */
	bool pre_stop_begun;
	enum container_verdict started, ready; /* by its startup and readiness probes (probe/probe.c) */
	int64_t created_ns, started_ns, finished_ns;
	int exit_code;
	char *reason, *message, *image_ref, *hash;
	struct probes *probes; /* while it runs; stopped by whoever frees the record */
	uint64_t seen;
};

/* Take the record out of its pod's list and free it. */
void container_free(struct container *c);
void sandbox_free(struct sandbox *s);

#endif
