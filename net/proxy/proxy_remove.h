/* A node that has no service proxy any more: what an earlier run with one left in the kernel goes, or clients would be
 * led to addresses that long are somebody else's. Loop's thread. */
#ifndef K3X_NET_PROXY_PROXY_REMOVE_H
#define K3X_NET_PROXY_PROXY_REMOVE_H

#include "base/rt/loop.h"

struct proxy_remover;

/* Removes the tables of both families; fine when there are none. What cannot be removed is told in the log.
 * nft_path: NULL: "nft" on PATH; outlives the remover. */
struct proxy_remover *proxy_remover_new(struct loop *loop, const char *nft_path);
/* Waits for what is under way; closed(arg) is called once, later. */
void proxy_remover_close(struct proxy_remover *r, void (*closed)(void *arg), void *arg);

#endif
