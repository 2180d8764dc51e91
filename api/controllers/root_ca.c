/* What every namespace has: the config map kube-root-ca.crt. Keys are namespaces; what is missing or was changed is
 * written again.
 *
 * Upstream: pkg/controller/certificates/rootcacertpublisher. */
#include "api/controllers/controllers_int.h"

#define CONFIG_MAPS "/api/v1/configmaps"

static const char ca_name[] = "kube-root-ca.crt";

struct publisher {
	struct controllers *c;
	struct shared_informer *namespaces, *config_maps;
	struct work_queue *queue;
};

static void namespace_changed(void *arg, struct informer_object *o)
{
	struct publisher *s = arg;
	work_queue_add(s->queue, o->key);
}

static void namespace_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	namespace_changed(arg, o);
}

static void ca_deleted(void *arg, struct informer_object *o)
{
	struct publisher *s = arg;
	struct slice rest = o->key, ns = slice_cut(&rest, '/');
	if (slice_is(rest, ca_name))
		work_queue_add(s->queue, ns);
}

static void ca_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	ca_deleted(arg, o);
}

/* Exists already, or the namespace has gone meanwhile: both are fine. */
static void created(struct work_call *call)
{
	int code = call->request.err.code;
	if (code && code != ERR_EXISTS && code != ERR_NOT_FOUND && code != ERR_FORBIDDEN)
		work_fail(call->work, &call->request.err);
}

static void need_root_ca(struct publisher *s, struct work *w)
{
	struct arena *a = &w->arena;
	struct informer_object *have =
	        informer_get_named(shared_informer_base(s->config_maps), w->key, slice_of(ca_name));
	if (!s->c->root_ca)
		return;
	struct json *tree = have ? informer_parse(a, have) : NULL;
	if (slice_is(json_str(json_path(tree, "data", "ca.crt", NULL)), s->c->root_ca))
		return;
	struct json *o = json_new(a, JSON_OBJECT), *meta = json_need(a, o, "metadata", JSON_OBJECT);
	json_set_cstr(a, json_need(a, o, "data", JSON_OBJECT), "ca.crt", s->c->root_ca);
	if (have) {
		work_patch(w, kube_path(a, "v1", "configmaps", w->key, slice_of(ca_name), NULL), merge_patch, o,
		        work_done_ignore_missing);
		return;
	}
	json_set_cstr(a, meta, "name", ca_name);
	json_set_cstr(a, json_need(a, meta, "annotations", JSON_OBJECT), "kubernetes.io/description",
	        "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such "
	        "as the internal "
	        "service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
	        "clusters.");
	work_send(w, "POST", kube_path(a, "v1", "configmaps", w->key, SLICE_NULL, NULL), o, created);
}

static void run(struct work *w)
{
	struct publisher *s = w->arg;
	struct informer_object *o = informer_get(shared_informer_base(s->namespaces), w->key);
	if (!o || json_find(informer_text(o), "metadata", "deletionTimestamp", NULL).len)
		return;
	need_root_ca(s, w);
}

void *root_ca_controller_start(struct controllers *c)
{
	struct publisher *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->queue = controllers_queue(c, "rootca", 4, run, s);
	s->namespaces = controllers_listen(c, NAMESPACES,
	        &(struct informer_handler){.added = namespace_changed, .updated = namespace_updated, .arg = s});
	s->config_maps = controllers_listen(
	        c, CONFIG_MAPS, &(struct informer_handler){.updated = ca_updated, .deleted = ca_deleted, .arg = s});
	return s;
}

void root_ca_controller_release(void *state)
{
	free(state);
}
