/* Deployments scaled up and down, deleted and made again while servers fail and controllers move with the leader. In
 * the end each has exactly its replicas of pods, whichever server is asked, and of those that were deleted nothing is
 * left: no ReplicaSet, no pod. Nothing runs the pods, so they only have to be there.
 *
 * An annotation holds a number that is unique, by which each Deployment is a register as in api_objects.h: controllers
 * write to the same objects and may not undo what a user wrote. Their writes move resourceVersions, so those are not
 * recorded. */
#include "jepsen/api_objects.h"

#include "base/log.h"

#include <stdlib.h>

enum { DEPLOYMENTS = 5, REPLICAS_MAX = 4, FINAL_MS_MAX = 2000 };

#define DEPLOYMENTS_PATH "/apis/apps/v1/namespaces/" API_NAMESPACE "/deployments"
#define REPLICASETS_PATH "/apis/apps/v1/namespaces/" API_NAMESPACE "/replicasets"
#define PODS_PATH "/api/v1/namespaces/" API_NAMESPACE "/pods"
#define NOTE "jepsen/value"

/* ---- objects ---- */

static json_t *wrap(const char *name, json_t *value)
{
	json_t *object = json_object();
	json_lib_set(object, name, value);
	return object;
}

static json_t *labels_of(const char *name)
{
	json_t *labels = json_object();
	json_lib_set_cstr(labels, "app", name);
	return wrap("labels", labels);
}

static json_t *template_of(const char *name)
{
	json_t *template = wrap("metadata", labels_of(name)), *containers = json_array(), *container = json_object();
	json_lib_set_cstr(container, "name", "main");
	json_lib_set_cstr(container, "image", "none");
	json_array_append_new(containers, container);
	json_lib_set(template, "spec", wrap("containers", containers));
	return template;
}

static json_t *make_deployment(const char *name)
{
	json_t *object = json_object(), *meta = json_object(), *spec = json_object(), *match = labels_of(name);
	json_lib_set_cstr(meta, "name", name);
	json_lib_set(meta, "annotations", json_object());
	json_lib_set(spec, "selector", wrap("matchLabels", json_incref(json_object_get(match, "labels"))));
	json_lib_set(spec, "template", template_of(name));
	json_lib_set(object, "metadata", meta);
	json_lib_set(object, "spec", spec);
	json_decref(match);
	return object;
}

static int64_t value_of(const json_t *deployment)
{
	int64_t v;
	const json_t *notes = json_object_get(json_object_get(deployment, "metadata"), "annotations");
	struct slice text = json_lib_get_str(notes, NOTE);
	return text.ptr && slice_to_i64(text, &v) ? v : -1;
}

/* ---- steps ---- */

static bool write(struct worker *w, struct kube_client *c, struct history_record *r, json_t *object, int64_t replicas)
{
	bool creates = r->expect == HISTORY_NIL;
	json_t *notes = json_object_get(json_object_get(object, "metadata"), "annotations");
	json_lib_set_cstr(notes, NOTE, workload_number(&w->arena, r->value));
	json_lib_set_int(json_object_get(object, "spec"), "replicas", replicas);
	run_invoke(w, r);
	struct kube_answer a = kube_client_call(c, creates ? "POST" : "PUT",
	        creates ? DEPLOYMENTS_PATH : arena_printf(&w->arena, DEPLOYMENTS_PATH "/%s", r->key), object);
	run_complete(w, r, &a.base);
	return a.base.outcome == CLIENT_OK;
}

static bool erase(struct worker *w, struct kube_client *c, struct history_record *r, const json_t *object)
{
	json_t *only = json_object();
	struct slice revision = kube_meta(object, "resourceVersion");
	json_lib_set_str(only, "resourceVersion", revision);
	json_auto_t *options = wrap("preconditions", only);
	json_lib_set_cstr(options, "kind", "DeleteOptions");
	json_lib_set_cstr(options, "apiVersion", "v1");
	json_lib_set_cstr(options, "propagationPolicy", "Background");
	run_invoke(w, r);
	struct kube_answer a =
	        kube_client_call(c, "DELETE", arena_printf(&w->arena, DEPLOYMENTS_PATH "/%s", r->key), options);
	run_complete(w, r, &a.base);
	return a.base.outcome == CLIENT_OK;
}

static void step(struct worker *w)
{
	struct kube_client *c = api_client(w, sizeof(struct api_state));
	struct history_record seen = HISTORY_RECORD_INIT, r = HISTORY_RECORD_INIT;
	seen.f = HISTORY_READ;
	r.f = HISTORY_CAS;
	seen.key = r.key = arena_printf(&w->arena, API_PREFIX "%02u", rng_below(&w->rng, DEPLOYMENTS));
	run_invoke(w, &seen);
	struct kube_answer a =
	        kube_client_call(c, "GET", arena_printf(&w->arena, DEPLOYMENTS_PATH "/%s", seen.key), NULL);
	bool is_absent = a.status == 404 && !a.is_old;
	if (is_absent)
		a.base.outcome = CLIENT_OK;
	json_auto_t *object = is_absent ? make_deployment(r.key) : json_incref(a.body);
	if (!is_absent && a.base.outcome == CLIENT_OK)
		seen.value = value_of(object);
	run_complete(w, &seen, &a.base);
	if (a.base.outcome != CLIENT_OK)
		return;
	r.expect = seen.value;
	if (!is_absent && rng_chance(&w->rng, 25)) {
		erase(w, c, &r, object);
		return;
	}
	r.value = run_unique(w->run);
	write(w, c, &r, object, rng_below(&w->rng, REPLICAS_MAX + 1));
}

/* ---- the end ---- */

/* What one server lists of one kind: how many belong to each, and to nobody of ours. */
struct counts {
	unsigned of[DEPLOYMENTS];
	int64_t wanted[DEPLOYMENTS]; /* of Deployments: replicas; -1: not there */
	unsigned others;
};

static bool count(struct kube_client *c, const char *path, struct counts *ret)
{
	struct kube_answer a = kube_client_call(c, "GET", path, NULL);
	const json_t *all = json_object_get(a.body, "items");
	*ret = (struct counts){.others = 0};
	for (unsigned i = 0; i < DEPLOYMENTS; i++)
		ret->wanted[i] = -1;
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *object = json_array_get(all, i);
		struct slice name = kube_meta(object, "name");
		unsigned at = DEPLOYMENTS;
		for (unsigned d = 0; d < DEPLOYMENTS; d++) {
			char begin[16];
			int len = snprintf(begin, sizeof begin, API_PREFIX "%02u", d);
			if (name.len >= (size_t)len && memcmp(name.ptr, begin, (size_t)len) == 0)
				at = d;
		}
		if (at == DEPLOYMENTS) {
			ret->others++;
			continue;
		}
		ret->of[at]++;
		ret->wanted[at] = json_lib_get_int(json_object_get(object, "spec"), "replicas", 1);
	}
	return a.base.outcome == CLIENT_OK;
}

/* Whether everything is as it should be, as this server sees it. */
static bool is_settled(struct kube_client *c, const char *node)
{
	struct counts deployments, sets, pods;
	if (!count(c, DEPLOYMENTS_PATH, &deployments) || !count(c, REPLICASETS_PATH, &sets) ||
	        !count(c, PODS_PATH, &pods))
		return false;
	bool all = true;
	for (unsigned i = 0; i < DEPLOYMENTS; i++) {
		bool is_there = deployments.of[i] == 1;
		unsigned wanted = is_there ? (unsigned)deployments.wanted[i] : 0;
		if (pods.of[i] == wanted && sets.of[i] == is_there)
			continue;
		all = false;
		log_info("jepsen", "not settled", "node=%s deployment=%u there=%d wanted=%u pods=%u sets=%u", node, i,
		        is_there, wanted, pods.of[i], sets.of[i]);
	}
	return all && !pods.others && !sets.others;
}

static bool last(struct worker *w)
{
	struct cluster *c = &w->run->cluster;
	bool all = true;
	if (w->index != 0)
		return true;
	for (unsigned i = 0; i < c->count && all; i++) {
		struct kube_client *to =
		        kube_client_new(c->tls, c->net.nodes[i].address, CLUSTER_API_PORT, FINAL_MS_MAX);
		all = is_settled(to, c->nodes[i].name);
		kube_client_free(to);
	}
	return all;
}

const struct workload workload_api_deployments = {.name = "api-deployments",
        .what = "Deployments scaled and deleted: each gets its replicas, nothing is left of the others",
        .prepare = api_prepare,
        .step = step,
        .last = last,
        .end = api_end,
        .wants_kube = true,
        .is_paced = true};
