/* The node as a record: what it was told, what it is connected to, what it knows. Everything belongs to the node's loop
 * but the work handed to its pool. What a room keeps for itself hangs here by a pointer that only that room can look
 * behind. */
#ifndef K3X_NODE_GROUND_NODE_RECORD_H
#define K3X_NODE_GROUND_NODE_RECORD_H

#include "api/client/client.h"
#include "base/mem/arena.h"
#include "base/mem/list.h"
#include "base/mem/map.h"
#include "base/rt/closing.h"
#include "base/rt/loop.h"
#include "base/rt/pool.h"
#include "node/ground/node_options.h"

/* What the node is short of (eviction/). */
enum { NODE_PRESSURE_MEMORY = 1, NODE_PRESSURE_DISK = 2, NODE_PRESSURE_PID = 4 };

struct node {
	struct node_options o; /* strings in the arena */
	struct arena arena;
	const struct kubelet_config *config; /* config/kubelet_config.h */
	struct loop *loop;
	struct client *client;
	struct pool *pool;
	const char *pods_dir, *logs_dir; /* DATA/agent/kubelet/pods, DATA/agent/kubelet/logs */
	int kubelet_port;                /* where the server listens, or should */
	struct cri *cri;                 /* NULL until the runtime is up */
	bool runtime_ready;              /* the CRI answers and images are in */
	bool network_ready;              /* a CNI configuration is written */
	bool is_shutting_down;           /* the machine goes down: no pods are taken */
	unsigned pressures;              /* NODE_PRESSURE_*: it takes no pods that would add to it */
	uint64_t preemptions;            /* pods that ended for critical ones */
	const char *pod_cidr; /* one of each family, with a comma between; NULL until the control plane gave them */
	bool closing;
	unsigned image_servings; /* to other nodes, under way */
	struct map pods;         /* uid -> struct pod */
	struct list_link api_calls;
	struct informer *pod_informer, *service_informer;
	struct informer *node_informer; /* of the one Node that is ours (status/node_status.c); NULL before and after */
	bool orphans_removed;           /* folders of pods that are no more, once after the start */
	/* of the rooms */
	struct events *events;
	struct containerd *containerd;
	struct images *images;
	struct image_import *image_import;
	struct log_rotation *log_rotation;
	struct address_sweep *address_sweep;
	struct local_storage *local_storage;
	struct image_gc *image_gc;
	struct devices *devices;
	struct csi *csi;
	struct nfs_jobs *nfs;
	const struct numa *numa; /* numa/numa.h; in the arena */
	struct cpus *cpus;       /* NULL: all share all CPUs */
	struct memory *memory;   /* NULL: it lies where the kernel puts it */
	struct topology *topology;
	struct allocations *allocations; /* NULL: pods cannot be resized */
	struct eviction *eviction;
	struct shutdown *shutdown; /* NULL: nobody asked for it */
	struct wasm *wasm;         /* NULL: it runs no WebAssembly pods */
	struct view *view;
	const struct worker_callbacks *worker_callbacks;
	struct node_status *status;
	struct static_pods *static_pods;
	struct kubelet_server *server;
	struct pod_resources *pod_resources; /* NULL: it could not listen */
	/* closing */
	struct closing parts; /* the node itself while it is open, its parts while they close, errands under way */
	void (*closed)(void *arg);
	void *closed_arg;
};

#endif
