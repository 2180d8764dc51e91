/* See policy.h.
 *
 *     informers --> policy_core.c --(parts)--> net/nft_table.h --> nft
 *
 * What many callbacks of one turn of the loop change is computed once, at its end.
 *
 * At the start there may be no table: the machine has just come up. Then one is made that lets no pod begin to talk,
 * until the first state is there; a table of an earlier run does that better, by what it knows.
 *
 * What can go wrong: without br_netfilter packets between pods of one node do not come by: said in the log. A part that
 * the kernel does not take: nft_table.c tells; what depends on it is held, not open. The API is away: what was known
 * stays in force, and new pods wait. */
#include "net/policy/policy.h"

#include "api/client/informer.h"
#include "base/check.h"
#include "base/json/scan.h"
#include "base/log.h"
#include "base/rt/closing.h"
#include "net/nft_run.h"
#include "net/nft_table.h"
#include "net/policy/policy_core_int.h"
#include "net/policy/policy_metrics.h"
#include "net/policy/policy_rules_int.h"

#include <stdlib.h>
#include <unistd.h>

enum { PODS, NAMESPACES, POLICIES, NODE, KINDS };

struct policies {
	struct policies_options options;
	struct loop *loop;
	struct arena arena; /* of the options */
	struct policy_core *core;
	struct nft_table *table;
	struct informer *informers[KINDS];
	struct loop_defer sync;
	struct nft_run first; /* what is written before anything is known */
	bool is_running_first, is_started, closing;
	uint64_t changed_ns; /* when the oldest change was computed that the kernel has not; 0: it has all */
	struct closing parts;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- what the API says ---- */

static void changed(struct policies *p)
{
	LOOP_CHECK_OWNER(p->loop);
	if (p->is_started && !p->closing)
		loop_defer(p->loop, &p->sync);
}

static void pod_set(void *arg, struct informer_object *o)
{
	struct policies *p = arg;
	policy_core_pod(p->core, o->key, o->json);
	changed(p);
}

static void pod_deleted(void *arg, struct informer_object *o)
{
	struct policies *p = arg;
	policy_core_pod(p->core, o->key, NULL);
	changed(p);
}

static void namespace_set(void *arg, struct informer_object *o)
{
	struct policies *p = arg;
	policy_core_namespace(p->core, o->key, informer_text(o));
	changed(p);
}

static void namespace_deleted(void *arg, struct informer_object *o)
{
	struct policies *p = arg;
	policy_core_namespace(p->core, o->key, SLICE_NULL);
	changed(p);
}

static void policy_set(void *arg, struct informer_object *o)
{
	struct policies *p = arg;
	policy_core_policy(p->core, o->key, informer_text(o));
	changed(p);
}

static void policy_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct slice old = {before->data, before->len};
	if (!slice_eq(json_find(informer_text(o), "spec", NULL), json_find(old, "spec", NULL)))
		policy_set(arg, o);
}

static void policy_deleted(void *arg, struct informer_object *o)
{
	struct policies *p = arg;
	policy_core_policy(p->core, o->key, SLICE_NULL);
	changed(p);
}

static void node_set(void *arg, struct informer_object *o)
{
	struct policies *p = arg;
	struct arena a = ARENA_INIT;
	const struct json *spec = json_get(informer_parse(&a, o), "spec"), *list = json_get(spec, "podCIDRs");
	struct policy_network *networks = ARENA_ARRAY(&a, struct policy_network, (list ? list->count : 0) + 1);
	size_t n = 0;
	JSON_FOREACH (it, list)
		n += policy_network_parse(json_str(it), &networks[n]);
	if (!n)
		n += policy_network_parse(json_get_str(spec, "podCIDR"), &networks[n]);
	policy_core_networks(p->core, networks, n);
	arena_release(&a);
	changed(p);
}

static void pod_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	pod_set(arg, o);
}

static void namespace_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	namespace_set(arg, o);
}

static void node_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	node_set(arg, o);
}

static void count(struct policies *p, uint64_t begun_ns)
{
	struct policy_metrics *m = p->options.metrics;
	struct policy_counts n = policy_core_counts(p->core);
	if (!m)
		return;
	histogram_observe_since(&m->sync, begun_ns);
	m->policies = n.policies;
	m->pods = n.pods;
	m->chains = n.chains;
	m->groups = n.groups;
	m->sets = n.sets;
	m->isolated_in = n.isolated[POLICY_INGRESS];
	m->isolated_out = n.isolated[POLICY_EGRESS];
}

static void compute(struct policies *p)
{
	uint64_t now = histogram_now_ns();
	policy_core_sync(p->core);
	count(p, now);
}

static void sync_now(struct loop_defer *d)
{
	compute(CONTAINER_OF(d, struct policies, sync));
}

static void synced(void *arg)
{
	struct policies *p = arg;
	for (size_t i = 0; i < KINDS; i++)
		if (!p->informers[i] || !informer_is_synced(p->informers[i]))
			return;
	if (p->is_started || p->closing)
		return;
	p->is_started = true;
	compute(p);
	nft_table_start(p->table);
}

static void follow(struct policies *p)
{
	struct informer_options o[KINDS] = {
	        [PODS] = {.path = "/api/v1/pods",
	                .digest = policy_pod_pack,
	                .added = pod_set,
	                .updated = pod_updated,
	                .deleted = pod_deleted},
	        [NAMESPACES] = {.path = "/api/v1/namespaces",
	                .added = namespace_set,
	                .updated = namespace_updated,
	                .deleted = namespace_deleted},
	        [POLICIES] = {.path = "/apis/networking.k8s.io/v1/networkpolicies",
	                .added = policy_set,
	                .updated = policy_updated,
	                .deleted = policy_deleted},
	        [NODE] = {.path = "/api/v1/nodes", .added = node_set, .updated = node_updated},
	};
	o[NODE].field_selector = arena_printf(&p->arena, "metadata.name=%s", p->options.node_name);
	for (size_t i = 0; i < KINDS; i++) {
		o[i].client = p->options.client;
		o[i].synced = synced;
		o[i].arg = p;
		p->informers[i] = informer_new(&o[i]);
	}
}

/* ---- the table ---- */

static void put_part(void *arg, struct slice key, struct slice rank, struct slice add, struct slice remove)
{
	struct policies *p = arg;
	if (nft_table_put(p->table, key, rank, add, remove) && !p->changed_ns)
		p->changed_ns = histogram_now_ns();
}

static void drop_part(void *arg, struct slice key)
{
	struct policies *p = arg;
	nft_table_drop(p->table, key);
}

static void table_applied(void *arg)
{
	struct policies *p = arg;
	if (p->changed_ns && p->options.metrics)
		histogram_observe_since(&p->options.metrics->applied, p->changed_ns);
	p->changed_ns = 0;
}

static void write_frame(void *arg, struct strbuf *out)
{
	policy_rules_frame(out);
}

static void first_ran(struct nft_run *r, const struct err *err)
{
	struct policies *p = CONTAINER_OF(r, struct policies, first);
	p->is_running_first = false;
	if (p->options.is_off && err->code)
		log_warn("policy", "rules of an earlier run cannot be removed",
		        "table=\"" POLICY_TABLE "\" error=\"%s\"", err->msg);
	if (p->closing)
		closing_part_done(&p->parts);
	else if (!p->options.is_off)
		follow(p);
}

/* A table that is there stays as it is: that it cannot be created then is no fault. */
static void begin(struct policies *p)
{
	struct strbuf script = STRBUF_INIT;
	if (p->options.is_off)
		strbuf_adds(&script, "add table " POLICY_TABLE "\ndelete table " POLICY_TABLE "\n");
	else
		policy_rules_wait(&script, slice_of(p->options.cluster_cidr));
	p->is_running_first = true;
	p->first = (struct nft_run){.loop = p->loop, .script = script, .done = first_ran};
	nft_run_start(&p->first, p->options.nft_path);
}

static void look_at_kernel(void)
{
	if (access("/proc/sys/net/bridge/bridge-nf-call-iptables", F_OK) != 0)
		log_warn("policy", "network policies do not hold between pods of this node",
		        "reason=\"the kernel has no br_netfilter\" mend=\"modprobe br_netfilter, or "
		        "--disable-network-policy\"");
}

/* ---- life ---- */

struct policies *policies_new(const struct policies_options *options)
{
	struct policies *p = xcalloc(1, sizeof *p);
	p->options = *options;
	p->options.node_name = arena_strdup(&p->arena, options->node_name);
	p->options.cluster_cidr = arena_strdup(&p->arena, options->cluster_cidr);
	p->loop = options->client->loop;
	LOOP_CHECK_OWNER(p->loop);
	loop_defer_init(&p->sync, sync_now);
	if (!options->is_off) {
		struct policy_sink sink = {put_part, drop_part, p};
		p->core = policy_core_new(&sink, options->node_name);
		p->table = nft_table_new(&(struct nft_table_options){.loop = p->loop,
		        .name = POLICY_TABLE,
		        .nft_path = options->nft_path,
		        .frame = write_frame,
		        .applied = table_applied,
		        .arg = p});
		look_at_kernel();
	}
	begin(p);
	return p;
}

static void all_closed(struct closing *parts)
{
	struct policies *p = CONTAINER_OF(parts, struct policies, parts);
	void (*closed)(void *) = p->closed;
	void *closed_arg = p->closed_arg;
	if (p->core)
		policy_core_free(p->core);
	arena_release(&p->arena);
	free(p);
	if (closed)
		closed(closed_arg);
}

void policies_close(struct policies *p, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(p->loop);
	CHECK(!p->closing);
	p->closing = true;
	p->closed = closed;
	p->closed_arg = arg;
	p->parts.all_closed = all_closed;
	loop_defer_cancel(&p->sync);
	closing_hold(&p->parts);
	if (p->is_running_first)
		closing_hold(&p->parts);
	for (size_t i = 0; i < KINDS; i++)
		if (p->informers[i])
			closing_hold(&p->parts), informer_close(p->informers[i], closing_part_done, &p->parts);
	if (p->table)
		closing_hold(&p->parts), nft_table_close(p->table, closing_part_done, &p->parts);
	closing_part_done(&p->parts);
}
