/* What the core of network policies keeps; see policy_core.c for how it hangs together. */
#ifndef K3X_NET_POLICY_POLICY_STATE_INT_H
#define K3X_NET_POLICY_POLICY_STATE_INT_H

#include "api/machinery/schema/selector.h"
#include "base/mem/list.h"
#include "base/mem/map.h"
#include "net/policy/policy_pod_int.h"
#include "net/policy/policy_rules_int.h"

/* Pods of others than the namespace itself may be here before it is. */
struct ns_entry {
	struct slice key;
	bool exists;
	char *labels;                          /* text of an object; NULL: none */
	struct list_link pods, policies, sets; /* sets: of pods of this namespace alone */
};

/* One address of one pod. */
struct attachment {
	struct list_link link;
	struct pod_entry *pod;
	struct address_entry *address;
};

struct pod_entry {
	struct slice key;
	struct ns_entry *ns;
	struct list_link in_ns, dirty;
	struct rcbuf *packed;
	struct slice labels; /* in it */
	bool is_local;
	struct attachment *attachments;
	size_t attachments_count;
	struct set_entry **sets; /* that it is in, by number */
	size_t sets_count;
	struct group_entry *groups[POLICY_DIRECTIONS]; /* NULL: not isolated */
};

/* An address, and what the table has of it: those things of the newest pod that has it. */
struct address_entry {
	struct slice key; /* as text */
	struct policy_network ip;
	struct list_link attachments, dirty;
	bool has_base;
	uint64_t *sets, *ports; /* numbers, ascending */
	size_t sets_count, ports_count;
};

/* Pods by selectors. */
struct set_entry {
	struct slice key; /* policy_peer.pods */
	uint64_t id;
	unsigned refs;       /* by chains */
	struct ns_entry *ns; /* NULL: by selector of namespaces */
	struct list_link link, fresh, idle;
	struct arena arena;
	struct label_selector namespaces, pods;
	bool is_nobody;
};

/* Pods' ports by name. */
struct ports_entry {
	struct slice key; /* "0web": protocol and name */
	uint64_t id;
	unsigned refs;
	struct list_link idle;
};

/* One direction of a policy, as far as a pod of this node needs it. */
struct chain_entry {
	uint64_t id;
	enum policy_direction direction;
	unsigned refs;               /* by groups */
	struct policy_entry *policy; /* NULL: it is gone, or says something else now */
	struct set_entry **sets;
	struct ports_entry **ports;
	size_t sets_count, ports_count;
};

/* Chains that pods are under together. */
struct group_entry {
	struct slice key; /* "0 3 5": direction and chains */
	uint64_t id;
	enum policy_direction direction;
	unsigned refs; /* by pods */
	struct list_link idle;
	struct chain_entry **chains;
	size_t chains_count;
};

struct policy_entry {
	struct slice key;
	struct ns_entry *ns;
	struct list_link in_ns;
	struct arena arena;
	struct policy policy;
	struct label_selector selector;
	bool selects_nobody;
	struct chain_entry *chains[POLICY_DIRECTIONS]; /* NULL: no pod has needed it yet */
};

struct policy_core {
	struct policy_sink sink;
	char *node_name;
	uint64_t last_id;
	struct map namespaces, pods, addresses, policies, groups, sets, ports;
	struct list_link wide_sets; /* those by selectors of namespaces */
	struct list_link dirty_pods, dirty_addresses, fresh_sets, idle_sets, idle_ports, idle_groups;
	struct policy_network *networks;
	size_t networks_count, attached_count, chains_count, local_isolated[POLICY_DIRECTIONS];
	bool has_new_ports;
	struct strbuf key, add, remove; /* of the part that is being written */
};

/* ---- policy_members.c: who is in which set, and what the table has of addresses ---- */

struct set_entry *members_set(struct policy_core *c, struct slice key);
struct ports_entry *members_ports(struct policy_core *c, enum policy_protocol protocol, struct slice name);
void members_set_unref(struct policy_core *c, struct set_entry *s);
void members_ports_unref(struct policy_core *c, struct ports_entry *p);
/* The sets that a pod is in, anew. */
void members_update_pod(struct policy_core *c, struct pod_entry *p);
/* Fills new sets, and drops those that nobody needs any more. */
void members_fill(struct policy_core *c);
void members_drop_idle(struct policy_core *c);
/* Gives a pod the addresses; those it had go. */
void members_attach(struct policy_core *c, struct pod_entry *p, const struct policy_network *ips, size_t n);
/* Tells the sink of addresses that changed. */
void members_write(struct policy_core *c);
void members_release(struct policy_core *c);

/* ---- policy_core.c ---- */

struct ns_entry *core_namespace(struct policy_core *c, struct slice name); /* made when it is not there */
void core_namespace_leave(struct policy_core *c, struct ns_entry *ns);     /* freed when nothing is left of it */
/* Begins a part: key, add and remove are empty. */
void core_part_begin(struct policy_core *c);
void core_part_put(struct policy_core *c, const char *rank);
void core_part_drop(struct policy_core *c);

#endif
