/* NetworkPolicies (networking.k8s.io/v1): who may talk to the pods of this node, and to whom they may, by nftables
 * rules.
 *
 * Pods, namespaces and policies are followed through informers; what changes is written to one table of our own,
 * `inet k3x-policy`, in small transactions. A connection is judged when it begins, by the pods' own addresses: services
 * have been translated before. What the node itself sends to its pods passes, so do answers. docs/network.md says what
 * a user can rely on. */
#ifndef K3X_NET_POLICY_POLICY_H
#define K3X_NET_POLICY_POLICY_H

#include "api/client/client.h"

struct policies;
struct policy_metrics;

struct policies_options {
	struct client *client; /* borrowed; its loop is theirs. It may read pods, namespaces, policies and the node */
	const char *node_name;
	const char *cluster_cidr;       /* pods: those of a machine that has just come up wait for the first state */
	const char *nft_path;           /* NULL: "nft" on PATH */
	struct policy_metrics *metrics; /* borrowed, outlives them; NULL: nobody asks */
	bool is_off;                    /* follow nothing; rules of an earlier run go */
};

/* Never fails: what can't be done yet is tried again, and said in the log. The rules of an earlier run stay until the
 * first complete state replaces them in one transaction. Loop's thread. */
struct policies *policies_new(const struct policies_options *options);

/* Stops following. The rules stay: pods keep running. closed(arg) may be NULL. Loop's thread. */
void policies_close(struct policies *p, void (*closed)(void *arg), void *arg);

#endif
