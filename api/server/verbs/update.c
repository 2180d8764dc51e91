/* PUT and PATCH, of objects and of their status-like subresources.
 *
 * The new state is computed from the cached one and swapped in if nobody else was faster. A client that named a
 * resourceVersion gets 409 when it lost; one that did not is computed again on the newer state, a few times. An update
 * that changes nothing is not written. One that removes the last finalizer of a dying object deletes it. */
#include "api/server/verbs/apply.h"
#include "api/server/verbs/verbs.h"

#include "api/machinery/codec/decode.h"
#include "api/machinery/patch/patch.h"
#include "api/server/answer.h"
#include "api/server/body.h"
#include "base/check.h"

static int refuse_patch_type(struct call *c, struct err *err)
{
	return err_set(err, ERR_MEDIA_TYPE,
	        "the body of the request was in an unknown format - accepted media types include: "
	        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml%s",
	        c->route.resource->is_custom ? "" : ", application/strategic-merge-patch+json");
}

/* A JSON patch works on the object as clients see it, for it may test, copy and replace every part of that: version and
 * managedFields are laid in. The version binds only a patch that has changed it. */
static struct json *json_patched(struct mutation *m, const struct json *patch, struct err *err)
{
	struct rcbuf *whole = object_whole(m->before);
	struct json *object = json_parse(m->arena, (struct slice){whole->data, whole->len}, NULL, err), *meta, *version;
	rcbuf_unref(whole);
	if (!object || resource_convert(m->arena, object, m->resource->storage, m->resource, err) != 0 ||
	        patch_json_apply(m->arena, &object, patch, err) != 0)
		return NULL;
	meta = json_get(object, "metadata");
	version = json_get(meta, "resourceVersion");
	int64_t revision;
	if (version && slice_to_i64(json_str(version), &revision) && revision == m->before->revision)
		json_remove(meta, version);
	return object;
}

static struct json *patched(struct mutation *m, struct err *err)
{
	struct call *c = m->call;
	struct json *patch = json_parse(m->arena, c->body, NULL, err), *object;
	if (!patch) {
		err_wrap(err, "the patch is not valid JSON");
		return NULL;
	}
	if (body_is(c, "application/json-patch+json"))
		return json_patched(m, patch, err);
	if (patch->type != JSON_OBJECT) {
		err_set(err, ERR_INVAL, "the patch must be a JSON object, not %s", json_type_name(patch->type));
		return NULL;
	}
	object = json_copy(m->arena, m->old);
	if (body_is(c, "application/merge-patch+json"))
		return patch_merge_apply(m->arena, object, patch);
	CHECK(m->resource->type != NULL);
	return patch_strategic_apply(m->arena, object, patch, m->resource->type, err) == 0 ? object : NULL;
}

static bool is_patch_type(const struct mutation *m)
{
	return body_is(m->call, "application/json-patch+json") || body_is(m->call, "application/merge-patch+json") ||
	       (body_is(m->call, "application/strategic-merge-patch+json") && m->resource->type &&
	               !m->resource->is_custom);
}

/* A patched tree is decoded like a body: unknown fields and wrong types come from the patch. */
static int decode_patched(struct mutation *m, struct json *object, struct err *err)
{
	enum decode_validation validation;
	struct decode_problems problems;
	if (!json_is(object, JSON_OBJECT))
		return err_set(err, ERR_INVALID_OBJECT, "the patch does not leave an object");
	if (!m->resource->type)
		return 0;
	decode_problems_init(&problems, m->arena);
	if (decode_validation_parse(call_param(m->call, "fieldValidation"), &validation, err) != 0 ||
	        decode_object(m->arena, object, m->resource->type, 0, &problems, err) != 0 ||
	        decode_problems_judge(&problems, validation, err) != 0)
		return err->code;
	for (size_t i = 0; validation == DECODE_WARN && i < problems.count; i++)
		call_warn(m->call, problems.texts[i]);
	return 0;
}

static int decode(struct mutation *m, struct err *err)
{
	const struct resource *r = m->resource;
	call_drop_warnings(m->call);
	if (m->call->route.verb == RESOURCE_UPDATE) {
		m->object = body_read(m->call, r->type, r->kind, r->api_version, err);
	} else {
		m->object = patched(m, err);
		if (m->object && decode_patched(m, m->object, err) != 0)
			m->object = NULL;
	}
	return m->object ? mutation_check_identity(m, m->object, err) : err->code;
}

static void answer(struct mutation *m)
{
	mutation_answer_object(m, 200);
}

static const struct mutation_verb verb = {
        .name = "update", .operation = ADMISSION_UPDATE, .decode = decode, .answer = answer};

void api_update(struct call *c)
{
	struct mutation *m = ARENA_NEW(&c->arena, struct mutation);
	struct err err = ERR_INIT;
	LOOP_CHECK_OWNER(c->loop);
	if (apply_is(c)) {
		api_apply(c);
		return;
	}
	mutation_init(m, &verb, c, &c->arena);
	if (managing_refuses(c, c->route.verb == RESOURCE_PATCH ? "PatchOptions" : "UpdateOptions", false))
		return;
	if (body_dry_run(c, &m->is_dry_run, &err) != 0 ||
	        (c->route.verb == RESOURCE_PATCH && !is_patch_type(m) && refuse_patch_type(c, &err) != 0))
		call_respond_err(c, &err);
	else
		mutation_start(m);
}
