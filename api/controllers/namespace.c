/* Emptying namespaces that are being deleted.
 *
 *     deletionTimestamp set --> DELETE all pods --> none left? DELETE everything else --> list what remains
 *                                  (counted in the informer, whose events say when the last one is gone)
 *         --> nothing: PUT finalize without "kubernetes"
 *         --> something: conditions say what, and come again
 *
 * Pods go first (upstream's OrderedNamespaceDeletion), so that nothing they need vanishes under them. One that runs no
 * more and only has a finalizer left does not hold back the rest: who is to take the finalizer off may wait for its
 * own object to go (a Job does). Every namespaced resource of the registry is asked, custom ones included. Upstream:
 * pkg/controller/namespace/deletion. */
#include "api/controllers/controllers_int.h"

#include "api/machinery/schema/kind_ops.h"

/* Pods that have not gone by then are asked once more. */
enum { RETRY_MS = 1000, RETRY_PODS_MS = 30 * 1000 };

struct namespaces {
	struct controllers *c;
	struct shared_informer *namespaces, *pods;
	struct informer_index *pods_by_namespace;
	struct work_queue *queue;
};

/* One resource of one namespace. */
struct content {
	struct sync *y;
	const struct resource *resource;
	const char *path;
	size_t left;             /* objects that remain */
	size_t ended;            /* of them, pods that run no more */
	struct json *finalizers; /* of what remains: name -> count */
};

struct sync {
	struct namespaces *s;
	struct work *work;
	struct meta meta;
	struct json *ns;
	struct resource_snapshot *rows; /* held while the contents name them */
	struct content *contents;
	size_t count, waiting;
	bool pods_only;
	const char *failure; /* of a deletion */
};

static void list_all(struct sync *y);
static void count_pods(struct sync *y);
static void finish(struct sync *y);

static void namespace_changed(void *arg, struct informer_object *o)
{
	struct namespaces *s = arg;
	if (json_find(informer_text(o), "metadata", "deletionTimestamp", NULL).len)
		work_queue_add(s->queue, o->key);
}

static bool is_over(struct slice pod)
{
	struct slice phase = json_find(pod, "status", "phase", NULL);
	return slice_is(phase, "Succeeded") || slice_is(phase, "Failed");
}

static void namespace_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	namespace_changed(arg, o);
}

static struct informer_object *namespace_of(struct namespaces *s, struct informer_object *pod)
{
	return informer_get(
	        shared_informer_base(s->namespaces), json_find(informer_text(pod), "metadata", "namespace", NULL));
}

/* The last pod of a namespace that is being emptied. */
static void pod_deleted(void *arg, struct informer_object *o)
{
	struct namespaces *s = arg;
	struct informer_object *n = namespace_of(s, o);
	if (n && !informer_index_group(s->pods_by_namespace, n->key))
		namespace_changed(s, n);
}

/* One that does not hold back the rest any more. */
static void pod_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct slice text = informer_text(o), old = {before->data, before->len};
	if (!json_find(text, "metadata", "deletionTimestamp", NULL).len || !is_over(text) || is_over(old))
		return;
	struct informer_object *n = namespace_of(arg, o);
	if (n)
		namespace_changed(arg, n);
}

/* ---- what there is to delete ---- */

static void release_rows(void *arg)
{
	resources_snapshot_unref(arg);
}

static void add_content(struct sync *y, const struct resource *r)
{
	unsigned needed = RESOURCE_LIST | RESOURCE_DELETE;
	if (!r->namespaced || (r->verbs & needed) != needed || r->storage != r ||
	        (y->pods_only && !resource_has(r, KIND_IS_POD)))
		return;
	struct content *k = &y->contents[y->count++];
	*k = (struct content){.y = y, .resource = r};
	k->path = kube_path(&y->work->arena, r->api_version, r->plural, y->meta.name, SLICE_NULL, NULL);
}

static void choose_contents(struct sync *y)
{
	size_t count;
	const struct resource *const *rows = resources_snapshot_rows(y->rows, &count);
	y->count = 0;
	for (size_t i = 0; i < count; i++)
		add_content(y, rows[i]);
}

/* ---- deleting ---- */

static void deleted(struct work_call *call)
{
	struct content *k = call->arg;
	struct err *err = &call->request.err;
	if (err->code && err->code != ERR_NOT_FOUND && err->code != ERR_METHOD)
		k->y->failure = arena_strdup(&call->work->arena, err->msg);
	if (--k->y->waiting > 0)
		return;
	if (k->y->pods_only)
		count_pods(k->y);
	else
		list_all(k->y);
}

static void delete_all(struct sync *y)
{
	choose_contents(y);
	y->waiting = y->count;
	for (size_t i = 0; i < y->count; i++)
		work_send(y->work, "DELETE", y->contents[i].path, NULL, deleted)->arg = &y->contents[i];
}

/* ---- looking at what remains ---- */

static void count_one(struct content *k, const struct json *finalizers)
{
	struct arena *a = &k->y->work->arena;
	k->left++;
	JSON_FOREACH (f, finalizers) {
		struct json *n = json_get_slice(k->finalizers, json_str(f));
		json_set_slice(a, k->finalizers, json_str(f), json_new_int(a, json_int(n, 0) + 1));
	}
}

static void count_remaining(struct content *k, struct slice text)
{
	struct arena *a = &k->y->work->arena;
	struct json *list = json_parse(a, text, NULL, NULL);
	k->finalizers = json_new(a, JSON_OBJECT);
	JSON_FOREACH (item, json_get(list, "items"))
		count_one(k, json_path(item, "metadata", "finalizers", NULL));
}

/* Of pods nothing is read but what few of them have. */
static void count_pods(struct sync *y)
{
	struct arena *a = &y->work->arena;
	struct content *k = &y->contents[0];
	k->finalizers = json_new(a, JSON_OBJECT);
	INFORMER_GROUP_FOREACH(o, informer_index_group(y->s->pods_by_namespace, y->meta.name))
	{
		struct slice text = json_find(informer_text(o), "metadata", "finalizers", NULL);
		count_one(k, text.len ? json_parse(a, text, NULL, NULL) : NULL);
		k->ended += is_over(informer_text(o));
	}
	finish(y);
}

static void listed(struct work_call *call)
{
	struct content *k = call->arg;
	struct err *err = &call->request.err;
	if (!err->code)
		count_remaining(k, work_call_text(call));
	else if (err->code != ERR_NOT_FOUND)
		k->y->failure = arena_strdup(&call->work->arena, err->msg);
	if (--k->y->waiting == 0)
		finish(k->y);
}

static void list_all(struct sync *y)
{
	y->waiting = y->count;
	for (size_t i = 0; i < y->count; i++)
		work_send(y->work, "GET", y->contents[i].path, NULL, listed)->arg = &y->contents[i];
}

/* ---- conditions ---- */

static const char *remaining_text(struct sync *y, size_t *total)
{
	struct strbuf out = STRBUF_INIT;
	*total = 0;
	for (size_t i = 0; i < y->count; i++) {
		struct content *k = &y->contents[i];
		if (!k->left)
			continue;
		strbuf_addf(&out, "%s%s.%s has %zu resource instances",
		        out.len ? ", " : "Some resources are remaining: ", k->resource->plural, k->resource->group,
		        k->left);
		*total += k->left;
	}
	const char *text = arena_strdup(&y->work->arena, strbuf_cstr(&out));
	strbuf_release(&out);
	return text;
}

static const char *finalizers_text(struct sync *y)
{
	struct arena *a = &y->work->arena;
	struct json *sum = json_new(a, JSON_OBJECT);
	struct strbuf out = STRBUF_INIT;
	for (size_t i = 0; i < y->count; i++)
		JSON_FOREACH (f, y->contents[i].finalizers)
			json_set_slice(a, sum, f->key,
			        json_new_int(a, json_int(json_get_slice(sum, f->key), 0) + json_int(f, 0)));
	JSON_FOREACH (f, sum)
		strbuf_addf(&out, "%s%.*s in %lld resource instances",
		        out.len ? ", " : "Some content in the namespace has finalizers remaining: ", SLICE_FMT(f->key),
		        (long long)json_int(f, 0));
	const char *text = arena_strdup(a, strbuf_cstr(&out));
	strbuf_release(&out);
	return text;
}

static void set_conditions(struct sync *y, const char *remaining)
{
	struct arena *a = &y->work->arena;
	struct json *patch = patch_new(a, SLICE_NULL), *status = json_need(a, patch, "status", JSON_OBJECT);
	struct json *old = json_path(y->ns, "status", "conditions", NULL);
	struct json *list = old ? json_copy(a, old) : json_new(a, JSON_ARRAY);
	const char *finalizers = finalizers_text(y);
	bool changed = condition_set(a, list, "NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered",
	        "All resources successfully discovered", NULL);
	changed |= condition_set(a, list, "NamespaceDeletionGroupVersionParsingFailure", "False", "ParsedGroupVersions",
	        "All legacy kube types successfully parsed", NULL);
	changed |= condition_set(a, list, "NamespaceDeletionContentFailure", y->failure ? "True" : "False",
	        y->failure ? "ContentDeletionFailed" : "ContentDeleted",
	        y->failure ? y->failure : "All content successfully deleted, may be waiting on finalization", NULL);
	changed |= condition_set(a, list, "NamespaceContentRemaining", *remaining ? "True" : "False",
	        *remaining ? "SomeResourcesRemain" : "ContentRemoved",
	        *remaining ? remaining : "All content successfully removed", NULL);
	changed |= condition_set(a, list, "NamespaceFinalizersRemaining", *finalizers ? "True" : "False",
	        *finalizers ? "SomeFinalizersRemain" : "ContentHasNoFinalizers",
	        *finalizers ? finalizers : "All content-preserving finalizers finished", NULL);
	if (!changed)
		return;
	json_set(a, status, "conditions", list);
	work_patch(y->work, kube_path(a, "v1", "namespaces", SLICE_NULL, y->meta.name, "status"), merge_patch, patch,
	        work_done_ignore_missing);
}

/* ---- the end ---- */

static void finalize(struct sync *y)
{
	struct arena *a = &y->work->arena;
	struct json *list = json_path(y->ns, "spec", "finalizers", NULL);
	JSON_FOREACH (it, list)
		if (slice_is(json_str(it), "kubernetes")) {
			json_remove(list, it);
			work_send(y->work, "PUT",
			        kube_path(a, "v1", "namespaces", SLICE_NULL, y->meta.name, "finalize"), y->ns,
			        work_done_ignore_missing);
			return;
		}
}

static void finish(struct sync *y)
{
	size_t total;
	const char *remaining = remaining_text(y, &total);
	if (y->pods_only && total == y->contents[0].ended && !y->failure) {
		y->pods_only = false;
		delete_all(y);
		return;
	}
	if (!total && !y->failure) {
		finalize(y);
		return;
	}
	set_conditions(y, remaining);
	work_again(y->work, y->pods_only ? RETRY_PODS_MS : RETRY_MS);
}

static void run(struct work *w)
{
	struct namespaces *s = w->arg;
	struct informer_object *o = informer_get(shared_informer_base(s->namespaces), w->key);
	if (!o)
		return;
	struct sync *y = ARENA_NEW(&w->arena, struct sync);
	rcbuf_unref_with(&w->arena, rcbuf_ref(o->json));
	meta_read(informer_text(o), &y->meta);
	y->s = s;
	y->work = w;
	y->ns = informer_parse(&w->arena, o);
	if (!y->ns || !y->meta.deletion_timestamp.len)
		return;
	size_t count;
	y->rows = resources_snapshot();
	arena_on_release(&w->arena, release_rows, y->rows);
	resources_snapshot_rows(y->rows, &count);
	y->contents = ARENA_ARRAY(&w->arena, struct content, count);
	y->pods_only = true;
	delete_all(y);
}

void *namespace_controller_start(struct controllers *c)
{
	struct namespaces *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->queue = controllers_queue(c, "namespace", 10, run, s);
	s->pods = controllers_listen(
	        c, PODS, &(struct informer_handler){.updated = pod_updated, .deleted = pod_deleted, .arg = s});
	s->pods_by_namespace = informer_index_get(s->pods, "namespace", informer_index_namespace);
	s->namespaces = controllers_listen(c, NAMESPACES,
	        &(struct informer_handler){.added = namespace_changed, .updated = namespace_updated, .arg = s});
	return s;
}

void namespace_controller_release(void *state)
{
	free(state);
}
