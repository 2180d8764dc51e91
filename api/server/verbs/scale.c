/* The scale subresource (autoscaling/v1 Scale): the number of replicas of whatever kind has one, as HPAs and `kubectl
 * scale` read and write it. A write is one of the object, so it is defaulted, validated and admitted like any other. */
#include "api/server/verbs/apply.h"
#include "api/server/verbs/verbs.h"

#include "api/machinery/patch/patch.h"
#include "api/server/answer.h"
#include "api/server/body.h"
#include "api/server/cache/fresh.h"
#include "api/server/converting/conversion.h"
#include "api/server/status.h"
#include "base/check.h"

#include <inttypes.h>

/* ---- where it is ---- */

/* The value at a dotted path (".spec.replicas"); NULL: none. */
static struct json *at_path(const struct json *v, const char *path)
{
	struct slice rest = slice_of(path + (*path == '.'));
	while (v && rest.ptr)
		v = json_get_slice(v, slice_cut(&rest, '.'));
	return (struct json *)v;
}

static const struct resource_scale *paths_of(const struct resource *r)
{
	static const struct resource_scale built_in = {".spec.replicas", ".status.replicas", NULL};
	return r->scale ? r->scale : &built_in;
}

/* Makes what lies above it. */
static void set_at_path(struct arena *a, struct json *v, const char *path, struct json *value)
{
	struct slice rest = slice_of(path + (*path == '.'));
	while (rest.ptr) {
		struct slice name = slice_cut(&rest, '.');
		const char *key = arena_memdup(a, name.ptr, name.len);
		if (!rest.ptr)
			json_set(a, v, key, value);
		else
			v = json_need(a, v, key, JSON_OBJECT);
	}
}

/* Label selector in its text form, as HPAs and `kubectl scale` read it from a Scale's status. Custom resources have it
 * in that form themselves. */
static const char *selector_text(struct arena *a, const struct resource *r, const struct json *object)
{
	if (r->scale)
		return r->scale->selector ? json_cstr(a, at_path(object, r->scale->selector)) : "";
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

static struct json *scale_of(struct arena *a, const struct resource *r, const struct json *object, int64_t revision)
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
	        json_int(at_path(object, paths_of(r)->spec), r->scale ? 0 : 1));
	struct json *status = json_need(a, s, "status", JSON_OBJECT);
	json_set_int(a, status, "replicas", json_int(at_path(object, paths_of(r)->status), 0));
	json_set_cstr(a, status, "selector", selector_text(a, r, object));
	return s;
}

static void get_now(struct call *c)
{
	struct object *o = fresh_route_object(c);
	const struct resource *r = c->route.resource;
	struct err err = ERR_INIT;
	if (o && conversion_awaits(c, o, get_now))
		return;
	struct json *object = o ? json_parse(&c->arena, object_text(o), NULL, &err) : NULL;
	if (!object)
		status_not_found(&err, r, c->route.name);
	else if (resource_convert(&c->arena, object, r->storage, r, &err) == 0)
		call_respond_tree(c, 200, scale_of(&c->arena, r, object, o->revision));
	if (err.code)
		call_respond_err(c, &err);
}

/* ---- writing ---- */

static struct json *patched(struct mutation *m, struct err *err)
{
	struct json *scale = scale_of(m->arena, m->resource, m->old, m->before->revision);
	struct json *patch = json_parse(m->arena, m->call->body, NULL, err);
	json_del(json_get(scale, "metadata"), "resourceVersion");
	if (!patch)
		return NULL;
	if (body_is(m->call, "application/json-patch+json"))
		return patch_json_apply(m->arena, &scale, patch, err) == 0 ? scale : NULL;
	if (patch->type == JSON_OBJECT && (body_is(m->call, "application/merge-patch+json") ||
	                                          body_is(m->call, "application/strategic-merge-patch+json")))
		return patch_merge_apply(m->arena, scale, patch);
	err_set(err, ERR_MEDIA_TYPE,
	        "accepted media types include: application/json-patch+json, application/merge-patch+json, "
	        "application/strategic-merge-patch+json, application/apply-patch+yaml");
	return NULL;
}

static struct json *read_scale(struct mutation *m, struct err *err)
{
	struct call *c = m->call;
	const struct schema_type *type = c->route.sub->type;
	if (c->route.verb == RESOURCE_UPDATE)
		return body_read(c, type, "Scale", "autoscaling/v1", err);
	return apply_is(c) ? apply_read(m, type, "Scale", "autoscaling/v1", err) : patched(m, err);
}

/* Of a Scale only spec.replicas is the object's: that is what its applier names. */
static int apply_replicas(struct mutation *m, const struct json *scale, struct err *err)
{
	struct json *config = json_new(m->arena, JSON_OBJECT), *replicas = json_path(scale, "spec", "replicas", NULL);
	if (replicas)
		set_at_path(m->arena, config, paths_of(m->resource)->spec, json_copy(m->arena, replicas));
	return managing_apply(&m->managing, m->old, config, &m->object, err);
}

static int check_replicas(const struct mutation *m, const struct json *scale, int64_t *ret, struct err *err)
{
	*ret = json_int(json_path(scale, "spec", "replicas", NULL), 0);
	return *ret >= 0 ? 0
	                 : err_set(err, ERR_INVALID_OBJECT,
	                           "Scale.autoscaling \"%.*s\" is invalid: spec.replicas: Invalid value: %" PRId64
	                           ": must be greater than or equal to 0",
	                           SLICE_FMT(m->name), *ret);
}

static int decode(struct mutation *m, struct err *err)
{
	int64_t replicas;
	call_drop_warnings(m->call);
	struct json *scale = read_scale(m, err);
	if (!scale || mutation_check_identity(m, scale, err) != 0 || check_replicas(m, scale, &replicas, err) != 0)
		return err->code;
	if (apply_is(m->call))
		return apply_replicas(m, scale, err);
	m->object = json_copy(m->arena, m->old);
	set_at_path(m->arena, m->object, paths_of(m->resource)->spec, json_new_int(m->arena, replicas));
	return 0;
}

static struct json *show(struct mutation *m, const struct json *object)
{
	return scale_of(m->arena, m->resource, object, m->before->revision);
}

static int take_shown(struct mutation *m, const struct json *shown, struct err *err)
{
	int64_t replicas;
	if (check_replicas(m, shown, &replicas, err) != 0)
		return err->code;
	set_at_path(m->arena, m->object, paths_of(m->resource)->spec, json_new_int(m->arena, replicas));
	return 0;
}

static void answer(struct mutation *m)
{
	int64_t revision = m->revision ? m->revision : m->before->revision; /* 0: nothing was written */
	const struct json *object = m->object; /* as it was stored, which a webhook's versions are not alike in */
	if (m->resource->conversion)
		object = json_parse(m->arena, (struct slice){m->result->data, m->result->len}, NULL, NULL);
	call_respond_tree(m->call, 200, scale_of(m->arena, m->resource, object, revision));
}

static const struct mutation_verb verb = {.name = "scale",
        .operation = ADMISSION_UPDATE,
        .decode = decode,
        .show = show,
        .take_shown = take_shown,
        .answer = answer};

void api_scale(struct call *c)
{
	LOOP_CHECK_OWNER(c->loop);
	if (c->route.verb == RESOURCE_GET) {
		fresh_wait(c, true, get_now);
		return;
	}
	struct mutation *m = ARENA_NEW(&c->arena, struct mutation);
	struct err err = ERR_INIT;
	mutation_init(m, &verb, c, &c->arena);
	if (managing_refuses(c, c->route.verb == RESOURCE_PATCH ? "PatchOptions" : "UpdateOptions", apply_is(c)))
		return;
	if (body_dry_run(c, &m->is_dry_run, &err) == 0)
		mutation_start(m);
	else
		call_respond_err(c, &err);
}
