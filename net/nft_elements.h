/* Elements of nftables sets, written to the kernel without nft: a change of a few takes it a fraction of a millisecond,
 * nft ten to thirty to start. Whatever else a transaction holds is nft's. */
#ifndef K3X_NET_NFT_ELEMENTS_H
#define K3X_NET_NFT_ELEMENTS_H

#include "base/mem/str.h"

/* A set or map, and of what its keys and values are made, a letter each: a address of the table's family, p port, t
 * transport protocol by name, n number. */
struct nft_set_kind {
	const char *name;
	const char *key;
	const char *value; /* NULL: it is a set; "v": a verdict, "goto CHAIN" */
};

enum { NFT_ELEMENTS_BYTES_MAX = 64 * 1024 };

/* Appends a batch of nfnetlink messages that does what the commands say (nft_script.h says how they look); `table` is
 * "ip NAME" or "ip6 NAME". False: there is something else among them, a set of no known kind, or it is more than
 * NFT_ELEMENTS_BYTES_MAX; `out` is of no use then. Any thread. */
bool nft_elements_encode(
        struct strbuf *out, const char *table, const struct nft_set_kind *kinds, size_t n_kinds, struct slice commands);

/* A socket for the other, and its netlink port, by which the kernel tells others who wrote; -1: there is none to be
 * had. It is for one thread at a time. */
int nft_elements_open(unsigned *ret_port);
/* All of the batch, or nothing of it: 0, or the errno of what the kernel did not take. Waits while somebody else's
 * transaction is under way: not for a loop's thread. */
int nft_elements_send(int fd, struct slice batch);

#endif
