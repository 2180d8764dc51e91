/* DELETE of one object or of a collection.
 *
 * Three ways an object goes (Kubernetes API concepts, "Resource deletion"):
 *   at once      nothing holds it back
 *   graceful     a pod that runs somewhere gets a deletionTimestamp and grace; its kubelet deletes it with grace 0 when
 *                the containers are gone
 *   finalizing   finalizers (its own, or those that propagation asks for) keep it with a deletionTimestamp until the
 * last of them is taken away by an update Namespaces always finalize: the namespace controller empties them. */
#include "api/server/write_int.h"

struct deletion {
	struct write write;
	struct json *options;
	struct slice ns, name;
	bool dry_run;
	bool evicting; /* the answer is 201 and a Status */
	/* a collection's items: called instead of answering, with NULL err when it went well or was gone already */
	void (*item_done)(struct deletion *d, const struct err *err);
	struct collection *collection;
};

static void delete_now(struct deletion *d);

/* ---- answers ---- */

static void answer_error(struct deletion *d, const struct err *err)
{
	write_release(&d->write);
	if (d->item_done)
		d->item_done(d, err);
	else
		call_respond_err(d->write.call, err);
}

/* The object as it is now; NULL text: it is gone for good. */
static void answer(struct deletion *d, struct rcbuf *text, struct object *gone)
{
	struct call *c = d->write.call;
	const struct resource *r = c->route.resource;
	if (d->item_done) {
		rcbuf_unref(text);
		write_release(&d->write);
		d->item_done(d, NULL);
		return;
	}
	if (d->evicting) {
		rcbuf_unref(text);
		write_release(&d->write);
		c->shape = SHAPE_OBJECT;
		call_respond_tree(c, 201, status_new(&c->arena, 201, "", ""));
		return;
	}
	if (text) {
		write_release(&d->write);
		call_respond_object(c, 200, text, r->storage);
		return;
	}
	struct slice uid = object_span(gone, gone->uid);
	uid = (struct slice){arena_memdup(&c->arena, uid.ptr, uid.len), uid.len};
	struct rcbuf *last =
	        strategy_is_core(r, "pods") || strategy_is_core(r, "namespaces") ? rcbuf_ref(gone->json) : NULL;
	write_release(&d->write);
	if (last)
		call_respond_object(c, 200, last, r->storage);
	else
		call_respond_success(c, r, c->route.name, uid);
}

/* ---- deciding ---- */

static int check_preconditions(struct deletion *d, const struct object *o, struct err *err)
{
	struct json *pre = json_get(d->options, "preconditions");
	struct slice uid = json_get_str(pre, "uid"), version = json_get_str(pre, "resourceVersion");
	struct slice have = object_span(o, o->uid);
	int64_t revision;
	if (uid.len && !slice_eq(uid, have))
		return err_set(err, ERR_CONFLICT,
		        "Operation cannot be fulfilled on %s \"%.*s\": the UID in the precondition (%.*s) does not "
		        "match the UID in record (%.*s). The object might have been deleted and then recreated",
		        d->write.call->route.resource->plural, SLICE_FMT(d->name), SLICE_FMT(uid), SLICE_FMT(have));
	if (version.len && (!slice_to_i64(version, &revision) || revision != o->revision))
		return err_set(err, ERR_CONFLICT,
		        "Operation cannot be fulfilled on %s \"%.*s\": the ResourceVersion in the precondition (%.*s) "
		        "does not match the ResourceVersion in record (%lld). The object might have been modified",
		        d->write.call->route.resource->plural, SLICE_FMT(d->name), SLICE_FMT(version),
		        (long long)o->revision);
	return 0;
}

/* Seconds a pod is given; other kinds have none. */
static int64_t grace_of(struct deletion *d, const struct json *object)
{
	const struct resource *r = d->write.call->route.resource;
	if (!strategy_is_core(r, "pods"))
		return 0;
	struct json *spec = json_get(object, "spec");
	struct slice phase = json_str(json_path(object, "status", "phase", NULL));
	if (!json_get_str(spec, "nodeName").len || slice_is(phase, "Succeeded") || slice_is(phase, "Failed"))
		return 0;
	int64_t own = json_get_int(spec, "terminationGracePeriodSeconds", 30);
	return json_get_int(d->options, "gracePeriodSeconds", own);
}

static void list_drop(struct json *list, const char *text)
{
	JSON_FOREACH (it, list)
		if (slice_is(json_str(it), text)) {
			json_remove(list, it);
			return;
		}
}

/* Adds or removes the finalizers that stand for the propagation asked for (garbage collection, "cascading deletion").
 */
static void apply_propagation(struct deletion *d, struct json *meta)
{
	struct arena *a = &d->write.call->arena;
	struct slice policy = json_get_str(d->options, "propagationPolicy");
	bool orphan = slice_is(policy, "Orphan") || json_get_bool(d->options, "orphanDependents", false);
	bool foreground = slice_is(policy, "Foreground");
	struct json *list = json_get(meta, "finalizers");
	if (!policy.len && !orphan)
		return;
	if (list) {
		list_drop(list, "orphan");
		list_drop(list, "foregroundDeletion");
	}
	if (orphan || foreground)
		json_append(json_need(a, meta, "finalizers", JSON_ARRAY),
		        json_new_cstr(a, orphan ? "orphan" : "foregroundDeletion"));
}

static bool is_held(const struct resource *r, const struct json *object)
{
	struct json *finalizers = json_path(object, "metadata", "finalizers", NULL);
	if (finalizers && finalizers->first)
		return true;
	struct json *ns = strategy_is_core(r, "namespaces") ? json_path(object, "spec", "finalizers", NULL) : NULL;
	return ns && ns->first;
}

/* Marks the object as dying. False when it was already, at least this fast. */
static bool mark(struct deletion *d, struct json *object, int64_t grace)
{
	struct arena *a = &d->write.call->arena;
	struct json *meta = json_get(object, "metadata");
	bool dying = json_get_str(meta, "deletionTimestamp").len > 0;
	if (dying && json_get_int(meta, "deletionGracePeriodSeconds", 0) <= grace)
		return false;
	json_set_cstr(a, meta, "deletionTimestamp", strategy_time(a, grace));
	json_set_int(a, meta, "deletionGracePeriodSeconds", grace);
	if (d->write.call->route.resource->has_generation && !dying)
		json_set_int(a, meta, "generation", json_get_int(meta, "generation", 0) + 1);
	if (strategy_is_core(d->write.call->route.resource, "namespaces"))
		json_set_cstr(a, json_need(a, object, "status", JSON_OBJECT), "phase", "Terminating");
	return true;
}

/* ---- carrying it out ---- */

static void done(struct write *w, const struct err *err, int64_t revision)
{
	struct deletion *d = (struct deletion *)w;
	if (err->code == ERR_CONFLICT && ++w->attempts < WRITE_ATTEMPTS_MAX) {
		write_release(w);
		delete_now(d);
		return;
	}
	if (err->code) {
		struct err e = *err;
		if (e.code == ERR_CONFLICT)
			status_conflict(&e, w->call->route.resource, d->name);
		answer_error(d, &e);
		return;
	}
	answer(d, w->kind == WRITE_PUT ? object_finish(strbuf_slice(&w->text), revision) : NULL, w->old);
}

static struct object *find(struct deletion *d)
{
	struct call *c = d->write.call;
	const struct resource *r = c->route.resource;
	const char *key = r->namespaced ? arena_printf(&c->arena, "%.*s/%.*s", SLICE_FMT(d->ns), SLICE_FMT(d->name))
	                                : arena_memdup(&c->arena, d->name.ptr, d->name.len);
	return cache_get(cache_resource(c->server->cache, r), slice_of(key));
}

static void delete_now(struct deletion *d)
{
	struct call *c = d->write.call;
	const struct resource *r = c->route.resource;
	struct err err = ERR_INIT;
	struct object *o = find(d);
	if (!o) {
		status_not_found(&err, r, d->name);
		answer_error(d, &err);
		return;
	}
	d->write.old = object_ref(o);
	struct json *object = json_parse(&c->arena, object_text(o), NULL, &err);
	if (!object || check_preconditions(d, o, &err) != 0) {
		answer_error(d, &err);
		return;
	}
	apply_propagation(d, json_get(object, "metadata"));
	int64_t grace = grace_of(d, object);
	d->write.kind = grace > 0 || is_held(r, object) ? WRITE_PUT : WRITE_REMOVE;
	if (d->write.kind == WRITE_PUT && !mark(d, object, grace)) {
		answer(d, rcbuf_ref(o->json), o); /* dying already: nothing to add */
		return;
	}
	if (d->dry_run) {
		answer(d, rcbuf_ref(o->json), o);
		return;
	}
	strategy_write(&d->write.text, object);
	d->write.done = done;
	write_submit(&d->write, r->storage, d->ns, d->name);
}

static void delete_route(struct call *c)
{
	delete_now(c->handler_data);
}

static struct deletion *deletion_new(struct call *c, struct err *err)
{
	struct deletion *d = ARENA_NEW(&c->arena, struct deletion);
	d->write.call = c;
	d->ns = c->route.ns;
	d->name = c->route.name;
	d->options = body_read_delete_options(c, err);
	if (!d->options || body_dry_run(c, &d->dry_run, err) != 0)
		return NULL;
	JSON_FOREACH (it, json_get(d->options, "dryRun"))
		d->dry_run = d->dry_run || slice_is(json_str(it), "All");
	return d;
}

void api_delete(struct call *c)
{
	struct err err = ERR_INIT;
	struct deletion *d = deletion_new(c, &err);
	if (!d) {
		call_respond_err(c, &err);
		return;
	}
	c->handler_data = d;
	api_when_fresh(c, false, delete_route);
}

void api_evict(struct call *c, struct json *options)
{
	struct err err = ERR_INIT;
	c->body = SLICE_NULL; /* options stand in the Eviction, or in the query */
	struct deletion *d = deletion_new(c, &err);
	if (!d) {
		call_respond_err(c, &err);
		return;
	}
	if (options)
		d->options = options;
	d->evicting = true;
	delete_now(d);
}

/* ---- collections ---- */

struct collection {
	struct call *call;
	struct deletion *shared; /* options */
	struct object **items;   /* references */
	size_t count;
	size_t left; /* answers still to come */
	struct err first_error;
	bool submitting;
};

static void collection_finish(struct collection *k)
{
	struct call *c = k->call;
	if (k->left || k->submitting)
		return;
	for (size_t i = 0; i < k->count; i++)
		object_unref(k->items[i]);
	if (k->first_error.code) {
		call_respond_err(c, &k->first_error);
		return;
	}
	struct json *status = status_new(&c->arena, 200, "", "");
	c->shape = SHAPE_OBJECT;
	call_respond_tree(c, 200, status);
}

static void collection_item_done(struct deletion *d, const struct err *err)
{
	struct collection *k = d->collection;
	if (err && err->code != ERR_NOT_FOUND && !k->first_error.code)
		k->first_error = *err;
	k->left--;
	collection_finish(k);
}

static void collection_now(struct call *c)
{
	struct collection *k = c->handler_data;
	struct object_filter filter = {.ns = c->route.ns};
	struct err err = ERR_INIT;
	struct cache_resource *cr = cache_resource(c->server->cache, c->route.resource);
	if (label_selector_parse(&c->arena, call_param(c, "labelSelector"), &filter.labels, &err) != 0 ||
	        field_selector_parse(&c->arena, call_param(c, "fieldSelector"), &filter.fields, &err) != 0 ||
	        object_filter_check(&filter, c->route.resource, &err) != 0) {
		call_respond_err(c, &err);
		return;
	}
	k->items = ARENA_ARRAY(&c->arena, struct object *, cr->objects.count + 1);
	for (struct omap_node *n = cr->objects.head[0]; n; n = omap_next(n))
		if (object_matches(n->value, &filter, cr->resource))
			k->items[k->count++] = object_ref(n->value);
	k->left = k->count;
	k->submitting = true; /* items may finish inside the loop; the answer comes after it */
	for (size_t i = 0; i < k->count; i++) {
		struct deletion *d = ARENA_NEW(&c->arena, struct deletion);
		*d = *k->shared;
		d->ns = object_namespace(k->items[i]);
		d->name = object_name(k->items[i]);
		d->collection = k;
		d->item_done = collection_item_done;
		delete_now(d);
	}
	k->submitting = false;
	collection_finish(k);
}

void api_delete_collection(struct call *c)
{
	struct err err = ERR_INIT;
	struct collection *k = ARENA_NEW(&c->arena, struct collection);
	k->call = c;
	k->shared = deletion_new(c, &err);
	c->handler_data = k;
	if (!k->shared) {
		call_respond_err(c, &err);
		return;
	}
	api_when_fresh(c, false, collection_now);
}
