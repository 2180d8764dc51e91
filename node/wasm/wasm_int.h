/* The second runtime's parts see each other here. All on the loop's thread, but what errands run. */
#ifndef K3X_NODE_WASM_WASM_INT_H
#define K3X_NODE_WASM_WASM_INT_H

#include "base/mem/arena.h"
#include "base/mem/list.h"
#include "base/mem/map.h"
#include "node/ground/errand.h"
#include "node/runtime/cri.h"
#include "node/wasm/protocol/frame.h"
#include "node/wasm/link.h"
#include "node/wasm/protocol/traces.h"
#include "node/wasm/wasm.h"

#include <uv.h>

struct wasm {
	struct node *n;
	struct arena arena;
	const char *state, *logs; /* folders: see zygote.h */
	const char *engine;       /* its version as part of a name: "v0-14-1"; "" before it was up */
	struct wasm_link *link;
	struct map boxes, containers, images; /* id -> its struct */
	struct map verdicts;                  /* look.c */
	struct list_link passing;             /* beside.c */
	bool sweeps, sweeps_again;            /* cache_sweep.c */
	bool passes;                          /* a call that is not ours is being made */
	struct list_link calls;               /* struct call, not yet begun */
	struct list_link compiling;           /* struct making */
	struct loop_defer begin;
	void (*changed)(struct node *n);
	uv_timer_t idle_timer; /* of images */
	void (*closed)(void *arg);
	void *closed_arg;
};

/* A call that is ours. Whoever has it ends it once, with wasm_call_answer() or wasm_call_fail(), never inside of what
 * began it. */
struct call {
	struct list_link link; /* in whatever list waits */
	struct cri_call *cri;
	const struct call_kind *kind;
	ProtobufCMessage *request; /* a copy */
};
void wasm_call_answer(struct call *c, const void *message);
void wasm_call_fail(struct call *c, const struct err *err);
__attribute__((format(printf, 3, 4))) void wasm_call_refuse(struct call *c, int code, const char *fmt, ...);
const char *wasm_call_method(const struct call *c);
/* What the runtime would answer it with. */
const ProtobufCMessageDescriptor *wasm_call_answer_kind(const struct call *c);
void wasm_call_done(struct call *c); /* with an empty message */
void wasm_calls_fail(struct list_link *calls, const struct err *err);

ProtobufCMessage *wasm_copy(const ProtobufCMessage *m);

/* ---- boxes: sandboxes (box.c) ---- */

struct box {
	struct wasm *w;
	char *id;
	CRI(RunPodSandboxRequest) * request; /* how it was asked for */
	int64_t created_ns;
	bool is_ready;
	bool is_beside; /* it is the runtime's: beside.c */
	char *ip;       /* "": none */
	int network;    /* a descriptor, -1: not asked for, or the node's */
	struct list_link containers;
	struct call *running;    /* RunPodSandbox */
	bool is_connecting;      /* on the pool */
	struct cri_call *asking; /* where its network is; of one that is the runtime's */
};
struct box *box_find(struct wasm *w, const char *id);
/* The request becomes the box's. */
struct box *box_new(struct wasm *w, const char *id, CRI(RunPodSandboxRequest) * request);
void box_free(struct box *b); /* with its containers */
bool box_uses_host_network(const struct box *b);
const char *box_cgroup(const struct box *b);
void box_run(struct wasm *w, struct call *c);
void box_stop(struct wasm *w, struct call *c);
void box_remove(struct wasm *w, struct call *c);
int box_write_resolv_conf(const struct box *b, struct err *err); /* in its folder, for its modules */
/* It cannot have what a container of it needs: the kubelet makes another one. */
void box_give_up(struct box *b);
/* Has the network at hand: container_network_there() is called, not inside of this. */
void box_need_network(struct box *b);
/* The zygote that held its network is gone: unless something runs in it, the kubelet makes another sandbox. */
void box_is_lost(struct box *b);
/* BOXED or FAILED came; the descriptor becomes the box's, which may be freed. */
void box_told(struct box *b, int network, const struct err *err);

/* ---- sandboxes of the runtime's (beside.c) ---- */

/* The one that a container is to be made in, marked as such in the request; NULL with err when it cannot be noted. */
struct box *beside_box(struct wasm *w, const CRI(CreateContainerRequest) * request, struct err *err);
/* Puts the call to the runtime; what it answers is the call's answer. */
void beside_pass(struct wasm *w, struct call *c);
void beside_stop(struct box *b, struct call *c);
void beside_remove(struct box *b, struct call *c);
void beside_need_network(struct box *b);
/* Pure: of what the runtime tells of a sandbox when it is asked for all of it; "": it does not say. */
const char *beside_network_path(struct arena *a, struct slice info);
/* The runtime has listed its sandboxes: those of which it has none any more are forgotten. */
void beside_forget_gone(struct wasm *w, const CRI(ListPodSandboxResponse) * list);
/* Ends what was put to the runtime. */
void beside_close(struct wasm *w, const struct err *err);

/* ---- containers (container.c: making them; container_run.c: what happens to them then) ---- */

enum wasm_state { IS_CREATED, IS_RUNNING, HAS_EXITED };

struct wasm_container {
	struct box *box;
	struct list_link in_box;
	char *id;
	CRI(CreateContainerRequest) * request;
	enum wasm_state state;
	int64_t created_ns, started_ns, finished_ns;
	int exit_code;
	char *reason, *message;
	struct module_image *image;
	char *module;              /* its file below cache/ */
	char **args;               /* args[0] is the module's name in the image; NULL-terminated */
	struct starting *starting; /* StartContainer */
	struct list_link stopping; /* struct stopping */
};
struct wasm_container *container_find(struct wasm *w, const char *id);
/* The request becomes the container's. */
struct wasm_container *wasm_container_new(struct box *b, const char *id, CRI(CreateContainerRequest) * request);
void wasm_container_free(struct wasm_container *c);
void container_create(struct wasm *w, struct call *c);
void container_start(struct wasm *w, struct call *c);
void container_stop(struct wasm *w, struct call *c);
void container_remove(struct wasm *w, struct call *c);
void container_reopen_log(struct wasm *w, struct call *c);
/* A module was compiled, or cannot be (then it is interpreted); id NULL: none of those under way will be. */
void makings_compiled(struct wasm *w, const char *id, const struct err *err);
/* Its box has a network now, or err. */
void container_network_there(struct wasm_container *c, const struct err *err);
/* STARTED or FAILED came. */
void container_told(struct wasm_container *c, const struct err *err);
/* Ends what waits for it. */
void container_cancel(struct wasm_container *c, const struct err *err);
/* After the zygote was away: reads from its traces whether it runs, or ended. */
void container_recall(struct wasm_container *c);
/* Reads how it ended, if it has. */
void container_look(struct wasm_container *c);
/* It has; the reason is "" for the usual one of its code. */
void container_set_exited(
        struct wasm_container *c, int code, int64_t finished_ns, const char *reason, const char *message);
void container_signal(struct wasm_container *c, int number);

/* ---- images (module_image.c) ---- */

struct module_image {
	struct wasm *w;
	char *id; /* the runtime's name for it */
	struct arena arena;
	struct list_link waiting; /* struct image_wait */
	unsigned users;           /* containers, looks, and those that are being made */
	bool is_ready, is_asking;
	uint64_t idle_since_ms; /* without users */
	bool has_files;         /* beside the module: they are the guest's root */
	/* Of an artifact: its module. It is asked about for every container, because artifacts may share one id. */
	const char *blob;
	char **entrypoint, **command, **env;
	size_t entrypoint_count, command_count, env_count;
	const char *working_dir, *user;
	const char *root; /* its files */
	/* The module that was found last, so that it is read once and not for each of a thousand pods. */
	const char *known_path, *known_module;
};
struct image_wait {
	struct list_link link;
	void (*done)(
	        struct image_wait *wait, const struct err *err); /* NULL: it is ready. Not inside module_image_wait() */
};
/* One more user; nothing is asked for yet. */
struct module_image *module_image_use(struct wasm *w, const char *id);
void module_image_wait(struct module_image *m, struct image_wait *wait);
/* One user less: without any its files are taken away after a while. */
void module_image_leave(struct module_image *m);
void module_images_free(struct wasm *w);

/* ---- what is to run (look.c) ---- */

/* The first of what a container runs, "" for nothing: its command, the image's entry point, its argument, the image's
 * command. Pure; borrowed. */
const char *module_image_program(const struct module_image *m, const char *command, const char *argument);
/* Where that is in the image; in the arena. */
const char *module_image_path(const struct module_image *m, struct arena *a, const char *program);
/* Opens a file of an image, whose files are at `root`: links lead nowhere else. -1 with errno. Any thread. */
int image_file_open(const char *root, const char *path);
/* By its name, or by how it begins; fd -1: by its name alone. Any thread. */
bool wasm_file_is_module(int fd, const char *path);
void wasm_forget_verdicts(struct wasm *w);

/* Beside its volumes' a container needs descriptors for cgroups, network, the image's files, resolv.conf. */
enum { CONTAINER_OWN_DESCRIPTORS = 8 };

/* Removes from the cache what nobody can want: soon (cache_sweep.c). */
void wasm_sweep(struct wasm *w);

/* ---- answers (answer.c) ---- */

const void *wasm_join(void *arg, const ProtobufCMessage *answer, struct arena *a);
void box_status(struct wasm *w, struct call *c);
void container_status(struct wasm *w, struct call *c);
void wasm_stats(struct wasm *w, struct call *c);

/* ---- the disk (store.c) ---- */

/* Folders STATE/boxes/ID and STATE/containers/ID with what a restarted node needs. */
int store_box(const struct box *b, struct err *err);
int store_container(const struct wasm_container *c, struct err *err);
void store_box_is_lost(const struct box *b);
void store_remove(struct wasm *w, const char *kind, const char *id);
/* All that an earlier node left. */
void store_load(struct wasm *w);

#endif
