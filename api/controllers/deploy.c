/* The deploy controller: what lies in DATA/server/manifests is applied, as k3s does it.
 *
 *     scan (pool): the folder and those below it ------ every 15 s, and soon after inotify said that one has changed
 *         file that is new, or has another stamp --> its key --> deploy_apply.c
 *         folder that is new                     --> watched
 *
 *     an Addon that is disabled --> its key --> deploy_apply.c, which deletes what it had applied
 *
 * Each file is an Addon of kube-system, named by the file. At the start every file is applied; after that those whose
 * text has changed. A file that goes leaves its objects and its Addon behind, as with k3s: who wants them gone empties
 * the file, or says --disable of what came with us. It runs where the controllers run, on the server that leads, and
 * reads that server's folder.
 *
 * What can go wrong: the folder can't be read (told, read again), more files than MANIFESTS_MAX (told, the rest left
 * out), a file that is wrong (an event of its Addon and a line of the log; the others go on). inotify may be short of
 * watches: the scan by the clock is there for that too. Upstream: k3s pkg/deploy/controller.go. */
#include "api/controllers/deploy_int.h"

#include "api/controllers/manifest.h"
#include "api/controllers/manifest_files.h"
#include "api/machinery/rules/names.h"
#include "api/machinery/schema/resources.h"
#include "base/limits.h"
#include "base/log.h"

enum { SCAN_MS = 15000, SETTLE_MS = 300, DEFINED_MS = 50, POOL_QUEUE_MAX = 8 };

static const char definition[] =
        "{\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"CustomResourceDefinition\","
        "\"metadata\":{\"name\":\"addons.k3s.cattle.io\"},"
        "\"spec\":{\"group\":\"k3s.cattle.io\",\"scope\":\"Namespaced\","
        "\"names\":{\"kind\":\"Addon\",\"listKind\":\"AddonList\",\"plural\":\"addons\",\"singular\":\"addon\"},"
        "\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,"
        "\"additionalPrinterColumns\":["
        "{\"name\":\"Source\",\"type\":\"string\",\"jsonPath\":\".spec.source\"},"
        "{\"name\":\"Checksum\",\"type\":\"string\",\"jsonPath\":\".spec.checksum\"}],"
        "\"schema\":{\"openAPIV3Schema\":{\"type\":\"object\","
        "\"description\":\"A file of manifests that a server applies.\","
        "\"properties\":{\"spec\":{\"type\":\"object\",\"properties\":{"
        "\"source\":{\"type\":\"string\",\"description\":\"the file's path on the server\"},"
        "\"checksum\":{\"type\":\"string\",\"description\":\"SHA-256 of its text when all of it was applied\"}}},"
        "\"status\":{\"type\":\"object\",\"properties\":{"
        "\"objects\":{\"type\":\"integer\",\"description\":\"that were in the file when it was last looked at\"},"
        "\"message\":{\"type\":\"string\",\"description\":\"what is wrong with the file; empty when all is well\"}"
        "}}}}}}]}}";

/* ---- the kind Addon ---- */

static void defined(struct work_call *call)
{
	struct deploy *d = call->arg;
	if (call->request.err.code)
		work_fail(call->work, &call->request.err);
	else
		d->is_defined = true;
}

/* Asked for again until it is served: somebody may have deleted it meanwhile. Where it is there, nothing is written. */
bool deploy_is_defined(struct deploy *d, struct work *w)
{
	if (d->is_defined && resource_find_kind(SLICE(ADDON_VERSION), SLICE("Addon")))
		return true;
	work_patch(w, CRDS "/addons.k3s.cattle.io?fieldManager=" DEPLOY_MANAGER "&force=true", apply_patch,
	        json_literal(&w->arena, definition), defined)
	        ->arg = d;
	work_again(w, DEFINED_MS);
	return false;
}

/* ---- folders that are watched ---- */

struct watch {
	uv_fs_event_t handle;
	struct deploy *d;
	struct list_link link;
	char *path;
	unsigned epoch;
};

static void folder_changed(uv_fs_event_t *h, const char *name, int events, int status)
{
	struct watch *v = h->data;
	work_queue_add_after(v->d->scans, SLICE("scan"), SETTLE_MS);
}

static void watch_closed(uv_handle_t *h)
{
	struct watch *v = h->data;
	struct deploy *d = v->d;
	free(v->path);
	free(v);
	closing_part_done(&d->c->closing);
}

/* Any time: deploy_controller_start() holds the context until it is closed. */
static void watch_close(struct watch *v)
{
	list_del(&v->link);
	closing_hold(&v->d->c->closing);
	uv_close((uv_handle_t *)&v->handle, watch_closed);
}

static void watch_folder(struct deploy *d, const char *path)
{
	LIST_FOREACH (it, &d->watches) {
		struct watch *v = CONTAINER_OF(it, struct watch, link);
		if (strcmp(v->path, path) == 0) {
			v->epoch = d->epoch;
			return;
		}
	}
	struct watch *v = xcalloc(1, sizeof *v);
	*v = (struct watch){.d = d, .path = xstrdup(path), .epoch = d->epoch};
	uv_fs_event_init(loop_uv(d->c->client->loop), &v->handle);
	v->handle.data = v;
	list_push_back(&d->watches, &v->link);
	int rc = uv_fs_event_start(&v->handle, folder_changed, path, 0);
	if (rc != 0)
		log_debug("deploy", "folder is read by the clock alone", "path=%s error=\"%s\"", path, uv_strerror(rc));
}

static void watch_folders(struct deploy *d, const struct manifest_files *m)
{
	for (size_t i = 0; i < m->n_folders; i++)
		watch_folder(d, m->folders[i]);
	LIST_FOREACH (it, &d->watches) {
		struct watch *v = CONTAINER_OF(it, struct watch, link);
		if (v->epoch != d->epoch)
			watch_close(v);
	}
}

/* ---- files ---- */

static void known_free(struct known_file *k)
{
	free((char *)k->shadowed_by.ptr);
	free(k);
}

static bool is_disabled(const struct deploy *d, struct slice name)
{
	for (size_t i = 0; i < d->c->n_disabled_addons; i++)
		if (slice_is(name, d->c->disabled_addons[i]))
			return true;
	return false;
}

static void set_shadow(struct known_file *k, struct slice by)
{
	free((char *)k->shadowed_by.ptr);
	k->shadowed_by = by.len ? (struct slice){xmemdup(by.ptr, by.len), by.len} : SLICE_NULL;
}

static void see_file(struct deploy *d, const struct manifest_file *f)
{
	struct known_file *k = map_get(&d->known, f->path);
	struct slice name = manifest_name(f->path);
	bool is_new = !k;
	if (is_disabled(d, name))
		return;
	if (is_new) {
		k = MAP_ENTRY_NEW(struct known_file, path, f->path);
		map_put(&d->known, k->path, k);
	}
	k->epoch = d->epoch;
	if (!is_new && k->stamp == f->stamp && slice_eq(k->shadowed_by, f->shadowed_by))
		return;
	k->stamp = f->stamp;
	k->waits = 0;
	k->told = 0;
	set_shadow(k, f->shadowed_by);
	if (!validate_dns1123_subdomain(name))
		work_queue_add(d->files, k->path);
	else
		log_warn("deploy", "manifest is left out: its name, up to the first dot, is to be of a-z, 0-9 and '-'",
		        "file=%s/%.*s", d->folder, SLICE_FMT(k->path));
}

static void forget_gone(struct deploy *d)
{
	bool again;
	do {
		again = false;
		MAP_FOREACH (slot, &d->known) {
			struct known_file *k = slot->value;
			if (k->epoch == d->epoch)
				continue;
			known_free(map_del(&d->known, k->path));
			again = true;
			break;
		}
	} while (again);
}

/* ---- scans ---- */

struct scan {
	struct pool_work pool;
	struct deploy *d;
	struct work *w;
	struct manifest_files files;
	struct err err;
};

static void scan_on_pool(struct pool_work *p)
{
	struct scan *s = CONTAINER_OF(p, struct scan, pool);
	manifest_files_scan(&s->w->arena, s->d->folder, &s->files, &s->err);
}

static void take_files(struct deploy *d, const struct manifest_files *m)
{
	d->epoch++;
	for (size_t i = 0; i < m->count; i++)
		see_file(d, &m->files[i]);
	forget_gone(d);
	watch_folders(d, m);
	if (m->is_cut && !d->has_told_cut)
		log_warn("deploy", "not all manifests are looked at",
		        "folder=%s files_max=%u folders_max=%u depth_max=%d", d->folder, MANIFESTS_MAX,
		        MANIFEST_FOLDERS_MAX, MANIFEST_FOLDER_DEPTH_MAX);
	d->has_told_cut = m->is_cut;
}

static void scanned(struct pool_work *p)
{
	struct scan *s = CONTAINER_OF(p, struct scan, pool);
	struct work *w = s->w;
	if (!work_is_closing(w)) {
		if (s->err.code)
			log_warn("deploy", "cannot look for manifests", "error=\"%s\"", s->err.msg);
		else
			take_files(s->d, &s->files);
		work_again(w, SCAN_MS);
	}
	work_let_go(w);
}

static void run_scan(struct work *w)
{
	struct deploy *d = w->arg;
	struct scan *s = ARENA_NEW(&w->arena, struct scan);
	*s = (struct scan){.d = d, .w = w};
	if (pool_submit(d->pool, &s->pool, d->c->client->loop, scan_on_pool, scanned))
		work_hold(w);
	else
		work_again(w, SCAN_MS);
}

/* ---- life ---- */

void *deploy_controller_start(struct controllers *c)
{
	struct deploy *d = xcalloc(1, sizeof *d);
	d->c = c;
	d->folder = c->manifests_dir;
	closing_hold(&c->closing); /* deploy_controller_stop() gives it up */
	list_init(&d->watches);
	if (!d->folder)
		return d;
	d->pool = pool_new("deploy-files", 1, POOL_QUEUE_MAX);
	d->recorder = controllers_recorder(c, "deploy");
	d->scans = controllers_queue(c, "deploy-scan", 1, run_scan, d);
	d->files = controllers_queue(c, "deploy", 1, deploy_apply_run, d);
	d->removals = controllers_queue(c, "deploy-remove", 1, deploy_remove_run, d);
	work_queue_add(d->scans, SLICE("scan"));
	for (size_t i = 0; i < c->n_disabled_addons; i++)
		work_queue_add(d->removals, slice_of(c->disabled_addons[i]));
	return d;
}

void deploy_controller_stop(void *state)
{
	struct deploy *d = state;
	LIST_FOREACH (it, &d->watches)
		watch_close(CONTAINER_OF(it, struct watch, link));
	closing_part_done(&d->c->closing);
}

void deploy_controller_release(void *state)
{
	struct deploy *d = state;
	if (d->pool)
		pool_free(d->pool);
	MAP_FOREACH (slot, &d->known)
		known_free(slot->value);
	map_release(&d->known);
	free(d);
}
