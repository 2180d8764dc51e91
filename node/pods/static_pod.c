/* Static pods: manifests in DATA/agent/pod-manifests (YAML or JSON, one pod a file) become pods that need no API
 * server.
 *
 * The folder is watched with inotify and read whole after each change, a little later so that half-written files
 * settle. A pod's uid is made of the file's content and the node's name, so an edited file is another pod and the old
 * one stops. For each, a mirror pod is kept in the API server (annotation kubernetes.io/config.mirror = hash), where
 * its status is shown; a mirror that is deleted comes again, one that belongs to no file is deleted. */
#include "node/pods/static_pod.h"

#include "base/log.h"
#include "base/pki.h"
#include "base/yaml.h"
#include "node/ground/api_call.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"
#include "node/ground/times.h"
#include "node/status/pod_status.h"
#include "node/worker/pod_worker.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { SETTLE_MS = 300, RESCAN_MS = 20000, MANIFEST_BYTES_MAX = 1024 * 1024, MIRROR_RETRY_MS = 5000 };

struct static_pods {
	struct node *n;
	const char *dir;
	uv_fs_event_t watch;
	uv_timer_t timer, mirror_timer;
	unsigned open;
	uint64_t scan;
};

/* ---- manifests to pods ---- */

static struct json *read_manifest(struct static_pods *s, struct arena *a, const char *name, char hash[65])
{
	struct err err = ERR_INIT;
	size_t len;
	const char *path = arena_printf(a, "%s/%s", s->dir, name);
	char *text = file_read(path, MANIFEST_BYTES_MAX, false, &len);
	struct json *o = text ? yaml_parse(a, (struct slice){text, len}, NULL, &err) : NULL;
	if (text) {
		struct strbuf b = STRBUF_INIT;
		strbuf_addf(&b, "%s\n%s\n", s->n->o.node_name, path);
		strbuf_add(&b, text, len);
		pki_sha256_hex(b.data, b.len, hash);
		hash[32] = 0;
		strbuf_release(&b);
	}
	free(text);
	if (!o || !slice_is(json_get_str(o, "kind"), "Pod") || !json_path(o, "spec", "containers", NULL) ||
	        !json_path(o, "metadata", "name", NULL)) {
		log_warn("node", "a manifest is no pod", "file=%s error=\"%s\"", path,
		        err.code ? err.msg : "kind Pod with metadata.name and spec.containers is wanted");
		return NULL;
	}
	return o;
}

static void set_default(struct arena *a, struct json *o, const char *key, const char *value)
{
	if (!json_get(o, key))
		json_set_cstr(a, o, key, value);
}

/* What the API server would have filled in. */
static void complete(struct static_pods *s, struct arena *a, struct json *o, const char *hash)
{
	struct json *meta = json_get(o, "metadata"), *spec = json_get(o, "spec"),
	            *notes = json_need(a, meta, "annotations", JSON_OBJECT);
	char now[TIME_TEXT_MAX];
	const char *name = arena_printf(a, "%s-%s", json_cstr(a, json_get(meta, "name")), s->n->o.node_name);
	json_set_cstr(a, meta, "name", name);
	set_default(a, meta, "namespace", "default");
	json_set_cstr(a, meta, "uid", hash);
	json_set_cstr(a, notes, "kubernetes.io/config.hash", hash);
	json_set_cstr(a, notes, "kubernetes.io/config.source", "file");
	json_set_cstr(a, notes, "kubernetes.io/config.seen", time_text_nano(time_now_ns(), now));
	json_set_cstr(a, spec, "nodeName", s->n->o.node_name);
	set_default(a, spec, "restartPolicy", "Always");
	set_default(a, spec, "dnsPolicy", "ClusterFirst");
	if (!json_get(spec, "terminationGracePeriodSeconds"))
		json_set_int(a, spec, "terminationGracePeriodSeconds", 30);
	if (!json_get(spec, "enableServiceLinks"))
		json_set_bool(a, spec, "enableServiceLinks", true);
	JSON_FOREACH (c, json_get(spec, "containers")) {
		set_default(a, c, "terminationMessagePath", "/dev/termination-log");
		set_default(a, c, "terminationMessagePolicy", "File");
	}
}

static void mirror_made(void *arg, int status, struct slice body, const struct err *err)
{
	if (err && err->code != ERR_EXISTS && err->code != ERR_CANCELED)
		log_warn("node", "cannot make a mirror pod", "error=\"%s\"", err->msg);
}

static void make_mirror(struct pod *p)
{
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
	if (n->closing || !node_is_server_known(n))
		return;
	MAP_FOREACH (it, &n->pods) {
		struct pod *p = it->value;
		if (p->is_static && !p->mirror_uid && !p->is_deleting && p->object)
			make_mirror(p);
	}
}

static void take_manifest(struct static_pods *s, const char *name)
{
	struct arena a = ARENA_INIT;
	char hash[65];
	struct json *o = read_manifest(s, &a, name, hash);
	if (o) {
		struct pod *p = node_pod(s->n, slice_of(hash));
		if (!p) {
			complete(s, &a, o, hash);
			struct json *meta = json_get(o, "metadata");
			struct strbuf text = STRBUF_INIT;
			json_write(&text, o);
			struct rcbuf *bytes = rcbuf_copy(text.data, text.len);
			p = pod_new(s->n, slice_of(hash), json_get_str(meta, "namespace"), json_get_str(meta, "name"));
			p->is_static = true;
			p->static_scan = s->scan;
			log_info("node", "static pod", "file=%s pod=%s/%s", name, p->ns, p->name);
			pod_set_object(p, bytes);
			rcbuf_unref(bytes);
			strbuf_release(&text);
		}
		p->static_scan = s->scan;
	}
	arena_release(&a);
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

static void scan(uv_timer_t *t)
{
	struct static_pods *s = t->data;
	struct node *n = s->n;
	DIR *d = opendir(s->dir);
	s->scan++;
	for (struct dirent *e; d && (e = readdir(d));) {
		struct slice name = slice_of(e->d_name);
		if (e->d_name[0] != '.' &&
		        (slice_ends(name, ".yaml") || slice_ends(name, ".yml") || slice_ends(name, ".json")))
			take_manifest(s, e->d_name);
	}
	if (d)
		closedir(d);
	size_t count = 0;
	struct pod **gone = xcalloc(n->pods.count + 1, sizeof *gone);
	MAP_FOREACH (it, &n->pods) {
		struct pod *p = it->value;
		if (p->is_static && !p->is_deleting && p->static_scan != s->scan)
			gone[count++] = p;
	}
	for (size_t i = 0; i < count; i++) {
		if (gone[i]->mirror_uid)
			delete_mirror(n, gone[i]->ns, gone[i]->name, gone[i]->mirror_uid);
		pod_set_vanished(gone[i]);
	}
	free(gone);
	keep_mirrors(&s->mirror_timer);
}

/* ---- mirrors ---- */

void static_pods_mirror_seen(struct node *n, struct rcbuf *json)
{
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
	struct pod *p = node_pod_named(n, ns, name);
	if (!p || !p->is_static)
		return;
	free(p->mirror_uid);
	p->mirror_uid = NULL;
	if (!n->closing && n->static_pods)
		uv_timer_start(&n->static_pods->mirror_timer, keep_mirrors, SETTLE_MS, MIRROR_RETRY_MS);
}

/* ---- life ---- */

static void folder_changed(uv_fs_event_t *h, const char *name, int events, int status)
{
	struct static_pods *s = h->data;
	uv_timer_start(&s->timer, scan, SETTLE_MS, RESCAN_MS);
}

struct static_pods *static_pods_new(struct node *n)
{
	struct static_pods *s = xcalloc(1, sizeof *s);
	s->n = n;
	s->open = 3;
	s->dir = arena_printf(&n->arena, "%s/agent/pod-manifests", n->o.data_dir);
	uv_timer_init(loop_uv(n->loop), &s->timer);
	uv_timer_init(loop_uv(n->loop), &s->mirror_timer);
	uv_fs_event_init(loop_uv(n->loop), &s->watch);
	s->timer.data = s->mirror_timer.data = s->watch.data = s;
	uv_fs_event_start(&s->watch, folder_changed, s->dir, 0);
	scan(&s->timer);
	uv_timer_start(&s->timer, scan, RESCAN_MS, RESCAN_MS);
	uv_timer_start(&s->mirror_timer, keep_mirrors, 1000, MIRROR_RETRY_MS);
	return s;
}

static void closed(uv_handle_t *h)
{
	struct static_pods *s = h->data;
	if (--s->open == 0)
		free(s);
}

void static_pods_close(struct static_pods *s)
{
	uv_close((uv_handle_t *)&s->timer, closed);
	uv_close((uv_handle_t *)&s->mirror_timer, closed);
	uv_close((uv_handle_t *)&s->watch, closed);
}
