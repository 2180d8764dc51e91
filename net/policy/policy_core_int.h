/* The core of network policies: pods, namespaces and policies in, parts of a table out. It knows no kernel and no API.
 *
 * Only what concerns pods of this node becomes rules: the policies that select one, and the pods, wherever they run,
 * that those policies speak of. One thread. */
#ifndef K3X_NET_POLICY_POLICY_CORE_INT_H
#define K3X_NET_POLICY_POLICY_CORE_INT_H

#include "net/policy/policy_pod_int.h"
#include "net/policy/policy_rules_int.h"

struct policy_core;

/* The sink is copied, the name too. */
struct policy_core *policy_core_new(const struct policy_sink *sink, const char *node_name);
void policy_core_free(struct policy_core *c); /* the sink is told nothing */

/* What changed; computed by policy_core_sync(). NULL and SLICE_NULL: it is gone. */
void policy_core_pod(struct policy_core *c, struct slice key, struct rcbuf *packed); /* key: "namespace/name" */
void policy_core_namespace(struct policy_core *c, struct slice name, struct slice object);
void policy_core_policy(struct policy_core *c, struct slice key, struct slice object);
/* Where this node's pods get their addresses from; others than these are never held. */
void policy_core_networks(struct policy_core *c, const struct policy_network *networks, size_t n);

/* Computes what changed, and tells the sink. */
void policy_core_sync(struct policy_core *c);

struct policy_counts {
	size_t policies, pods, chains, groups,
	        sets;                       /* pods: of all nodes, with addresses; chains: of policies, by direction */
	size_t isolated[POLICY_DIRECTIONS]; /* pods of this node */
};
struct policy_counts policy_core_counts(const struct policy_core *c);

#endif
