/* Subresources that are more than a plain write of a part: scale, binding, eviction, token. status, finalize and
 * approval go the way of updates; log, exec and their like are in connect.c. */
#include "api/server/write_int.h"

#include "api/machinery/patch/patch.h"
#include "api/machinery/codec/decode.h"

#include <inttypes.h>

/* ---- a change computed from the cached object, tried again when somebody else was faster ---- */

struct change {
	struct write write;
	struct json *body;
	/* Changes `object` in place; returns an error instead. */
	int (*apply)(struct change *k, struct json *object, struct err *err);
	void (*answer)(struct change *k, struct json *object, int64_t revision);
	struct json *object;
};

static void change_now(struct call *c);

static void change_done(struct write *w, const struct err *err, int64_t revision)
{
	struct change *k = (struct change *)w;
	struct call *c = w->call;
	struct err e = *err;
	write_release(w);
	if (!err->code) {
		k->answer(k, k->object, revision);
		return;
	}
	if (err->code == ERR_CONFLICT && !c->gone && ++w->attempts < WRITE_ATTEMPTS_MAX) {
		change_now(c);
		return;
	}
	if (err->code == ERR_CONFLICT)
		status_conflict(&e, c->route.resource, c->route.name);
	call_respond_err(c, &e);
}

static void change_now(struct call *c)
{
	struct change *k = c->handler_data;
	struct object *o = api_route_object(c);
	struct err err = ERR_INIT;
	if (!o) {
		status_not_found(&err, c->route.resource, c->route.name);
		call_respond_err(c, &err);
		return;
	}
	k->object = json_parse(&c->arena, object_text(o), NULL, &err);
	struct json *old = k->object ? json_copy(&c->arena, k->object) : NULL;
	k->write.call = c;
	k->write.old = object_ref(o);
	if (!k->object || k->apply(k, k->object, &err) != 0) {
		write_release(&k->write);
		call_respond_err(c, &err);
		return;
	}
	if (c->route.resource->has_generation && !json_equal(json_get(old, "spec"), json_get(k->object, "spec"))) {
		struct json *meta = json_get(k->object, "metadata");
		json_set_int(&c->arena, meta, "generation", json_get_int(meta, "generation", 0) + 1);
	}
	strategy_write(&k->write.text, k->object);
	k->write.done = change_done;
	write_submit(&k->write, c->route.resource->storage, c->route.ns, c->route.name);
}

static struct change *change_new(struct call *c)
{
	struct change *k = ARENA_NEW(&c->arena, struct change);
	c->handler_data = k;
	return k;
}

static bool body_is_dry(struct call *c, bool *dry)
{
	struct err err = ERR_INIT;
	if (body_dry_run(c, dry, &err) == 0)
		return true;
	call_respond_err(c, &err);
	return false;
}

/* ---- scale (autoscaling/v1 Scale) ---- */

/* Label selector in its text form, as HPAs and `kubectl scale` read it from a Scale's status. */
static const char *selector_text(struct arena *a, const struct json *object)
{
	struct json *selector = json_path(object, "spec", "selector", NULL);
	struct json *labels = json_get(selector, "matchLabels");
	struct strbuf out = STRBUF_INIT;
	if (!labels && !json_get(selector, "matchExpressions"))
		labels = selector; /* replication controllers have bare labels */
	JSON_FOREACH (it, labels)
		strbuf_addf(&out, "%s%.*s=%.*s", out.len ? "," : "", SLICE_FMT(it->key), SLICE_FMT(json_str(it)));
	char *text = arena_strdup(a, strbuf_cstr(&out));
	strbuf_release(&out);
	return text;
}

static struct json *scale_of(struct arena *a, const struct json *object, int64_t revision)
{
	static const char *const kept[] = {"name", "namespace", "uid", "creationTimestamp"};
	struct json *s = json_new(a, JSON_OBJECT), *meta = json_new(a, JSON_OBJECT),
	            *from = json_get(object, "metadata");
	json_set_cstr(a, s, "kind", "Scale");
	json_set_cstr(a, s, "apiVersion", "autoscaling/v1");
	for (size_t i = 0; i < COUNT_OF(kept); i++)
		if (json_get(from, kept[i]))
			json_set_str(a, meta, kept[i], json_get_str(from, kept[i]));
	json_set_cstr(a, meta, "resourceVersion", arena_printf(a, "%" PRId64, revision));
	json_set(a, s, "metadata", meta);
	json_set_int(a, json_need(a, s, "spec", JSON_OBJECT), "replicas",
	        json_int(json_path(object, "spec", "replicas", NULL), 1));
	struct json *status = json_need(a, s, "status", JSON_OBJECT);
	json_set_int(a, status, "replicas", json_int(json_path(object, "status", "replicas", NULL), 0));
	json_set_cstr(a, status, "selector", selector_text(a, object));
	return s;
}

static void scale_get_now(struct call *c)
{
	struct object *o = api_route_object(c);
	struct err err = ERR_INIT;
	struct json *object = o ? json_parse(&c->arena, object_text(o), NULL, &err) : NULL;
	if (object) {
		call_respond_tree(c, 200, scale_of(&c->arena, object, o->revision));
		return;
	}
	status_not_found(&err, c->route.resource, c->route.name);
	call_respond_err(c, &err);
}

static struct json *scale_wanted(struct change *k, struct json *object, struct err *err)
{
	struct call *c = k->write.call;
	if (c->route.verb == RESOURCE_UPDATE)
		return body_read(c, c->route.sub->type, "Scale", "autoscaling/v1", err);
	struct json *scale = scale_of(&c->arena, object, k->write.old->revision);
	struct json *patch = json_parse(&c->arena, c->body, NULL, err);
	json_del(json_get(scale, "metadata"), "resourceVersion");
	if (!patch)
		return NULL;
	if (slice_starts(c->content_type, "application/json-patch+json"))
		return patch_json_apply(&c->arena, &scale, patch, err) == 0 ? scale : NULL;
	if (patch->type == JSON_OBJECT &&
	        (slice_starts(c->content_type, "application/merge-patch+json") ||
	                slice_starts(c->content_type, "application/strategic-merge-patch+json")))
		return patch_merge_apply(&c->arena, scale, patch);
	err_set(err, ERR_MEDIA_TYPE,
	        "accepted media types include: application/json-patch+json, application/merge-patch+json, "
	        "application/strategic-merge-patch+json");
	return NULL;
}

static int scale_apply(struct change *k, struct json *object, struct err *err)
{
	struct call *c = k->write.call;
	struct json *scale = scale_wanted(k, object, err);
	if (!scale)
		return err->code;
	struct slice version = json_str(json_path(scale, "metadata", "resourceVersion", NULL));
	int64_t revision;
	if (version.len && (!slice_to_i64(version, &revision) || revision != k->write.old->revision))
		return status_conflict(err, c->route.resource, c->route.name);
	int64_t replicas = json_int(json_path(scale, "spec", "replicas", NULL), 0);
	if (replicas < 0)
		return err_set(err, ERR_INVALID_OBJECT,
		        "Scale.autoscaling \"%.*s\" is invalid: spec.replicas: Invalid value: %" PRId64
		        ": must be greater than or equal to 0",
		        SLICE_FMT(c->route.name), replicas);
	json_set_int(&c->arena, json_need(&c->arena, object, "spec", JSON_OBJECT), "replicas", replicas);
	return 0;
}

static void scale_answer(struct change *k, struct json *object, int64_t revision)
{
	call_respond_tree(k->write.call, 200, scale_of(&k->write.call->arena, object, revision));
}

static void scale(struct call *c)
{
	if (c->route.verb == RESOURCE_GET) {
		api_when_fresh(c, true, scale_get_now);
		return;
	}
	struct change *k = change_new(c);
	k->apply = scale_apply;
	k->answer = scale_answer;
	api_when_fresh(c, false, change_now);
}

/* ---- binding (core/v1 Binding) ---- */

static void set_scheduled(struct arena *a, struct json *object)
{
	struct json *list = json_need(a, json_need(a, object, "status", JSON_OBJECT), "conditions", JSON_ARRAY),
	            *found = NULL;
	JSON_FOREACH (it, list)
		if (slice_is(json_get_str(it, "type"), "PodScheduled"))
			found = it;
	if (found && slice_is(json_get_str(found, "status"), "True"))
		return;
	if (found)
		json_remove(list, found);
	struct json *condition = json_new(a, JSON_OBJECT);
	json_set_cstr(a, condition, "type", "PodScheduled");
	json_set_cstr(a, condition, "status", "True");
	json_set(a, condition, "lastProbeTime", json_new(a, JSON_NULL));
	json_set_cstr(a, condition, "lastTransitionTime", strategy_time(a, 0));
	json_append(list, condition);
}

static int binding_apply(struct change *k, struct json *object, struct err *err)
{
	struct call *c = k->write.call;
	struct arena *a = &c->arena;
	struct slice node = json_str(json_path(k->body, "target", "name", NULL));
	struct json *spec = json_need(a, object, "spec", JSON_OBJECT);
	struct slice bound = json_get_str(spec, "nodeName");
	if (json_path(object, "metadata", "deletionTimestamp", NULL))
		return err_set(err, ERR_CONFLICT,
		        "Operation cannot be fulfilled on pods/binding \"%.*s\": pod %.*s is being deleted, cannot be "
		        "assigned to a host",
		        SLICE_FMT(c->route.name), SLICE_FMT(c->route.name));
	if (bound.len)
		return err_set(err, ERR_CONFLICT,
		        "Operation cannot be fulfilled on pods/binding \"%.*s\": pod %.*s is already assigned to node "
		        "\"%.*s\"",
		        SLICE_FMT(c->route.name), SLICE_FMT(c->route.name), SLICE_FMT(bound));
	if (!node.len)
		return err_set(err, ERR_INVALID_OBJECT, "Binding \"%.*s\" is invalid: target.name: Required value",
		        SLICE_FMT(c->route.name));
	json_set_str(a, spec, "nodeName", node);
	JSON_FOREACH (it, json_path(k->body, "metadata", "annotations", NULL))
		json_set_slice(a, json_need(a, json_get(object, "metadata"), "annotations", JSON_OBJECT), it->key,
		        json_copy(a, it));
	set_scheduled(a, object);
	return 0;
}

static void answer_created(struct change *k, struct json *object, int64_t revision)
{
	struct call *c = k->write.call;
	c->shape = SHAPE_OBJECT;
	call_respond_tree(c, 201, status_new(&c->arena, 201, "", ""));
}

static void binding(struct call *c)
{
	struct err err = ERR_INIT;
	struct change *k = change_new(c);
	k->apply = binding_apply;
	k->answer = answer_created;
	k->body = body_read(c, c->route.sub->type, "Binding", "v1", &err);
	if (k->body)
		api_when_fresh(c, false, change_now);
	else
		call_respond_err(c, &err);
}

/* ---- eviction (policy/v1 Eviction): a deletion that disruption budgets may refuse ---- */

static void eviction_now(struct call *c)
{
	struct object *o = api_route_object(c);
	struct err err = ERR_INIT;
	if (!o) {
		status_not_found(&err, c->route.resource, c->route.name);
		call_respond_err(c, &err);
		return;
	}
	struct cache_resource *budgets = cache_resource(
	        c->server->cache, resource_find(SLICE("policy"), SLICE("v1"), SLICE("poddisruptionbudgets")));
	struct json *pod = json_parse(&c->arena, object_text(o), NULL, &err);
	for (struct omap_node *n = budgets->objects.head[0]; n; n = omap_next(n)) {
		struct object *b = n->value;
		struct label_selector selector;
		bool nothing;
		if (!slice_eq(object_namespace(b), c->route.ns))
			continue;
		struct json *budget = json_parse(&c->arena, object_text(b), NULL, NULL);
		if (label_selector_from_json(
		            &c->arena, json_path(budget, "spec", "selector", NULL), &selector, &nothing, NULL) != 0 ||
		        nothing || !label_selector_matches_tree(&selector, json_path(pod, "metadata", "labels", NULL)))
			continue;
		if (json_int(json_path(budget, "status", "disruptionsAllowed", NULL), 0) > 0)
			continue;
		err_set(&err, ERR_BUSY, "Cannot evict pod as it would violate the pod's disruption budget.");
		call_respond_err(c, &err);
		return;
	}
	struct json *eviction = NULL;
	if (c->body.len && !(eviction = body_read(c, resource_kind_type(SLICE("policy/v1"), SLICE("Eviction")),
	                             "Eviction", "policy/v1", &err))) {
		call_respond_err(c, &err);
		return;
	}
	c->route.sub = NULL;
	api_evict(c, json_get(eviction, "deleteOptions"));
}

/* ---- */

bool api_subresource(struct call *c)
{
	struct slice sub = slice_of(c->route.sub->name);
	bool dry = false;
	if (slice_is(sub, "scale")) {
		scale(c);
		return true;
	}
	if (slice_is(sub, "binding") || slice_is(sub, "eviction")) {
		if (!body_is_dry(c, &dry))
			return true;
		if (dry)
			call_respond_tree(c, 201, status_new(&c->arena, 201, "", ""));
		else if (slice_is(sub, "binding"))
			binding(c);
		else
			api_when_fresh(c, false, eviction_now);
		return true;
	}
	if (slice_is(sub, "log")) {
		api_connect(c);
		return true;
	}
	if (slice_is(sub, "token")) {
		api_token(c);
		return true;
	}
	if (slice_is(sub, "ephemeralcontainers") || slice_is(sub, "resize")) {
		struct err err = ERR_INIT;
		err_set(&err, ERR_UNIMPLEMENTED, "pods/%.*s is not built yet", SLICE_FMT(sub));
		call_respond_err(c, &err);
		return true;
	}
	return false;
}
