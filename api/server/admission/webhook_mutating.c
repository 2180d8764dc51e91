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
#include "api/server/admission/admission_int.h"

#include "api/machinery/patch/patch.h"
#include "api/server/admission/webhook_call.h"
#include "api/server/audit/audit.h"
#include "api/server/call.h"
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
	const struct json *output; /* of the first pass, when somebody may be asked once more */
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
	struct json *object = patched(p, &why);
	if (object && p->call.resource != a->resource)
		resource_convert(a->arena, object, p->call.resource, a->resource, &why);
	if (object && !why.code)
		a->replace(a, object, &why);
	if (why.code)
		return refuse_patch(p,
		        arena_printf(a->arena, "admission webhook \"%s\": its patch cannot be applied: %s",
		                p->call.hook->name, why.msg),
		        err);
	note_mutation(p, object != NULL);
	if (object) {
		p->has_changed = true;
		call_again(p);
	}
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

static int take_answer(struct webhook_passes *p, struct err *err)
{
	struct webhook *w = p->call.hook;
	if (webhook_call_judge(&p->call, err) != 0 || (!p->call.err.code && apply(p, err) != 0))
		return err->code;
	if (w->reinvokes && !p->is_second)
		remember(p, w);
	return 0;
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
		if (take_answer(p, err) != 0)
			return end_pass(p, err->code);
	}
	return end_pass(p, 0);
}

static void answered(struct webhook_call *c)
{
	struct webhook_passes *p = c->arg;
	struct err err = ERR_INIT;
	int rc = p->a->call->gone ? err_set(&err, ERR_CANCELED, "the client went away") : take_answer(p, &err);
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
