/* Tells when something of an nftables table is removed, by whomever: what the kernel tells all who listen
 * (nfnetlink, group NFNLGRP_NFTABLES). */
#ifndef K3X_NET_NFT_WATCH_H
#define K3X_NET_NFT_WATCH_H

#include "base/err.h"
#include "base/rt/loop.h"

struct nft_watch;

struct nft_watch_options {
	struct loop *loop;
	const char *table; /* family and name: "ip k3x-proxy"; copied */
	/* A table, chain, rule, set or element of it was removed. `who`: the netlink port of the process that did it,
	 * which is its id, as that process sees it, for all that open one such socket; 0: it is not known who. */
	void (*removed)(void *arg, uint32_t who);
	void *arg;
};

/* NULL with err set: there is nobody to listen to. Loop's thread. */
struct nft_watch *nft_watch_new(const struct nft_watch_options *options, struct err *err);
/* Nothing is told after this returns, but closed(arg). */
void nft_watch_close(struct nft_watch *w, void (*closed)(void *arg), void *arg);

#endif
