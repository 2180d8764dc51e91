/* What a server that joins and one of the cluster say to each other, as JSON. Pure; any thread. Texts of what was
 * parsed lie in the arena. */
#ifndef K3X_API_SERVER_JOIN_WORDS_H
#define K3X_API_SERVER_JOIN_WORDS_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

/* Where the cluster's keys lie, sealed under the token, in the store's system keyspace; whoever starts the server puts
 * them there. */
#define JOIN_KEYS_KEY "k3x/keys"
/* And what each server is called: its member id in 16 hex digits, to the name of its node. */
#define JOIN_NAMES_PREFIX "k3x/server/"
/* And where its peers reach it, the same way: the URL, which is not that of the configuration when it has moved. */
#define JOIN_ADDRESSES_PREFIX "k3x/address/"

/* Raised when either side would not understand the other. */
enum { JOIN_PROTOCOL = 1, JOIN_TEXT_BYTES_MAX = 256, JOIN_MEMBERS_MAX = 32 };

/* Settings that are the same on every server, or services and pods of one would not be those of the other. */
struct join_settings {
	const char *cluster_cidr, *service_cidr, *cluster_dns, *cluster_domain, *node_ports, *flannel_backend;
	const char *no_network_policy; /* "true", "false" */
	const char *embedded_registry; /* "true"; "": nodes serve each other no images */
	const char *system_registry;   /* "": images of ours are named without one */
	const char *ipv6_masquerade;   /* "true"; "": IPv6 pods are seen outside as who they are */
	const char *external_ip;       /* "true"; "": the pod network goes by the nodes' internal addresses */
};

/* POST /v1-k3x/server-join: who wants to be a member. */
struct join_ask {
	uint64_t member_id;
	const char *name, *address; /* node name; URL for peers */
	const char *kubernetes;     /* "v1.32.4+k3x" */
	int protocol;
};
void join_ask_write(const struct join_ask *a, struct strbuf *out);
/* ERR_INVAL names what is missing or wrong. */
int join_ask_parse(struct arena *a, struct slice text, struct join_ask *ret, struct err *err);

/* GET /v1-k3x/server-bootstrap: what it needs for that. */
struct join_offer {
	uint64_t cluster_id;
	int protocol;
	const char *kubernetes;
	struct join_settings settings;
	const char *members[JOIN_MEMBERS_MAX]; /* their URLs for peers */
	size_t n_members;
	struct slice keys; /* sealed under the token */
};
void join_offer_write(const struct join_offer *o, struct strbuf *out);
int join_offer_parse(struct arena *a, struct slice text, struct join_offer *ret, struct err *err);

/* What a server answers on its peer port to one that asks, by a URL for peers, who has it: the member's id; 0: nobody,
 * or no answer that is understood. */
uint64_t join_answered_member(struct slice text);

/* GET /v1-k3x/config: the settings alone. */
void join_settings_write(const struct join_settings *s, struct strbuf *out);
struct join_config {
	int protocol;
	const char *kubernetes;
	struct join_settings settings;
};
int join_config_parse(struct arena *a, struct slice text, struct join_config *ret, struct err *err);

/* Can a server of one version be in a cluster with those of the other? The same protocol, and Kubernetes versions at
 * most one minor apart, as upstream allows. ERR_CONFLICT says what to do. */
int join_check_versions(const char *ours, int their_protocol, const char *theirs, struct err *err);
/* ERR_CONFLICT names the flag in which they differ. */
int join_check_settings(const struct join_settings *ours, const struct join_settings *theirs, struct err *err);

#endif
