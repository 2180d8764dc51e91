/* The node: starts its parts in order, hands pods from the API server to their workers, and closes.
 *
 *     node_new:  folders -> containerd (in the background) -> Node object and Lease -> kubelet server
 *     runtime is up: CRI client -> images are imported -> look at what runs -> pods are worked on
 *     API is known: pods of this node come by informer; each gets a worker (podworker.c); what runs without one is
 * stopped
 *
 * Closing takes the other way and leaves containers alone. */
#include "base/json/scan.h"
#include "base/log.h"
#include "node/files.h"
#include "node/pause_image.h"
#include "node/pod.h"

#include <stdio.h>
#include <stdlib.h>

enum { POOL_THREADS = 2, POOL_QUEUE = 1024 };

/* ---- pods ---- */

struct pod *node_pod(struct node *n, struct slice uid)
{
	return map_get(&n->pods, uid);
}

struct pod *node_pod_named(struct node *n, struct slice ns, struct slice name)
{
	MAP_FOREACH (it, &n->pods) {
		struct pod *p = it->value;
		if (slice_is(ns, p->ns) && slice_is(name, p->name) && p->object)
			return p;
	}
	return NULL;
}

bool node_is_server_known(const struct node *n)
{
	return n->pod_informer && informer_is_synced(n->pod_informer);
}

static bool is_mirror(struct slice text)
{
	struct slice annotations = json_find(text, "metadata", "annotations", NULL);
	return annotations.len && memmem(annotations.ptr, annotations.len, "\"kubernetes.io/config.mirror\"", 29);
}

static bool is_over(struct slice text)
{
	struct slice phase = json_find(text, "status", "phase", NULL);
	return (slice_is(phase, "Succeeded") || slice_is(phase, "Failed")) &&
	       !json_find(text, "metadata", "deletionTimestamp", NULL).len;
}

static void pod_seen(void *arg, struct informer_object *o)
{
	struct node *n = arg;
	struct slice text = informer_text(o), uid = json_find(text, "metadata", "uid", NULL);
	if (is_mirror(text)) {
		static_pods_mirror_seen(n, o->json);
		return;
	}
	struct pod *p = node_pod(n, uid);
	if (!p) {
		/* Ended before we came: nothing to do until its deletion, which needs no worker's memory of it. */
		struct slice key = o->key, ns = slice_cut(&key, '/');
		p = pod_new(n, uid, ns, key);
		if (is_over(text))
			p->state = POD_STOPPING;
		log_info("node", "pod is ours", "pod=%.*s uid=%s", SLICE_FMT(o->key), p->uid);
	}
	pod_set_object(p, o->json);
}

static void pod_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct node *n = arg;
	struct slice old = json_find((struct slice){before->data, before->len}, "metadata", "uid", NULL);
	struct slice uid = json_find(informer_text(o), "metadata", "uid", NULL);
	struct pod *p = slice_eq(old, uid) ? NULL : node_pod(n, old);
	if (p)
		pod_set_vanished(p);
	pod_seen(arg, o);
}

static void pod_deleted(void *arg, struct informer_object *o)
{
	struct node *n = arg;
	struct slice text = informer_text(o), key = o->key, ns = slice_cut(&key, '/');
	struct pod *p = node_pod(n, json_find(text, "metadata", "uid", NULL));
	if (is_mirror(text))
		static_pods_mirror_gone(n, ns, key);
	else if (p)
		pod_set_vanished(p);
}

static void tick_all(struct node *n)
{
	size_t count = 0;
	struct pod **pods = xcalloc(n->pods.count + 1, sizeof *pods);
	MAP_FOREACH (it, &n->pods)
		pods[count++] = it->value;
	for (size_t i = 0; i < count; i++)
		pod_tick(pods[i]);
	free(pods);
}

static void pods_synced(void *arg)
{
	struct node *n = arg;
	if (n->cri)
		runtime_look(n); /* what runs without a pod shows now */
	if (!n->orphans_removed) {
		n->orphans_removed = true;
		volumes_remove_orphans(n);
	}
}

void node_network_ready(struct node *n)
{
	node_status_poke(n);
	tick_all(n);
}

/* ---- the runtime ---- */

static void images_are_in(struct node *n)
{
	if (n->closing)
		return;
	n->runtime_ready = true;
	log_info("node", "container runtime is ready", "socket=%s", containerd_socket(n->containerd));
	runtime_start(n);
	node_status_poke(n);
	tick_all(n);
}

static void runtime_is_up(void *arg)
{
	struct node *n = arg;
	if (n->closing)
		return;
	if (!n->cri)
		n->cri = cri_new(n->loop, containerd_socket(n->containerd));
	if (n->runtime_ready)
		runtime_start(n);
	else
		images_import(n, images_are_in);
}

/* ---- start ---- */

static const char *copy(struct node *n, const char *text, const char *fallback)
{
	return text && *text ? arena_strdup(&n->arena, text) : fallback;
}

static const char *const *copy_list(struct node *n, const char *const *list, size_t count)
{
	const char **v = ARENA_ARRAY(&n->arena, const char *, count + 1);
	for (size_t i = 0; i < count; i++)
		v[i] = arena_strdup(&n->arena, list[i]);
	return v;
}

static void copy_options(struct node *n, const struct node_options *o)
{
	n->o = *o;
	n->o.data_dir = copy(n, o->data_dir, "/var/lib/k3x");
	n->o.node_name = copy(n, o->node_name, "localhost");
	n->o.node_ip = copy(n, o->node_ip, "127.0.0.1");
	n->o.labels = copy_list(n, o->labels, o->labels_count);
	n->o.taints = copy_list(n, o->taints, o->taints_count);
	n->o.container_runtime_endpoint = copy(n, o->container_runtime_endpoint, "");
	n->o.pause_image = copy(n, o->pause_image, PAUSE_IMAGE_DEFAULT);
	n->o.resolv_conf = copy(n, o->resolv_conf, "/etc/resolv.conf");
	n->o.cluster_cidr = copy(n, o->cluster_cidr, "");
	n->o.cluster_dns = copy(n, o->cluster_dns, "");
	n->o.cluster_domain = copy(n, o->cluster_domain, "cluster.local");
	n->o.service_host = copy(n, o->service_host, "");
	n->o.serving_cert_file = copy(n, o->serving_cert_file, NULL);
	n->o.serving_key_file = copy(n, o->serving_key_file, NULL);
	n->o.client_ca_file = copy(n, o->client_ca_file, NULL);
	n->pods_dir = arena_printf(&n->arena, "%s/agent/kubelet/pods", n->o.data_dir);
	n->logs_dir = arena_printf(&n->arena, "%s/agent/kubelet/logs", n->o.data_dir);
}

static int make_folders(struct node *n, struct err *err)
{
	struct arena *a = &n->arena;
	if (file_make_dirs(n->pods_dir, 0755, err) != 0 || file_make_dirs(n->logs_dir, 0755, err) != 0 ||
	        file_make_dirs(arena_printf(a, "%s/agent/images", n->o.data_dir), 0755, err) != 0 ||
	        file_make_dirs(arena_printf(a, "%s/agent/pod-manifests", n->o.data_dir), 0755, err) != 0)
		return err->code;
	return 0;
}

static int start_containerd(struct node *n, struct err *err)
{
	struct arena *a = &n->arena;
	struct containerd_options o = {
	        .loop = n->loop,
	        .root_dir = arena_printf(a, "%s/agent/containerd", n->o.data_dir),
	        .state_dir = n->o.is_default_data_dir ? "/run/k3x/containerd"
	                                              : arena_printf(a, "%s/agent/run/containerd", n->o.data_dir),
	        .config_dir = arena_printf(a, "%s/agent/etc", n->o.data_dir),
	        .pause_image = n->o.pause_image,
	        .endpoint = n->o.container_runtime_endpoint,
	        .on_up = runtime_is_up,
	        .arg = n,
	};
	return containerd_new(&o, &n->containerd, err);
}

static void watch_api(struct node *n)
{
	char selector[300];
	snprintf(selector, sizeof selector, "spec.nodeName=%s", n->o.node_name);
	struct informer_options pods = {.client = n->client,
	        .path = "/api/v1/pods",
	        .field_selector = selector,
	        .added = pod_seen,
	        .updated = pod_updated,
	        .deleted = pod_deleted,
	        .synced = pods_synced,
	        .arg = n};
	struct informer_options services = {.client = n->client, .path = "/api/v1/services"};
	n->service_informer = informer_new(&services);
	n->pod_informer = informer_new(&pods);
}

int node_new(const struct node_options *options, struct node **ret, struct err *err)
{
	struct node *n = xcalloc(1, sizeof *n);
	arena_init(&n->arena);
	list_init(&n->api_calls);
	map_init(&n->pods);
	n->loop = options->loop;
	n->client = options->client;
	copy_options(n, options);
	if (make_folders(n, err) != 0 || start_containerd(n, err) != 0) {
		arena_release(&n->arena);
		free(n);
		return err->code;
	}
	n->pool = pool_new("node-pool", POOL_THREADS, POOL_QUEUE);
	uv_timer_init(loop_uv(n->loop), &n->look_timer);
	uv_timer_init(loop_uv(n->loop), &n->stream_timer);
	n->look_timer.data = n->stream_timer.data = n;
	cgroup_make_roots();
	n->events = events_new(n);
	n->images = images_new(n);
	n->server = kubelet_server_new(n);
	n->status = node_status_new(n);
	watch_api(n);
	n->static_pods = static_pods_new(n);
	n->log_rotation = log_rotation_new(n);
	*ret = n;
	return 0;
}

/* ---- close ---- */

static void release(struct node *n)
{
	void (*closed)(void *) = n->closed;
	void *arg = n->closed_arg;
	while (n->pods.count)
		MAP_FOREACH (it, &n->pods) {
			pod_free(it->value);
			break;
		}
	map_release(&n->pods);
	images_free(n->images);
	events_free(n->events);
	containerd_close(n->containerd);
	pool_free(n->pool);
	arena_release(&n->arena);
	free(n);
	if (closed)
		closed(arg);
}

static void one_closed(void *arg)
{
	struct node *n = arg;
	if (--n->close_waits == 0)
		release(n);
}

static void timer_closed(uv_handle_t *h)
{
	one_closed(h->data);
}

static void cri_is_closed(void *arg)
{
	struct node *n = arg;
	n->cri = NULL;
	one_closed(n);
}

void node_close(struct node *n, void (*closed)(void *arg), void *arg)
{
	n->closing = true;
	n->closed = closed;
	n->closed_arg = arg;
	n->close_waits = 5;
	runtime_stop(n);
	node_status_close(n->status);
	static_pods_close(n->static_pods);
	log_rotation_close(n->log_rotation);
	api_cancel_all(n);
	informer_close(n->pod_informer, one_closed, n);
	informer_close(n->service_informer, one_closed, n);
	uv_close((uv_handle_t *)&n->look_timer, timer_closed);
	uv_close((uv_handle_t *)&n->stream_timer, timer_closed);
	if (n->server) {
		n->close_waits++;
		kubelet_server_close(n->server, one_closed, n);
	}
	if (n->cri)
		cri_close(n->cri, cri_is_closed, n);
	else
		one_closed(n);
}
