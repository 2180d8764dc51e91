/* KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1): profiles, which of the plugins a profile has and what
 * their scores weigh, how node resources are scored, back-off, how many nodes are looked at, and extenders.
 *
 * What is understood is heeded; a plugin that does not exist or can't be left out, an argument that is not there: an
 * error that names it. Members that are about the program and not about scheduling (clientConnection,
 * leaderElection, parallelism, ...) are told as notes. Reading is pure; texts live in the arena. */
#ifndef K3X_API_SCHEDULER_CONFIGURATION_H
#define K3X_API_SCHEDULER_CONFIGURATION_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

struct json;

enum score_plugin {
	SCORE_FIT,
	SCORE_BALANCED,
	SCORE_IMAGES,
	SCORE_TAINTS,
	SCORE_NODE_AFFINITY,
	SCORE_POD_AFFINITY,
	SCORE_SPREAD,
	SCORE_PLUGINS
};

/* Filters that a profile may be without. */
enum filter_plugin {
	FILTER_UNSCHEDULABLE = 1,
	FILTER_TAINTS = 2,
	FILTER_NODE_AFFINITY = 4,
	FILTER_PORTS = 8,
	FILTER_FIT = 16,
	FILTER_SPREAD = 32,
	FILTER_POD_AFFINITY = 64,
	FILTER_ALL = 127
};

enum fit_strategy { FIT_LEAST, FIT_MOST, FIT_RATIO };

struct fit_resource {
	const char *name; /* "cpu", "memory", "ephemeral-storage", or an extended one */
	int64_t weight;
};

/* A point of the curve of RequestedToCapacityRatio. */
struct fit_point {
	int64_t utilization; /* 0..100 */
	int64_t score;       /* 0..10 */
};

/* A constraint of topology spread for pods that have none of their own; whom it counts is found for each pod. */
struct spread_default {
	const char *topology_key;
	int64_t max_skew;
	int64_t min_domains;   /* 0: not said */
	bool is_hard;          /* DoNotSchedule */
	bool ignores_affinity; /* nodeAffinityPolicy: Ignore */
	bool honors_taints;    /* nodeTaintsPolicy: Honor */
};

struct scheduler_profile {
	const char *name;               /* spec.schedulerName of its pods */
	int64_t weights[SCORE_PLUGINS]; /* 0: left out */
	unsigned filters;               /* of enum filter_plugin */
	bool preempts;
	enum fit_strategy strategy;
	const struct fit_resource *resources;
	size_t n_resources;
	const struct fit_point *shape;
	size_t n_shape;
	const struct fit_resource *balanced; /* of NodeResourcesBalancedAllocation; their weights are 1 */
	size_t n_balanced;
	int64_t hard_affinity_weight;               /* of required affinity of pods that are there; 0..100 */
	int64_t candidates_percent, candidates_min; /* of preemption */
	int64_t nodes_percent;                      /* to look at; 0: by the size of the cluster */
	const char *const *left_out;                /* extended resources that NodeResourcesFit does not look at */
	size_t n_left_out;
	const char *const *left_out_groups; /* the same by what stands before the slash */
	size_t n_left_out_groups;
	bool ignores_wishes; /* what pods that are there prefer does not count for one that prefers nothing */
	const struct json *added_terms, *added_preferences; /* node affinity of every pod, beside its own; NULL: none */
	uint64_t volume_timeout_ms;                         /* until claims are bound */
	const struct spread_default *spread;
	size_t n_spread;
	bool spreads_by_system; /* spread is what upstream's system defaults are: a node may be without their labels */
};

/* A program of somebody else's that is asked about pods, over HTTP or HTTPS: pkg/scheduler/extender.go. */
struct scheduler_extender {
	const char *url_prefix;
	/* Behind the prefix and a slash, one call each; NULL: it has none. */
	const char *filter_verb, *prioritize_verb, *preempt_verb, *bind_verb;
	int64_t weight;          /* of its scores */
	bool enables_https;      /* whoever answers is believed if no CA is given */
	bool is_insecure;        /* ... is believed in any case */
	const char *server_name; /* in its certificate; NULL: the URL's host */
	/* Either may be NULL. Files are read by scheduler_configuration_load(), to the texts. */
	const char *ca_file, *certificate_file, *key_file;
	const char *ca_pem, *certificate_pem, *key_pem;
	uint64_t timeout_ms;
	bool knows_nodes;             /* nodeCacheCapable: names of nodes, and uids of victims, are enough */
	bool is_ignorable;            /* its errors keep no pod waiting */
	const char *const *resources; /* it is asked about pods that ask for one of these; none: about all */
	size_t n_resources;
};

struct scheduler_configuration {
	const struct scheduler_profile *profiles;
	size_t n_profiles;
	uint64_t backoff_ms, backoff_max_ms;
	struct scheduler_extender *extenders; /* in the order in which they are asked: those that may be ignored last */
	size_t n_extenders;
	const char **notes; /* members that are not heeded, by their names */
	size_t n_notes;
};

/* One profile, "default-scheduler", as upstream's. Static. */
extern const struct scheduler_configuration scheduler_configuration_default;

/* YAML or JSON. ERR_INVAL names the member and what would be right. */
int scheduler_configuration_read(
        struct arena *a, struct slice text, struct scheduler_configuration *ret, struct err *err);

/* Reads the files that the extenders name, into the arena, and sees whether their certificates are any good. Errors
 * name the extender. */
int scheduler_configuration_load(struct arena *a, struct scheduler_configuration *c, struct err *err);

#endif
