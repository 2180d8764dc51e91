/* From a question to its answer: which server block it is for, and what that block's directives say, in CoreDNS's
 * order:
 *
 *     rewrite -> hosts -> kubernetes -> cache -> forward
 *
 * A chain is made of one Corefile. After a reload a new one takes over, and the old one ends when its last question is
 * answered. Aliases of the cluster to names elsewhere (ExternalName) go through the chain again. Everything on one
 * loop. */
#ifndef K3X_NET_DNS_RESOLVE_CHAIN_H
#define K3X_NET_DNS_RESOLVE_CHAIN_H

#include "base/mem/list.h"
#include "base/rt/loop.h"
#include "net/dns/conf/conf.h"
#include "net/dns/message/message.h"
#include "net/dns/resolve/forward.h"

struct chain;
struct block;
struct metrics;
struct zone;

struct chain_env {
	struct loop *loop;
	struct zone *zone;
	struct metrics *metrics;
	bool (*is_synced)(void *arg);                     /* is the cluster known? */
	void (*loop_found)(void *arg, const char *where); /* our own question came back: an upstream is us */
	void *arg;
};

/* Someone's question, from its packet to its answer. */
struct chain_request {
	/* set by who asks */
	int port; /* it came in at */
	bool is_tcp, is_own;
	struct sockaddr_storage client;
	/* The answer, once; inside chain_ask() or later, on the loop. The request is the chain's again when it returns.
	 */
	void (*answer)(struct chain_request *r, const uint8_t *data, size_t len);
	void *arg;
	struct list_link link; /* the asker's own */
	/* the chain's own */
	struct chain *chain;
	struct block *block;
	size_t key; /* which of the block's zones */
	struct arena arena;
	struct dns_message query, reply;
	struct dns_name first; /* what was asked for, after rewriting: as it stands in answers */
	struct dns_name name;  /* what is asked for now: it, or what it is an alias of */
	struct forward_question forwarded;
	unsigned aliases;
	uint64_t begun_ns;
	size_t query_bytes;
};

/* conf is the chain's. */
struct chain *chain_new(const struct chain_env *env, struct conf *conf);
const struct conf *chain_conf(const struct chain *c);
/* Asks upstreams whether they are us (the directive loop). */
void chain_detect_loops(struct chain *c);
/* No new questions; those under way are answered: by upstreams, or, with `now`, with SERVFAIL. closed(arg) is the last.
 */
void chain_close(struct chain *c, bool now, void (*closed)(void *arg), void *arg);

/* An empty request; to be filled and asked. */
struct chain_request *chain_request_new(struct chain *c);
/* Any bytes. What is no question gets no answer: then answer() is called with a length of 0. */
void chain_ask(struct chain_request *r, const uint8_t *data, size_t len);

/* Counts of caches and hosts into the metrics. */
void chain_count(struct chain *c);

#endif
