/* A pod on this node: its wanted state, what the runtime has of it, and the worker that brings the two together
 * (podworker.c). The other files read these structs; only podworker.c and runtime.c change them. */
#ifndef K3X_NODE_POD_H
#define K3X_NODE_POD_H

#include "node/node_int.h"

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

struct volumes;
struct refs;
struct image_result;

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
	bool timer_open;
	int64_t start_ns;
	/* refs.c, volume.c */
	struct refs *refs;
	struct volumes *volumes;
	/* start.c: the container being started */
	struct start *start;
	/* status (pod_status.c) */
	struct strbuf status_text; /* last written or being written */
	bool status_busy, status_stale;
	bool final_status_sent;
	bool ready_reported;
};

/* ---- podworker.c ---- */
struct pod *pod_new(struct node *n, struct slice uid, struct slice ns, struct slice name);
void pod_set_object(struct pod *p, struct rcbuf *json); /* takes its own reference */
void pod_set_vanished(struct pod *p);                   /* the API server has it no more */
void pod_tick(struct pod *p);                           /* looks at what is to be done next; cheap when nothing is */
void pod_changed(struct pod *p);                        /* status and next step are to be looked at */
void pod_begin(struct pod *p);                          /* an operation is open ... */
void pod_end(struct pod *p);                            /* ... and closed: ticks */
void pod_wake(struct pod *p, uint64_t in_ms);           /* ticks at the latest then */
void pod_free(struct pod *p);

struct slot *pod_slot(const struct pod *p, const char *name);
struct json *pod_container_spec(const struct pod *p, const char *name);        /* of any list */
struct container *pod_container(const struct pod *p, const char *name);        /* the newest */
struct container *pod_container_before(const struct pod *p, const char *name); /* the one before it */
struct sandbox *pod_sandbox(const struct pod *p);                              /* the newest */
bool pod_uses_host_network(const struct pod *p);
const char *pod_ip(const struct pod *p); /* "" while there is none */
const char *pod_restart_policy(const struct pod *p);
bool pod_is_ready_container(const struct pod *p, const struct container *c);
bool pod_is_started_container(const struct pod *p, const struct container *c);
const char *pod_dir(const struct pod *p, struct arena *a); /* DATA/agent/kubelet/pods/UID */
const char *pod_log_dir(const struct pod *p, struct arena *a);

/* ---- pod_kill.c: stopping containers and sandboxes ---- */
void pod_stop_container(struct pod *p, struct container *c, int64_t grace_s);
void pod_stop_sandbox(struct pod *p, struct sandbox *s);
void pod_remove_sandbox(struct pod *p, struct sandbox *s);
void pod_remove_container(struct pod *p, struct container *c);
void pod_delete_from_api(struct pod *p);

/* ---- pod_start.c: bringing up a sandbox or one container ---- */
void pod_start_sandbox(struct pod *p);
void pod_start_container(struct pod *p, struct slot *slot);
void pod_start_cancel(struct pod *p); /* a pull under way is given up */

/* ---- pod_config.c: the CRI's configuration from the spec ---- */
CRI(PodSandboxConfig) * pod_sandbox_config(struct pod *p, struct arena *a, unsigned attempt);
/* Errors: ERR_INVAL, ERR_NOT_FOUND with what is missing: a CreateContainerConfigError. */
int pod_container_config(struct pod *p, struct arena *a, const struct json *container, unsigned attempt,
        const struct image_result *image, CRI(ContainerConfig) * *ret, struct err *err);
const char *pod_container_hash(struct arena *a, const struct json *container);

/* ---- pod_env.c ---- */
struct env_var {
	const char *name, *value;
};
struct env {
	struct env_var *vars;
	size_t count, cap;
};
/* ERR_NOT_FOUND: a configMap, secret or key is missing. */
int pod_env(struct pod *p, struct arena *a, const struct json *container, struct env *ret, struct err *err);
const char *env_expand(struct arena *a, struct slice text, const struct env *env);
const char *env_get(const struct env *env, struct slice name);
/* metadata.name, metadata.labels['x'], status.podIP, ...: NULL when there is no such field. */
const char *pod_field(const struct pod *p, struct arena *a, struct slice path);
const char *pod_resource_field(
        const struct pod *p, struct arena *a, const struct json *container, const struct json *ref, struct err *err);

/* ---- refs.c: the configMaps and secrets a pod refers to ---- */
/* Fetches all of them anew; done(p, err) on the loop; err when the API server cannot be asked. Absent ones are no error
 * here. */
void refs_fetch(struct pod *p, void (*done)(struct pod *p, const struct err *err));
bool refs_any(const struct pod *p);
/* The object, NULL when it is absent; lives until the next refs_fetch(). kind: "configmaps", "secrets". */
struct json *refs_get(const struct pod *p, const char *kind, struct slice name);
void refs_free(struct refs *r);

/* ---- volume.c ---- */
/* Mounts what is missing, and writes what has changed when `refresh`; done on the loop. */
void volumes_setup(struct pod *p, void (*done)(struct pod *p, const struct err *err));
bool volumes_are_ready(const struct pod *p);
uint64_t volumes_refresh_ms(const struct pod *p); /* loop time of the next refresh; 0: never */
void volumes_teardown(struct pod *p, void (*done)(struct pod *p, const struct err *err));
/* Where a volume lies on the host; NULL when there is none of that name. */
const char *volume_host_path(const struct pod *p, struct arena *a, struct slice name, bool *ret_read_only);
void volumes_unmount_below(const char *dir); /* undoes every mount below it; blocks; any thread */
void volumes_free(struct volumes *v);
/* At start: unmounts and removes folders of pods that are no more. `is_known` runs on the pool with the uid. */
void volumes_remove_orphans(struct node *n);

/* ---- pod_status.c ---- */
void pod_status_update(struct pod *p); /* writes it when it differs from the last */
/* The status as an object in the arena. */
struct json *pod_status_build(struct pod *p, struct arena *a);
const char *pod_phase(const struct pod *p);

/* ---- probe.c ---- */
void probes_start(struct pod *p, struct container *c);
void probes_stop(struct container *c);
bool probes_is_ready(const struct container *c);
bool probes_is_started(const struct container *c);
/* Runs a hook (exec, httpGet, tcpSocket, sleep): done(arg, err) once. */
void hook_run(struct pod *p, struct container *c, const struct json *handler, unsigned timeout_ms,
        void (*done)(void *arg, const struct err *err), void *arg);

/* ---- cgroup.c ---- */
enum qos { QOS_GUARANTEED, QOS_BURSTABLE, QOS_BESTEFFORT };
enum qos pod_qos(const struct json *spec);
const char *pod_cgroup(const struct pod *p, struct arena *a); /* "/kubepods/burstable/podUID" */
int cgroup_make(struct pod *p, struct err *err);
void cgroup_remove(const struct pod *p);
void cgroup_make_roots(void);
void container_resources(const struct json *pod_spec, const struct json *container, int64_t node_memory,
        CRI(LinuxContainerResources) * out);
int64_t node_memory_bytes(void);

/* ---- events.c ---- */
struct events *events_new(struct node *n);
void events_free(struct events *e);
__attribute__((format(printf, 5, 6))) void pod_event(
        struct pod *p, const char *container, bool is_warning, const char *reason, const char *fmt, ...);
__attribute__((format(printf, 4, 5))) void node_event(
        struct node *n, bool is_warning, const char *reason, const char *fmt, ...);

/* ---- image.c ---- */
struct image_request;
struct images *images_new(struct node *n);
void images_free(struct images *i);
/* Imports what lies in DATA/agent/images and the pause image, then done(n). */
void images_import(struct node *n, void (*done)(struct node *n));
struct image_result {
	const char *reference; /* of the image as the runtime knows it */
	int64_t uid;           /* -1: none said */
	const char *username;
	const char *reason; /* static, on errors: ErrImagePull, ErrImageNeverPull, InvalidImageName */
};
/* Has the image at hand as the policy says. `on_pull` (may be NULL) is called when a pull begins. */
struct image_request *image_ensure(struct node *n, const char *image, const char *policy, void (*on_pull)(void *arg),
        void (*done)(void *arg, const struct image_result *r, const struct err *err), void *arg);
void image_forget(struct image_request *r); /* done is not called */
/* Status.images of the Node; appended in the arena. Fetches in the background. */
struct json *images_status(struct node *n, struct arena *a);
const char *image_default_tag(struct arena *a, const char *image); /* "busybox" -> "docker.io/library/busybox:latest" */

/* ---- cni.c ---- */
int cni_write(struct node *n, struct err *err);
struct strbuf cni_conf_text(const char *pod_cidr, const char *bridge, const char *addresses_dir);

/* ---- node_status.c ---- */
struct node_status *node_status_new(struct node *n);
void node_status_close(struct node_status *s);
void node_status_poke(struct node *n); /* something changed */

/* ---- static_pod.c ---- */
struct static_pods *static_pods_new(struct node *n);
void static_pods_close(struct static_pods *s);
/* A pod of the API that is the mirror of one of ours: remembers it, or deletes it when it is stale. */
void static_pods_mirror_seen(struct node *n, struct rcbuf *json);
void static_pods_mirror_gone(struct node *n, struct slice ns, struct slice name);

/* ---- log_rotate.c ---- */
struct log_rotation *log_rotation_new(struct node *n);
void log_rotation_close(struct log_rotation *r);

/* ---- kubelet_server.c ---- */
struct kubelet_server *kubelet_server_new(struct node *n);
int kubelet_server_port(const struct kubelet_server *s);
void kubelet_server_close(struct kubelet_server *s, void (*closed)(void *arg), void *arg);

#endif
