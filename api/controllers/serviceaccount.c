/* What every namespace has: the service account "default". Keys are namespaces; what is missing is made again.
 *
 * Upstream: pkg/controller/serviceaccount/serviceaccounts_controller.go. */
#include "api/controllers/controllers_int.h"

#define SERVICE_ACCOUNTS "/api/v1/serviceaccounts"

struct accounts {
	struct shared_informer *namespaces, *accounts;
	struct work_queue *queue;
};

static void namespace_changed(void *arg, struct informer_object *o)
{
	struct accounts *s = arg;
	work_queue_add(s->queue, o->key);
}

static void namespace_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	namespace_changed(arg, o);
}

static void account_deleted(void *arg, struct informer_object *o)
{
	struct accounts *s = arg;
	struct slice rest = o->key, ns = slice_cut(&rest, '/');
	if (slice_is(rest, "default"))
		work_queue_add(s->queue, ns);
}

/* Exists already, or the namespace has gone meanwhile: both are fine. */
static void created(struct work_call *call)
{
	int code = call->request.err.code;
	if (code && code != ERR_EXISTS && code != ERR_NOT_FOUND && code != ERR_FORBIDDEN)
		work_fail(call->work, &call->request.err);
}

static void need_account(struct accounts *s, struct work *w)
{
	struct arena *a = &w->arena;
	if (informer_get_named(shared_informer_base(s->accounts), w->key, SLICE("default")))
		return;
	struct json *o = json_new(a, JSON_OBJECT);
	json_set_cstr(a, json_need(a, o, "metadata", JSON_OBJECT), "name", "default");
	work_send(w, "POST", kube_path(a, "v1", "serviceaccounts", w->key, SLICE_NULL, NULL), o, created);
}

static void run(struct work *w)
{
	struct accounts *s = w->arg;
	struct informer_object *o = informer_get(shared_informer_base(s->namespaces), w->key);
	if (!o || json_find(informer_text(o), "metadata", "deletionTimestamp", NULL).len)
		return;
	need_account(s, w);
}

void *service_account_controller_start(struct controllers *c)
{
	struct accounts *s = xcalloc(1, sizeof *s);
	s->queue = controllers_queue(c, "serviceaccount", 4, run, s);
	s->namespaces = controllers_listen(c, NAMESPACES,
	        &(struct informer_handler){.added = namespace_changed, .updated = namespace_updated, .arg = s});
	s->accounts = controllers_listen(
	        c, SERVICE_ACCOUNTS, &(struct informer_handler){.deleted = account_deleted, .arg = s});
	return s;
}

void service_account_controller_release(void *state)
{
	free(state);
}
