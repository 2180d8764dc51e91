/* The nftables program of network policies. Text in, text out; see policy_rules.c for what it looks like. */
#ifndef K3X_NET_POLICY_POLICY_RULES_INT_H
#define K3X_NET_POLICY_POLICY_RULES_INT_H

#include "net/policy/policy_read_int.h"

#define POLICY_TABLE "inet k3x-policy"

/* "in", "out": how names of what belongs to a direction begin. */
const char *policy_rules_prefix(enum policy_direction d);

/* Where parts go (net/nft_table.h). */
struct policy_sink {
	void (*put)(void *arg, struct slice key, struct slice rank, struct slice add, struct slice remove);
	void (*drop)(void *arg, struct slice key);
	void *arg;
};

/* The table without policies. Begins with the removal of what was there. */
void policy_rules_frame(struct strbuf *out);

/* A table for a machine that has none yet: no pod begins to talk until the frame replaces it. `networks`: of all pods,
 * like "10.42.0.0/16,fd00::/56". Is refused as a whole where there is a table. */
void policy_rules_wait(struct strbuf *out, struct slice networks);

/* A set of pods, and one of pods' ports of a name: both families. */
void policy_rules_add_pods(struct strbuf *out, uint64_t id);
void policy_rules_remove_pods(struct strbuf *out, uint64_t id);
void policy_rules_add_ports(struct strbuf *out, uint64_t id);
void policy_rules_remove_ports(struct strbuf *out, uint64_t id);

/* The numbers of the sets that a rule names. */
struct policy_sets {
	uint64_t (*pods)(void *arg, struct slice selector);
	uint64_t (*ports)(void *arg, enum policy_protocol protocol, struct slice name);
	void *arg;
};

/* The rules of one direction of a policy, one a line, without the chain's name: what they match is accepted. */
void policy_rules_body(struct strbuf *out, enum policy_direction d, const struct policy_rule *rules, size_t n,
        const struct policy_sets *sets);
/* Its chain from that. `comment`: whose it is. */
void policy_rules_add_chain(
        struct strbuf *out, enum policy_direction d, uint64_t id, struct slice comment, struct slice body);
void policy_rules_remove_chain(struct strbuf *out, enum policy_direction d, uint64_t id);

/* A group: pods under the same policies. */
void policy_rules_add_group(struct strbuf *out, enum policy_direction d, uint64_t id, const uint64_t *chains, size_t n);
void policy_rules_remove_group(struct strbuf *out, enum policy_direction d, uint64_t id);

/* What a pod's address is in; each with "add" or "delete" as its verb. */
void policy_rules_known(struct strbuf *out, const char *verb, const struct policy_network *ip);
void policy_rules_self(struct strbuf *out, const char *verb, const struct policy_network *ip);
void policy_rules_isolate(
        struct strbuf *out, const char *verb, enum policy_direction d, const struct policy_network *ip, uint64_t group);
void policy_rules_member(struct strbuf *out, const char *verb, uint64_t id, const struct policy_network *ip);
void policy_rules_port(
        struct strbuf *out, const char *verb, uint64_t id, const struct policy_network *ip, unsigned port);

/* A network whose pods run here. */
void policy_rules_here(struct strbuf *out, const char *verb, const struct policy_network *n);
/* Pods of here that are not known wait. */
void policy_rules_add_hold(struct strbuf *out);
void policy_rules_remove_hold(struct strbuf *out);

#endif
