/* The garbage collector: objects whose owners are gone go too.
 *
 * Every resource of the registry that can be watched and deleted is, but events. Keys of the queue are "KIND ns/name",
 * KIND being the number of its monitor; a run looks at one object and does what its state asks for:
 *
 *     dying, finalizer orphan               take its references out of its dependents, then the finalizer
 *     dying, finalizer foregroundDeletion   delete its blocking dependents; when none is left, the finalizer.
 *                                           Those that wait for it themselves (owners in a circle) do not count
 *     dying                                 nothing
 *     living, an owner that stays           take references to owners that are gone or going out, if there are any
 *     living, owners going in foreground    delete it, in the foreground too if it has dependents
 *     living, all owners gone               delete it in the background
 *
 * An owner the informers do not know is asked for by GET before anything is deleted. What can go wrong: references to
 * kinds that are not served (left alone, looked at again in five minutes), references across namespaces (the owner is
 * looked for in the dependent's namespace, as upstream does). Upstream: pkg/controller/garbagecollector. */
#include "api/controllers/controllers_int.h"
#include "api/controllers/gc_graph.h"

#include "api/machinery/schema/kind_ops.h"

enum { ABSENT_MAX = 256, UID_MAX = 64, UNKNOWN_KIND_RETRY_MS = 5 * 60 * 1000, NEW_KINDS_MS = 2000 };

struct monitor {
	struct collector *g;
	unsigned number;
	const struct resource *resource; /* a reference */
	char *path;
	struct shared_informer *informer;
	struct informer_handler handler;
	bool seen; /* while looking for kinds that are gone */
	bool gone;
};

struct absent {
	char uid[UID_MAX];
	bool is_elsewhere; /* there is such an object, in a namespace where its dependents are not */
};

struct collector {
	struct controllers *c;
	struct gc_graph graph;
	struct monitor **monitors; /* by number; those of kinds that are gone wait for their return */
	unsigned count, cap;
	uint64_t generation; /* of the registry */
	struct work_queue *queue, *kinds;
	struct recorder *recorder;
	struct absent absent[ABSENT_MAX]; /* owners known to be gone, newest overwrites oldest */
	unsigned next_absent;
};

/* One owner of the object that is looked at. */
enum owner_state { OWNER_SOLID, OWNER_ABSENT, OWNER_WAITING, OWNER_UNKNOWN };

struct owner {
	struct examination *x;
	struct owner_ref ref;
	enum owner_state state;
};

struct examination {
	struct collector *g;
	struct work *work;
	const struct monitor *monitor;
	struct meta meta;
	struct rcbuf *json;
	struct owner *owners;
	size_t count, asking;
};

/* ---- keys ---- */

static void enqueue(struct collector *g, unsigned kind, struct slice key)
{
	char text[600];
	int n = snprintf(text, sizeof text, "%u %.*s", kind, SLICE_FMT(key));
	if (n > 0 && (size_t)n < sizeof text)
		work_queue_add(g->queue, (struct slice){text, (size_t)n});
}

static void enqueue_dependents(struct collector *g, struct slice uid)
{
	GC_DEPENDENTS_FOREACH(e, gc_graph_owner(&g->graph, uid))
	enqueue(g, e->dependent->kind, e->dependent->key);
}

static bool has_finalizer(struct slice finalizers, const char *name)
{
	char quoted[64];
	snprintf(quoted, sizeof quoted, "\"%s\"", name);
	return finalizers.len && memmem(finalizers.ptr, finalizers.len, quoted, strlen(quoted)) != NULL;
}

/* The monitor of what a reference means; NULL: not served. */
static struct monitor *monitor_of(struct collector *g, const struct owner_ref *ref)
{
	const struct resource *r = resource_find_kind(ref->api_version, ref->kind);
	for (unsigned i = 0; r && i < g->count; i++)
		if (g->monitors[i]->resource == r->storage && !g->monitors[i]->gone)
			return g->monitors[i];
	return NULL;
}

static struct informer_object *find_owner(const struct monitor *m, struct slice ns, const struct owner_ref *ref)
{
	struct informer_object *o = informer_get_named(
	        shared_informer_base(m->informer), m->resource->namespaced ? ns : SLICE_NULL, ref->name);
	return o && slice_eq(json_find(informer_text(o), "metadata", "uid", NULL), ref->uid) ? o : NULL;
}

/* ---- events ---- */

/* Owners in foreground deletion wait for this object. */
static void wake_waiting_owners(struct collector *g, const struct meta *m)
{
	struct slice rest = m->owners;
	struct owner_ref ref;
	while (owner_ref_next(&rest, &ref)) {
		struct monitor *om = ref.blocks_deletion ? monitor_of(g, &ref) : NULL;
		struct informer_object *o = om ? find_owner(om, m->ns, &ref) : NULL;
		if (o && json_find(informer_text(o), "metadata", "deletionTimestamp", NULL).len)
			enqueue(g, om->number, o->key);
	}
}

static void object_added(void *arg, struct informer_object *o)
{
	struct monitor *mon = arg;
	struct meta m;
	meta_read(informer_text(o), &m);
	if (m.owners.len > 2) {
		gc_graph_set(&mon->g->graph, mon->number, o->key, m.uid, m.owners);
		enqueue(mon->g, mon->number, o->key);
	} else if (m.deletion_timestamp.len && m.finalizers.len > 2) {
		enqueue(mon->g, mon->number, o->key);
	}
}

static void object_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct monitor *mon = arg;
	struct meta m, old;
	meta_read(informer_text(o), &m);
	meta_read((struct slice){before->data, before->len}, &old);
	bool recreated = !slice_eq(m.uid, old.uid); /* deleted and made again while the watch was away */
	if (recreated) {
		gc_graph_remove(&mon->g->graph, old.uid);
		enqueue_dependents(mon->g, old.uid);
	}
	if (recreated || !slice_eq(m.owners, old.owners)) {
		gc_graph_set(&mon->g->graph, mon->number, o->key, m.uid, m.owners);
		wake_waiting_owners(mon->g, &old);
		enqueue(mon->g, mon->number, o->key);
	}
	if (!m.deletion_timestamp.len)
		return;
	if (old.deletion_timestamp.len && slice_eq(m.finalizers, old.finalizers))
		return;
	if (has_finalizer(m.finalizers, "orphan") || has_finalizer(m.finalizers, "foregroundDeletion"))
		enqueue(mon->g, mon->number, o->key);
}

static void object_deleted(void *arg, struct informer_object *o)
{
	struct monitor *mon = arg;
	struct meta m;
	meta_read(informer_text(o), &m);
	gc_graph_remove(&mon->g->graph, m.uid);
	enqueue_dependents(mon->g, m.uid);
	wake_waiting_owners(mon->g, &m);
}

/* ---- writes ---- */

static const char *object_path(struct examination *x, const struct resource *r, struct slice ns, struct slice name)
{
	return kube_path(&x->work->arena, r->api_version, r->plural, ns, name, NULL);
}

/* A conflict is an error like others: when the uid is another's by now, the next look finds that out. */
static void delete_object(struct examination *x, const char *policy)
{
	struct arena *a = &x->work->arena;
	struct json *options = json_new(a, JSON_OBJECT);
	json_set_cstr(a, options, "propagationPolicy", policy);
	json_set_str(a, json_need(a, options, "preconditions", JSON_OBJECT), "uid", x->meta.uid);
	work_send(x->work, "DELETE", object_path(x, x->monitor->resource, x->meta.ns, x->meta.name), options,
	        work_done_ignore_missing);
}

static void drop_finalizer(struct examination *x, const char *name)
{
	struct arena *a = &x->work->arena;
	struct json *patch = patch_new(a, x->meta.resource_version);
	struct json *list = json_parse(a, x->meta.finalizers, NULL, NULL);
	JSON_FOREACH (it, list)
		if (slice_is(json_str(it), name))
			json_remove(list, it);
	json_set(a, json_get(patch, "metadata"), "finalizers", list);
	work_patch(x->work, object_path(x, x->monitor->resource, x->meta.ns, x->meta.name), merge_patch, patch,
	        work_done_ignore_missing);
}

/* Writes `text`'s owner references without those that `drops` names. */
static void drop_references(struct examination *x, const struct resource *r, struct slice text,
        bool (*drops)(void *arg, struct slice uid), void *arg, void (*done)(struct work_call *call))
{
	struct arena *a = &x->work->arena;
	struct meta m;
	meta_read(text, &m);
	struct json *patch = patch_new(a, m.resource_version);
	struct json *list = json_parse(a, m.owners, NULL, NULL);
	JSON_FOREACH (it, list)
		if (drops(arg, json_get_str(it, "uid")))
			json_remove(list, it);
	json_set_str(a, json_get(patch, "metadata"), "uid", m.uid);
	json_set(a, json_get(patch, "metadata"), "ownerReferences", list);
	work_patch(x->work, object_path(x, r, m.ns, m.name), merge_patch, patch, done)->arg = x;
}

/* ---- dying objects ---- */

static bool is_this(void *arg, struct slice uid)
{
	struct examination *x = arg;
	return slice_eq(uid, x->meta.uid);
}

static void orphaned_one(struct work_call *call)
{
	struct examination *x = call->arg;
	work_done_ignore_missing(call);
	if (--x->asking == 0 && !x->work->failed)
		drop_finalizer(x, "orphan");
}

static void orphan_dependents(struct examination *x)
{
	x->asking = 1;
	GC_DEPENDENTS_FOREACH(e, gc_graph_owner(&x->g->graph, x->meta.uid))
	{
		struct monitor *m = x->g->monitors[e->dependent->kind];
		struct informer_object *o =
		        m->gone ? NULL : informer_get(shared_informer_base(m->informer), e->dependent->key);
		if (!o)
			continue;
		x->asking++;
		drop_references(x, m->resource, informer_text(o), is_this, x, orphaned_one);
	}
	if (--x->asking == 0)
		drop_finalizer(x, "orphan");
}

/* In foreground deletion: it waits for its own dependents. */
static bool waits_too(void *arg, const struct gc_object *o)
{
	struct collector *g = arg;
	struct monitor *mon = g->monitors[o->kind];
	struct informer_object *i = mon->gone ? NULL : informer_get(shared_informer_base(mon->informer), o->key);
	if (!i)
		return false;
	struct meta m;
	meta_read(informer_text(i), &m);
	return m.deletion_timestamp.len && has_finalizer(m.finalizers, "foregroundDeletion");
}

static void delete_dependents(struct examination *x)
{
	size_t blocking = 0;
	GC_DEPENDENTS_FOREACH(e, gc_graph_owner(&x->g->graph, x->meta.uid))
	{
		struct monitor *m = x->g->monitors[e->dependent->kind];
		struct informer_object *o =
		        m->gone ? NULL : informer_get(shared_informer_base(m->informer), e->dependent->key);
		if (!o)
			continue;
		blocking += e->blocks && !gc_graph_leads_back(&x->g->graph, e->dependent, x->meta.uid, waits_too, x->g);
		if (!json_find(informer_text(o), "metadata", "deletionTimestamp", NULL).len)
			enqueue(x->g, e->dependent->kind, e->dependent->key);
	}
	if (!blocking)
		drop_finalizer(x, "foregroundDeletion");
}

/* ---- living objects ---- */

static bool is_gone(void *arg, struct slice uid)
{
	struct examination *x = arg;
	for (size_t i = 0; i < x->count; i++)
		if (slice_eq(x->owners[i].ref.uid, uid))
			return x->owners[i].state == OWNER_ABSENT || x->owners[i].state == OWNER_WAITING;
	return false;
}

static void decide(struct examination *x)
{
	size_t n[4] = {0};
	for (size_t i = 0; i < x->count; i++)
		n[x->owners[i].state]++;
	if (n[OWNER_UNKNOWN])
		work_again(x->work, UNKNOWN_KIND_RETRY_MS);
	if (x->work->failed || (!n[OWNER_ABSENT] && !n[OWNER_WAITING]))
		return;
	if (n[OWNER_SOLID] || n[OWNER_UNKNOWN]) {
		drop_references(x, x->monitor->resource, (struct slice){x->json->data, x->json->len}, is_gone, x,
		        work_done_ignore_missing);
		return;
	}
	bool has_dependents = gc_graph_owner(&x->g->graph, x->meta.uid) != NULL;
	if (n[OWNER_WAITING] && has_dependents)
		delete_object(x, "Foreground");
	else if (has_finalizer(x->meta.finalizers, "orphan"))
		delete_object(x, "Orphan");
	else
		delete_object(x, has_finalizer(x->meta.finalizers, "foregroundDeletion") ? "Foreground" : "Background");
}

static const struct absent *known_absent(const struct collector *g, struct slice uid)
{
	for (unsigned i = 0; i < ABSENT_MAX; i++)
		if (slice_is(uid, g->absent[i].uid))
			return &g->absent[i];
	return NULL;
}

/* ---- references that reach into another namespace ---- */

/* In any namespace: looked for once per owner that is gone. */
static bool has_uid(const struct monitor *m, struct slice uid)
{
	INFORMER_FOREACH(o, shared_informer_base(m->informer))
	{
		if (slice_eq(json_find(informer_text(o), "metadata", "uid", NULL), uid))
			return true;
	}
	return false;
}

static void tell_elsewhere(struct examination *x, const struct owner_ref *ref)
{
	struct slice ns = x->meta.ns;
	struct recorder_subject about =
	        recorder_about(x->monitor->resource->api_version, x->monitor->resource->kind, &x->meta);
	recorder_event(x->g->recorder, &about, "Warning", "OwnerRefInvalidNamespace",
	        "ownerRef [%.*s/%.*s, namespace: %.*s, name: %.*s, uid: %.*s] does not exist in namespace \"%.*s\"",
	        SLICE_FMT(ref->api_version), SLICE_FMT(ref->kind), SLICE_FMT(ns), SLICE_FMT(ref->name),
	        SLICE_FMT(ref->uid), SLICE_FMT(ns));
}

static void note_absent(struct owner *o)
{
	struct collector *g = o->x->g;
	const struct monitor *m = monitor_of(g, &o->ref);
	struct absent *slot = &g->absent[g->next_absent % ABSENT_MAX];
	bool is_elsewhere = m && m->resource->namespaced && has_uid(m, o->ref.uid);
	o->state = OWNER_ABSENT;
	if (is_elsewhere)
		tell_elsewhere(o->x, &o->ref);
	if (o->ref.uid.len >= UID_MAX)
		return;
	g->next_absent++;
	slot->is_elsewhere = is_elsewhere;
	snprintf(slot->uid, UID_MAX, "%.*s", SLICE_FMT(o->ref.uid));
}

/* ---- what an owner is ---- */

static void asked(struct work_call *call)
{
	struct owner *o = call->arg;
	struct examination *x = o->x;
	struct err *err = &call->request.err;
	bool same = !err->code && slice_eq(json_find(work_call_text(call), "metadata", "uid", NULL), o->ref.uid);
	if (err->code && err->code != ERR_NOT_FOUND) {
		work_fail(x->work, err);
	} else if (same) {
		bool dying = json_find(work_call_text(call), "metadata", "deletionTimestamp", NULL).len;
		o->state = dying && has_finalizer(json_find(work_call_text(call), "metadata", "finalizers", NULL),
		                            "foregroundDeletion")
		                   ? OWNER_WAITING
		                   : OWNER_SOLID;
	} else {
		note_absent(o);
	}
	if (--x->asking == 0)
		decide(x);
}

static void judge_owner(struct examination *x, struct owner *o)
{
	struct monitor *m = monitor_of(x->g, &o->ref);
	const struct absent *absent;
	if (!m || (m->resource->namespaced && !x->meta.ns.len)) {
		o->state = OWNER_UNKNOWN;
		if (m && has_uid(m, o->ref.uid))
			tell_elsewhere(x, &o->ref);
		return;
	}
	struct informer_object *found = find_owner(m, x->meta.ns, &o->ref);
	if (found) {
		struct meta om;
		meta_read(informer_text(found), &om);
		o->state = om.deletion_timestamp.len && has_finalizer(om.finalizers, "foregroundDeletion")
		                   ? OWNER_WAITING
		                   : OWNER_SOLID;
	} else if ((absent = known_absent(x->g, o->ref.uid))) {
		o->state = OWNER_ABSENT;
		if (absent->is_elsewhere)
			tell_elsewhere(x, &o->ref);
	} else {
		x->asking++;
		work_send(x->work, "GET",
		        object_path(x, m->resource, m->resource->namespaced ? x->meta.ns : SLICE_NULL, o->ref.name),
		        NULL, asked)
		        ->arg = o;
	}
}

static void examine_owners(struct examination *x)
{
	struct slice rest = x->meta.owners;
	struct owner_ref ref;
	size_t n = 0;
	while (owner_ref_next(&rest, &ref))
		n++;
	x->owners = ARENA_ARRAY(&x->work->arena, struct owner, n + 1);
	rest = x->meta.owners;
	while (x->count < n && owner_ref_next(&rest, &ref))
		x->owners[x->count++] = (struct owner){.x = x, .ref = ref};
	for (size_t i = 0; i < x->count; i++)
		judge_owner(x, &x->owners[i]);
	if (!x->asking)
		decide(x);
}

static void run(struct work *w)
{
	struct collector *g = w->arg;
	struct slice key = w->key, number = slice_cut(&key, ' ');
	uint64_t kind;
	if (!slice_to_u64(number, &kind) || kind >= g->count || g->monitors[kind]->gone)
		return;
	struct monitor *m = g->monitors[kind];
	struct informer_object *o = informer_get(shared_informer_base(m->informer), key);
	if (!o)
		return;
	struct examination *x = ARENA_NEW(&w->arena, struct examination);
	*x = (struct examination){.g = g, .work = w, .monitor = m, .json = rcbuf_ref(o->json)};
	rcbuf_unref_with(&w->arena, x->json);
	meta_read(informer_text(o), &x->meta);
	if (!x->meta.deletion_timestamp.len)
		examine_owners(x);
	else if (has_finalizer(x->meta.finalizers, "orphan"))
		orphan_dependents(x);
	else if (has_finalizer(x->meta.finalizers, "foregroundDeletion"))
		delete_dependents(x);
}

/* ---- the resources ---- */

static bool is_collected(const struct resource *r)
{
	unsigned needed = RESOURCE_LIST | RESOURCE_WATCH | RESOURCE_DELETE;
	return (r->verbs & needed) == needed && r->storage == r && !resource_has(r, KIND_IS_EVENT);
}

static char *path_of(const struct resource *r)
{
	struct arena a = ARENA_INIT;
	char *path = xstrdup(kube_path(&a, r->api_version, r->plural, SLICE_NULL, SLICE_NULL, NULL));
	arena_release(&a);
	return path;
}

static struct monitor *monitor_new(struct collector *g)
{
	if (g->count == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 128;
		g->monitors = xrealloc(g->monitors, g->cap * sizeof(struct monitor *));
	}
	struct monitor *m = xcalloc(1, sizeof *m);
	*m = (struct monitor){.g = g, .number = g->count, .gone = true};
	m->handler = (struct informer_handler){
	        .added = object_added, .updated = object_updated, .deleted = object_deleted, .arg = m};
	g->monitors[g->count++] = m;
	return m;
}

static void monitor_begin(struct monitor *m, const struct resource *r)
{
	m->resource = resource_ref(r);
	m->gone = false;
	m->seen = true;
	m->informer = informer_set_get(m->g->c->informers, m->path);
	informer_set_listen(m->informer, &m->handler);
}

static void monitor_end(struct monitor *m)
{
	informer_set_leave(m->informer, &m->handler);
	m->gone = true;
	m->informer = NULL;
	resource_unref(m->resource);
	m->resource = NULL;
}

/* The monitor of this row, or of a kind that was served at its path before and is gone; NULL: none. */
static struct monitor *monitor_at(struct collector *g, const struct resource *r, const char *path)
{
	for (unsigned i = 0; i < g->count; i++)
		if (g->monitors[i]->resource == r || (g->monitors[i]->gone && strcmp(g->monitors[i]->path, path) == 0))
			return g->monitors[i];
	return NULL;
}

static bool see_resource(void *arg, const struct resource *r)
{
	struct collector *g = arg;
	if (!is_collected(r))
		return true;
	char *path = path_of(r);
	struct monitor *m = monitor_at(g, r, path);
	if (!m) {
		m = monitor_new(g);
		m->path = TAKE(path);
	}
	free(path);
	m->seen = true;
	if (m->gone)
		monitor_begin(m, r);
	return true;
}

static bool is_same_row(void *arg, const struct resource *r)
{
	struct monitor *m = arg;
	m->seen = m->seen || r == m->resource;
	return !m->seen;
}

/* Rows come and go with custom resource definitions: first those that are gone, so that one that came back in another
 * form finds its place free. */
static void look_for_kinds(struct collector *g)
{
	g->generation = resources_generation();
	for (unsigned i = 0; i < g->count; i++) {
		struct monitor *m = g->monitors[i];
		m->seen = false;
		if (m->gone)
			continue;
		resources_each(is_same_row, m);
		if (!m->seen)
			monitor_end(m);
	}
	resources_each(see_resource, g);
}

static void run_kinds(struct work *w)
{
	struct collector *g = w->arg;
	if (g->generation != resources_generation())
		look_for_kinds(g);
}

static void crd_changed(void *arg, struct informer_object *o)
{
	struct collector *g = arg;
	work_queue_add_after(g->kinds, SLICE("kinds"), NEW_KINDS_MS);
}

static void crd_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	crd_changed(arg, o);
}

/* ---- life ---- */

void *garbage_collector_start(struct controllers *c)
{
	struct collector *g = xcalloc(1, sizeof *g);
	g->c = c;
	gc_graph_init(&g->graph);
	g->recorder = controllers_recorder(c, "garbage-collector-controller");
	g->queue = controllers_queue(c, "garbage", 32, run, g);
	g->kinds = controllers_queue(c, "garbage-kinds", 1, run_kinds, g);
	look_for_kinds(g);
	controllers_listen(c, CRDS,
	        &(struct informer_handler){
	                .added = crd_changed, .updated = crd_updated, .deleted = crd_changed, .arg = g});
	return g;
}

/* The handlers are the monitors' own: they are taken off before anything of them is freed. */
void garbage_collector_stop(void *state)
{
	struct collector *g = state;
	for (unsigned i = 0; i < g->count; i++)
		if (!g->monitors[i]->gone)
			informer_set_ignore(&g->monitors[i]->handler);
}

void garbage_collector_release(void *state)
{
	struct collector *g = state;
	gc_graph_release(&g->graph);
	for (unsigned i = 0; i < g->count; i++) {
		resource_unref(g->monitors[i]->resource);
		free(g->monitors[i]->path);
		free(g->monitors[i]);
	}
	free(g->monitors);
	free(g);
}
