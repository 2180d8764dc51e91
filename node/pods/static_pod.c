/* Static pods: manifests in DATA/agent/pod-manifests (YAML or JSON, one pod a file) become pods that need no API
 * server.
 *
 * The folder is watched with inotify and read whole after each change (static_scan.c, on the pool), a little later so
 * that half-written files settle, and every RESCAN_MS. An edited file is another pod, and the old one stops. For each,
 * a mirror pod is kept in the API server (annotation kubernetes.io/config.mirror = uid), where its status is shown; a
 * mirror that is deleted comes again, one that belongs to no file is deleted.
 *
 * What can go wrong: the folder or a file cannot be read, or a file is no pod: what ran because of it stays, and the
 * log says so once a minute. */
#include "node/pods/static_pod.h"

#include "base/check.h"
#include "base/log.h"
#include "node/ground/api_call.h"
#include "node/ground/errand.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"
#include "node/pods/static_scan_int.h"
#include "node/status/pod_status.h"
#include "node/worker/pod_worker.h"

#include <stdio.h>
#include <stdlib.h>

enum { SETTLE_MS = 300, RESCAN_MS = 20000, MIRROR_CHECK_MS = 5000 };

static const struct retry_rule scan_rule = {1000, RESCAN_MS}, mirror_rule = {MIRROR_CHECK_MS, 300000};

struct static_pods {
	struct node *n;
	const char *dir;
	uv_fs_event_t watch;
	uv_timer_t timer, mirror_timer;
	unsigned open; /* handles */
	struct errand errand;
	struct static_folder folder; /* being read, or just read */
	bool is_reading, again;
	struct retry trouble, mirrors;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- mirrors ---- */

static void mirror_made(void *arg, int status, struct slice body, const struct err *err)
{
	struct static_pods *s = arg;
	if (!err)
		retry_succeeded(&s->mirrors);
	else if (err->code != ERR_EXISTS && err->code != ERR_CANCELED &&
	         retry_failed(&s->mirrors, &mirror_rule, loop_now_ms(s->n->loop)))
		log_warn("node", "cannot make a mirror pod", "failures=%u error=\"%s\"", s->mirrors.failures, err->msg);
}

static void make_mirror(struct pod *p)
{
	CHECK(p->is_static && p->object && !p->mirror_uid);
	struct arena a = ARENA_INIT;
	struct json *o = json_new(&a, JSON_OBJECT), *meta = json_set(&a, o, "metadata", json_copy(&a, p->meta));
	json_set_cstr(&a, o, "apiVersion", "v1");
	json_set_cstr(&a, o, "kind", "Pod");
	json_set(&a, o, "spec", json_copy(&a, p->spec));
	json_del(meta, "uid");
	json_set_cstr(&a, json_get(meta, "annotations"), "kubernetes.io/config.mirror", p->uid);
	struct json *account = json_get(o, "spec");
	json_del(account, "serviceAccountName");
	json_del(account, "serviceAccount");
	api_send_json(p->n, "POST", NULL, o, mirror_made, p->n->static_pods, "/api/v1/namespaces/%s/pods", p->ns);
	arena_release(&a);
}

static void keep_mirrors(uv_timer_t *t)
{
	struct static_pods *s = t->data;
	struct node *n = s->n;
	if (n->closing || !node_is_server_known(n) || retry_wait_ms(&s->mirrors, loop_now_ms(n->loop)))
		return;
	MAP_FOREACH (it, &n->pods) {
		struct pod *p = it->value;
		if (p->is_static && !p->mirror_uid && !p->is_deleting && p->object)
			make_mirror(p);
	}
}

static void delete_mirror(struct node *n, const char *ns, const char *name, const char *uid)
{
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b,
	        "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"gracePeriodSeconds\":0,\"preconditions\":{\"uid\":"
	        "\"%s\"}}",
	        uid);
	api_send(n, "DELETE", NULL, strbuf_slice(&b), NULL, NULL, "/api/v1/namespaces/%s/pods/%s", ns, name);
	strbuf_release(&b);
}

/* ---- the folder ---- */

static void take_file(struct node *n, const struct static_file *f)
{
	LOOP_CHECK_OWNER(n->loop);
	CHECK(f->uid && f->object);
	struct pod *p = node_pod(n, slice_of(f->uid));
	if (p)
		return;
	p = pod_new(n, slice_of(f->uid), slice_of(f->ns), slice_of(f->pod));
	p->is_static = true;
	p->static_file = xstrdup(f->name);
	log_info("node", "static pod", "file=%s pod=%s/%s", f->name, p->ns, p->name);
	pod_set_object(p, f->object);
}

static void drop_unwanted(struct static_pods *s)
{
	LOOP_CHECK_OWNER(s->n->loop);
	struct node *n = s->n;
	size_t count;
	struct pod **pods = node_pods(n, &count);
	for (size_t i = 0; i < count; i++) {
		struct pod *p = pods[i];
		if (!p->is_static || p->is_deleting || !static_pod_is_unwanted(&s->folder, p->static_file, p->uid))
			continue;
		if (p->mirror_uid)
			delete_mirror(n, p->ns, p->name, p->mirror_uid);
		pod_set_vanished(p);
	}
	free(pods);
}

static void tell_trouble(struct static_pods *s)
{
	const struct static_folder *f = &s->folder;
	size_t broken = 0;
	for (size_t i = 0; i < f->count; i++)
		broken += !f->files[i].uid;
	if (!broken && !f->err.code) {
		retry_succeeded(&s->trouble);
		return;
	}
	if (!retry_failed(&s->trouble, &scan_rule, loop_now_ms(s->n->loop)))
		return;
	if (f->err.code)
		log_warn("node", "the manifests cannot be read: static pods stay as they are", "error=\"%s\"",
		        f->err.msg);
	for (size_t i = 0; i < f->count; i++)
		if (!f->files[i].uid)
			log_warn("node", "a manifest is no pod", "file=%s/%s error=\"%s\"", s->dir, f->files[i].name,
			        f->files[i].error);
}

static void read_on_pool(struct errand *e)
{
	struct static_pods *s = CONTAINER_OF(e, struct static_pods, errand);
	static_folder_read(s->dir, s->n->o.node_name, &s->folder);
}

static void schedule(struct static_pods *s, uint64_t ms);

static void folder_read(struct errand *e)
{
	LOOP_CHECK_OWNER(e->n->loop);
	struct static_pods *s = CONTAINER_OF(e, struct static_pods, errand);
	s->is_reading = false;
	if (!s->n->closing) {
		for (size_t i = 0; i < s->folder.count; i++)
			if (s->folder.files[i].uid)
				take_file(s->n, &s->folder.files[i]);
		drop_unwanted(s);
		tell_trouble(s);
		keep_mirrors(&s->mirror_timer);
	}
	static_folder_release(&s->folder);
	if (s->again)
		schedule(s, SETTLE_MS);
	s->again = false;
}

static void scan(uv_timer_t *t)
{
	struct static_pods *s = t->data;
	if (s->is_reading)
		s->again = true;
	else
		s->is_reading = errand_start(s->n, &s->errand, read_on_pool, folder_read);
}

static void schedule(struct static_pods *s, uint64_t ms)
{
	if (!s->n->closing)
		uv_timer_start(&s->timer, scan, ms, RESCAN_MS);
}

/* ---- what the API says of mirrors ---- */

void static_pods_mirror_seen(struct node *n, struct rcbuf *json)
{
	LOOP_CHECK_OWNER(n->loop);
	struct arena a = ARENA_INIT;
	struct json *o = json_parse(&a, (struct slice){json->data, json->len}, NULL, NULL),
	            *meta = json_get(o, "metadata");
	struct slice hash = json_get_str(json_get(meta, "annotations"), "kubernetes.io/config.mirror"),
	             uid = json_get_str(meta, "uid");
	struct pod *p = node_pod(n, hash);
	bool ours = p && p->is_static && !p->is_deleting;
	if (!ours || json_get(meta, "deletionTimestamp"))
		delete_mirror(n, json_cstr(&a, json_get(meta, "namespace")), json_cstr(&a, json_get(meta, "name")),
		        json_cstr(&a, json_get(meta, "uid")));
	if (ours && !(p->mirror_uid && slice_is(uid, p->mirror_uid))) {
		free(p->mirror_uid);
		p->mirror_uid = xmemdup(uid.ptr, uid.len);
		strbuf_reset(&p->status_text);
		pod_status_update(p);
	}
	arena_release(&a);
}

void static_pods_mirror_gone(struct node *n, struct slice ns, struct slice name)
{
	LOOP_CHECK_OWNER(n->loop);
	struct pod *p = node_pod_named(n, ns, name);
	if (!p || !p->is_static)
		return;
	free(p->mirror_uid);
	p->mirror_uid = NULL;
	if (!n->closing && n->static_pods)
		uv_timer_start(&n->static_pods->mirror_timer, keep_mirrors, SETTLE_MS, MIRROR_CHECK_MS);
}

/* ---- life ---- */

static void folder_changed(uv_fs_event_t *h, const char *name, int events, int status)
{
	struct static_pods *s = h->data;
	schedule(s, SETTLE_MS);
}

struct static_pods *static_pods_new(struct node *n)
{
	LOOP_CHECK_OWNER(n->loop);
	struct static_pods *s = xcalloc(1, sizeof *s);
	s->n = n;
	s->open = 3;
	s->dir = arena_printf(&n->arena, "%s/agent/pod-manifests", n->o.data_dir);
	uv_timer_init(loop_uv(n->loop), &s->timer);
	uv_timer_init(loop_uv(n->loop), &s->mirror_timer);
	uv_fs_event_init(loop_uv(n->loop), &s->watch);
	s->timer.data = s->mirror_timer.data = s->watch.data = s;
	uv_fs_event_start(&s->watch, folder_changed, s->dir, 0);
	schedule(s, 0);
	uv_timer_start(&s->mirror_timer, keep_mirrors, 1000, MIRROR_CHECK_MS);
	return s;
}

static void handle_closed(uv_handle_t *h)
{
	struct static_pods *s = h->data;
	if (--s->open == 0)
		s->closed(s->closed_arg);
}

void static_pods_close(struct static_pods *s, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(s->n->loop);
	CHECK(s->n->closing && !s->closed);
	s->closed = closed;
	s->closed_arg = arg;
	uv_close((uv_handle_t *)&s->timer, handle_closed);
	uv_close((uv_handle_t *)&s->mirror_timer, handle_closed);
	uv_close((uv_handle_t *)&s->watch, handle_closed);
}

void static_pods_free(struct static_pods *s)
{
	CHECK(!s->is_reading && !s->open);
	free(s);
}
