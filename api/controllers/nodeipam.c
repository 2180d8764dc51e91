/* Pod networks of nodes: each gets a part of the cluster's network in spec.podCIDR and spec.podCIDRs, once and for
 * good: a /24, or as node-cidr-mask-size says.
 *
 * What nodes have is taken before anything is handed out: the queue only starts when the informer has shown every node,
 * so nothing is remembered elsewhere. Upstream: pkg/controller/nodeipam. */
#include "api/controllers/cidr.h"
#include "api/controllers/controllers_int.h"

#include "base/log.h"

enum { FULL_RETRY_MS = 60 * 1000 };

struct ipam {
	struct controllers *c;
	struct shared_informer *nodes;
	struct work_queue *queue;
	struct recorder *recorder;
	struct cidr_pool pool;
	bool enabled;
};

static struct slice cidr_of(struct slice text)
{
	return json_find(text, "spec", "podCIDR", NULL);
}

static void node_added(void *arg, struct informer_object *o)
{
	struct ipam *s = arg;
	struct slice cidr = cidr_of(informer_text(o));
	if (!cidr.len)
		work_queue_add(s->queue, o->key);
	else if (s->enabled)
		cidr_pool_take(&s->pool, cidr);
}

static void node_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct slice old = cidr_of((struct slice){before->data, before->len});
	if (!slice_eq(old, cidr_of(informer_text(o))))
		node_added(arg, o);
}

static void node_deleted(void *arg, struct informer_object *o)
{
	struct ipam *s = arg;
	if (s->enabled)
		cidr_pool_give(&s->pool, cidr_of(informer_text(o)));
}

static void written(struct work_call *call)
{
	struct ipam *s = call->work->arg;
	if (!call->request.err.code)
		return;
	cidr_pool_give(&s->pool, slice_of(call->arg));
	work_done_ignore_missing(call);
}

static void run(struct work *w)
{
	struct ipam *s = w->arg;
	struct arena *a = &w->arena;
	struct informer_object *o = informer_get(shared_informer_base(s->nodes), w->key);
	char cidr[CIDR_TEXT_MAX];
	if (!s->enabled || !o || cidr_of(informer_text(o)).len)
		return;
	if (!cidr_pool_next(&s->pool, cidr)) {
		struct recorder_subject about = {.api_version = "v1", .kind = "Node", .name = w->key, .uid = w->key};
		recorder_event(s->recorder, &about, "Warning", "CIDRNotAvailable",
		        "Node %.*s status is now: CIDRNotAvailable", SLICE_FMT(w->key));
		work_again(w, FULL_RETRY_MS);
		return;
	}
	struct json *patch = patch_new(a, json_find(informer_text(o), "metadata", "resourceVersion", NULL)),
	            *spec = json_need(a, patch, "spec", JSON_OBJECT);
	json_set_cstr(a, spec, "podCIDR", cidr);
	json_append(json_need(a, spec, "podCIDRs", JSON_ARRAY), json_new_cstr(a, cidr));
	work_patch(w, kube_path(a, "v1", "nodes", SLICE_NULL, w->key, NULL), merge_patch, patch, written)->arg =
	        arena_strdup(a, cidr);
}

void *node_ipam_controller_start(struct controllers *c)
{
	struct ipam *s = xcalloc(1, sizeof *s);
	struct err err = ERR_INIT;
	s->c = c;
	s->enabled = c->cluster_cidr && cidr_pool_init(&s->pool, c->cluster_cidr, c->node_mask_bits, &err) == 0;
	if (err.code)
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
	cidr_pool_release(&s->pool);
	free(s);
}
