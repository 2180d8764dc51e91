/* The text of an nftables transaction, made cheap for nft to read: all elements of a set in one command.
 *
 * What is deleted of sets comes first, then the commands that are no `add element` and no `delete element`, in their
 * order, then what is added to sets. The commands must allow that: they delete before they add, and none that is not on
 * elements rests on one. A line is a command, or a part of a block; a command on elements is
 * "VERB element FAMILY TABLE SET { ELEMENTS }" (nft(8)). Any thread, one at a time. */
#ifndef K3X_NET_NFT_SCRIPT_H
#define K3X_NET_NFT_SCRIPT_H

#include "base/mem/str.h"

struct nft_elements;

/* By verb and set: "add element ip k3x-proxy services { ". */
struct nft_lists {
	struct nft_elements *items;
	size_t count, cap;
	size_t last; /* asked for: neighbours are often of one set */
};

struct nft_script {
	struct nft_lists added, deleted;
	struct strbuf others;
};

#define NFT_SCRIPT_INIT ((struct nft_script){0})

/* The commands, whole lines, follow those before them. They must stay until nft_script_text(). */
void nft_script_add(struct nft_script *s, struct slice commands);
/* The whole, the caller's to release; the script is empty then. */
struct strbuf nft_script_text(struct nft_script *s);

#endif
