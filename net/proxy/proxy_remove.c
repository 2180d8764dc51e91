/* See proxy_remove.h. A table is added before it is deleted, so that it is no fault that there was none. */
#include "net/proxy/proxy_remove.h"

#include "base/log.h"
#include "base/mem/arena.h"
#include "base/rt/closing.h"
#include "net/nft_run.h"
#include "net/proxy/proxy_rules_int.h"

#include <stdlib.h>

struct proxy_remover {
	struct loop *loop;
	struct nft_run run;
	bool is_running;
	struct closing parts;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void ran(struct nft_run *run, const struct err *err)
{
	struct proxy_remover *r = CONTAINER_OF(run, struct proxy_remover, run);
	r->is_running = false;
	if (err->code)
		log_warn("proxy", "rules of an earlier run cannot be removed",
		        "error=\"%s\" mend=\"nft delete table ip k3x-proxy, and ip6 k3x-proxy\"", err->msg);
	if (r->closed)
		closing_part_done(&r->parts);
}

struct proxy_remover *proxy_remover_new(struct loop *loop, const char *nft_path)
{
	struct proxy_remover *r = xcalloc(1, sizeof *r);
	struct strbuf script = STRBUF_INIT;
	LOOP_CHECK_OWNER(loop);
	for (int f = 0; f < IP_FAMILIES; f++)
		strbuf_addf(
		        &script, "add table %s\ndelete table %s\n", proxy_families[f].table, proxy_families[f].table);
	r->loop = loop;
	r->is_running = true;
	r->run = (struct nft_run){.loop = loop, .script = script, .done = ran};
	nft_run_start(&r->run, nft_path);
	return r;
}

static void all_closed(struct closing *parts)
{
	struct proxy_remover *r = CONTAINER_OF(parts, struct proxy_remover, parts);
	void (*closed)(void *) = r->closed;
	void *arg = r->closed_arg;
	free(r);
	closed(arg);
}

void proxy_remover_close(struct proxy_remover *r, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(r->loop);
	r->closed = closed;
	r->closed_arg = arg;
	r->parts.all_closed = all_closed;
	closing_hold(&r->parts);
	if (r->is_running)
		closing_hold(&r->parts);
	closing_part_done(&r->parts);
}
