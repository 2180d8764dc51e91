/* One question to one server: over UDP, and over TCP when the answer is cut off or the server does not keep what makes
 * an answer over UDP hard to forge.
 *
 * Each question over UDP has a socket of its own, so a port of its own, picked by the kernel, connected so that nobody
 * else's packets come in; a random id; and letters of random case in its name (0x20), which an answer must repeat. A
 * server that changes the case is asked over TCP instead, and *keeps_case turns false, so that it is spared the letters
 * from then on. What does not fit the question is dropped, and the wait goes on. */
#ifndef K3X_NET_DNS_RESOLVE_ASK_H
#define K3X_NET_DNS_RESOLVE_ASK_H

#include "base/rt/loop.h"
#include "net/dns/message/message.h"

#include <netinet/in.h>

struct ask;

struct ask_options {
	struct loop *loop;
	const struct sockaddr_storage *address; /* of the server */
	const char *host;                       /* the same as text */
	int port;
	const struct dns_name *name;
	uint16_t type;
	bool wants_recursion, checking_disabled, is_dnssec_ok;
	bool over_tcp;    /* at once */
	bool *keeps_case; /* the server's; must live until done() */
	unsigned timeout_ms;
	/* Once, from the loop, never inside ask_new(). `reply` is valid during the call; NULL: err says why there is
	 * none. */
	void (*done)(void *arg, const struct dns_message *reply, const struct err *err);
	void *arg;
};

/* *o is copied, what it points to (but keeps_case) is not needed after this. Never NULL. */
struct ask *ask_new(const struct ask_options *o);
/* No done() after this. */
void ask_cancel(struct ask *k);

/* Random bits from the kernel. */
uint32_t ask_random(void);

#endif
