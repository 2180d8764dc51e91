/* Whether a pod may run on this node at all, asked once before anything of it is made. Pure. */
#ifndef K3X_NODE_WORKER_POD_ADMIT_INT_H
#define K3X_NODE_WORKER_POD_ADMIT_INT_H

#include "node/worker/pod_preempt_int.h"

/* What the node is. */
struct admit_node {
	struct slice name, labels, taints, allocatable; /* raw texts of the Node object */
	bool is_known;                                  /* else none of them is there, and only the rest is checked */
	bool has_apparmor;
	bool is_shutting_down;
	const struct json *unsafe_sysctls; /* that are allowed, "kernel.msg*" among them; NULL: none */
	unsigned pressures;                /* NODE_PRESSURE_*: what it is short of */
};

struct admit_verdict {
	const char *reason;  /* of a refusal, upstream's: "NodePorts", "OutOfcpu"; NULL: it may */
	const char *message; /* in the arena */
	/* Of a critical pod: it may when others have given up their place. Those that are to, by their index; none when
	 * enough end already. */
	bool must_wait;
	const size_t *victims;
	size_t victims_count;
};

/* `others`: the pods that run here or are to. */
struct admit_verdict pod_admit(struct arena *a, const struct json *spec, bool is_static,
        const struct admit_other *others, size_t others_count, const struct admit_node *node);

#endif
