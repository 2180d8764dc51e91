/* The text of an nftables transaction, made cheap for who reads it. */
#ifndef K3X_NET_NFT_SCRIPT_H
#define K3X_NET_NFT_SCRIPT_H

#include "base/mem/str.h"

/* Appends the script with all elements of a set in one command: first those that are deleted, then the commands that
 * are no `add element` and no `delete element`, in their order, then those that are added. The script must allow that:
 * what it deletes it deletes before it adds, and no other command rests on an element. A line is a command, or a part
 * of a block; a command on elements is "VERB element FAMILY TABLE SET { ELEMENTS }". Any thread. */
void nft_script_group(struct strbuf *out, struct slice script);

#endif
