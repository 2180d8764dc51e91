/* What the scheduler's files share.
 *
 *   configuration.c  profiles: which plugins, what they weigh; configuration_arguments.c: their arguments
 *   pod.c        a pod's demands, parsed once into a small struct
 *   cache.c      nodes and what their pods take, kept up by every event, binding included ("assumed" pods)
 *   queue.c      pods that wait: active, backing off, unschedulable, gated
 *   refused.c    the unschedulable ones by what refused them; hints.c: which events may help these
 *   filters.c    which nodes can take a pod, and why the others cannot; placement.c: rules about other pods
 *   consult.c    what extenders say of a pod's nodes, while others go on; extenders.c asks them, extender_wire.c knows
 *                their words, extender_opinions.c keeps what they said
 *   preemption.c whose pods would have to go; nominees.c: for whom they go
 *   volumes.c    which nodes the pod's claims admit; volume_bind.c: binding those that waited for this pod
 *   scores.c     which of them is best; preferences.c: what pods prefer of each other
 *   default_spread.c  topology spread of pods that ask for none
 *   bind.c       telling the API server: bindings, conditions, events
 *   events.c     what the informers tell, to the cache, the queue and as hints
 *   scheduler.c  one pod after the other, life */
#ifndef K3X_API_SCHEDULER_SCHEDULER_INT_H
#define K3X_API_SCHEDULER_SCHEDULER_INT_H

#include "base/rt/closing.h"
#include "api/client/informer_set.h"
#include "api/client/meta.h"
#include "api/client/recorder.h"
#include "api/machinery/schema/selector.h"
#include "api/scheduler/extenders/extender_wire.h"
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
	struct rcbuf *json;      /* shared bytes, not a copy */
	struct slice ns, labels; /* in there, for rules about other pods */
	struct slice started;    /* there too, once somebody asked for it: pod_started() */
	bool knows_started;
	bool is_dying; /* it is deleted already */
	struct amounts requests;
	int64_t nonzero_cpu_milli, nonzero_memory; /* with upstream's defaults for scoring */
	struct host_port *ports;
	size_t n_ports;
	int32_t priority;
	bool is_victim;         /* it is being sent away: the informer has not shown it yet */
	bool assumed;           /* its binding is under way: the informer has not shown it yet */
	bool has_anti_affinity; /* required rules that other pods must heed */
	bool has_preferences;   /* rules about other pods that give points: preferred ones, and required affinity */
	struct arena arena;     /* ports, extended */
};

struct taint {
	struct slice key, value;
	char effect; /* 'S' NoSchedule, 'P' PreferNoSchedule, 'E' NoExecute */
};

/* An image that a node has. */
struct image {
	uint64_t name; /* its hash; never 0 */
	int64_t bytes;
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
	struct list_link nominees; /* nominees.c */
	size_t n_pods, n_anti_affinity, n_preferring;
	struct image *images;  /* by hash, 0 behind the last */
	size_t slot;           /* place in cache->list, while the node exists */
	struct places *places; /* topology.c; of a node in the cache */
};

/* A label by which nodes are told apart: topology.c. */
struct topology {
	char *key;
	size_t index;
	struct map values;
	size_t count; /* values have the numbers 1 to this */
};

/* How many pods with a node have this priority. */
struct priority_count {
	int32_t priority;
	size_t pods;
};

struct cache {
	struct map nodes;        /* by name, absent ones included */
	struct node_info **list; /* the nodes that exist */
	size_t count, cap;
	struct map pods;        /* by key */
	struct map names;       /* interned names of extended resources */
	size_t n_anti_affinity; /* pods with such rules, on all nodes */
	size_t n_preferring;
	struct map images; /* by the 8 bytes of the hash: on how many nodes */
	struct priority_count *priorities;
	size_t n_priorities;
	struct topology **topologies;
	size_t n_topologies;
	struct arena arena;
};

void cache_init(struct cache *k);
void cache_release(struct cache *k);
void cache_node_set(struct cache *k, struct slice name, struct rcbuf *json);
/* Other bytes that say the same of all that is read here, but for the labels. */
void cache_node_touch(struct cache *k, struct slice name, struct rcbuf *json);
/* What a node's text says, for a comparison: in no cache, without pods; lives in its own arena. */
void node_info_read(struct cache *k, struct node_info *n, struct slice name, struct rcbuf *json);
void node_info_release(struct node_info *n);
void cache_node_remove(struct cache *k, struct slice name);
/* Adds or replaces; the pod must name a node. True: it asks for less than it did. */
bool cache_pod_set(struct cache *k, struct slice key, struct slice node, struct rcbuf *json, bool assumed);
void cache_pod_remove(struct cache *k, struct slice key);
/* All nodes that exist have their numbers. Valid, and its count as it is, until the cache changes or trims. */
struct topology *topology_need(struct cache *k, const char *key);
/* Of the node's value; 0: it has none. */
uint32_t topology_number(struct topology *t, const struct node_info *n);
/* What a node knows of its numbers; forgotten when its labels change. */
struct places *places_new(void);
void places_forget(struct places *p);
void places_free(struct places *p);
/* Between two attempts: forgets all when too much has piled up. */
void topologies_trim(struct cache *k);
void topologies_release(struct cache *k);
/* In two steps, for who looks at it in between: it counts nowhere any more, but knows its node. NULL: none. */
struct pod_info *cache_pod_take(struct cache *k, struct slice key);
void cache_pod_free(struct cache *k, struct pod_info *p);
struct pod_info *cache_pod(struct cache *k, struct slice key);
/* As if a pod were not on its node, or were there; in turns, and each that is hidden is shown again. The pod need not
 * be one of the cache's. */
void cache_pod_hide(struct cache *k, struct pod_info *p);
void cache_pod_show(struct cache *k, struct pod_info *p);
struct node_info *cache_node_need(struct cache *k, struct slice name); /* made if it is not there */
void cache_node_unneeded(struct cache *k, struct node_info *n);        /* gone if nothing is known of it */
bool cache_has_lower(const struct cache *k, int32_t priority);         /* pods with a node of a lower priority */
const char *cache_intern(struct cache *k, struct slice name);

/* ---- parsing (pod.c) ---- */

/* A pod that is to be placed: its tree and what was read of it, for one attempt. */
struct candidate {
	struct arena arena;
	struct rcbuf *json;
	struct slice key;
	struct meta meta;
	struct json *pod, *spec;
	struct pod_info demands;                 /* requests, ports */
	const struct scheduler_profile *profile; /* the default one, until it is said otherwise */
	struct json *tolerations, *node_selector, *required_terms, *preferred_terms;
	struct json *affinity, *anti_affinity, *spread; /* rules about other pods, NULL: none */
	bool spreads_by_system;                         /* spread is of the system's defaults */
	struct placement *placement;                    /* prepared by placement.c */
	struct preferences *preferences;                /* prepared by preferences.c, NULL: nobody has any */
	struct pod_volumes *volumes;                    /* prepared by volumes.c, NULL: no claims */
};

/* ns, labels and is_dying from the pod's json, as that is now. */
void pod_read_labels(struct pod_info *p);
/* status.startTime, looked up once; "~", which sorts behind all times, if it has not started. */
struct slice pod_started(struct pod_info *p);
void pod_read_demands(struct cache *k, const struct json *pod, struct pod_info *out, struct arena *a);
bool candidate_read(struct cache *k, struct candidate *p, struct slice key, struct rcbuf *json);
void candidate_release(struct candidate *p);

/* Sums and compares. */
void amounts_add(struct arena *a, struct amounts *to, const struct amounts *by, int sign);
int64_t amounts_extended(const struct amounts *x, const char *name);

/* ---- filters ---- */

enum { REASONS_MAX = 12, REASON_TEXT_MAX = 200 };

/* Beside those of enum filter_plugin, which no profile is without. */
enum {
	FILTER_NODE_NAME = 128,
	FILTER_VOLUME_RESTRICTIONS = 256,
	FILTER_VOLUME_LIMITS = 512,
	FILTER_VOLUME_BINDING = 1024,
	FILTER_VOLUME_ZONE = 2048,
	FILTER_EXTENDERS = 4096
};

/* Why a node cannot take the pod; several for resources. */
struct verdict {
	const char *reasons[REASONS_MAX]; /* static, or in the candidate's arena */
	size_t count;
	unsigned plugin; /* whose they are */
	bool resolvable; /* removing pods could help: preemption may be tried */
};

/* Adds a reason; returns false. */
bool verdict_refuse(struct verdict *v, unsigned plugin, const char *reason, bool resolvable);

/* True when the node can take the pod. */
bool filters_pass(struct scheduler *s, struct candidate *p, const struct node_info *n, struct verdict *v);
/* The same with the pods of no lower priority that are to come here, and without them. */
bool filters_pass_beside(struct scheduler *s, struct candidate *p, struct node_info *n, struct verdict *v);
bool filter_resources(struct candidate *p, const struct node_info *n, struct verdict *v);
/* Requests alone: do they fit beside what is used? */
bool requests_fit(const struct candidate *p, const struct node_info *n);
/* Node selector and required node affinity. */
bool node_is_chosen(const struct candidate *p, const struct node_info *n);
/* The node affinity that the profile adds. */
bool node_is_enforced(const struct candidate *p, const struct node_info *n);
bool ports_clash(const struct pod_info *a, const struct pod_info *b);
/* Of those that keep pods away; whether it is cordoned does not count. */
bool taints_are_tolerated(const struct candidate *p, const struct node_info *n);
bool toleration_matches(const struct json *tolerations, const struct taint *t);
/* A nodeSelectorTerm, upstream's rules: an empty term matches nothing. */
bool node_term_matches(const struct json *term, const struct node_info *n);

/* volumes.c: claims. Before the nodes: NULL, or why no node can take it. */
const char *volumes_prepare(struct scheduler *s, struct candidate *p);
bool volumes_filter(struct scheduler *s, struct candidate *p, const struct node_info *n, struct verdict *v);
/* Does a pod (its text) mount this claim; any at all, with an empty name? */
bool pod_uses_claim(struct slice pod, struct slice ns, struct slice claim);
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

/* ---- rules about other pods ---- */

/* pod_term.c: which pods are meant. Lives in the arena that it was read into. */
struct pod_term {
	const char *topology_key;
	struct label_selector selector;
	bool nothing;
	const struct json *namespaces; /* names; NULL: the own one of the pod whose rule it is */
	struct label_selector namespace_selector;
	bool has_namespace_selector;
};

void pod_term_read(struct arena *a, const struct json *json, struct pod_term *ret);
/* These labels must be as the candidate's. */
void pod_term_match_keys(struct candidate *p, struct pod_term *t, const struct json *keys);
/* own_ns: of the pod whose rule it is. */
bool pod_term_matches(
        struct scheduler *s, const struct pod_term *t, struct slice own_ns, struct slice ns, struct slice labels);

static inline bool spread_is_hard(const struct json *constraint)
{
	return slice_is(json_get_str(constraint, "whenUnsatisfiable"), "DoNotSchedule");
}
/* Does a node count for this constraint of topology spread? By nodeAffinityPolicy and nodeTaintsPolicy. */
bool spread_includes(const struct candidate *p, const struct json *constraint, const struct node_info *n);

static inline struct slice node_label(const struct node_info *n, const char *key)
{
	return n->labels.len ? json_find(n->labels, key, NULL) : SLICE_NULL;
}

/* default_spread.c: pods without constraints have those of their profile, with whom they count: the pods that their
 * services and their controller select, as upstream's helper.DefaultSelector() has it. */
void default_spread_follow(struct scheduler *s);
/* Sets p->spread, if the pod has none and something selects it. The profile is known. */
void default_spread_give(struct scheduler *s, struct candidate *p);
/* The pure parts. A label selector, {} at first, in the arena; the services' labels first, then the controller's
 * rules. kind: of those that have selectors; of a service one that does not select the pod adds nothing. */
void default_selector_add_service(struct arena *a, struct json *selector, struct slice service, struct slice labels);
void default_selector_add_owner(struct arena *a, struct json *selector, struct slice kind, struct slice owner);
/* NULL: the selector selects everything, or there are no constraints. */
struct json *default_spread_constraints(
        struct arena *a, const struct scheduler_profile *profile, const struct json *selector);

/* placement.c: affinity and anti-affinity among pods, topology spread; required rules only. */
void placement_prepare(struct scheduler *s, struct candidate *p);
bool placement_filter(struct candidate *p, const struct node_info *n, struct verdict *v);
/* Another pod is counted on (1) or off (-1), as if it came to its node or went. */
void placement_count(struct scheduler *s, struct candidate *p, const struct pod_info *other, int sign);

/* ---- preemption ---- */

/* Why no node can take a pod, as it was said of each: texts and their nodes, and whether the going of pods could help a
 * node (by its slot). */
struct tally {
	struct {
		const char *reason;
		size_t nodes;
	} rows[64];
	size_t count;
	unsigned plugins; /* whose reasons they are */
	bool *may_help;
};

void tally_add(struct tally *t, const struct verdict *v);
/* "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable." */
const char *tally_text(struct arena *a, const struct tally *t, size_t nodes);

/* A pod that might go. */
struct lesser {
	struct pod_info *pod;
	struct slice started; /* pod_started() */
	bool violates;        /* its going, a disruption budget */
};

/* A node on which it works. */
struct offer {
	struct node_info *node;
	struct lesser *victims; /* the most important first */
	size_t count, violations;
};

struct preemption {
	struct offer *offers; /* in the candidate's arena */
	size_t count;
	const char *message;   /* without offers: why */
	bool drops_nomination; /* what it was nominated for is no good any more */
};

/* Pods of lower priority whose going makes room for the candidate, on each node where that can be. */
void preempt(struct scheduler *s, struct candidate *p, const struct tally *t, struct preemption *ret);
/* The order of victims in an offer, for qsort(). */
int preempt_most_important_first(const void *lesser, const void *other);
/* Where it does least harm; NULL without offers. */
const struct offer *preempt_best(const struct preemption *x);
/* The victims are told and deleted, and the candidate is nominated for their node. */
void preempt_carry_out(struct scheduler *s, struct candidate *p, const struct offer *o);

/* nominees.c: pods for which others were sent away, with the node that they wait for. */
void nominee_set(struct scheduler *s, struct slice key, struct slice node, struct rcbuf *json);
void nominee_remove(struct scheduler *s, struct slice key);
/* It waits no more, and unless it is placed there its room may be had. */
void nominee_forget(struct scheduler *s, struct slice key, struct slice placed_on);
/* Those that wait for this node are tried anew: a victim stays. */
void nominees_retry(struct scheduler *s, struct node_info *n);
struct slice nominee_node(const struct scheduler *s, struct slice key); /* SLICE_NULL: none */
/* Whether any of no lower priority than the candidate waits here; all of those come, or go again. */
bool nominees_show(struct scheduler *s, struct candidate *p, struct node_info *n);
void nominees_hide(struct scheduler *s, struct candidate *p, struct node_info *n);
/* Those of a lower priority that wait for this node are told that they wait in vain, and are tried anew. */
void nominees_displace(struct scheduler *s, int32_t priority, struct node_info *n);
void nominees_release(struct scheduler *s);

/* ---- scores ---- */

/* 0..100 for each of the nodes. */
void preferences_prepare(struct scheduler *s, struct candidate *p);
void preferences_score(const struct candidate *p, struct node_info *const *nodes, size_t n, int64_t *scores);
/* Zeros, if it asks for no spread of this kind. */
void soft_spread_score(
        struct scheduler *s, struct candidate *p, struct node_info *const *nodes, size_t n, int64_t *scores);
uint64_t image_hash(struct slice name);
int64_t cache_image_nodes(const struct cache *k, uint64_t image);

/* The best of `n` nodes that passed; ties are broken by turns. more: what else each of them has; NULL: nothing. */
struct node_info *scores_pick(
        struct scheduler *s, struct candidate *p, struct node_info **nodes, size_t n, const int64_t *more);

/* ---- the queue ---- */

enum queued_state { QUEUED_ACTIVE, QUEUED_PARKED, QUEUED_BACKOFF, QUEUED_UNSCHEDULABLE, QUEUED_GATED, QUEUED_BUSY };

struct queued_pod {
	struct slice key;
	enum queued_state state;
	int32_t priority;
	uint64_t added_ms; /* of the first try: earlier ones go first */
	uint64_t due_ms;   /* end of the backoff, or of the stay among the unschedulable */
	unsigned attempts;
	uint64_t serial;         /* of this stay in the queue: a namesake that comes later has another */
	struct heap_link place;  /* active, parked, backoff */
	struct list_link link;   /* unschedulable, gated */
	struct refused *refused; /* unschedulable: with whom it waits; NULL: for nothing but time */
	struct list_link alike;  /* in there */
};

struct queue {
	uint64_t backoff_ms, backoff_max_ms; /* of queue_init(), or as configured */
	struct map pods;
	struct heap active, parked, backoff;
	uint64_t serials;
	struct list_link unschedulable, gated;
	struct map refused; /* refused.c, by what they ask */
};

void queue_init(struct queue *q);
void queue_release(struct queue *q);
struct queued_pod *queue_find(struct queue *q, struct slice key);
/* A new pod, or one whose spec changed: active (or gated). */
void queue_add(struct queue *q, struct slice key, int32_t priority, bool gated, uint64_t now_ms);
void queue_remove(struct queue *q, struct slice key);
struct queued_pod *queue_pop(struct queue *q); /* the next active one, now busy; NULL: none */
/* It was popped and cannot be tried now, for extenders are busy with another: aside, and one of these back, if it is
 * the most urgent of all. */
void queue_park(struct queue *q, struct queued_pod *p);
void queue_unpark(struct queue *q);
/* After a try: as unschedulable (waits for an event) or to be tried again after its backoff. */
void queue_put_back(struct queue *q, struct queued_pod *p, bool unschedulable, uint64_t now_ms);
/* One that is unschedulable backs off and then is tried again. */
void queue_retry(struct queue *q, struct slice key, uint64_t now_ms);
/* The same, of one that is known to be unschedulable. */
void queue_move(struct queue *q, struct queued_pod *p, uint64_t now_ms);
/* Moves what is due to active; returns the time of the next due one, 0: none. */
uint64_t queue_tick(struct queue *q, uint64_t now_ms);

/* ---- events that may help ---- */

enum cluster_event_kind {
	EVENT_NODE_ADDED,
	EVENT_NODE_CHANGED, /* labels, taints, cordon or allocatable */
	EVENT_NODE_GONE,
	EVENT_POD_PLACED,
	EVENT_POD_CHANGED, /* labels, or it is being deleted */
	EVENT_POD_SHRUNK,
	EVENT_POD_GONE, /* from its node, or it waits for this node no more */
	EVENT_CLAIM,
	EVENT_VOLUME,
	EVENT_CLASS,
	EVENT_CSI_NODE,
	EVENT_CSI_DRIVER,
	EVENT_CAPACITY
};

/* What is not about the kind is NULL. The cache is as it is after the event. */
struct cluster_event {
	enum cluster_event_kind kind;
	const struct node_info *node;        /* NODE_*, the one that goes too */
	const struct node_info *node_before; /* NODE_CHANGED */
	const struct pod_info *pod;          /* POD_*, with its node */
	struct slice labels_before;          /* POD_CHANGED */
	bool was_dying;
	struct slice object, before; /* others: their texts; before: SLICE_NULL when it is new */
};

/* hints.c: may this help a pod that these plugins (of enum filter_plugin and FILTER_*) refused on some node? */
bool hint_helps(struct scheduler *s, const struct candidate *p, unsigned plugins, const struct cluster_event *e);

/* refused.c. The pod fits nowhere: it waits until an event may help against one of these plugins; 0: any event. */
void refused_put(struct queue *q, struct queued_pod *p, const struct candidate *c, unsigned plugins, uint64_t now_ms);
void refused_leave(struct queue *q, struct queued_pod *p);
void refused_release(struct queue *q);
/* Those that it may help are tried again; true: there are such. */
bool refused_event(struct scheduler *s, const struct cluster_event *e, uint64_t now_ms);

/* ---- extenders ---- */

/* extenders.c. A question to one of them, embedded by who asks it; zeroed before it is filled. */
struct extender_question {
	struct strbuf body;                            /* freed with the answer */
	void (*answered)(struct extender_question *q); /* exactly once, never from inside extender_ask() */
	void *arg;                                     /* the asker's */
	/* set before answered() */
	struct err err;      /* no answer, or not with status 200 */
	struct slice answer; /* valid during answered() */
	/* its own */
	struct outgoing_call call;
	struct arena arena;
	struct loop_defer failing; /* it could not even be asked */
	struct extenders *with;
	const struct scheduler_extender *of;
	const char *verb;
};

struct extenders;
/* NULL when none is configured. */
struct extenders *extenders_new(struct scheduler *s);
/* Questions that are open are answered with ERR_CANCELED first. */
void extenders_close(struct extenders *x, void (*closed)(void *arg), void *arg);
void extender_ask(
        struct extenders *x, const struct scheduler_extender *of, const char *verb, struct extender_question *q);
void extender_give_up(struct extender_question *q); /* answered() still comes */
/* One that may be ignored has failed; told in the log, not too often. */
void extender_skip(struct extenders *x, const struct scheduler_extender *of, const struct err *why);
/* The one that binds this pod; NULL: we do it. */
const struct scheduler_extender *extender_binder(const struct scheduler *s, const struct json *spec);

/* consult.c. Is any of them to be asked where this pod may go? */
bool consult_is_wanted(const struct scheduler *s, const struct candidate *p);
/* The candidate is taken over. One at a time: s->consult, until it is over. */
void consult_start(struct scheduler *s, struct queued_pod *q, struct candidate *p);
/* The pod is gone: whom it is asked of need not answer any more. */
void consult_check(struct scheduler *s);
/* Something happened meanwhile that might help it; the pod itself has changed. */
void consult_disturb(struct scheduler *s);
void consult_pod_changed(struct scheduler *s, struct slice key);

/* ---- the whole ---- */

enum { BINDINGS_MAX = 512, PODS_PER_TURN = 64, FOLLOWED = 6 };

/* Objects beside pods and nodes that are followed, and what their events are. */
struct followed {
	struct scheduler *s;
	enum cluster_event_kind kind;
	struct informer_handler handler;
};

struct scheduler {
	struct client *client;
	const struct scheduler_configuration *conf;
	struct informer_set *informers;
	struct shared_informer *pods, *nodes, *claims, *volumes, *classes, *namespaces;
	struct shared_informer *csi_nodes, *csi_drivers, *capacities;
	struct shared_informer *budgets;
	struct map nominees;                                    /* by key */
	struct informer_index *free_volumes, *pointing_volumes; /* by "/CLASS", by "ns/name" of the claim */
	struct informer_handler on_pods, on_nodes;
	struct followed followed[FOLLOWED];
	struct shared_informer *services, *rcs, *replica_sets, *stateful_sets; /* default_spread.c; NULL: no need */
	struct informer_index *services_by_label;                              /* their first label: default_spread.c */
	struct list_link volume_waits;
	bool waits_are_stale; /* something changed since they were looked at */
	struct recorder *recorder;
	struct extenders *extenders; /* NULL: none */
	struct consult *consult;     /* NULL: none is under way */
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
/* NULL: pods of this name are another scheduler's. */
const struct scheduler_profile *scheduler_profile_of(const struct scheduler *s, struct slice name);

/* scheduler.c, the steps of a decision. Which nodes will do, as many as are worth looking at; the tally says why others
 * won't. */
size_t scheduler_find_nodes(struct scheduler *s, struct candidate *p, struct tally *t, struct node_info **ret);
/* The node that others were sent away from for it, if it will do; NULL: none. */
struct node_info *scheduler_nominated_node(struct scheduler *s, struct candidate *p);
/* It gets this node. */
void scheduler_place(struct scheduler *s, struct candidate *p, struct node_info *n);
/* It fits nowhere, and this is what preemption makes of it. may_wait: until something happens that can help; else it
 * backs off. */
void scheduler_refuse(struct scheduler *s, struct queued_pod *q, struct candidate *p, const struct tally *t,
        const struct preemption *x, bool may_wait);
/* Its claims rule out all nodes. */
void scheduler_refuse_volumes(struct scheduler *s, struct queued_pod *q, struct candidate *p, const char *why);

/* events.c: gets and listens to all that the scheduler follows; to all that is about volumes alone. */
void scheduler_follow(struct scheduler *s);
void scheduler_follow_volumes(struct scheduler *s);
void scheduler_ignore(struct scheduler *s);
/* Something happened; pods that it may help are tried again. */
void scheduler_tell(struct scheduler *s, const struct cluster_event *e);
/* A pod that was assumed on a node does not come there. */
void scheduler_forget_pod(struct scheduler *s, struct slice key);
uint64_t scheduler_now_ms(const struct scheduler *s);

/* Sends the binding; the pod is assumed to be there until it fails. */
void bind_send(struct scheduler *s, struct candidate *p, const struct node_info *n);
/* A write that goes with the placement of a pod: the object is put, done() is told of the pod by key and serial. */
typedef void bind_written_fn(
        struct scheduler *s, struct slice key, uint64_t serial, const struct err *err, struct slice answer);
void bind_put(struct scheduler *s, struct candidate *p, const char *path, const struct json *object,
        bind_written_fn *written);
/* PodScheduled=False and the event FailedScheduling; nominated: the node that it waits for from now on, "" for none,
 * NULL as it was. */
void bind_tell_unschedulable(
        struct scheduler *s, struct candidate *p, const char *reason, const char *message, const char *nominated);
/* It waits for no node any more. */
void bind_drop_nomination(struct scheduler *s, struct rcbuf *pod);
/* The victim is told by a condition, deleted, and an event tells for whom and where. */
void bind_evict(
        struct scheduler *s, const struct candidate *p, const struct pod_info *victim, const struct node_info *n);
void bind_cancel_all(struct scheduler *s);

#endif
