/* What the scheduler's files share.
 *
 *   pod.c        a pod's demands, parsed once into a small struct
 *   cache.c      nodes and what their pods take, kept up by every event, binding included ("assumed" pods)
 *   queue.c      pods that wait: active, backing off, unschedulable, gated
 *   filters.c    which nodes can take a pod, and why the others cannot; placement.c: rules about other pods
 *   volumes.c    which nodes the pod's claims admit; volume_bind.c: binding those that waited for this pod
 *   scores.c     which of them is best
 *   bind.c       telling the API server: bindings, conditions, events
 *   scheduler.c  events in, one pod after the other, life */
#ifndef K3X_API_SCHEDULER_SCHEDULER_INT_H
#define K3X_API_SCHEDULER_SCHEDULER_INT_H

#include "base/rt/closing.h"
#include "api/client/informer_set.h"
#include "api/client/meta.h"
#include "api/client/recorder.h"
#include "api/machinery/schema/selector.h"
#include "api/scheduler/scheduler.h"
#include "base/check.h"
#include "base/json/scan.h"
#include "base/mem/heap.h"
#include "base/mem/map.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- amounts ---- */

enum { EXTENDED_MAX = 8, PORTS_MAX = 32 };

/* An extended resource ("nvidia.com/gpu", "hugepages-2Mi"): the name is interned by the cache. */
struct extended {
	const char *name;
	int64_t amount;
};

struct amounts {
	int64_t cpu_milli, memory, storage; /* bytes */
	int64_t pods;
	struct extended *extended; /* NULL-terminated by name; NULL: none */
};

struct host_port {
	struct slice ip; /* empty: all addresses */
	int port;
	char protocol; /* 'T', 'U', 'S' */
};

/* ---- pods with a node ---- */

struct node_info;

struct pod_info {
	struct slice key; /* "ns/name", in the same memory */
	struct list_link in_node;
	struct node_info *node;
	struct rcbuf *json; /* for rules about other pods' labels: shared bytes, not a copy */
	struct amounts requests;
	int64_t nonzero_cpu_milli, nonzero_memory; /* with upstream's defaults for scoring */
	struct host_port *ports;
	size_t n_ports;
	uint64_t family; /* hash of the controlling owner's uid, 0: none */
	int32_t priority;
	bool assumed;           /* its binding is under way: the informer has not shown it yet */
	bool has_anti_affinity; /* required rules that other pods must heed */
	struct arena arena;     /* ports, extended */
};

struct taint {
	struct slice key, value;
	char effect; /* 'S' NoSchedule, 'P' PreferNoSchedule, 'E' NoExecute */
};

struct node_info {
	struct slice name;
	struct rcbuf *json; /* NULL: pods are there, the node is not (yet, or no longer) */
	struct arena arena; /* what was parsed of it */
	struct slice labels;
	bool unschedulable;
	struct taint *taints;
	size_t n_taints;
	struct amounts allocatable, used;
	int64_t nonzero_cpu_milli, nonzero_memory;
	struct list_link pods;
	size_t n_pods, n_anti_affinity;
	size_t slot; /* place in cache->list, while the node exists */
};

struct family {
	uint64_t hash;
	uint32_t *on_slot;
	size_t cap;
	size_t total;
};

struct cache {
	struct map nodes;        /* by name, absent ones included */
	struct node_info **list; /* the nodes that exist */
	size_t count, cap;
	struct map pods;        /* by key */
	struct map names;       /* interned names of extended resources */
	struct map families;    /* by the 8 bytes of the hash */
	size_t n_anti_affinity; /* pods with such rules, on all nodes */
	struct arena arena;
};

void cache_init(struct cache *k);
void cache_release(struct cache *k);
void cache_node_set(struct cache *k, struct slice name, struct rcbuf *json);
void cache_node_remove(struct cache *k, struct slice name);
/* Adds or replaces; the pod must name a node. */
void cache_pod_set(struct cache *k, struct slice key, struct slice node, struct rcbuf *json, bool assumed);
void cache_pod_remove(struct cache *k, struct slice key);
struct pod_info *cache_pod(struct cache *k, struct slice key);
const char *cache_intern(struct cache *k, struct slice name);
uint32_t cache_family_on(const struct cache *k, uint64_t family, const struct node_info *n);

/* ---- parsing (pod.c) ---- */

/* A pod that is to be placed: its tree and what was read of it, for one attempt. */
struct candidate {
	struct arena arena;
	struct rcbuf *json;
	struct slice key;
	struct meta meta;
	struct json *pod, *spec;
	struct pod_info demands; /* requests, ports, family */
	struct json *tolerations, *node_selector, *required_terms, *preferred_terms;
	struct json *affinity, *anti_affinity, *spread; /* rules about other pods, NULL: none */
	struct placement *placement;                    /* prepared by placement.c */
	struct pod_volumes *volumes;                    /* prepared by volumes.c, NULL: no claims */
};

void pod_read_demands(struct cache *k, const struct json *pod, struct pod_info *out, struct arena *a);
bool candidate_read(struct cache *k, struct candidate *p, struct slice key, struct rcbuf *json);
void candidate_release(struct candidate *p);

/* Sums and compares. */
void amounts_add(struct arena *a, struct amounts *to, const struct amounts *by, int sign);
int64_t amounts_extended(const struct amounts *x, const char *name);
uint64_t hash_uid(struct slice uid);

/* ---- filters ---- */

enum { REASONS_MAX = 12, REASON_TEXT_MAX = 200 };

/* Why a node cannot take the pod; several for resources. */
struct verdict {
	const char *reasons[REASONS_MAX]; /* static, or in the candidate's arena */
	size_t count;
	bool resolvable; /* removing pods could help: preemption may be tried */
};

/* True when the node can take the pod. */
bool filters_pass(struct scheduler *s, struct candidate *p, const struct node_info *n, struct verdict *v);
bool filter_resources(struct candidate *p, const struct node_info *n, struct verdict *v);
bool toleration_matches(const struct json *tolerations, const struct taint *t);
/* A nodeSelectorTerm, upstream's rules: an empty term matches nothing. */
bool node_term_matches(const struct json *term, const struct node_info *n);

/* volumes.c: claims. Before the nodes: NULL, or why no node can take it. */
const char *volumes_prepare(struct scheduler *s, struct candidate *p);
/* NULL, or why this node cannot; *resolvable: because of other pods, which may go. */
const char *volumes_filter(struct scheduler *s, struct candidate *p, const struct node_info *n, bool *resolvable);
/* What is to be done for claims that waited for the pod, now that it gets this node: a list in the candidate's arena,
 * NULL when they are all bound. */
struct volume_choice {
	struct volume_choice *next;
	struct slice claim;  /* its name */
	struct slice volume; /* to be bound to it; empty: one is to be made */
};
struct volume_choice *volumes_choose(struct scheduler *s, struct candidate *p, const struct node_info *n);

/* volume_bind.c: writes the choices, waits until all claims are bound, and then sends the binding of the pod. */
void volume_bind_start(
        struct scheduler *s, struct candidate *p, const struct node_info *n, const struct volume_choice *choices);
void volume_bind_check(struct scheduler *s);                 /* something changed: claims, volumes, pods, time */
uint64_t volume_bind_deadline_ms(const struct scheduler *s); /* of the first that waits; 0: none */
void volume_bind_release(struct scheduler *s);
/* What waits already counts: the volume is given to this claim ("ns/name"), the claim has chosen this node. */
struct slice volume_bind_taken_by(const struct scheduler *s, struct slice volume);
struct slice volume_bind_node_of(const struct scheduler *s, struct slice claim);

/* placement.c: affinity and anti-affinity among pods, topology spread; required rules only. */
void placement_prepare(struct scheduler *s, struct candidate *p);
const char *placement_filter(struct candidate *p, const struct node_info *n); /* NULL: fits */

/* ---- scores ---- */

/* The best of `n` nodes that passed; ties are broken by turns. */
struct node_info *scores_pick(struct scheduler *s, struct candidate *p, struct node_info **nodes, size_t n);

/* ---- the queue ---- */

enum queued_state { QUEUED_ACTIVE, QUEUED_BACKOFF, QUEUED_UNSCHEDULABLE, QUEUED_GATED, QUEUED_BUSY };

struct queued_pod {
	struct slice key;
	enum queued_state state;
	int32_t priority;
	uint64_t added_ms; /* of the first try: earlier ones go first */
	uint64_t due_ms;   /* end of the backoff, or of the stay among the unschedulable */
	unsigned attempts;
	uint64_t serial;        /* of this stay in the queue: a namesake that comes later has another */
	struct heap_link place; /* active, backoff */
	struct list_link link;  /* unschedulable, gated */
};

struct queue {
	struct map pods;
	struct heap active, backoff;
	uint64_t serials;
	struct list_link unschedulable, gated;
	size_t n_unschedulable;
};

void queue_init(struct queue *q);
void queue_release(struct queue *q);
struct queued_pod *queue_find(struct queue *q, struct slice key);
/* A new pod, or one whose spec changed: active (or gated). */
void queue_add(struct queue *q, struct slice key, int32_t priority, bool gated, uint64_t now_ms);
void queue_remove(struct queue *q, struct slice key);
struct queued_pod *queue_pop(struct queue *q); /* the next active one, now busy; NULL: none */
/* After a try: as unschedulable (waits for an event) or to be tried again after its backoff. */
void queue_put_back(struct queue *q, struct queued_pod *p, bool unschedulable, uint64_t now_ms);
/* Something changed that may help: the unschedulable ones back off and then are tried again. */
void queue_move_all(struct queue *q, uint64_t now_ms);
/* Moves what is due to active; returns the time of the next due one, 0: none. */
uint64_t queue_tick(struct queue *q, uint64_t now_ms);

/* ---- the whole ---- */

enum { BINDINGS_MAX = 512, PODS_PER_TURN = 64 };

struct scheduler {
	struct client *client;
	struct informer_set *informers;
	struct shared_informer *pods, *nodes, *claims, *volumes, *classes, *namespaces;
	struct shared_informer *csi_nodes, *csi_drivers, *capacities;
	struct informer_index *free_volumes, *pointing_volumes; /* by "/CLASS", by "ns/name" of the claim */
	struct informer_handler on_pods, on_nodes, on_claims, on_volumes, on_classes, on_csi_nodes, on_csi_drivers,
	        on_capacities;
	struct list_link volume_waits;
	bool waits_are_stale; /* something changed since they were looked at */
	struct recorder *recorder;
	struct cache cache;
	struct queue queue;
	struct loop_defer work;
	uv_timer_t timer;
	bool started, closing;
	unsigned in_flight; /* calls */
	struct list_link calls;
	size_t next_node; /* where the search starts, so that all nodes get their turn */
	uint32_t random;
	struct closing close;
	void (*closed)(void *arg);
	void *closed_arg;
};

void scheduler_wake(struct scheduler *s);
/* Gets and listens to all that is about volumes. */
void scheduler_follow_volumes(struct scheduler *s);
uint64_t scheduler_now_ms(const struct scheduler *s);

/* Sends the binding; the pod is assumed to be there until it fails. */
void bind_send(struct scheduler *s, struct candidate *p, const struct node_info *n);
/* A write that goes with the placement of a pod: the object is put, done() is told of the pod by key and serial. */
typedef void bind_written_fn(
        struct scheduler *s, struct slice key, uint64_t serial, const struct err *err, struct slice answer);
void bind_put(struct scheduler *s, struct candidate *p, const char *path, const struct json *object,
        bind_written_fn *written);
/* PodScheduled=False and the event FailedScheduling. */
void bind_tell_unschedulable(struct scheduler *s, struct candidate *p, const char *reason, const char *message);
void bind_cancel_all(struct scheduler *s);

#endif
