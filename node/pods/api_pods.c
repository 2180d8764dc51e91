/* See api_pods.h. Pods of this node come by informer; each gets a worker, and what runs without one is stopped. Mirror
 * pods, which show static ones, go to static_pod.c. */
#include "node/pods/api_pods.h"

#include "base/check.h"
#include "api/client/informer.h"
#include "base/json/scan.h"
#include "base/log.h"
#include "node/csi/csi.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"
#include "node/pods/static_pod.h"
#include "node/runtime/view.h"
#include "node/volume/unmount.h"
#include "node/worker/pod_worker.h"

#include <stdio.h>

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
	LOOP_CHECK_OWNER(((struct node *)arg)->loop);
	struct node *n = arg;
	struct slice text = informer_text(o), uid = json_find(text, "metadata", "uid", NULL);
	if (is_mirror(text)) {
		static_pods_mirror_seen(n, o->json);
		return;
	}
	if (!uid.len)
		return; /* no pod of a server of ours */
	struct pod *p = node_pod(n, uid);
	if (!p) {
		struct slice key = o->key, ns = slice_cut(&key, '/');
		p = pod_new(n, uid, ns, key);
		if (is_over(text))
			pod_set_ended(p);
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
	LOOP_CHECK_OWNER(((struct node *)arg)->loop);
	struct node *n = arg;
	struct slice text = informer_text(o), key = o->key, ns = slice_cut(&key, '/');
	struct pod *p = node_pod(n, json_find(text, "metadata", "uid", NULL));
	if (is_mirror(text))
		static_pods_mirror_gone(n, ns, key);
	else if (p)
		pod_set_vanished(p);
}

static void pods_synced(void *arg)
{
	LOOP_CHECK_OWNER(((struct node *)arg)->loop);
	struct node *n = arg;
	if (n->cri)
		view_look(n); /* what runs without a pod shows now */
	if (!n->orphans_removed) {
		n->orphans_removed = true;
		volumes_remove_orphans(n);
		csi_pods_known(n->csi);
	}
}

struct pod *api_pods_stranger(struct node *n, struct slice uid, struct slice ns, struct slice name)
{
	LOOP_CHECK_OWNER(n->loop);
	CHECK(uid.len);
	if (!node_is_server_known(n))
		return NULL;
	log_info("node", "stopping a pod that the API server does not have", "pod=%.*s/%.*s uid=%.*s", SLICE_FMT(ns),
	        SLICE_FMT(name), SLICE_FMT(uid));
	struct pod *p = pod_new(n, uid, ns, name);
	pod_set_vanished(p);
	return p;
}

void api_pods_watch(struct node *n)
{
	LOOP_CHECK_OWNER(n->loop);
	CHECK(!n->pod_informer && !n->service_informer);
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
