/* Pod networks of nodes: each gets a part of the cluster's network in spec.podCIDR and spec.podCIDRs, once and for
 * good: a /24, or as node-cidr-mask-size says. With dual stack a part of each family, in the order of the cluster's: an
 * IPv6 one is a /64, or as node-cidr-mask-size-ipv6 says.
 *
 * A node that got its part before the cluster became dual stack keeps what it has: podCIDRs can't change. To get the
 * other one it has to be deleted and to register anew.
 *
 * What nodes have is taken before anything is handed out: the queue only starts when the informer has shown every node,
 * so nothing is remembered elsewhere. The write names the node's uid and no version: a kubelet that registers writes
 * its node, too, and what counts alone is that it is this node and has no part yet, which the API sees to. Upstream:
 * pkg/controller/nodeipam. */
#include "api/controllers/cidr.h"
#include "api/controllers/controllers_int.h"

#include "base/ip.h"
#include "base/log.h"

enum { FULL_RETRY_MS = 60 * 1000 };

struct ipam {
	struct controllers *c;
	struct shared_informer *nodes;
	struct work_queue *queue;
	struct recorder *recorder;
	struct cidr_pool pools[IP_FAMILIES]; /* in the order of the cluster's */
	size_t count;                        /* 0: nodes get none */
};

/* What a node was given while its write is under way. */
struct given {
	char text[IP_FAMILIES][CIDR_TEXT_MAX];
};

static struct slice cidr_of(struct slice text)
{
	return json_find(text, "spec", "podCIDR", NULL);
}

/* Each of a node's, in whichever pool it lies. */
static void each_cidr(struct ipam *s, struct slice text, bool (*fn)(struct cidr_pool *p, struct slice cidr))
{
	struct arena a = ARENA_INIT;
	const struct json *node = json_parse(&a, text, NULL, NULL), *list = json_path(node, "spec", "podCIDRs", NULL);
	for (size_t i = 0; i < s->count; i++) {
		JSON_FOREACH (it, list)
			fn(&s->pools[i], json_str(it));
		if (!list)
			fn(&s->pools[i], cidr_of(text));
	}
	arena_release(&a);
}

static void node_added(void *arg, struct informer_object *o)
{
	struct ipam *s = arg;
	if (!cidr_of(informer_text(o)).len)
		work_queue_add(s->queue, o->key);
	else
		each_cidr(s, informer_text(o), cidr_pool_take);
}

static void node_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct slice old = cidr_of((struct slice){before->data, before->len});
	if (!slice_eq(old, cidr_of(informer_text(o))))
		node_added(arg, o);
}

static void node_deleted(void *arg, struct informer_object *o)
{
	each_cidr(arg, informer_text(o), cidr_pool_give);
}

static void give_back(struct ipam *s, const struct given *g)
{
	for (size_t i = 0; i < s->count; i++)
		cidr_pool_give(&s->pools[i], slice_of(g->text[i]));
}

/* One of each family, or none. */
static bool take_next(struct ipam *s, struct given *g)
{
	for (size_t i = 0; i < s->count; i++)
		if (!cidr_pool_next(&s->pools[i], g->text[i])) {
			give_back(s, g);
			return false;
		}
	return true;
}

static void written(struct work_call *call)
{
	struct ipam *s = call->work->arg;
	if (!call->request.err.code)
		return;
	give_back(s, call->arg);
	work_done_ignore_missing(call);
}

static void run(struct work *w)
{
	struct ipam *s = w->arg;
	struct arena *a = &w->arena;
	struct informer_object *o = informer_get(shared_informer_base(s->nodes), w->key);
	struct given *g = ARENA_NEW(a, struct given);
	if (!s->count || !o || cidr_of(informer_text(o)).len)
		return;
	if (!take_next(s, g)) {
		struct recorder_subject about = {.api_version = "v1", .kind = "Node", .name = w->key, .uid = w->key};
		recorder_event(s->recorder, &about, "Warning", "CIDRNotAvailable",
		        "Node %.*s status is now: CIDRNotAvailable", SLICE_FMT(w->key));
		work_again(w, FULL_RETRY_MS);
		return;
	}
	struct json *patch = patch_new(a, SLICE_NULL), *spec = json_need(a, patch, "spec", JSON_OBJECT),
	            *list = json_need(a, spec, "podCIDRs", JSON_ARRAY);
	json_set_str(a, json_get(patch, "metadata"), "uid", json_find(informer_text(o), "metadata", "uid", NULL));
	json_set_cstr(a, spec, "podCIDR", g->text[0]);
	for (size_t i = 0; i < s->count; i++)
		json_append(list, json_new_cstr(a, g->text[i]));
	work_patch(w, kube_path(a, "v1", "nodes", SLICE_NULL, w->key, NULL), merge_patch, patch, written)->arg = g;
}

static int make_pools(struct ipam *s, struct err *err)
{
	struct ip_nets nets;
	if (!s->c->cluster_cidr)
		return 0;
	if (ip_nets_parse(s->c->cluster_cidr, &nets, err) != 0)
		return err_wrap(err, "cluster CIDR");
	for (size_t i = 0; i < nets.count; i++) {
		const struct ip_net *n = &nets.items[i];
		unsigned bits = n->first.family == IP_V6 ? s->c->node_mask_bits_v6 : s->c->node_mask_bits;
		if (cidr_pool_init(&s->pools[i], n, bits, err) != 0)
			return err->code;
	}
	s->count = nets.count;
	return 0;
}

void *node_ipam_controller_start(struct controllers *c)
{
	struct ipam *s = xcalloc(1, sizeof *s);
	struct err err = ERR_INIT;
	s->c = c;
	if (make_pools(s, &err) != 0)
		log_error("nodeipam", "nodes get no pod networks", "error=\"%s\"", err.msg);
	s->recorder = controllers_recorder(c, "cidrAllocator");
	s->queue = controllers_queue(c, "nodeipam", 1, run, s);
	s->nodes = controllers_listen(c, NODES,
	        &(struct informer_handler){
	                .added = node_added, .updated = node_updated, .deleted = node_deleted, .arg = s});
	return s;
}

void node_ipam_controller_release(void *state)
{
	struct ipam *s = state;
	for (size_t i = 0; i < IP_FAMILIES; i++)
		cidr_pool_release(&s->pools[i]);
	free(s);
}
