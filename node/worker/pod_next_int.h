/* What a pod's worker does next: the rules, apart from the doing. Pure: everything is read from the records and from
 * struct pod_world, nothing is changed; so the same records at the same time always give the same step. */
#ifndef K3X_NODE_WORKER_POD_NEXT_INT_H
#define K3X_NODE_WORKER_POD_NEXT_INT_H

#include "node/ground/pod_record.h"

/* What the rules may know beside the pod's own record. */
struct pod_world {
	uint64_t now_ms; /* loop time */
	int64_t now_ns;  /* wall clock */
	bool runtime_ready, network_ready;
	bool has_volumes, volumes_ready;
	uint64_t volumes_refresh_ms; /* loop time; 0: never */
};

enum pod_action {
	POD_REST,              /* nothing now; `wait_ms` says when to look again (0: when something happens) */
	POD_LOOK,              /* nothing until the runtime shows what became of our calls */
	POD_MOVE,              /* to `state` */
	POD_SETUP_VOLUMES,     /* or refresh them */
	POD_WAIT_FOR_NETWORK,  /* the node has none yet */
	POD_START_SANDBOX,     /* there is none that is ready */
	POD_START_CONTAINER,   /* of `slot` */
	POD_RESTART_CHANGED,   /* `container` runs, but its spec is another one now */
	POD_STOP_STRAY,        /* `container` of an older sandbox, or one that the runtime lost */
	POD_STOP_CONTAINERS,   /* those that pod_should_stop() names */
	POD_STOP_SANDBOXES,    /* those that are ready */
	POD_TEAR_DOWN_VOLUMES, /* and what is mounted below the pod's folder */
	POD_REMOVE_CGROUP,
	POD_REMOVE_CONTAINER, /* the record of `container` */
	POD_REMOVE_SANDBOX,   /* the record of `sandbox` */
	POD_CLEAN_FOLDERS,
	POD_DELETE_FROM_API,
};

struct pod_step {
	enum pod_action action;
	enum pod_state state;
	const char *end_reason; /* of POD_MOVE: why the pod is ended by us; static, NULL: it is not */
	struct slot *slot;
	struct container *container;
	struct sandbox *sandbox;
	uint64_t wait_ms;
};

struct pod_step pod_next(const struct pod *p, const struct pod_world *w);

/* While the pod stops: mains first, sidecars when those are gone, the last that was begun first; none that was told
 * already. */
bool pod_should_stop(const struct pod *p, const struct container *c);

/* Where a container of the spec stands in a running pod. */
enum slot_stand {
	SLOT_RUNS,
	SLOT_DONE,       /* ended, and for good */
	SLOT_UNSEEN,     /* its details are not told yet */
	SLOT_DUE,        /* to be started now */
	SLOT_CRASH_WAIT, /* ended; its back-off lasts */
	SLOT_RETRY_WAIT, /* its last start failed; the pause lasts */
	SLOT_STRAY,      /* runs in an older sandbox, or the runtime lost it */
	SLOT_UNBORN,     /* created and never started: we died in between */
};
struct slot_view {
	enum slot_stand stand;
	struct container *container; /* the newest; may be NULL */
	bool blocks;                 /* later ones wait for it */
	uint64_t wait_ms;
};
struct slot_view pod_slot_view(
        const struct pod *p, const struct slot *s, const struct sandbox *box, const struct pod_world *w);
/* Init containers ran already when a main one was made in this sandbox. */
bool pod_mains_began(const struct pod *p, const struct sandbox *box);

/* The pause before the next restart of a container that waited `before_ms` for this one and then ran for ran_ns. */
unsigned slot_backoff_next_ms(unsigned before_ms, int64_t ran_ns);

#endif
