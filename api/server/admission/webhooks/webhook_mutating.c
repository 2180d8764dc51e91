/* MutatingAdmissionWebhook: those that want to know of the request are asked one after the other, each about what those
 * before it made of the object.
 *
 *     every webhook in order --(one has changed the object)--> the plugins before this one, again
 *          --> once more those with reinvocationPolicy IfNeeded whose object was changed after they saw it
 *
 * Upstream: apiserver pkg/admission/plugin/webhook/mutating and pkg/admission/reinvocation.go. There is no third time.
 *
 * What can go wrong: a patch that does not apply, or leaves no such object: then the request is refused, whatever the
 * failurePolicy is, for the webhook has answered. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/machinery/patch/patch.h"
#include "api/server/admission/webhooks/webhook_call.h"
#include "api/server/audit/audit.h"
#include "api/server/call.h"
#include "api/server/converting/conversion.h"
#include "base/check.h"

/* One with IfNeeded that was asked in the first pass. */
struct earlier {
	struct earlier *next;
	const char *id;
	bool is_due; /* once more */
};

struct webhook_passes {
	struct admission *a;
	struct webhooks *set; /* while a pass runs */
	size_t at;
	bool is_second, has_changed;
	struct earlier *earlier;
	struct json
	        *changed; /* what the last one asked made of the object, in the version that it saw; NULL: as it was */
	const struct json *output; /* of the first pass, when somebody may be asked once more */
	bool is_asked;             /* the call is through, and settled when the forms are there */
	struct webhook_call call;
};

/* ---- patches ---- */

static int refuse_patch(struct webhook_passes *p, const char *why, struct err *err)
{
	return webhook_internal_error(p->a, why, err);
}

/* The shown object, patched; NULL: it stays as it is, or an error. */
static struct json *patched(struct webhook_passes *p, struct err *err)
{
	struct arena *arena = p->a->arena;
	struct json *patch = json_parse(arena, p->call.answer.patch, NULL, err);
	if (patch && patch->type != JSON_ARRAY)
		err_set(err, ERR_INVAL, "the patch is no list of operations");
	if (err->code || !patch->count)
		return NULL;
	struct json *object = json_copy(arena, p->call.shown);
	if (patch_json_apply(arena, &object, patch, err) != 0)
		return NULL;
	if (!json_is(object, JSON_OBJECT)) {
		err_set(err, ERR_INVAL, "the patch does not leave an object");
		return NULL;
	}
	return json_equal(object, p->call.shown) ? NULL : object;
}

/* Into the audit event: who has been asked, and whether he changed it. */
static void note_mutation(struct webhook_passes *p, bool mutated)
{
	struct arena *arena = p->a->arena;
	const struct webhook_call *k = &p->call;
	struct json *v = json_new(arena, JSON_OBJECT);
	CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT;
	if (!p->a->call->audit)
		return;
	json_set_str(arena, v, "configuration", (struct slice){k->hook->id, strcspn(k->hook->id, "/")});
	json_set_cstr(arena, v, "webhook", k->hook->name);
	json_set_bool(arena, v, "mutated", mutated);
	json_write(&text, v);
	audit_annotate(p->a->call,
	        arena_printf(arena, "mutation.webhook.admission.k8s.io/round_%u_index_%zu", k->round, k->index),
	        strbuf_slice(&text));
}

static void call_again(struct webhook_passes *p)
{
	for (struct earlier *e = p->earlier; e; e = e->next)
		e->is_due = true;
}

static int refuse_object(struct webhook_passes *p, const struct err *why, struct err *err)
{
	return refuse_patch(p,
	        arena_printf(p->a->arena, "admission webhook \"%s\": its patch cannot be applied: %s",
	                p->call.hook->name, why->msg),
	        err);
}

static int apply(struct webhook_passes *p, struct err *err)
{
	struct admission *a = p->a;
	struct err why = ERR_INIT;
	if (!p->call.answer.patch.len) {
		note_mutation(p, false);
		return 0;
	}
	if (!p->call.shown || !a->replace)
		return refuse_patch(p,
		        arena_printf(a->arena,
		                "admission webhook \"%s\" attempted to modify the object, which is not supported for "
		                "this operation",
		                p->call.hook->name),
		        err);
	p->changed = patched(p, &why);
	if (why.code)
		return refuse_object(p, &why, err);
	note_mutation(p, p->changed != NULL);
	return 0;
}

/* What it made of the object is the object. ADMISSION_LATER: its form in the request's version is not known yet. */
static int replace(struct webhook_passes *p, struct err *err)
{
	struct admission *a = p->a;
	struct err why = ERR_INIT;
	if (p->call.resource != a->resource)
		resource_convert(a->arena, p->changed, p->call.resource, a->resource, &why);
	if (conversion_is_wanted(a->resource))
		return ADMISSION_LATER;
	if (!why.code)
		a->replace(a, p->changed, &why);
	p->changed = NULL;
	if (why.code)
		return refuse_object(p, &why, err);
	p->has_changed = true;
	call_again(p);
	return 0;
}

/* ---- a pass ---- */

static bool is_due(const struct webhook_passes *p, const struct webhook *w)
{
	for (const struct earlier *e = p->earlier; e; e = e->next)
		if (strcmp(e->id, w->id) == 0)
			return e->is_due;
	return false;
}

static void remember(struct webhook_passes *p, const struct webhook *w)
{
	struct earlier *e = ARENA_NEW(p->a->arena, struct earlier);
	e->id = arena_strdup(p->a->arena, w->id);
	e->next = p->earlier;
	p->earlier = e;
}

/* The end of one that was asked; again when it is later. */
static int settle(struct webhook_passes *p, struct err *err)
{
	int rc = p->changed ? replace(p, err) : 0;
	if (rc == 0 && p->call.hook->reinvokes && !p->is_second)
		remember(p, p->call.hook);
	return rc;
}

static int take_answer(struct webhook_passes *p, struct err *err)
{
	p->is_asked = true;
	p->changed = NULL;
	if (webhook_call_judge(&p->call, err) != 0 || (!p->call.err.code && apply(p, err) != 0))
		return err->code;
	return settle(p, err);
}

static int end_pass(struct webhook_passes *p, int rc)
{
	webhooks_unref(TAKE(p->set));
	if (rc != 0 || p->is_second)
		return rc;
	p->is_second = true;
	if (!p->has_changed)
		return 0;
	p->output = p->earlier ? json_copy(p->a->arena, p->a->object) : NULL;
	p->a->at = 0;
	return 0;
}

static void answered(struct webhook_call *c);
static int go_on(struct webhook_passes *p, struct err *err);

static void forms_are_there(void *arg, const struct err *why)
{
	struct webhook_passes *p = arg;
	struct err err = *why;
	if (err.code)
		conversion_blame(p->a->call, &err);
	int rc = err.code || !p->is_asked ? err.code : settle(p, &err);
	if (rc == 0)
		rc = go_on(p, &err);
	else if (rc == ADMISSION_LATER)
		conversion_ask(p->a->resource, forms_are_there, p);
	else
		rc = end_pass(p, rc);
	if (rc != ADMISSION_LATER)
		admission_resume(p->a, &err);
}

static int get_forms(struct webhook_passes *p)
{
	conversion_ask(p->a->resource, forms_are_there, p);
	return ADMISSION_LATER;
}

/* The object as the webhook sees it is known; or it is not, and is wanted now. */
static bool is_known(struct webhook_passes *p, const struct resource *r)
{
	struct err err = ERR_INIT;
	if (!p->a->resource->conversion)
		return true;
	admission_object_as(p->a, p->a->object, r, &err);
	admission_object_as(p->a, p->a->old, r, &err);
	return !conversion_is_wanted(p->a->resource);
}

/* From p->at on. */
static int go_on(struct webhook_passes *p, struct err *err)
{
	while (p->at < p->set->count) {
		struct webhook *w = &p->set->items[p->at++];
		const struct resource *r;
		if (p->is_second && !is_due(p, w))
			continue;
		int rc = webhook_wants(w, p->a, &r, err);
		if (rc == 0)
			continue;
		if (conversion_is_wanted(p->a->resource) || (rc > 0 && !is_known(p, r))) {
			p->at--;
			p->is_asked = false;
			*err = ERR_INIT;
			return get_forms(p);
		}
		if (rc < 0)
			return end_pass(p, rc);
		p->call = (struct webhook_call){.a = p->a,
		        .hook = w,
		        .resource = r,
		        .may_patch = true,
		        .round = p->is_second,
		        .index = p->at - 1,
		        .done = answered,
		        .arg = p};
		if (webhook_call_send(&p->call))
			return ADMISSION_LATER;
		rc = take_answer(p, err);
		if (rc != 0)
			return rc == ADMISSION_LATER ? get_forms(p) : end_pass(p, rc);
	}
	return end_pass(p, 0);
}

static void answered(struct webhook_call *c)
{
	struct webhook_passes *p = c->arg;
	struct err err = ERR_INIT;
	int rc = p->a->call->gone ? err_set(&err, ERR_CANCELED, "the client went away") : take_answer(p, &err);
	if (rc == ADMISSION_LATER)
		get_forms(p);
	else
		rc = rc == 0 ? go_on(p, &err) : end_pass(p, rc);
	if (rc != ADMISSION_LATER)
		admission_resume(p->a, &err);
}

int admit_by_mutating_webhooks(struct admission *a, struct err *err)
{
	struct webhook_passes *p = a->webhooks;
	if (a->was_asked || admission_is_exempt(a) || (p && p->is_second && !p->output))
		return 0;
	struct webhooks *set = webhooks_get(a->call->server, true);
	if (!set->count) {
		webhooks_unref(set);
		return 0;
	}
	if (!p) {
		p = a->webhooks = ARENA_NEW(a->arena, struct webhook_passes);
		p->a = a;
	}
	p->set = set;
	p->at = 0;
	if (p->is_second && !json_equal(p->output, a->object))
		call_again(p); /* plugins have changed it since */
	return go_on(p, err);
}
