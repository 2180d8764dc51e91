/* Running nft: one transaction at a time, on a loop. */
#ifndef K3X_NET_NFT_RUN_H
#define K3X_NET_NFT_RUN_H

#include "base/err.h"
#include "base/mem/str.h"
#include "base/rt/loop.h"

/* Embedded by the caller. */
struct nft_run {
	struct loop *loop;
	bool is_check;        /* nft -c: says whether the kernel would take it, and changes nothing */
	struct strbuf script; /* fed to nft -f - */
	struct strbuf output; /* what it said */
	void (*done)(struct nft_run *r, const struct err *err);
	uv_process_t process;
	uv_pipe_t in, out;
	uv_write_t write;
	int handles; /* still to close */
	int64_t status;
};

/* Starts nft with the script, which nft_run owns until done(); done is called once, never inside. The struct must be
 * zeroed but for loop, script, is_check and done. */
void nft_run_start(struct nft_run *r, const char *nft_path);

#endif
