/* A NetworkPolicy as the core needs it, read from its object. Pure; everything lies in the arena. */
#ifndef K3X_NET_POLICY_POLICY_READ_INT_H
#define K3X_NET_POLICY_POLICY_READ_INT_H

#include "base/json/json.h"

enum policy_direction { POLICY_INGRESS, POLICY_EGRESS, POLICY_DIRECTIONS };

/* An address or a network of one of two families, the bits behind the prefix zero. */
struct policy_network {
	bool is_v6;
	unsigned prefix;
	unsigned char bytes[16];
};

/* One of the others: a network but for parts of it, or pods by a selector. */
struct policy_peer {
	bool is_network;
	struct policy_network network;
	struct policy_network *except; /* none of them within another */
	size_t except_count;
	struct slice pods; /* else: "NAMESPACE\nPODS" or "\nNAMESPACES\nPODS", selectors as JSON; one text, one set */
};

enum policy_protocol { POLICY_TCP, POLICY_UDP, POLICY_SCTP, POLICY_PROTOCOLS };

struct policy_range {
	unsigned first, last;
};

/* What a rule says of one protocol. */
struct policy_ports {
	bool is_all;                 /* each port of it */
	struct policy_range *ranges; /* sorted, apart from each other */
	size_t ranges_count;
	struct slice *names;
	size_t names_count;
};

struct policy_rule {
	bool from_all; /* each peer, be it a pod or not */
	struct policy_peer *peers;
	size_t peers_count;
	bool any_port; /* of each protocol, also those without ports */
	struct policy_ports ports[POLICY_PROTOCOLS];
};

struct policy {
	struct slice selector; /* of the pods that it is about, as JSON */
	bool isolates[POLICY_DIRECTIONS];
	struct policy_rule *rules[POLICY_DIRECTIONS];
	size_t rules_count[POLICY_DIRECTIONS];
};

/* What cannot be understood lets nothing through: the API has refused it before, so that it means a newer API. */
void policy_read(struct arena *a, struct slice ns, const struct json *object, struct policy *ret);

/* "10.0.0.0/8", "2001:db8::/32", or an address by itself. False: it is none. */
bool policy_network_parse(struct slice text, struct policy_network *ret);
bool policy_network_contains(const struct policy_network *outer, const struct policy_network *inner);
/* "10.0.0.0/8"; an address by itself without its prefix. */
void policy_network_write(struct strbuf *out, const struct policy_network *n);

const char *policy_protocol_name(enum policy_protocol p); /* "tcp" */
/* Of the API: "TCP". False: it is none. */
bool policy_protocol_parse(struct slice text, enum policy_protocol *ret);

#endif
