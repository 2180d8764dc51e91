/* See provisioner.h. One look at a claim (or at a volume that is released) does the one thing that is next, and the
 * event of that brings the next look:
 *
 *     claim:   chosen node, no volume --> helper pod --ended well--> volume --> helper pod deleted
 *     volume:  Released, to be deleted --> helper pod --ended well--> volume deleted --> helper pod deleted
 *
 * All state is in the API: helper pods have the name of their volume and carry where its directory is, so that a
 * restart anywhere goes on, and a config that changes meanwhile changes nothing. A helper pod that fails, or has not
 * ended after two minutes, is told to the user, deleted, and made again later and later.
 *
 * What can go wrong beyond that: a node that is no more. A claim gets its node taken back, so that the scheduler
 * chooses again; a volume stays Released and says why: its data may still be there. And two volumes with one directory
 * (a pathPattern that allows it): the directory is removed with the last of them. */
#include "tools/provisioner/provisioner.h"

#include "api/client/informer_set.h"
#include "api/client/meta.h"
#include "api/client/recorder.h"
#include "api/client/work_queue.h"
#include "api/machinery/rules/volume_binding.h"
#include "base/check.h"
#include "base/json/scan.h"
#include "base/log.h"
#include "base/rt/closing.h"
#include "tools/provisioner/local_path.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELPER_MS_MAX = 120 * 1000 };

struct provisioner {
	struct provisioner_options options;
	struct informer_set *informers;
	struct shared_informer *claims, *volumes, *classes, *nodes, *pods;
	struct informer_handler on_claims, on_volumes, on_pods;
	struct work_queue *claim_queue, *volume_queue;
	struct recorder *recorder;
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* One look: of a claim, or of a volume. */
struct look {
	struct provisioner *p;
	struct work *work;
	bool removes;
	struct json *object, *storage_class; /* the claim or the volume */
	const char *pod, *volume, *node, *base, *folder;
	int64_t size;
};

static struct informer_object *get(struct shared_informer *i, struct slice key)
{
	return informer_get(shared_informer_base(i), key);
}

static const char *text_at(struct arena *a, struct slice s)
{
	return arena_printf(a, "%.*s", SLICE_FMT(s));
}

static struct slice mark(const struct json *object, const char *annotation)
{
	return json_str(json_path(object, "metadata", "annotations", annotation, NULL));
}

/* ---- words ---- */

__attribute__((format(printf, 4, 5))) static void tell(
        struct look *l, const char *type, const char *reason, const char *fmt, ...)
{
	struct json *meta = json_get(l->object, "metadata");
	struct recorder_subject about = {.api_version = "v1",
	        .kind = l->removes ? "PersistentVolume" : "PersistentVolumeClaim",
	        .ns = json_get_str(meta, "namespace"),
	        .name = json_get_str(meta, "name"),
	        .uid = json_get_str(meta, "uid"),
	        .resource_version = json_get_str(meta, "resourceVersion")};
	char message[1024];
	va_list args;
	va_start(args, fmt);
	vsnprintf(message, sizeof message, fmt, args);
	va_end(args);
	recorder_event(l->p->recorder, &about, type, reason, "%s", message);
}

/* To the user, and again later. */
static void fail(struct look *l, const struct err *err)
{
	struct slice class = json_str(json_path(l->storage_class, "metadata", "name", NULL));
	if (l->removes)
		tell(l, "Warning", "VolumeFailedDelete", "%s", err->msg);
	else
		tell(l, "Warning", "ProvisioningFailed", "failed to provision volume with StorageClass \"%.*s\": %s",
		        SLICE_FMT(class), err->msg);
	work_fail(l->work, err);
}

__attribute__((format(printf, 2, 3))) static void fail_as(struct look *l, const char *fmt, ...)
{
	struct err err = ERR_INIT;
	char message[512];
	va_list args;
	va_start(args, fmt);
	vsnprintf(message, sizeof message, fmt, args);
	va_end(args);
	err_set(&err, ERR_INVAL, "%s", message);
	fail(l, &err);
}

/* ---- helper pods ---- */

static const char *pods_path(struct look *l, const char *name)
{
	return kube_path(
	        &l->work->arena, "v1", "pods", slice_of(l->p->options.ns), name ? slice_of(name) : SLICE_NULL, NULL);
}

static void delete_helper(struct look *l)
{
	work_send(l->work, "DELETE", pods_path(l, l->pod), NULL, work_done_ignore_missing);
}

static void helper_made(struct work_call *call)
{
	struct look *l = call->arg;
	if (call->request.err.code && call->request.err.code != ERR_EXISTS)
		fail(l, &call->request.err);
}

static void make_helper(struct look *l, const char *scripts)
{
	struct arena *a = &l->work->arena;
	struct local_path_job job = {.removes = l->removes,
	        .pod = l->pod,
	        .ns = l->p->options.ns,
	        .image = l->p->options.helper_image,
	        .for_key = text_at(a, l->work->key),
	        .node = l->node,
	        .base = l->base,
	        .folder = l->folder,
	        .size = l->size,
	        .scripts = scripts};
	work_send(l->work, "POST", pods_path(l, NULL), local_path_helper(a, &job), helper_made)->arg = l;
}

/* Why it ended badly, as far as it says. */
static const char *last_words(struct arena *a, const struct json *pod)
{
	struct json *status = json_at(json_path(pod, "status", "containerStatuses", NULL), 0);
	struct slice said = json_str(json_path(status, "state", "terminated", "message", NULL));
	if (!said.len)
		said = json_str(json_path(pod, "status", "message", NULL));
	long long code = json_int(json_path(status, "state", "terminated", "exitCode", NULL), -1);
	return said.len ? text_at(a, slice_trim(said)) : arena_printf(a, "exit code %lld", code);
}

enum helper { HELPER_ABSENT, HELPER_WAITS, HELPER_DONE };

/* Where the helper is; what failed is told and cleared away here. */
static enum helper look_at_helper(struct look *l)
{
	struct arena *a = &l->work->arena;
	const char *what = l->removes ? "delete" : "create";
	struct informer_object *o = get(l->p->pods, slice_of(arena_printf(a, "%s/%s", l->p->options.ns, l->pod)));
	struct json *pod = o ? informer_parse(a, o) : NULL, *meta = json_get(pod, "metadata");
	struct slice phase = json_str(json_path(pod, "status", "phase", NULL));
	if (!pod)
		return HELPER_ABSENT;
	if (json_get(meta, "deletionTimestamp"))
		return HELPER_WAITS;
	l->base = text_at(a, mark(pod, LOCAL_PATH_BASE));
	l->folder = text_at(a, mark(pod, LOCAL_PATH_FOLDER));
	if (slice_is(phase, "Succeeded"))
		return HELPER_DONE;
	int64_t age_ms = (kube_time_now_s() - kube_time_parse(json_get_str(meta, "creationTimestamp"))) * 1000;
	if (!slice_is(phase, "Failed") && age_ms < HELPER_MS_MAX) {
		work_again(l->work, HELPER_MS_MAX - age_ms);
		return HELPER_WAITS;
	}
	delete_helper(l);
	if (slice_is(phase, "Failed"))
		fail_as(l, "failed to %s volume %s: the helper pod on node %s: %s", what, l->volume, l->node,
		        last_words(a, pod));
	else
		fail_as(l, "failed to %s volume %s: %s process timeout after %d seconds on node %s", what, l->volume,
		        what, HELPER_MS_MAX / 1000, l->node);
	return HELPER_WAITS;
}

/* ---- claims ---- */

static void volume_made(struct work_call *call)
{
	struct look *l = call->arg;
	if (call->request.err.code && call->request.err.code != ERR_EXISTS) {
		fail(l, &call->request.err);
		return;
	}
	if (!call->request.err.code) {
		tell(l, "Normal", "ProvisioningSucceeded", "Successfully provisioned volume %s", l->volume);
		tell(l, "Normal", "SizeNotEnforced",
		        "%s/%s on node %s may grow beyond the size that was asked for, to what its file system holds",
		        l->base, l->folder, l->node);
	}
	delete_helper(l);
}

static void config_read(struct work_call *call)
{
	struct look *l = call->arg;
	struct arena *a = &l->work->arena;
	struct err err = ERR_INIT;
	if (call->request.err.code) {
		fail(l, &call->request.err);
		return;
	}
	struct json *data = json_get(json_parse(a, work_call_text(call), NULL, NULL), "data");
	struct json *config = json_parse(a, json_get_str(data, "config.json"), NULL, &err);
	struct json *parameters = json_get(l->storage_class, "parameters");
	if (!config) {
		err_wrap(&err, "config.json of the config map %s", l->p->options.config_map);
		fail(l, &err);
		return;
	}
	bool has_scripts = json_get(data, "setup") && json_get(data, "teardown");
	if (!l->removes && (local_path_base(a, config, slice_of(l->node), json_get_str(parameters, "nodePath"),
	                            slice_of(l->volume), &l->base, &err) != 0 ||
	                           local_path_folder(a, json_get_str(parameters, "pathPattern"), l->volume, l->object,
	                                   &l->folder, &err) != 0)) {
		fail(l, &err);
		return;
	}
	if (!l->removes)
		tell(l, "Normal", "Provisioning", "External provisioner is provisioning volume for claim \"%.*s\"",
		        SLICE_FMT(l->work->key));
	make_helper(l, has_scripts ? l->p->options.config_map : NULL);
}

static void read_config(struct look *l)
{
	work_send(l->work, "GET",
	        kube_path(&l->work->arena, "v1", "configmaps", slice_of(l->p->options.ns),
	                slice_of(l->p->options.config_map), NULL),
	        NULL, config_read)
	        ->arg = l;
}

/* The node is no more: the scheduler has to choose again. */
static void give_node_back(struct look *l)
{
	struct arena *a = &l->work->arena;
	struct json *patch = json_new(a, JSON_OBJECT), *meta = json_need(a, patch, "metadata", JSON_OBJECT);
	json_set_str(a, meta, "uid", json_str(json_path(l->object, "metadata", "uid", NULL)));
	json_set(a, json_need(a, meta, "annotations", JSON_OBJECT), VOLUME_SELECTED_NODE, json_new(a, JSON_NULL));
	tell(l, "Warning", "ProvisioningFailed", "failed to get target node: nodes \"%s\" not found", l->node);
	work_patch(l->work, kube_path(a, "v1", "persistentvolumeclaims", l->work->ns, l->work->name, NULL),
	        "application/merge-patch+json", patch, work_done_ignore_missing);
}

static const char *cannot_serve(const struct claim_view *c)
{
	if (c->selector.len)
		return "claim.Spec.Selector is not supported";
	if (c->is_block)
		return "a directory is no block device: volumeMode Block is not supported";
	if (c->access & ~(unsigned)(ACCESS_READ_WRITE_ONCE | ACCESS_READ_WRITE_ONCE_POD))
		return "NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes";
	return c->selected_node.len ? NULL : "configuration error, no node was specified";
}

static void make_volume(struct look *l, struct slice hostname)
{
	struct arena *a = &l->work->arena;
	struct json *volume =
	        local_path_volume(a, l->volume, l->object, l->storage_class, l->base, l->folder, l->node, hostname);
	work_send(l->work, "POST", kube_path(a, "v1", "persistentvolumes", SLICE_NULL, SLICE_NULL, NULL), volume,
	        volume_made)
	        ->arg = l;
}

static void provision(struct look *l, const struct claim_view *c)
{
	struct arena *a = &l->work->arena;
	const char *problem = cannot_serve(c);
	if (problem) {
		fail_as(l, "%s", problem);
		return;
	}
	l->node = text_at(a, c->selected_node);
	l->size = c->size;
	struct informer_object *node = get(l->p->nodes, c->selected_node);
	struct slice hostname =
	        node ? json_find(informer_text(node), "metadata", "labels", "kubernetes.io/hostname", NULL)
	             : SLICE_NULL;
	if (!node) {
		give_node_back(l);
		return;
	}
	if (!hostname.len) {
		fail_as(l, "node %s has no label kubernetes.io/hostname, by which its volumes are tied to it", l->node);
		return;
	}
	switch (look_at_helper(l)) {
	case HELPER_ABSENT:
		read_config(l);
		return;
	case HELPER_WAITS:
		return;
	case HELPER_DONE:
		make_volume(l, hostname);
		return;
	}
}

static void run_claim(struct work *w)
{
	struct look *l = ARENA_NEW(&w->arena, struct look);
	struct provisioner *p = w->arg;
	struct arena *a = &w->arena;
	struct informer_object *o = get(p->claims, w->key);
	struct claim_view c;
	*l = (struct look){.p = p, .work = w};
	if (!o)
		return;
	l->object = informer_parse(a, o);
	claim_view_read(informer_text(o), &c);
	l->volume = arena_printf(a, "pvc-%.*s", SLICE_FMT(c.uid));
	l->pod = arena_printf(a, "helper-pod-create-%s", l->volume);
	if (get(p->volumes, slice_of(l->volume)) || c.is_dying) {
		if (get(p->pods, slice_of(arena_printf(a, "%s/%s", p->options.ns, l->pod))))
			delete_helper(l);
		return;
	}
	struct informer_object *class = get(p->classes, c.class);
	if (c.volume.len || !class ||
	        !slice_is(json_find(c.annotations, VOLUME_STORAGE_PROVISIONER, NULL), LOCAL_PATH_PROVISIONER) ||
	        !slice_is(json_find(informer_text(class), "provisioner", NULL), LOCAL_PATH_PROVISIONER))
		return;
	if (storage_class_waits(informer_text(class)) && !c.selected_node.len)
		return; /* the scheduler's turn */
	l->storage_class = informer_parse(a, class);
	provision(l, &c);
}

/* ---- volumes ---- */

/* Another volume of ours that has the same directory, or one in it, or around it. */
static bool is_shared(struct look *l)
{
	INFORMER_FOREACH(o, shared_informer_base(l->p->volumes))
	{
		struct slice marks = json_find(informer_text(o), "metadata", "annotations", NULL);
		struct slice folder = json_find(marks, LOCAL_PATH_FOLDER, NULL);
		size_t len = strlen(l->folder), shorter = folder.len < len ? folder.len : len;
		if (!folder.len || slice_is(o->key, l->volume) ||
		        !slice_is(json_find(marks, LOCAL_PATH_NODE, NULL), l->node) ||
		        !slice_is(json_find(marks, LOCAL_PATH_BASE, NULL), l->base))
			continue;
		bool inside = memcmp(folder.ptr, l->folder, shorter) == 0;
		if (inside &&
		        (folder.len == len || (folder.len > len ? folder.ptr[len] : l->folder[folder.len]) == '/'))
			return true;
	}
	return false;
}

static void volume_gone(struct work_call *call)
{
	struct look *l = call->arg;
	work_done_ignore_missing(call);
	if (!call->request.err.code)
		delete_helper(l);
}

static void delete_object(struct look *l)
{
	work_send(l->work, "DELETE",
	        kube_path(&l->work->arena, "v1", "persistentvolumes", SLICE_NULL, l->work->name, NULL), NULL,
	        volume_gone)
	        ->arg = l;
}

static void remove_volume(struct look *l)
{
	if (!*l->folder || !*l->base || !local_path_is_safe(slice_of(l->folder))) {
		fail_as(l,
		        "the annotations " LOCAL_PATH_BASE " and " LOCAL_PATH_FOLDER
		        " do not say where volume %s lies: its "
		        "data is kept, delete the volume by hand",
		        l->volume);
		return;
	}
	if (is_shared(l)) {
		tell(l, "Normal", "DirectoryKept", "%s/%s on node %s is kept: another volume has it too", l->base,
		        l->folder, l->node);
		delete_object(l);
		return;
	}
	if (!get(l->p->nodes, slice_of(l->node))) {
		fail_as(l,
		        "failed to delete volume %s: node %s is no more; what is in %s/%s is there still, if the node "
		        "is: "
		        "delete the volume by hand",
		        l->volume, l->node, l->base, l->folder);
		return;
	}
	switch (look_at_helper(l)) {
	case HELPER_ABSENT:
		read_config(l);
		return;
	case HELPER_WAITS:
		return;
	case HELPER_DONE:
		delete_object(l);
		return;
	}
}

static void run_volume(struct work *w)
{
	struct look *l = ARENA_NEW(&w->arena, struct look);
	struct provisioner *p = w->arg;
	struct arena *a = &w->arena;
	struct informer_object *o = get(p->volumes, w->key);
	struct volume_view v;
	*l = (struct look){.p = p, .work = w, .removes = true, .volume = text_at(a, w->key)};
	l->pod = arena_printf(a, "helper-pod-delete-%s", l->volume);
	if (!o) {
		if (get(p->pods, slice_of(arena_printf(a, "%s/%s", p->options.ns, l->pod))))
			delete_helper(l);
		return;
	}
	volume_view_read(informer_text(o), &v);
	if (!slice_is(v.phase, "Released") || v.is_dying ||
	        !slice_is(json_find(v.annotations, VOLUME_PROVISIONED_BY, NULL), LOCAL_PATH_PROVISIONER) ||
	        !slice_is(json_find(informer_text(o), "spec", "persistentVolumeReclaimPolicy", NULL), "Delete"))
		return;
	l->object = informer_parse(a, o);
	l->base = text_at(a, mark(l->object, LOCAL_PATH_BASE));
	l->folder = text_at(a, mark(l->object, LOCAL_PATH_FOLDER));
	l->node = text_at(a, mark(l->object, LOCAL_PATH_NODE));
	l->size = v.size;
	remove_volume(l);
}

/* ---- events ---- */

static void claim_changed(void *arg, struct informer_object *o)
{
	work_queue_add(((struct provisioner *)arg)->claim_queue, o->key);
}

static void claim_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	claim_changed(arg, o);
}

static void volume_changed(void *arg, struct informer_object *o)
{
	struct provisioner *p = arg;
	struct volume_view v;
	volume_view_read(informer_text(o), &v);
	work_queue_add(p->volume_queue, o->key);
	if (v.has_claim) {
		char key[2 * 254];
		int n = snprintf(key, sizeof key, "%.*s/%.*s", SLICE_FMT(v.claim_ns), SLICE_FMT(v.claim_name));
		work_queue_add(p->claim_queue, (struct slice){key, (size_t)n});
	}
}

static void volume_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	volume_changed(arg, o);
}

/* Keys of claims have a slash, those of volumes none. */
static void pod_changed(void *arg, struct informer_object *o)
{
	struct provisioner *p = arg;
	struct slice key = json_find(informer_text(o), "metadata", "annotations", LOCAL_PATH_FOR, NULL);
	if (key.len)
		work_queue_add(memchr(key.ptr, '/', key.len) ? p->claim_queue : p->volume_queue, key);
}

static void pod_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	pod_changed(arg, o);
}

/* ---- life ---- */

static void start(void *arg)
{
	struct provisioner *p = arg;
	work_queue_start(p->claim_queue);
	work_queue_start(p->volume_queue);
	log_info("provisioner", "started", "provisioner=%s namespace=%s", LOCAL_PATH_PROVISIONER, p->options.ns);
}

static void all_closed(struct closing *c)
{
	struct provisioner *p = CONTAINER_OF(c, struct provisioner, closing);
	void (*closed)(void *) = p->closed;
	void *arg = p->closed_arg;
	free(p);
	if (closed)
		closed(arg);
}

static void follow(struct provisioner *p, const char *path, struct shared_informer **i, struct informer_handler *h,
        void (*changed)(void *, struct informer_object *),
        void (*updated)(void *, struct informer_object *, struct rcbuf *))
{
	*i = informer_set_get(p->informers, path);
	*h = (struct informer_handler){.added = changed, .updated = updated, .deleted = changed, .arg = p};
	informer_set_listen(*i, h);
}

struct provisioner *provisioner_new(const struct provisioner_options *options)
{
	struct provisioner *p = xcalloc(1, sizeof *p);
	char *pods = xprintf("/api/v1/namespaces/%s/pods", options->ns);
	p->options = *options;
	p->closing.all_closed = all_closed;
	p->informers = informer_set_new(options->client);
	p->recorder = recorder_new(options->client, LOCAL_PATH_PROVISIONER, NULL);
	p->claim_queue = work_queue_new(&(struct work_queue_options){
	        .name = "claims", .client = options->client, .workers = 8, .run = run_claim, .arg = p});
	p->volume_queue = work_queue_new(&(struct work_queue_options){
	        .name = "volumes", .client = options->client, .workers = 8, .run = run_volume, .arg = p});
	p->classes = informer_set_get(p->informers, "/apis/storage.k8s.io/v1/storageclasses");
	p->nodes = informer_set_get(p->informers, "/api/v1/nodes");
	follow(p, "/api/v1/persistentvolumeclaims", &p->claims, &p->on_claims, claim_changed, claim_updated);
	follow(p, "/api/v1/persistentvolumes", &p->volumes, &p->on_volumes, volume_changed, volume_updated);
	follow(p, pods, &p->pods, &p->on_pods, pod_changed, pod_updated);
	free(pods);
	informer_set_when_synced(p->informers, start, p);
	return p;
}

void provisioner_close(struct provisioner *p, void (*closed)(void *arg), void *arg)
{
	p->closed = closed;
	p->closed_arg = arg;
	informer_set_stop_waiting(p->informers, start, p);
	closing_hold(&p->closing);
	closing_hold(&p->closing), work_queue_close(p->claim_queue, closing_part_done, &p->closing);
	closing_hold(&p->closing), work_queue_close(p->volume_queue, closing_part_done, &p->closing);
	closing_hold(&p->closing), recorder_close(p->recorder, closing_part_done, &p->closing);
	closing_hold(&p->closing), informer_set_close(p->informers, closing_part_done, &p->closing);
	closing_part_done(&p->closing);
}
