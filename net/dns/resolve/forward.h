/* Questions that others answer: upstreams, which of them is asked, and whether they are well.
 *
 * Of the upstreams that are up one is asked by the policy; one that does not answer in two seconds is left for the
 * next, for five seconds in all. One that failed is looked at every so often (health_check) until it answers, and is
 * down when it has failed more often than max_fails; when all are down any one is tried. A question that is being asked
 * already is not asked again: who comes later waits for the same answer. Everything on one loop. */
#ifndef K3X_NET_DNS_RESOLVE_FORWARD_H
#define K3X_NET_DNS_RESOLVE_FORWARD_H

#include "base/mem/list.h"
#include "base/rt/loop.h"
#include "net/dns/conf/conf.h"
#include "net/dns/message/message.h"

struct forward;
struct metrics;

/* Embedded by who asks; must live until done(). */
struct forward_question {
	struct dns_name name; /* lower case */
	uint16_t type;
	bool wants_recursion, checking_disabled, is_dnssec_ok;
	/* Once, from the loop (or forward_close()), never inside forward_ask(); `reply` is valid during the call. NULL:
	 * nobody answered (err). */
	void (*done)(struct forward_question *q, const struct dns_message *reply, const struct err *err);
	struct list_link link; /* forward's own */
};

/* conf must live until it is closed. */
struct forward *forward_new(struct loop *loop, const struct conf_forward *conf, struct metrics *metrics);
/* Who still waits is told ERR_CANCELED inside this call; closed(arg) comes when all is gone. */
void forward_close(struct forward *f, void (*closed)(void *arg), void *arg);

/* False: there are too many already, and done() does not come. */
bool forward_ask(struct forward *f, struct forward_question *q);

/* Pure, for tests: the order in which upstreams are asked. `fails` has each one's count; returns how many of `order`
 * are filled: those that are up, or, when none is, one of all. */
size_t forward_order(
        const struct conf_forward *conf, const unsigned *fails, unsigned turn, uint32_t random, unsigned *order);

#endif
