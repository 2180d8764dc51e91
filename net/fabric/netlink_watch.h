/* Tells when links, addresses or routes of this host change, by whomever: what the kernel tells all who listen
 * (rtnetlink(7)). Changes come in bursts (a link that goes takes its addresses and routes along), so that it is told
 * once it has been quiet for a while. */
#ifndef K3X_NET_FABRIC_NETLINK_WATCH_H
#define K3X_NET_FABRIC_NETLINK_WATCH_H

#include "base/err.h"
#include "base/rt/loop.h"

struct nlmsghdr;
struct netlink_watch;

struct netlink_watch_options {
	struct loop *loop;
	uint32_t groups;    /* RTMGRP_* of <linux/rtnetlink.h> */
	uint64_t settle_ms; /* so long after the last message that counts */
	/* Does this one count? h: whole, its length checked, but not that of what is in it. NULL: all do. */
	bool (*counts)(void *arg, const struct nlmsghdr *h);
	/* Something has changed; or more has than the socket holds, and nobody knows what. Once after the start, too,
	 * for what changed before anybody listened. */
	void (*changed)(void *arg);
	void *arg;
};

/* NULL with err set: there is nobody to listen to. Loop's thread. */
struct netlink_watch *netlink_watch_new(const struct netlink_watch_options *options, struct err *err);
/* Nothing is told after this returns, but closed(arg). NULL is not allowed. */
void netlink_watch_close(struct netlink_watch *w, void (*closed)(void *arg), void *arg);

#endif
