/* What the scheduler's files share.
 *
 *   pod.c        a pod's demands, parsed once into a small struct
 *   cache.c      nodes and what their pods take, kept up by every event, binding included ("assumed" pods)
 *   queue.c      pods that wait: active, backing off, unschedulable, gated
 *   filters.c    which nodes can take a pod, and why the others cannot; placement.c: rules about other pods
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

/* Before the nodes: NULL, or why no node can take it (volumes). */
const char *filters_prepare(struct scheduler *s, struct candidate *p);

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
	struct informer_handler on_pods, on_nodes, on_claims, on_volumes;
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
uint64_t scheduler_now_ms(const struct scheduler *s);

/* Sends the binding; the pod is assumed to be there until it fails. */
void bind_send(struct scheduler *s, struct candidate *p, const struct node_info *n);
/* PodScheduled=False and the event FailedScheduling. */
void bind_tell_unschedulable(struct scheduler *s, struct candidate *p, const char *reason, const char *message);
void bind_cancel_all(struct scheduler *s);

#endif
