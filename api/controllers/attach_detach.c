/* Volumes of CSI drivers that have to be attached: a VolumeAttachment for each node whose pods use one, which the
 * attacher beside the driver sees to; the Node's status.volumesAttached, which its kubelet waits for; and both taken
 * back when no pod of the node uses the volume and the kubelet has undone it. What comes next is attach_plan.c's.
 *
 *     pods of the node -> claims -> volumes of drivers with attachRequired  \
 *     VolumeAttachments of the node, volumesAttached                         > for each volume: attach_next()
 *     volumesInUse, readiness, taints                                       /
 *
 * Keys are nodes; one is worked on at a time, and what was made and is not seen yet counts, so that no volume that can
 * be at one node alone is given to two. VolumeAttachments of other names than ours, and those of others' volumes, are
 * left alone. All is found anew after a restart; only how long a node has been waited for begins again, as upstream.
 *
 * What can go wrong: a claim that is not bound yet (looked at again in a while), an attacher that fails (its words are
 * told as events of the pods), a node that is gone (nothing of it is waited for).
 *
 * Upstream: pkg/controller/volume/attachdetach, pkg/volume/csi/csi_attacher.go. */
#include "api/controllers/attach_plan.h"
#include "api/controllers/controllers_int.h"
#include "api/machinery/rules/volume_binding.h"
#include "base/log.h"

#include <stdarg.h>

#define ATTACHMENTS "/apis/storage.k8s.io/v1/volumeattachments"
#define CSI_DRIVERS "/apis/storage.k8s.io/v1/csidrivers"
#define MANAGED "volumes.kubernetes.io/controller-managed-attach-detach"
#define OUT_OF_SERVICE "node.kubernetes.io/out-of-service"

enum { UNBOUND_MS = 2000, UNSEEN_MS = 60000 };

/* An attachment that we made, or an answer that is to come says so; and since when a volume is not wanted. */
struct memory {
	struct slice key; /* the VolumeAttachment's name */
	char *node, *volume;
	uint64_t made_at;     /* and not seen yet; 0: neither */
	uint64_t unwanted_at; /* 0: it is wanted */
	char *told_error;     /* the time of the error that was told */
};

struct attacher {
	struct controllers *c;
	struct shared_informer *pods, *nodes, *claims, *volumes, *attachments, *drivers;
	struct informer_index *pods_by_node, *attachments_by_node, *attachments_by_volume;
	struct work_queue *queue;
	struct recorder *recorder;
	struct map memories, blocked; /* blocked: nodes that wait for another to give a volume back */
};

/* One volume, as it concerns one node. */
struct concern {
	struct concern *next;
	const char *name, *unique; /* the VolumeAttachment's, the node's */
	struct slice driver, handle, volume;
	struct json *attachment, *pv; /* NULL: none */
	struct json *pods[8];         /* some of those that want it, for events */
	size_t pods_count;
	struct attach_facts facts;
	enum attach_step step;
};

struct look {
	struct attacher *s;
	struct work *w;
	struct arena *a;
	struct json *node; /* NULL: gone */
	struct concern *first;
};

/* ---- what is remembered ---- */

static struct memory *memory_need(struct attacher *s, const char *name, struct slice node, struct slice volume)
{
	struct memory *m = map_get(&s->memories, slice_of(name));
	if (m)
		return m;
	m = MAP_ENTRY_NEW(struct memory, key, slice_of(name));
	m->node = xmemdup(node.ptr, node.len);
	m->volume = xmemdup(volume.ptr ? volume.ptr : "", volume.len);
	map_put(&s->memories, m->key, m);
	return m;
}

static void memory_drop(struct attacher *s, struct slice name)
{
	struct memory *m = map_del(&s->memories, name);
	if (!m)
		return;
	free(m->node);
	free(m->volume);
	free(m->told_error);
	free(m);
}

/* ---- what there is ---- */

static struct json *parsed(struct arena *a, struct shared_informer *i, struct slice ns, struct slice name)
{
	struct informer_object *o = informer_get_named(shared_informer_base(i), ns, name);
	return o ? informer_parse(a, o) : NULL;
}

static struct concern *find(struct look *l, const char *name)
{
	for (struct concern *x = l->first; x; x = x->next)
		if (strcmp(x->name, name) == 0)
			return x;
	return NULL;
}

static struct concern *need(struct look *l, struct slice driver, struct slice handle)
{
	const char *name = attach_name(l->a, handle, driver, l->w->key);
	struct concern *x = find(l, name);
	if (x)
		return x;
	x = ARENA_NEW(l->a, struct concern);
	*x = (struct concern){.next = l->first,
	        .name = name,
	        .unique = attach_unique_name(l->a, driver, handle),
	        .driver = driver,
	        .handle = handle};
	l->first = x;
	return x;
}

static bool needs_attachment(struct look *l, struct slice driver)
{
	struct json *o = parsed(l->a, l->s->drivers, SLICE_NULL, driver);
	return json_get_bool(json_get(o, "spec"), "attachRequired", true);
}

static void want(struct look *l, struct json *pod, struct slice ns, struct slice claim_name)
{
	struct json *claim = parsed(l->a, l->s->claims, ns, claim_name);
	struct slice volume = json_str(json_path(claim, "spec", "volumeName", NULL));
	struct json *pv = volume.len ? parsed(l->a, l->s->volumes, SLICE_NULL, volume) : NULL;
	struct json *csi = json_path(pv, "spec", "csi", NULL);
	bool is_bound = pv && slice_eq(json_str(json_path(pv, "spec", "claimRef", "uid", NULL)),
	                              json_str(json_path(claim, "metadata", "uid", NULL)));
	if (!is_bound) {
		work_again(l->w, UNBOUND_MS);
		return;
	}
	if (!csi || !needs_attachment(l, json_get_str(csi, "driver")))
		return;
	struct concern *x = need(l, json_get_str(csi, "driver"), json_get_str(csi, "volumeHandle"));
	x->volume = volume;
	x->pv = pv;
	x->facts.is_wanted = true;
	x->facts.is_exclusive = attach_is_exclusive(json_path(pv, "spec", "accessModes", NULL));
	if (x->pods_count < COUNT_OF(x->pods))
		x->pods[x->pods_count++] = pod;
}

/* Most pods have none, and are passed over without a tree. */
static bool may_have_claims(struct slice pod)
{
	static const char claim[] = "\"persistentVolumeClaim\"", own[] = "\"ephemeral\"";
	struct slice volumes = json_find(pod, "spec", "volumes", NULL);
	return volumes.len && (memmem(volumes.ptr, volumes.len, claim, sizeof claim - 1) ||
	                              memmem(volumes.ptr, volumes.len, own, sizeof own - 1));
}

static void collect_wanted(struct look *l)
{
	INFORMER_GROUP_FOREACH(o, informer_index_group(l->s->pods_by_node, l->w->key))
	{
		if (!may_have_claims(informer_text(o)))
			continue;
		struct json *pod = informer_parse(l->a, o), *meta = json_get(pod, "metadata");
		if (attach_pod_is_over(pod))
			continue;
		JSON_FOREACH (it, json_path(pod, "spec", "volumes", NULL)) {
			struct slice claim = json_str(json_path(it, "persistentVolumeClaim", "claimName", NULL));
			if (json_get(it, "ephemeral"))
				claim = slice_of(arena_printf(l->a, "%.*s-%.*s", SLICE_FMT(json_get_str(meta, "name")),
				        SLICE_FMT(json_get_str(it, "name"))));
			if (claim.len)
				want(l, pod, json_get_str(meta, "namespace"), claim);
		}
	}
}

static void collect_attachments(struct look *l)
{
	INFORMER_GROUP_FOREACH(o, informer_index_group(l->s->attachments_by_node, l->w->key))
	{
		struct json *object = informer_parse(l->a, o), *spec = json_get(object, "spec"), *st;
		struct slice volume = json_str(json_path(spec, "source", "persistentVolumeName", NULL));
		struct json *pv = parsed(l->a, l->s->volumes, SLICE_NULL, volume),
		            *csi = json_path(pv, "spec", "csi", NULL);
		struct concern *x = find(l, arena_memdup(l->a, o->key.ptr, o->key.len));
		if (!x && csi &&
		        slice_is(o->key, attach_name(l->a, json_get_str(csi, "volumeHandle"),
		                                 json_get_str(csi, "driver"), l->w->key)))
			x = need(l, json_get_str(csi, "driver"), json_get_str(csi, "volumeHandle"));
		if (!x)
			continue;
		st = json_get(object, "status");
		x->attachment = object;
		x->volume = volume;
		x->facts.is_there = true;
		x->facts.is_attached = json_get_bool(st, "attached", false);
		x->facts.is_leaving = json_path(object, "metadata", "deletionTimestamp", NULL) != NULL;
	}
}

/* What the node says: also of volumes whose PersistentVolume is gone. */
static void collect_told(struct look *l)
{
	static const char prefix[] = "kubernetes.io/csi/";
	JSON_FOREACH (it, json_path(l->node, "status", "volumesAttached", NULL)) {
		struct slice handle = json_get_str(it, "name");
		if (!slice_starts(handle, prefix))
			continue;
		handle.ptr += sizeof prefix - 1, handle.len -= sizeof prefix - 1;
		struct slice driver = slice_cut(&handle, '^');
		if (driver.len && handle.len)
			need(l, driver, handle)->facts.is_told = true;
	}
}

static bool is_in_list(const struct json *list, const char *name)
{
	JSON_FOREACH (it, list)
		if (slice_is(json_str(it), name))
			return true;
	return false;
}

static bool is_healthy(const struct json *conditions)
{
	return slice_is(json_get_str(condition_find(conditions, "Ready"), "status"), "True");
}

static bool says_healthy(struct slice node)
{
	struct arena a = ARENA_INIT;
	struct slice text = json_find(node, "status", "conditions", NULL);
	bool yes = text.len && is_healthy(json_parse(&a, text, NULL, NULL));
	arena_release(&a);
	return yes;
}

static bool is_out_of_service(const struct json *node)
{
	JSON_FOREACH (it, json_path(node, "spec", "taints", NULL))
		if (slice_is(json_get_str(it, "key"), OUT_OF_SERVICE))
			return true;
	return false;
}

/* On another node, be it that we have just asked for it. */
static bool is_elsewhere(const struct look *l, const struct concern *x)
{
	INFORMER_GROUP_FOREACH(o, informer_index_group(l->s->attachments_by_volume, x->volume))
	if (!slice_eq(json_find(informer_text(o), "spec", "nodeName", NULL), l->w->key))
		return true;
	MAP_FOREACH (it, &l->s->memories) {
		const struct memory *m = it->value;
		if (m->made_at && slice_is(x->volume, m->volume) && !slice_is(l->w->key, m->node))
			return true;
	}
	return false;
}

static void decide(struct look *l, struct concern *x)
{
	struct attach_facts *f = &x->facts;
	uint64_t now = controllers_now_ms(l->s->c), wait;
	struct memory *m = memory_need(l->s, x->name, l->w->key, x->volume);
	f->node_is_gone = !l->node;
	f->node_is_healthy = is_healthy(json_path(l->node, "status", "conditions", NULL));
	f->node_is_out_of_service = is_out_of_service(l->node);
	f->is_in_use = is_in_list(json_path(l->node, "status", "volumesInUse", NULL), x->unique);
	if (f->is_wanted)
		m->unwanted_at = 0;
	else if (!m->unwanted_at)
		m->unwanted_at = now;
	f->unwanted_ms = f->is_wanted ? 0 : now - m->unwanted_at;
	f->is_there = f->is_there || (m->made_at && now - m->made_at < UNSEEN_MS);
	f->is_elsewhere = f->is_wanted && !f->is_there && is_elsewhere(l, x);
	x->step = attach_next(f, &wait);
	if (wait)
		work_again(l->w, (int64_t)wait);
}

/* ---- what is told ---- */

__attribute__((format(printf, 5, 6))) static void tell_pods(
        struct look *l, const struct concern *x, const char *type, const char *reason, const char *fmt, ...)
{
	char text[1024];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	for (size_t i = 0; i < x->pods_count; i++) {
		const struct json *meta = json_get(x->pods[i], "metadata");
		struct recorder_subject about = {.api_version = "v1",
		        .kind = "Pod",
		        .ns = json_get_str(meta, "namespace"),
		        .name = json_get_str(meta, "name"),
		        .uid = json_get_str(meta, "uid"),
		        .resource_version = json_get_str(meta, "resourceVersion")};
		recorder_event(l->s->recorder, &about, type, reason, "%s", text);
	}
}

/* The attacher's words, once for each time it has failed. */
static void tell_error(struct look *l, struct concern *x)
{
	struct json *error =
	        json_path(x->attachment, "status", x->facts.is_leaving ? "detachError" : "attachError", NULL);
	struct slice at = json_get_str(error, "time"), why = json_get_str(error, "message");
	struct memory *m = memory_need(l->s, x->name, l->w->key, x->volume);
	if (!error || (m->told_error && slice_is(at, m->told_error)))
		return;
	free(m->told_error);
	m->told_error = xmemdup(at.ptr ? at.ptr : "", at.len);
	if (x->facts.is_leaving)
		log_warn("attachdetach", "a volume cannot be detached", "volume=%.*s node=%.*s error=\"%.*s\"",
		        SLICE_FMT(x->volume), SLICE_FMT(l->w->key), SLICE_FMT(why));
	else if (x->facts.is_wanted)
		tell_pods(l, x, "Warning", "FailedAttachVolume",
		        "AttachVolume.Attach failed for volume \"%.*s\" : %.*s", SLICE_FMT(x->volume), SLICE_FMT(why));
}

static bool uses_volume(struct look *l, struct json *pod, struct slice volume)
{
	struct slice ns = json_str(json_path(pod, "metadata", "namespace", NULL));
	JSON_FOREACH (it, json_path(pod, "spec", "volumes", NULL)) {
		struct slice claim = json_str(json_path(it, "persistentVolumeClaim", "claimName", NULL));
		struct json *o = claim.len ? parsed(l->a, l->s->claims, ns, claim) : NULL;
		if (o && slice_eq(json_str(json_path(o, "spec", "volumeName", NULL)), volume))
			return true;
	}
	return false;
}

/* Pods on the nodes that have the volume, by name when they are of the namespace that asks. */
static size_t users_elsewhere(struct look *l, const struct concern *x, struct strbuf *names)
{
	size_t strangers = 0;
	struct slice ns = json_str(json_path(x->pods[0], "metadata", "namespace", NULL));
	INFORMER_GROUP_FOREACH(o, informer_index_group(l->s->attachments_by_volume, x->volume))
	{
		struct slice node = json_find(informer_text(o), "spec", "nodeName", NULL);
		INFORMER_GROUP_FOREACH(p, informer_index_group(l->s->pods_by_node, node))
		{
			struct json *pod = slice_eq(node, l->w->key) ? NULL : informer_parse(l->a, p);
			if (!pod || !uses_volume(l, pod, x->volume))
				continue;
			if (!slice_eq(json_str(json_path(pod, "metadata", "namespace", NULL)), ns))
				strangers++;
			else
				strbuf_addf(names, "%s%.*s", names->len ? ", " : "",
				        SLICE_FMT(json_str(json_path(pod, "metadata", "name", NULL))));
		}
	}
	return strangers;
}

static void tell_blocked(struct look *l, struct concern *x)
{
	struct strbuf names = STRBUF_INIT;
	size_t strangers = users_elsewhere(l, x, &names);
	const char *error = "Multi-Attach error for volume";
	if (!names.len && !strangers)
		tell_pods(l, x, "Warning", "FailedAttachVolume",
		        "%s \"%.*s\" Volume is already exclusively attached to one node and can't be attached to "
		        "another",
		        error, SLICE_FMT(x->volume));
	else if (!names.len)
		tell_pods(l, x, "Warning", "FailedAttachVolume",
		        "%s \"%.*s\" Volume is already used by %zu pod(s) in different namespaces", error,
		        SLICE_FMT(x->volume), strangers);
	else if (!strangers)
		tell_pods(l, x, "Warning", "FailedAttachVolume", "%s \"%.*s\" Volume is already used by pod(s) %s",
		        error, SLICE_FMT(x->volume), strbuf_cstr(&names));
	else
		tell_pods(l, x, "Warning", "FailedAttachVolume",
		        "%s \"%.*s\" Volume is already used by pod(s) %s and %zu pod(s) in different namespaces", error,
		        SLICE_FMT(x->volume), strbuf_cstr(&names), strangers);
	strbuf_release(&names);
}

/* ---- doing ---- */

static void made(struct work_call *call)
{
	struct concern *x = call->arg;
	struct attacher *s = call->work->arg;
	const struct err *err = &call->request.err;
	if (!err->code || err->code == ERR_EXISTS)
		return;
	struct memory *m = map_get(&s->memories, slice_of(x->name));
	if (m)
		m->made_at = 0;
	work_fail(call->work, err);
}

static void make_attachment(struct look *l, struct concern *x)
{
	struct arena *a = l->a;
	struct json *o = json_new(a, JSON_OBJECT), *spec = json_need(a, o, "spec", JSON_OBJECT);
	json_set_cstr(a, json_need(a, o, "metadata", JSON_OBJECT), "name", x->name);
	json_set_str(a, spec, "attacher", x->driver);
	json_set_str(a, spec, "nodeName", l->w->key);
	json_set_str(a, json_need(a, spec, "source", JSON_OBJECT), "persistentVolumeName", x->volume);
	memory_need(l->s, x->name, l->w->key, x->volume)->made_at = controllers_now_ms(l->s->c);
	log_info("attachdetach", "a volume is to be attached", "volume=%.*s node=%.*s attachment=%s",
	        SLICE_FMT(x->volume), SLICE_FMT(l->w->key), x->name);
	work_send(l->w, "POST", ATTACHMENTS, o, made)->arg = x;
}

static void remove_attachment(struct look *l, struct concern *x)
{
	if (x->facts.is_in_use)
		log_warn("attachdetach", "a volume is detached by force: its node is not waited for any longer",
		        "volume=%.*s node=%.*s waited_s=%llu out_of_service=%d", SLICE_FMT(x->volume),
		        SLICE_FMT(l->w->key), (unsigned long long)x->facts.unwanted_ms / 1000,
		        x->facts.node_is_out_of_service);
	else
		log_info("attachdetach", "a volume is to be detached", "volume=%.*s node=%.*s", SLICE_FMT(x->volume),
		        SLICE_FMT(l->w->key));
	work_send(l->w, "DELETE", arena_printf(l->a, ATTACHMENTS "/%s", x->name), NULL, work_done_ignore_missing);
}

static void told(struct work_call *call)
{
	struct look *l = call->arg;
	if (call->request.err.code) {
		if (call->request.err.code != ERR_NOT_FOUND)
			work_fail(call->work, &call->request.err);
		return;
	}
	for (struct concern *x = l->first; x; x = x->next)
		if (x->step == ATTACH_TELL)
			tell_pods(l, x, "Normal", "SuccessfulAttachVolume",
			        "AttachVolume.Attach succeeded for volume \"%.*s\" ", SLICE_FMT(x->volume));
}

/* All of the node at once, at the version that was looked at. */
static void write_node(struct look *l)
{
	struct arena *a = l->a;
	struct slice version = json_str(json_path(l->node, "metadata", "resourceVersion", NULL));
	struct json *patch = patch_new(a, version), *list = json_new(a, JSON_ARRAY);
	bool is_changed = false;
	JSON_FOREACH (it, json_path(l->node, "status", "volumesAttached", NULL)) {
		bool stays = true;
		for (struct concern *x = l->first; x; x = x->next)
			stays = stays && !(x->step == ATTACH_UNTELL && slice_is(json_get_str(it, "name"), x->unique));
		is_changed = is_changed || !stays;
		if (stays)
			json_append(list, json_copy(a, it));
	}
	for (struct concern *x = l->first; x; x = x->next) {
		if (x->step != ATTACH_TELL)
			continue;
		struct json *o = json_new(a, JSON_OBJECT);
		json_set_cstr(a, o, "name", x->unique);
		json_set_cstr(a, o, "devicePath", "");
		json_append(list, o);
		is_changed = true;
	}
	if (!is_changed)
		return;
	json_set(a, json_need(a, patch, "status", JSON_OBJECT), "volumesAttached", list);
	work_patch(l->w, kube_path(a, "v1", "nodes", SLICE_NULL, l->w->key, "status"), merge_patch, patch, told)->arg =
	        l;
}

static void block(struct look *l, struct concern *x)
{
	tell_blocked(l, x);
	if (map_get(&l->s->blocked, l->w->key))
		return;
	struct memory *m = MAP_ENTRY_NEW(struct memory, key, l->w->key);
	map_put(&l->s->blocked, m->key, m);
}

static void act(struct look *l, struct concern *x)
{
	switch (x->step) {
	case ATTACH_MAKE:
		make_attachment(l, x);
		break;
	case ATTACH_REMOVE:
		remove_attachment(l, x);
		break;
	case ATTACH_BLOCKED:
		block(l, x);
		break;
	case ATTACH_REST:
	case ATTACH_TELL:
	case ATTACH_UNTELL:
		break;
	}
}

static void run(struct work *w)
{
	struct look *l = ARENA_NEW(&w->arena, struct look);
	*l = (struct look){.s = w->arg, .w = w, .a = &w->arena};
	l->node = parsed(l->a, l->s->nodes, SLICE_NULL, w->key);
	if (l->node && !slice_is(json_str(json_path(l->node, "metadata", "annotations", MANAGED, NULL)), "true"))
		return; /* its kubelet sees to it itself */
	if (l->node)
		collect_wanted(l);
	collect_told(l);
	collect_attachments(l);
	for (struct concern *x = l->first; x; x = x->next)
		decide(l, x);
	write_node(l);
	for (struct concern *x = l->first; x; x = x->next) {
		tell_error(l, x);
		act(l, x);
		if (!x->facts.is_wanted && !x->facts.is_there)
			memory_drop(l->s, slice_of(x->name));
	}
}

/* ---- events ---- */

static void pod_seen(void *arg, struct informer_object *o)
{
	struct attacher *s = arg;
	struct slice node = json_find(informer_text(o), "spec", "nodeName", NULL);
	if (node.len && may_have_claims(informer_text(o)))
		work_queue_add(s->queue, node);
}

static void pod_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	pod_seen(arg, o);
}

static void node_seen(void *arg, struct informer_object *o)
{
	struct attacher *s = arg;
	work_queue_add(s->queue, o->key);
}

/* Heartbeats are no news. */
static void node_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct attacher *s = arg;
	struct slice old = {before->data, before->len}, now = informer_text(o);
	if (says_healthy(old) != says_healthy(now) ||
	        !slice_eq(json_find(old, "status", "volumesInUse", NULL),
	                json_find(now, "status", "volumesInUse", NULL)) ||
	        !slice_eq(json_find(old, "status", "volumesAttached", NULL),
	                json_find(now, "status", "volumesAttached", NULL)) ||
	        !slice_eq(json_find(old, "spec", "taints", NULL), json_find(now, "spec", "taints", NULL)) ||
	        !slice_eq(json_find(old, "metadata", "annotations", NULL),
	                json_find(now, "metadata", "annotations", NULL)))
		work_queue_add(s->queue, o->key);
}

static void attachment_seen(void *arg, struct informer_object *o)
{
	struct attacher *s = arg;
	struct memory *m = map_get(&s->memories, o->key);
	if (m)
		m->made_at = 0;
	work_queue_add(s->queue, json_find(informer_text(o), "spec", "nodeName", NULL));
}

static void attachment_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	attachment_seen(arg, o);
}

/* Whoever waits for the volume may have it now. */
static void attachment_deleted(void *arg, struct informer_object *o)
{
	struct attacher *s = arg;
	memory_drop(s, o->key);
	work_queue_add(s->queue, json_find(informer_text(o), "spec", "nodeName", NULL));
	MAP_FOREACH (it, &s->blocked) {
		work_queue_add(s->queue, it->key);
		free(it->value);
	}
	map_release(&s->blocked);
}

static void driver_seen(void *arg, struct informer_object *o)
{
	struct attacher *s = arg;
	INFORMER_FOREACH(node, shared_informer_base(s->nodes))
	work_queue_add(s->queue, node->key);
}

static void driver_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	driver_seen(arg, o);
}

/* ---- life ---- */

static void key_node(struct slice object, struct strbuf *out)
{
	strbuf_add_slice(out, json_find(object, "spec", "nodeName", NULL));
}

static void key_volume(struct slice object, struct strbuf *out)
{
	strbuf_add_slice(out, json_find(object, "spec", "source", "persistentVolumeName", NULL));
}

void *attach_detach_start(struct controllers *c)
{
	struct attacher *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->recorder = controllers_recorder(c, "attachdetach-controller");
	s->queue = controllers_queue(c, "attachdetach", 1, run, s);
	s->claims = informer_set_get(c->informers, CLAIMS);
	s->volumes = informer_set_get(c->informers, VOLUMES);
	s->nodes = controllers_listen(c, NODES,
	        &(struct informer_handler){
	                .added = node_seen, .updated = node_updated, .deleted = node_seen, .arg = s});
	s->pods = controllers_listen(c, PODS,
	        &(struct informer_handler){.added = pod_seen, .updated = pod_updated, .deleted = pod_seen, .arg = s});
	s->attachments = controllers_listen(c, ATTACHMENTS,
	        &(struct informer_handler){.added = attachment_seen,
	                .updated = attachment_updated,
	                .deleted = attachment_deleted,
	                .arg = s});
	s->drivers = controllers_listen(c, CSI_DRIVERS,
	        &(struct informer_handler){
	                .added = driver_seen, .updated = driver_updated, .deleted = driver_seen, .arg = s});
	s->pods_by_node = informer_index_get(s->pods, "node", informer_index_pod_node);
	s->attachments_by_node = informer_index_get(s->attachments, "node", key_node);
	s->attachments_by_volume = informer_index_get(s->attachments, "volume", key_volume);
	return s;
}

void attach_detach_release(void *state)
{
	struct attacher *s = state;
	MAP_FOREACH (it, &s->blocked)
		free(it->value);
	map_release(&s->blocked);
	while (s->memories.count)
		MAP_FOREACH (it, &s->memories) {
			memory_drop(s, it->key);
			break;
		}
	map_release(&s->memories);
	free(s);
}
