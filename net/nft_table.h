/* One nftables table of ours, kept as the sum of its parts.
 *
 * A table has a frame (base chains, maps, sets) and parts. A part is a piece of it with an owner: the commands that add
 * it, and those that take it away again. Owners put and drop parts as they like; what differs from the kernel's state
 * is written a little later, in one transaction. Parts are apart from each other: one that the kernel does not take, by
 * itself or beside older ones, is left out, its owner is told, and all others are written.
 *
 * Loop's thread. */
#ifndef K3X_NET_NFT_TABLE_H
#define K3X_NET_NFT_TABLE_H

#include "base/err.h"
#include "base/mem/str.h"
#include "base/rt/loop.h"
#include "net/nft_elements.h"

struct nft_table;

struct nft_table_options {
	struct loop *loop;
	const char *name;     /* family and name: "ip k3x-proxy"; for the log */
	const char *nft_path; /* NULL: "nft" on PATH */
	/* Sets and maps of which single elements come and go: what changes nothing else is written without nft. Stay.
	 */
	const struct nft_set_kind *sets;
	size_t n_sets;
	/* Writes the whole table without parts; begins with the removal of what was there. */
	void (*frame)(void *arg, struct strbuf *out);
	/* A part was left out; once per text of it. NULL: nobody is told. */
	void (*refused)(void *arg, struct slice key, const struct err *err);
	/* The kernel holds what is wanted, but for refused parts. NULL: nobody is told. */
	void (*applied)(void *arg);
	void *arg;
};

/* Strings are copied. Nothing is written before nft_table_start(): the rules of an earlier run stay until a complete
 * state replaces them in one transaction. */
struct nft_table *nft_table_new(const struct nft_table_options *options);
void nft_table_start(struct nft_table *t);

/* The part is wanted so: `add` makes it, `remove` undoes that. `rank`: parts of a lower one are older and win; any text
 * that sorts, creation times say.
 * False: it is wanted so already, and nothing happens. Texts are copied. */
bool nft_table_put(struct nft_table *t, struct slice key, struct slice rank, struct slice add, struct slice remove);
/* It is wanted no more; fine when there is none. */
void nft_table_drop(struct nft_table *t, struct slice key);
/* Writes everything anew at the next turn. */
void nft_table_rebuild(struct nft_table *t);

/* The rules stay. closed(arg) may be NULL; the table is freed then. */
void nft_table_close(struct nft_table *t, void (*closed)(void *arg), void *arg);

#endif
