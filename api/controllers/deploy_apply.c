/* What one file says is brought about.
 *
 *     read and parse (pool) -> GET its Addon -> nothing new: done
 *         -> write the Addon: source, the kinds of before and of now
 *         -> apply each object, one after the other: namespaces, definitions, the rest as they stand
 *         -> some failed: an event says which and why, and all is tried again
 *         -> none failed: what carries the Addon's mark, of all those kinds, and is not in the file any more, is
 *            deleted -> write the Addon: the checksum, the kinds of now
 *
 * So a crash at any point leaves an Addon that names every kind of which it may own something, and a checksum that is
 * that of the last file which went through whole. Fields are owned by the one manager "deploy", whichever server leads:
 * what a file no longer says goes. Fields nobody knows are refused, as kubectl does.
 *
 * What can go wrong: the file is no manifest (told; nothing is deleted for that), a kind is not served (its definition
 * may be on its way, in this file or another: asked again quietly for some seconds, then told and tried by the clock),
 * an object is refused (told by name, the others are applied; nothing is deleted before all of them are right). */
#include "api/controllers/deploy_int.h"

#include "api/controllers/manifest.h"
#include "api/machinery/schema/resources.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"

#include <stdarg.h>

enum { RETRY_MS = 15000, BUSY_MS = 1000, KIND_WAIT_MS = 100, KIND_WAITS_MAX = 50 };

#define APPLY_QUERY "?fieldManager=" DEPLOY_MANAGER "&force=true"

struct applying {
	struct pool_work pool;
	struct deploy *d;
	struct work *w;
	struct slice path, name;
	const char *file; /* whole path */
	struct manifest manifest;
	struct err read_err;
	bool was_applied;
	struct slice uid;            /* of the Addon */
	struct slice checksum;       /* that it has */
	struct manifest_kinds kinds; /* of before and of now */
	size_t next;
	unsigned failed, unserved, asking;
	struct strbuf failures;
	struct resource_snapshot *rows;
	struct map wanted;                   /* what is in the file, when that is asked */
	void (*written)(struct applying *x); /* what comes when the Addon is written */
	void (*pruned)(struct applying *x);  /* and when what was not wanted is deleted */
};

static void apply_next(struct applying *x);
static void prune(struct applying *x);

/* ---- what is said ---- */

static void release_failures(void *arg)
{
	strbuf_release(arg);
}

static void release_map(void *arg)
{
	map_release(arg);
}

static void release_rows(void *arg)
{
	resources_snapshot_unref(arg);
}

__attribute__((format(printf, 4, 5))) static void tell(
        struct applying *x, const char *type, const char *reason, const char *fmt, ...)
{
	char text[MANIFEST_MESSAGE_BYTES_MAX + 512];
	struct recorder_subject about = {.api_version = ADDON_VERSION,
	        .kind = "Addon",
	        .ns = SLICE(ADDON_NAMESPACE),
	        .name = x->name,
	        .uid = x->uid};
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	recorder_event(x->d->recorder, &about, type, reason, "%s", text);
}

static struct known_file *known_of(struct applying *x)
{
	return map_get(&x->d->known, x->path);
}

/* The log hears of a fault once, not at every try. */
static void log_failure(struct applying *x, const char *what)
{
	struct known_file *k = known_of(x);
	uint64_t hash = fnv1a64(what, strlen(what)) | 1;
	if (k && k->told == hash)
		return;
	if (k)
		k->told = hash;
	log_warn("deploy", "manifest is not applied", "file=%s error=\"%s\"", x->file, what);
}

/* ---- the Addon ---- */

static const char *addon_path(struct applying *x, const char *query)
{
	return arena_printf(&x->w->arena, "/apis/" ADDON_VERSION "/namespaces/" ADDON_NAMESPACE "/addons/%.*s%s",
	        SLICE_FMT(x->name), query);
}

static void addon_written(struct work_call *call)
{
	struct applying *x = call->arg;
	if (call->request.err.code) {
		work_fail(x->w, &call->request.err);
		return;
	}
	struct slice uid = json_find(work_call_text(call), "metadata", "uid", NULL);
	x->uid = (struct slice){arena_memdup(&x->w->arena, uid.ptr, uid.len), uid.len};
	x->written(x);
}

static void write_addon(struct applying *x, struct slice checksum, const char *message,
        const struct manifest_kinds *kinds, void (*written)(struct applying *x))
{
	struct arena *a = &x->w->arena;
	struct json *o = json_new(a, JSON_OBJECT), *meta = json_need(a, o, "metadata", JSON_OBJECT),
	            *spec = json_need(a, o, "spec", JSON_OBJECT), *status = json_need(a, o, "status", JSON_OBJECT);
	json_set_cstr(a, o, "apiVersion", ADDON_VERSION);
	json_set_cstr(a, o, "kind", "Addon");
	json_set_str(a, meta, "name", x->name);
	json_set_cstr(a, meta, "namespace", ADDON_NAMESPACE);
	json_set_cstr(a, json_need(a, meta, "annotations", JSON_OBJECT), MANIFEST_KINDS, manifest_kinds_text(a, kinds));
	json_set_cstr(a, spec, "source", x->file);
	json_set_str(a, spec, "checksum", checksum);
	json_set_int(a, status, "objects", (int64_t)x->manifest.count);
	json_set_cstr(a, status, "message", message);
	x->written = written;
	work_patch(x->w, addon_path(x, APPLY_QUERY), apply_patch, o, addon_written)->arg = x;
}

/* ---- the end of a run ---- */

static void fail_parse(struct applying *x)
{
	tell(x, "Warning", "ParseManifestFailed", "Parse manifest at \"%s\" failed: %s", x->file, x->read_err.msg);
}

static void fail_apply(struct applying *x)
{
	tell(x, "Warning", "ApplyManifestFailed", "Applying manifest at \"%s\" failed: %s", x->file,
	        strbuf_cstr(&x->failures));
}

static void applied_whole(struct applying *x)
{
	struct known_file *k = known_of(x);
	tell(x, "Normal", "AppliedManifest", "Applied manifest at \"%s\"", x->file);
	log_info("deploy", "manifest is applied", "file=%s objects=%zu", x->file, x->manifest.count);
	if (!k)
		return;
	k->was_applied = true;
	k->told = 0;
	k->waits = 0;
}

/* Kinds whose definition is on its way. */
static bool waits_quietly(struct applying *x)
{
	struct known_file *k = known_of(x);
	if (!k || x->failed > x->unserved || k->waits >= KIND_WAITS_MAX)
		return false;
	k->waits++;
	work_again(x->w, KIND_WAIT_MS);
	return true;
}

static void all_tried(struct applying *x)
{
	if (!x->failed) {
		prune(x);
		return;
	}
	if (waits_quietly(x))
		return;
	if (x->failures.len > MANIFEST_MESSAGE_BYTES_MAX)
		strbuf_addf(&x->failures, "; and more, %u in all", x->failed);
	log_failure(x, strbuf_cstr(&x->failures));
	write_addon(x, x->checksum, strbuf_cstr(&x->failures), &x->kinds, fail_apply);
	work_again(x->w, RETRY_MS);
}

/* ---- applying ---- */

static void note_failure(struct applying *x, const struct manifest_object *o, const char *why)
{
	x->failed++;
	if (x->failures.len <= MANIFEST_MESSAGE_BYTES_MAX)
		strbuf_addf(&x->failures, "%s%.*s %.*s%s%.*s: %s", x->failures.len ? "; " : "", SLICE_FMT(o->kind),
		        SLICE_FMT(o->ns), o->ns.len ? "/" : "", SLICE_FMT(o->name), why);
}

static void applied(struct work_call *call)
{
	struct applying *x = call->arg;
	const struct manifest_object *o = &x->manifest.objects[x->next - 1];
	if (call->request.err.code)
		note_failure(x, o, call->request.err.msg);
	apply_next(x);
}

/* Definitions that were applied just now may have brought new rows. */
static const struct resource *row_of(struct applying *x, struct slice api_version, struct slice kind)
{
	if (!x->rows || resources_snapshot_generation(x->rows) != resources_generation()) {
		x->rows = resources_snapshot();
		arena_on_release(&x->w->arena, release_rows, x->rows);
	}
	return resources_snapshot_find_kind(x->rows, api_version, kind);
}

static const struct resource *served(struct applying *x, struct manifest_object *o)
{
	const struct resource *r = row_of(x, o->api_version, o->kind);
	if (!r) {
		x->unserved++;
		note_failure(x, o,
		        arena_printf(
		                &x->w->arena, "no kind of that name is served in %.*s", SLICE_FMT(o->api_version)));
	} else if (!(r->verbs & RESOURCE_PATCH)) {
		note_failure(x, o, "objects of that kind are not kept: nothing to apply");
		r = NULL;
	}
	return r;
}

static void apply_one(struct applying *x, struct manifest_object *o, const struct resource *r)
{
	struct arena *a = &x->w->arena;
	struct json *meta = json_need(a, o->json, "metadata", JSON_OBJECT);
	if (r->namespaced && !o->ns.len) {
		o->ns = SLICE("default");
		json_set_str(a, meta, "namespace", o->ns);
	}
	json_del(meta, "managedFields"); /* of an object that was exported */
	manifest_mark(a, o->json, x->name);
	const char *path = kube_path(a, r->api_version, r->plural, r->namespaced ? o->ns : SLICE_NULL, o->name, NULL);
	work_patch(
	        x->w, arena_printf(a, "%s" APPLY_QUERY "&fieldValidation=Strict", path), apply_patch, o->json, applied)
	        ->arg = x;
}

static void apply_next(struct applying *x)
{
	while (x->next < x->manifest.count) {
		struct manifest_object *o = &x->manifest.objects[x->next++];
		const struct resource *r = served(x, o);
		if (r) {
			apply_one(x, o, r);
			return;
		}
	}
	all_tried(x);
}

static void begin_applying(struct applying *x)
{
	const struct known_file *k = known_of(x);
	if (!k || (!k->waits && !k->told)) /* not at every try */
		tell(x, "Normal", "ApplyingManifest", "Applying manifest at \"%s\"", x->file);
	apply_next(x);
}

/* ---- what is not in the file any more ---- */

static struct slice group_of(struct slice api_version)
{
	struct slice rest = api_version, group = slice_cut(&rest, '/');
	return rest.ptr ? group : SLICE_NULL;
}

static struct slice wanted_key(
        struct arena *a, struct slice group, struct slice kind, struct slice ns, struct slice name)
{
	return slice_of(arena_printf(
	        a, "%.*s %.*s %.*s/%.*s", SLICE_FMT(group), SLICE_FMT(kind), SLICE_FMT(ns), SLICE_FMT(name)));
}

static void index_wanted(struct applying *x)
{
	for (size_t i = 0; i < x->manifest.count; i++) {
		struct manifest_object *o = &x->manifest.objects[i];
		const struct resource *r = row_of(x, o->api_version, o->kind);
		map_put(&x->wanted,
		        wanted_key(&x->w->arena, group_of(o->api_version), o->kind,
		                r && r->namespaced ? o->ns : SLICE_NULL, o->name),
		        o);
	}
}

static bool is_wanted(struct applying *x, const struct resource *r, struct slice ns, struct slice name)
{
	return map_get(&x->wanted, wanted_key(&x->w->arena, slice_of(r->group), slice_of(r->kind), ns, name)) != NULL;
}

struct prune_kind {
	struct applying *x;
	const struct resource *resource;
};

static void note_applied(struct applying *x)
{
	struct manifest_kinds now = {0};
	for (size_t i = 0; i < x->manifest.count; i++)
		manifest_kinds_add(&x->w->arena, &now, x->manifest.objects[i].api_version, x->manifest.objects[i].kind);
	write_addon(x, slice_of(x->manifest.checksum), "", &now, applied_whole);
}

static void pruned_one(struct applying *x)
{
	if (--x->asking == 0 && !x->w->failed)
		x->pruned(x);
}

static void deleted(struct work_call *call)
{
	work_done_ignore_missing(call);
	pruned_one(call->arg);
}

/* With its uid: what was made anew meanwhile is another's. */
static void delete_one(struct applying *x, const struct resource *r, const struct meta *m)
{
	struct arena *a = &x->w->arena;
	struct json *options = json_new(a, JSON_OBJECT);
	json_set_cstr(a, options, "propagationPolicy", "Background");
	json_set_str(a, json_need(a, options, "preconditions", JSON_OBJECT), "uid", m->uid);
	log_info("deploy", "object is deleted", "addon=%.*s kind=%s namespace=%.*s name=%.*s", SLICE_FMT(x->name),
	        r->kind, SLICE_FMT(m->ns), SLICE_FMT(m->name));
	x->asking++;
	work_send(x->w, "DELETE", kube_path(a, r->api_version, r->plural, m->ns, m->name, NULL), options, deleted)
	        ->arg = x;
}

/* The label says whose it is, and the annotations say it again: labels are copied from object to object. */
static void look_at(struct prune_kind *p, struct slice object)
{
	struct applying *x = p->x;
	struct meta m;
	meta_read(object, &m);
	if (!m.deletion_timestamp.len && manifest_is_of(object, x->name) && !is_wanted(x, p->resource, m.ns, m.name))
		delete_one(x, p->resource, &m);
}

static void listed(struct work_call *call)
{
	struct prune_kind *p = call->arg;
	struct json_scan s;
	if (call->request.err.code && call->request.err.code != ERR_NOT_FOUND)
		work_fail(call->work, &call->request.err);
	struct slice items = call->request.err.code ? SLICE_NULL : json_find(work_call_text(call), "items", NULL);
	json_scan_init(&s, items);
	if (items.len && json_scan_next(&s) == JSON_TOKEN_ARRAY)
		while (json_scan_element(&s) && json_scan_skip(&s))
			look_at(p, s.text);
	pruned_one(p->x);
}

static void list_marked(struct applying *x, const struct manifest_kind *k)
{
	char hash[41];
	struct arena *a = &x->w->arena;
	const struct resource *r = row_of(x, k->api_version, k->kind);
	if (!r || !(r->verbs & RESOURCE_LIST) || !(r->verbs & RESOURCE_DELETE))
		return;
	struct prune_kind *p = ARENA_NEW(a, struct prune_kind);
	*p = (struct prune_kind){x, r};
	manifest_hash(x->name, hash);
	x->asking++;
	work_send(x->w, "GET",
	        arena_printf(a, "%s?labelSelector=" MANIFEST_HASH_LABEL "%%3D%s",
	                kube_path(a, r->api_version, r->plural, SLICE_NULL, SLICE_NULL, NULL), hash),
	        NULL, listed)
	        ->arg = p;
}

static void prune(struct applying *x)
{
	x->asking = 1;
	index_wanted(x);
	for (size_t i = x->kinds.count; i-- > 0;)
		list_marked(x, &x->kinds.rows[i]);
	pruned_one(x);
}

/* ---- the beginning of a run ---- */

static void read_addon(struct applying *x, struct slice text)
{
	struct arena *a = &x->w->arena;
	struct slice own = {arena_memdup(a, text.ptr, text.len), text.len};
	x->uid = json_find(own, "metadata", "uid", NULL);
	x->checksum = json_find(own, "spec", "checksum", NULL);
	manifest_kinds_read(a, &x->kinds, json_find(own, "metadata", "annotations", MANIFEST_KINDS, NULL));
}

/* Another file has the name: its Addon stays as it is. */
static void tell_shadowed(struct applying *x, const struct known_file *k)
{
	err_set(&x->read_err, ERR_INVAL, "%.*s has the name %.*s already: rename one of the two files",
	        SLICE_FMT(k->shadowed_by), SLICE_FMT(x->name));
	log_failure(x, x->read_err.msg);
	fail_parse(x);
}

static void got_addon(struct work_call *call)
{
	struct applying *x = call->arg;
	const struct known_file *k = known_of(x);
	int code = call->request.err.code;
	if (code && code != ERR_NOT_FOUND) {
		work_fail(x->w, &call->request.err);
		return;
	}
	if (!code)
		read_addon(x, work_call_text(call));
	if (!k)
		return; /* the file went meanwhile */
	if (k->shadowed_by.len) {
		tell_shadowed(x, k);
	} else if (x->read_err.code) {
		x->manifest.count = 0;
		if (x->read_err.code != ERR_INVAL && x->read_err.code != ERR_TOO_BIG)
			work_again(x->w, RETRY_MS); /* the disk, not the text */
		log_failure(x, x->read_err.msg);
		write_addon(x, x->checksum, x->read_err.msg, &x->kinds, fail_parse);
	} else if (!x->was_applied || !slice_is(x->checksum, x->manifest.checksum)) {
		for (size_t i = 0; i < x->manifest.count; i++)
			manifest_kinds_add(&x->w->arena, &x->kinds, x->manifest.objects[i].api_version,
			        x->manifest.objects[i].kind);
		write_addon(x, x->checksum, "", &x->kinds, begin_applying);
	}
}

static void read_on_pool(struct pool_work *p)
{
	struct applying *x = CONTAINER_OF(p, struct applying, pool);
	manifest_read(&x->w->arena, x->file, &x->manifest, &x->read_err);
}

static void was_read(struct pool_work *p)
{
	struct applying *x = CONTAINER_OF(p, struct applying, pool);
	struct work *w = x->w;
	if (x->read_err.code == ERR_NOT_FOUND)
		log_debug("deploy", "manifest is gone", "file=%s", x->file);
	else if (!work_is_closing(w))
		work_send(w, "GET", addon_path(x, ""), NULL, got_addon)->arg = x;
	work_let_go(w);
}

static struct applying *applying_new(struct work *w, struct slice path)
{
	struct deploy *d = w->arg;
	struct applying *x = ARENA_NEW(&w->arena, struct applying);
	*x = (struct applying){.d = d, .w = w, .failures = STRBUF_INIT, .wanted = MAP_INIT, .pruned = note_applied};
	x->path = (struct slice){arena_memdup(&w->arena, path.ptr, path.len), path.len};
	x->name = manifest_name(x->path);
	x->file = arena_printf(&w->arena, "%s/%.*s", d->folder, SLICE_FMT(x->path));
	arena_on_release(&w->arena, release_failures, &x->failures);
	arena_on_release(&w->arena, release_map, &x->wanted);
	return x;
}

void deploy_apply_run(struct work *w)
{
	struct deploy *d = w->arg;
	const struct known_file *k = map_get(&d->known, w->key);
	if (!k || !deploy_is_defined(d, w))
		return;
	struct applying *x = applying_new(w, k->path);
	x->was_applied = k->was_applied;
	if (pool_submit(d->pool, &x->pool, d->c->client->loop, read_on_pool, was_read))
		work_hold(w);
	else
		work_again(w, BUSY_MS);
}

/* ---- Addons that are to go ---- */

static void removed(struct work_call *call)
{
	struct applying *x = call->arg;
	work_done_ignore_missing(call);
	if (call->request.err.code)
		return;
	tell(x, "Normal", "DeletedManifest", "Deleted manifest at \"%s\"", x->file);
	log_info("deploy", "addon is removed", "addon=%.*s", SLICE_FMT(x->name));
}

/* Its manifest has no objects any more, so that all of its own are to go; and then the Addon itself. */
static void emptied(struct applying *x)
{
	work_send(x->w, "DELETE", addon_path(x, ""), NULL, removed)->arg = x;
}

static void got_removed(struct work_call *call)
{
	struct applying *x = call->arg;
	int code = call->request.err.code;
	if (code && code != ERR_NOT_FOUND)
		work_fail(x->w, &call->request.err);
	if (code)
		return;
	read_addon(x, work_call_text(call));
	x->file =
	        arena_printf(&x->w->arena, "%.*s", SLICE_FMT(json_find(work_call_text(call), "spec", "source", NULL)));
	tell(x, "Normal", "DeletingManifest", "Deleting manifest at \"%s\"", x->file);
	prune(x);
}

void deploy_remove_run(struct work *w)
{
	struct applying *x = applying_new(w, w->key);
	x->pruned = emptied;
	work_send(w, "GET", addon_path(x, ""), NULL, got_removed)->arg = x;
}
