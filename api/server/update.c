/* PUT and PATCH, of objects and of their status-like subresources.
 *
 * The new state is computed from the cached one and swapped in if nobody else was faster. A client that named a
 * resourceVersion gets 409 when it lost; one that did not is computed again on the newer state, a few times. An update
 * that changes nothing is not written. One that removes the last finalizer of a dying object deletes it. */
#include "api/server/write_int.h"

#include "api/machinery/codec/decode.h"
#include "api/machinery/rules/defaults.h"
#include "api/machinery/patch/patch.h"
#include "api/machinery/rules/validate.h"
#include "base/yaml.h"

struct update {
	struct write write;
	const char *sub;
	bool named_version; /* the client said which version it changed */
	bool dry_run;
};

static void update_now(struct call *c);

/* ---- the new state ---- */

static bool content_is(struct call *c, const char *type)
{
	struct slice rest = c->content_type;
	return slice_caseis(slice_trim(slice_cut(&rest, ';')), type);
}

static int refuse_patch_type(struct call *c, struct err *err)
{
	if (content_is(c, "application/apply-patch+yaml") || content_is(c, "application/apply-patch+cbor"))
		return err_set(err, ERR_MEDIA_TYPE,
		        "server-side apply is not built yet: use client-side apply (kubectl apply without "
		        "--server-side)");
	return err_set(err, ERR_MEDIA_TYPE,
	        "the body of the request was in an unknown format - accepted media types include: "
	        "application/json-patch+json, "
	        "application/merge-patch+json%s",
	        c->route.resource->is_custom ? "" : ", application/strategic-merge-patch+json");
}

static struct json *patched(struct call *c, struct json *old, struct err *err)
{
	const struct resource *r = c->route.resource;
	struct json *patch = json_parse(&c->arena, c->body, NULL, err), *object = json_copy(&c->arena, old);
	if (!patch) {
		err_wrap(err, "the patch is not valid JSON");
		return NULL;
	}
	if (content_is(c, "application/json-patch+json"))
		return patch_json_apply(&c->arena, &object, patch, err) == 0 ? object : NULL;
	if (patch->type != JSON_OBJECT) {
		err_set(err, ERR_INVAL, "the patch must be a JSON object, not %s", json_type_name(patch->type));
		return NULL;
	}
	if (content_is(c, "application/merge-patch+json"))
		return patch_merge_apply(&c->arena, object, patch);
	if (content_is(c, "application/strategic-merge-patch+json") && r->type)
		return patch_strategic_apply(&c->arena, object, patch, r->type, err) == 0 ? object : NULL;
	refuse_patch_type(c, err);
	return NULL;
}

/* A patched tree is decoded like a body: unknown fields and wrong types come from the patch. */
static int decode_patched(struct call *c, struct json *object, struct err *err)
{
	const struct resource *r = c->route.resource;
	enum decode_validation validation;
	struct decode_problems problems;
	if (!json_is(object, JSON_OBJECT))
		return err_set(err, ERR_INVALID_OBJECT, "the patch does not leave an object");
	if (!r->type)
		return 0;
	decode_problems_init(&problems, &c->arena);
	if (decode_validation_parse(call_param(c, "fieldValidation"), &validation, err) != 0 ||
	        decode_object(&c->arena, object, r->type, 0, &problems, err) != 0)
		return err->code;
	if (decode_problems_judge(&problems, validation, err) != 0)
		return err->code;
	for (size_t i = 0; validation == DECODE_WARN && i < problems.count; i++)
		call_warn(c, problems.texts[i]);
	return 0;
}

static struct json *wanted(struct call *c, struct json *old, struct err *err)
{
	const struct resource *r = c->route.resource;
	if (c->route.verb == RESOURCE_UPDATE)
		return body_read(c, r->type, r->kind, r->api_version, err);
	struct json *object = patched(c, old, err);
	return object && decode_patched(c, object, err) == 0 ? object : NULL;
}

static int check_identity(
        struct call *c, struct json *object, const struct object *old, bool *named_version, struct err *err)
{
	struct json *meta = json_get(object, "metadata");
	struct slice name = json_get_str(meta, "name"), ns = json_get_str(meta, "namespace"),
	             uid = json_get_str(meta, "uid");
	struct slice version = json_get_str(meta, "resourceVersion");
	int64_t revision;
	*named_version = version.len && !slice_is(version, "0");
	if (name.len && !slice_eq(name, c->route.name))
		return err_set(err, ERR_INVAL,
		        "the name of the object (%.*s) does not match the name on the URL (%.*s)", SLICE_FMT(name),
		        SLICE_FMT(c->route.name));
	if (ns.len && c->route.resource->namespaced && !slice_eq(ns, c->route.ns))
		return err_set(err, ERR_INVAL,
		        "the namespace of the object (%.*s) does not match the namespace on the request (%.*s)",
		        SLICE_FMT(ns), SLICE_FMT(c->route.ns));
	if (*named_version && (!slice_to_i64(version, &revision) || revision != old->revision))
		return status_conflict(err, c->route.resource, c->route.name);
	struct slice old_uid = object_span(old, old->uid);
	if (uid.len && old_uid.len && !slice_eq(uid, old_uid))
		return err_set(err, ERR_CONFLICT,
		        "Operation cannot be fulfilled on %s \"%.*s\": Precondition failed: UID in precondition: %.*s, "
		        "UID in object meta: %.*s",
		        c->route.resource->plural, SLICE_FMT(c->route.name), SLICE_FMT(uid), SLICE_FMT(old_uid));
	return 0;
}

/* NULL: answered, or err is set. */
static struct json *build(struct call *c, struct update *u, struct json *old, struct err *err)
{
	const struct resource *r = c->route.resource;
	struct json *object = wanted(c, old, err);
	if (!object || check_identity(c, object, u->write.old, &u->named_version, err) != 0)
		return NULL;
	strategy_prepare_update(c, r, u->sub, object, old);
	defaults_apply(&c->arena, r, object);
	if (!*u->sub && admission_mutate(c, r, object, old, err) != 0)
		return NULL;
	if (r->type)
		decode_normalise(&c->arena, object, r->type);
	struct field_errors *errors = ARENA_NEW(&c->arena, struct field_errors);
	field_errors_init(errors, &c->arena);
	validate_object(errors, r, object, old, u->sub);
	if (!errors->count)
		return object;
	call_respond_invalid(c, r, c->route.name, errors);
	return NULL;
}

/* ---- carrying it out ---- */

static bool is_empty(const struct json *list)
{
	return !list || !list->first;
}

/* A dying object that nothing holds back any more. */
static bool may_go(const struct resource *r, const struct json *object)
{
	struct json *meta = json_get(object, "metadata");
	if (!json_get_str(meta, "deletionTimestamp").len || !is_empty(json_get(meta, "finalizers")))
		return false;
	if (json_get_int(meta, "deletionGracePeriodSeconds", 0) > 0)
		return false;
	bool is_namespace = strategy_is_core(r, "namespaces");
	return !is_namespace || is_empty(json_path(object, "spec", "finalizers", NULL));
}

static bool unchanged(const struct update *u)
{
	struct rcbuf *text = object_finish(strbuf_slice(&u->write.text), u->write.old->revision);
	bool same =
	        text->len == u->write.old->json->len && memcmp(text->data, u->write.old->json->data, text->len) == 0;
	rcbuf_unref(text);
	return same;
}

static void done(struct write *w, const struct err *err, int64_t revision)
{
	struct update *u = (struct update *)w;
	struct call *c = w->call;
	struct err e = *err;
	if (!err->code) {
		struct rcbuf *text = object_finish(strbuf_slice(&w->text), revision);
		write_release(w);
		call_respond_object(c, 200, text, c->route.resource->storage);
		return;
	}
	write_release(w);
	if (err->code == ERR_CONFLICT && !c->gone && !u->named_version && ++w->attempts < WRITE_ATTEMPTS_MAX) {
		update_now(c);
		return;
	}
	if (err->code == ERR_CONFLICT)
		status_conflict(&e, c->route.resource, c->route.name);
	call_respond_err(c, &e);
}

static void carry_out(struct update *u, struct json *object)
{
	struct call *c = u->write.call;
	const struct resource *r = c->route.resource;
	u->write.kind = may_go(r, object) ? WRITE_REMOVE : WRITE_PUT;
	strategy_write(&u->write.text, object);
	if (u->write.kind == WRITE_PUT && (u->dry_run || unchanged(u))) {
		struct rcbuf *text = object_finish(strbuf_slice(&u->write.text), u->write.old->revision);
		write_release(&u->write);
		call_respond_object(c, 200, text, r->storage);
		return;
	}
	u->write.done = done;
	write_submit(&u->write, r->storage, c->route.ns, c->route.name);
}

/* The old state in the form of the route's row, without its resourceVersion. */
static struct json *old_tree(struct call *c, const struct object *o, struct err *err)
{
	const struct resource *r = c->route.resource;
	struct json *tree = json_parse(&c->arena, object_text(o), NULL, err);
	if (!tree || resource_convert(&c->arena, tree, r->storage, r, err) != 0)
		return NULL;
	json_del(json_get(tree, "metadata"), "resourceVersion");
	return tree;
}

static void update_now(struct call *c)
{
	struct update *u = c->handler_data;
	const struct resource *r = c->route.resource;
	struct err err = ERR_INIT;
	struct object *o = api_route_object(c);
	if (!o) {
		status_not_found(&err, r, c->route.name);
		call_respond_err(c, &err);
		return;
	}
	u->write.old = object_ref(o);
	struct json *old = old_tree(c, o, &err), *object = old ? build(c, u, old, &err) : NULL;
	if (object && resource_convert(&c->arena, object, r, r->storage, &err) != 0)
		object = NULL;
	if (object) {
		carry_out(u, object);
		return;
	}
	write_release(&u->write);
	if (err.code)
		call_respond_err(c, &err);
}

void api_update(struct call *c)
{
	struct update *u = ARENA_NEW(&c->arena, struct update);
	struct err err = ERR_INIT;
	u->write.call = c;
	u->sub = c->route.sub ? c->route.sub->name : "";
	c->handler_data = u;
	if (body_dry_run(c, &u->dry_run, &err) != 0) {
		call_respond_err(c, &err);
		return;
	}
	api_when_fresh(c, false, update_now);
}
