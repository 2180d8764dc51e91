/* The binding subresource of pods (core/v1 Binding): the scheduler says where a pod goes. Plugins, policies and
 * webhooks are asked about the Binding. */
#include "api/server/verbs/mutation.h"
#include "api/server/verbs/petition.h"
#include "api/server/verbs/verbs.h"

#include "api/server/answer.h"
#include "api/server/body.h"
#include "api/server/status.h"
#include "api/server/strategy.h"
#include "base/check.h"

struct binding {
	struct mutation mutation; /* first */
	struct petition petition;
	struct json *body;
};

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

static int refuse(const struct mutation *m, const char *why, struct slice node, struct err *err)
{
	return err_set(err, ERR_CONFLICT,
	        "Operation cannot be fulfilled on pods/binding \"%.*s\": pod %.*s is %s%s%.*s%s", SLICE_FMT(m->name),
	        SLICE_FMT(m->name), why, node.len ? " \"" : "", SLICE_FMT(node), node.len ? "\"" : "");
}

static int decode(struct mutation *m, struct err *err)
{
	struct binding *b = (struct binding *)m;
	struct arena *a = m->arena;
	struct json *object = json_copy(a, m->old), *spec = json_need(a, object, "spec", JSON_OBJECT);
	struct slice node = json_str(json_path(b->body, "target", "name", NULL)),
	             kind = json_str(json_path(b->body, "target", "kind", NULL)),
	             bound = json_get_str(spec, "nodeName");
	if (json_path(object, "metadata", "deletionTimestamp", NULL))
		return refuse(m, "being deleted, cannot be assigned to a host", SLICE_NULL, err);
	if (bound.len)
		return refuse(m, "already assigned to node", bound, err);
	if (!node.len)
		return err_set(err, ERR_INVALID_OBJECT, "Binding \"%.*s\" is invalid: target.name: Required value",
		        SLICE_FMT(m->name));
	if (kind.len && !slice_is(kind, "Node"))
		return err_set(err, ERR_INVALID_OBJECT,
		        "Binding \"%.*s\" is invalid: target.kind: Unsupported value: \"%.*s\": supported values: "
		        "\"Node\", \"<empty>\"",
		        SLICE_FMT(m->name), SLICE_FMT(kind));
	json_set_str(a, spec, "nodeName", node);
	JSON_FOREACH (it, json_path(b->body, "metadata", "annotations", NULL))
		json_set_slice(a, json_need(a, json_get(object, "metadata"), "annotations", JSON_OBJECT), it->key,
		        json_copy(a, it));
	set_scheduled(a, object);
	m->object = object;
	return 0;
}

static void answer(struct mutation *m)
{
	struct call *c = m->call;
	c->shape = SHAPE_OBJECT;
	call_respond_tree(c, 201, status_new(&c->arena, 201, "", ""));
}

static const struct mutation_verb verb = {.name = "binding",
        .operation = ADMISSION_UPDATE,
        .is_partial = true,
        .was_asked = true,
        .decode = decode,
        .answer = answer};

static void granted(struct petition *p)
{
	struct binding *b = CONTAINER_OF(p, struct binding, petition);
	b->body = p->admission.object;
	mutation_start(&b->mutation);
}

/* The pod is named by the Binding alone. */
void api_bind_by_name(struct call *c)
{
	const struct resource *r = c->route.resource;
	struct err err = ERR_INIT;
	LOOP_CHECK_OWNER(c->loop);
	struct json *body = body_read(c, r->type, r->kind, r->api_version, &err);
	struct slice name = json_str(json_path(body, "metadata", "name", NULL));
	if (body && !name.len)
		err_set(&err, ERR_INVALID_OBJECT,
		        "Binding \"\" is invalid: metadata.name: Required value: name of the pod");
	if (err.code) {
		call_respond_err(c, &err);
		return;
	}
	c->route.resource = resource_ref(resource_find_preferred(SLICE(""), SLICE("pods")));
	c->route.sub = resource_sub_find(c->route.resource, SLICE("binding"));
	c->route.name = name;
	api_bind(c);
}

void api_bind(struct call *c)
{
	struct binding *b = ARENA_NEW(&c->arena, struct binding);
	struct err err = ERR_INIT;
	LOOP_CHECK_OWNER(c->loop);
	mutation_init(&b->mutation, &verb, c, &c->arena);
	if (body_dry_run(c, &b->mutation.is_dry_run, &err) == 0)
		b->body = body_read(c, c->route.sub->type, "Binding", "v1", &err);
	if (b->body)
		petition_start(
		        &b->petition, c, ADMISSION_CREATE, c->route.sub, b->body, b->mutation.is_dry_run, granted);
	else
		call_respond_err(c, &err);
}
