/* A pod on this node as a record: its wanted state, what the runtime has of it, and where its worker stands. The worker
 * (worker/pod_worker.c) and the view (runtime/view.c) change these structs; everybody else reads them. */
#ifndef K3X_NODE_GROUND_POD_RECORD_H
#define K3X_NODE_GROUND_POD_RECORD_H

#include "base/json/json.h"
#include "base/mem/arena.h"
#include "base/mem/list.h"
#include "base/mem/rcbuf.h"
#include "node/ground/container_record.h"

#include <uv.h>

struct node;

/* How a pod goes:
 *
 *     RUNNING --(deleted, vanished, deadline, evicted)--> STOPPING --> CLEANING --> GONE
 *        \--(all containers are done for good)--> FINISHING --> FINISHED --(deleted, vanished)--> CLEANING
 *
 * RUNNING     volumes, sandbox, init containers, containers are brought up and kept up
 * STOPPING    containers are told to end; nothing is started any more
 * FINISHING   sandbox is stopped and volumes are taken down, records stay for logs and status
 * FINISHED    nothing runs; waits for its deletion
 * CLEANING    sandboxes, containers, folders and cgroups are removed, then the API object
 * GONE        the worker is freed once nothing refers to it */
enum pod_state { POD_RUNNING, POD_STOPPING, POD_FINISHING, POD_FINISHED, POD_CLEANING, POD_GONE };

enum slot_kind { SLOT_INIT, SLOT_SIDECAR, SLOT_MAIN };

/* One container of the spec and what is remembered about starting it. */
struct slot {
	char *name;
	enum slot_kind kind;
	unsigned backoff_ms;        /* 0: none yet */
	uint64_t not_before_ms;     /* loop time */
	const char *waiting_reason; /* static; NULL: ContainerCreating or PodInitializing */
	char *waiting_message;
	unsigned pull_backoff_ms;
	uint64_t show_until_ms; /* ErrImagePull becomes ImagePullBackOff then */
	bool backoff_told;      /* the BackOff event of this wait was sent */
};

struct pod {
	struct node *n;
	char *uid, *ns, *name;
	struct arena arena;                /* of `object` */
	struct json *object, *spec, *meta; /* NULL for a pod that only the runtime knows */
	struct rcbuf *next_object;         /* a newer one, taken when no operation is open */
	bool is_static;
	uint64_t static_scan; /* the last scan of the folder that saw its file */
	char *mirror_uid;     /* of a static pod's mirror, NULL while there is none */
	bool in_api;          /* the API server has it (or its file is there) */
	bool is_deleting;     /* deletionTimestamp is set */
	int64_t grace_s;      /* for stopping */
	enum pod_state state;
	const char *end_reason; /* static: "DeadlineExceeded", "Evicted"; NULL: none */
	const char *end_message;
	struct slot *slots;
	size_t slots_count;
	struct list_link sandboxes, containers; /* newest first */
	unsigned operations;                    /* open calls */
	uint64_t need_generation;               /* look before acting again */
	uint64_t stop_deadline_ms;              /* loop time by which stopping containers are killed */
	bool changed;                           /* by the look under way */
	bool cgroup_made, cleaned;
	uint64_t delete_retry_ms;
	const char *sandbox_error; /* "" or what kept the sandbox from coming up; freed */
	uint64_t retry_ms;         /* loop time: nothing is tried before */
	unsigned retry_backoff_ms;
	uv_timer_t timer;
	void (*tick)(struct pod *p); /* the worker's: looks at what is to be done next */
	bool timer_open;
	int64_t start_ns;
	struct refs *refs;       /* ground/refs.c */
	struct volumes *volumes; /* volume/volume.c */
	struct start *start;     /* worker/pod_start.c: the container being started */
	/* status/pod_status.c */
	struct strbuf status_text; /* last written or being written */
	bool status_busy, status_stale;
	bool final_status_sent;
	bool ready_reported;
};

struct slot *pod_slot(const struct pod *p, const char *name);           /* NULL: the spec has no such container */
struct json *pod_container_spec(const struct pod *p, const char *name); /* of any list */
struct container *pod_container(const struct pod *p, const char *name); /* the newest */
struct container *pod_container_before(const struct pod *p, const char *name); /* the one before it */
struct container *pod_container_by_id(const struct pod *p, const char *id);
struct sandbox *pod_sandbox(const struct pod *p); /* the newest */
struct sandbox *pod_sandbox_by_id(const struct pod *p, const char *id);
bool pod_uses_host_network(const struct pod *p);
const char *pod_ip(const struct pod *p); /* "" while there is none */
const char *pod_restart_policy(const struct pod *p);
const char *pod_dir(const struct pod *p, struct arena *a); /* DATA/agent/kubelet/pods/UID */
const char *pod_log_dir(const struct pod *p, struct arena *a);

#endif
