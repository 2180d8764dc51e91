/* A pod on this node as a record: its wanted state, what the runtime has of it, and where its worker stands. The worker
 * (worker/pod_worker.c) and the view (runtime/view.c) change these structs; everybody else reads them. */
#ifndef K3X_NODE_GROUND_POD_RECORD_H
#define K3X_NODE_GROUND_POD_RECORD_H

#include "base/json/json.h"
#include "base/mem/arena.h"
#include "base/mem/list.h"
#include "base/mem/rcbuf.h"
#include "base/rt/sm.h"
#include "node/ground/container_record.h"
#include "node/ground/retry.h"

#include <uv.h>

struct node;

/* How a pod goes:
 *
 *     RUNNING --(deleted, vanished)--> STOPPING --> CLEANING --> GONE
 *        |  \--(deadline, evicted)--> STOPPING --> FINISHED --(deleted, vanished)--> CLEANING
 *        \--(all containers are done for good)--> FINISHING --> FINISHED
 *                                                     \--(deleted, vanished)--> STOPPING
 *
 * RUNNING     volumes, sandbox, init containers, containers are brought up and kept up
 * STOPPING    containers are told to end; nothing is started any more; then sandboxes, volumes and cgroup go
 * FINISHING   the same for a pod that ended by itself: what still runs are its sidecars
 * FINISHED    nothing runs; records stay for logs and status; it waits for its deletion (and goes back to FINISHING
 * when the runtime shows something that it started late) CLEANING    sandboxes, containers and folders are removed,
 * then the API object GONE        the worker is freed
 *
 * In CLEANING and GONE nothing of it runs, in GONE nothing is left. */
enum pod_state { POD_RUNNING, POD_STOPPING, POD_FINISHING, POD_FINISHED, POD_CLEANING, POD_GONE };
extern const struct sm_kind pod_machine;

/* Ephemeral ones are added while the pod runs, run once, and have no part in its phase or readiness. */
enum slot_kind { SLOT_INIT, SLOT_SIDECAR, SLOT_MAIN, SLOT_EPHEMERAL };

/* One container of the spec and what is remembered about starting it. */
struct slot {
	char *name;
	enum slot_kind kind;
	unsigned backoff_ms;        /* between its last end and its next start; 0: none yet */
	struct retry start;         /* of starts that failed: pulls, configurations, the runtime's refusals */
	const char *waiting_reason; /* static; NULL: ContainerCreating or PodInitializing */
	char *waiting_message;
	uint64_t show_until_ms; /* ErrImagePull becomes ImagePullBackOff then */
	bool backoff_told;      /* the BackOff event of this wait was sent */
	unsigned resized_after; /* so many containers of it there were when the last was ended for a resize; 0: none */
};

struct pod {
	struct node *n;
	char *uid, *ns, *name;
	struct sm sm;                      /* enum pod_state */
	struct arena arena;                /* of `object` */
	struct json *object, *spec, *meta; /* NULL for a pod that only the runtime knows */
	struct rcbuf *next_object;         /* a newer one, taken when no operation is open */
	bool is_static;
	char *static_file;      /* its manifest, in the folder of manifests */
	char *mirror_uid;       /* of a static pod's mirror, NULL while there is none */
	bool in_api;            /* the API server has it (or its file is there) */
	bool is_deleting;       /* deletionTimestamp is set */
	int64_t grace_s;        /* for stopping all of it */
	uint64_t stop_began_ms; /* loop time; 0: it did not */
	bool is_admitted;       /* the node takes it, or took it before we came */
	struct json *wished;    /* resources by container, where others are wished than were given; NULL: none */
	const char *resize;     /* static: "InProgress", "Deferred", "Infeasible"; NULL: none is under way */
	bool group_is_old;      /* the pod's group has other limits than were given */
	bool awaits_place;      /* others end so that it may run */
	bool is_evicted;        /* it is ended for what it took */
	int64_t evict_grace_s;  /* then: no more than that */
	bool is_refused;        /* nothing of it was ever made here: its status is the reason alone */
	const char *end_reason; /* static, or in end_text: "DeadlineExceeded", "Evicted", "NodePorts"; NULL: none */
	const char *end_message;
	struct arena end_text;
	struct slot *slots;
	size_t slots_count;
	struct list_link sandboxes, containers; /* newest first */
	unsigned operations;                    /* open calls */
	uint64_t need_generation;               /* look before acting again */
	bool changed;                           /* by the look under way */
	bool cgroup_may_be, cleaned;
	bool network_told; /* the event that the node has none */
	struct retry bring_up, take_down, api_delete, status_write;
	struct retry linger; /* of containers that were stopped and still run */
	uv_timer_t timer;
	void (*tick)(struct pod *p); /* the worker's: looks at what is to be done next */
	int64_t start_ns;
	struct refs *refs;       /* ground/refs.c */
	struct volumes *volumes; /* volume/volume.c */
	struct start *start;     /* worker/pod_start.c: the container being started */
	/* status/pod_status.c */
	struct strbuf status_text; /* last written or being written */
	bool status_busy, status_stale;
};

static inline enum pod_state pod_state(const struct pod *p)
{
	return (enum pod_state)sm_state(&p->sm);
}

struct slot *pod_slot(const struct pod *p, const char *name);           /* NULL: the spec has no such container */
struct json *pod_container_spec(const struct pod *p, const char *name); /* of any list */
struct container *pod_container(const struct pod *p, const char *name); /* the newest */
struct container *pod_container_before(const struct pod *p, const char *name); /* the one before it */
struct container *pod_container_by_id(const struct pod *p, const char *id);
struct sandbox *pod_sandbox(const struct pod *p); /* the newest */
struct sandbox *pod_sandbox_by_id(const struct pod *p, const char *id);
/* Running, and past its startup probe; and said to be well by its readiness probe. Where no probe of ours has spoken
 * yet, because we were started after the container, the last written status holds. */
bool pod_container_is_started(const struct pod *p, const struct container *c);
bool pod_container_is_ready(const struct pod *p, const struct container *c);
/* What the API server last had of a container's status; NULL when nothing. */
struct json *pod_old_status(const struct pod *p, const char *container);
bool pod_uses_host_network(const struct pod *p);
const char *pod_ip(const struct pod *p); /* "" while there is none */
/* All of them, pod_ip() first; how many. */
size_t pod_ips(const struct pod *p, const char *ret[2]);
/* Its node's, the same way. */
size_t pod_host_ips(const struct pod *p, const char *ret[2]);
const char *pod_restart_policy(const struct pod *p);
const char *pod_dir(const struct pod *p, struct arena *a); /* DATA/agent/kubelet/pods/UID */
const char *pod_log_dir(const struct pod *p, struct arena *a);

#endif
