/* ValidatingAdmissionPolicy: every policy that is bound is asked about every request that it is for, once for each
 * binding and parameter. Upstream: apiserver pkg/admission/plugin/policy/validating/dispatcher.go.
 *
 * What a policy has against a request is denied, told as a warning, or noted in its audit event, as the binding
 * says. All are asked, and the first that denies is the answer. What is set up wrongly (no such parameter, a namespace
 * that is not there) is a denial, too, unless the policy's failurePolicy is Ignore. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/server/admission/cel_request.h"
#include "api/server/audit/audit.h"
#include "api/server/admission/policies/policy_params.h"
#include "api/server/call.h"
#include "api/server/converting/conversion.h"
#include "api/server/status.h"
#include "base/check.h"

struct dispatch {
	struct admission *a;
	const struct policy *policy;
	const struct resource *resource; /* in whose form the policy sees the object */
	const struct resource *made_for; /* and in which the request was made; NULL: not yet */
	struct cel_request *request;
	struct strbuf failures; /* for audits: a JSON array without its end */
	/* the first denial */
	const char *denied, *reason;
};

static void deny(struct dispatch *d, const struct policy_binding *b, const char *message, const char *reason)
{
	if (d->denied)
		return;
	d->denied =
	        b ? arena_printf(d->a->arena, "ValidatingAdmissionPolicy '%.*s' with binding '%.*s' denied request: %s",
	                    SLICE_FMT(d->policy->name), SLICE_FMT(b->name), message)
	          : arena_printf(d->a->arena, "ValidatingAdmissionPolicy '%.*s' denied request: %s",
	                    SLICE_FMT(d->policy->name), message);
	d->reason = reason;
}

static void is_misconfigured(struct dispatch *d, const struct policy_binding *b, const char *why)
{
	if (!d->policy->ignores_failure)
		deny(d, b, arena_printf(d->a->arena, "failed to configure %s: %s", b ? "binding" : "policy", why),
		        "Invalid");
}

/* ---- what a binding does with it ---- */

static void note_failure(struct dispatch *d, const struct policy_binding *b, const char *message, size_t check)
{
	struct strbuf *text = &d->failures;
	if (!d->a->call->audit)
		return;
	strbuf_adds(text, text->len ? ",{\"message\":" : "[{\"message\":");
	json_write_str(text, slice_of(message));
	strbuf_adds(text, ",\"policy\":");
	json_write_str(text, d->policy->name);
	strbuf_adds(text, ",\"binding\":");
	json_write_str(text, b->name);
	strbuf_addf(text, ",\"expressionIndex\":%zu,\"validationActions\":", check);
	json_write(text, json_get(b->spec, "validationActions"));
	strbuf_addc(text, '}');
}

/* All that failed, of all policies, is one annotation. */
static void note_failures(struct dispatch *d)
{
	if (d->failures.len) {
		strbuf_addc(&d->failures, ']');
		audit_annotate(d->a->call, "validation.policy.admission.k8s.io/validation_failure",
		        strbuf_slice(&d->failures));
	}
	strbuf_release(&d->failures);
}

static void act(struct dispatch *d, const struct policy_binding *b, const struct policy_outcome *o)
{
	for (size_t i = 0; i < o->count; i++) {
		const char *message = o->denials[i].message;
		if (o->denials[i].is_always)
			deny(d, b, message, o->denials[i].reason);
		JSON_FOREACH (it, o->denials[i].is_always ? NULL : json_get(b->spec, "validationActions")) {
			if (slice_is(json_str(it), "Deny"))
				deny(d, b, message, o->denials[i].reason);
			else if (slice_is(json_str(it), "Warn"))
				call_warn(d->a->call, arena_printf(&d->a->call->arena,
				                              "Validation failed for ValidatingAdmissionPolicy '%.*s' "
				                              "with binding '%.*s': %s",
				                              SLICE_FMT(d->policy->name), SLICE_FMT(b->name), message));
			else
				note_failure(d, b, message, o->denials[i].check);
		}
	}
	for (size_t i = 0; i + 1 < o->note_count; i += 2)
		audit_annotate(d->a->call, o->notes[i], slice_of(o->notes[i + 1]));
}

/* ---- asking ---- */

static void ask_bound(struct dispatch *d, const struct policy_binding *b)
{
	const struct resource *unused;
	struct policy_params params;
	struct err err = ERR_INIT;
	int rc = b->fault ? err_set(&err, ERR_INVAL, "%s", b->fault)
	                  : admission_matcher_ask(b->matcher, d->a, &unused, &err);
	if (rc == 0)
		return;
	if (rc >= 0 && policy_params_get(d->a, d->policy, b, &params, &err) != 0)
		rc = d->a->lacking ? 0 : err.code;
	if (rc == 0) /* asked again when its parameter is there */
		return;
	if (rc < 0) {
		is_misconfigured(d, b, err.msg);
		return;
	}
	if (d->made_for != d->resource && params.count) {
		d->request = ARENA_NEW(d->a->arena, struct cel_request);
		d->made_for = NULL;
		if (cel_request_init(d->request, d->a, d->resource, &err) != 0) {
			is_misconfigured(d, b, err.msg);
			return;
		}
		d->made_for = d->resource;
	}
	struct policy_outcome *o = ARENA_NEW(d->a->arena, struct policy_outcome);
	for (size_t i = 0; i < params.count; i++) {
		d->request->values[POLICY_PARAMS] = cel_of_json(d->a->arena, params.items[i], NULL);
		policy_ask(d->policy, d->a->arena, d->request->values, o);
		act(d, b, o);
	}
}

static bool is_bound(const struct policies *all, const struct policy *p)
{
	for (size_t i = 0; i < all->binding_count; i++)
		if (slice_eq(all->bindings[i]->policy, p->name))
			return true;
	return false;
}

static void ask(struct dispatch *d, const struct policies *all)
{
	struct err err = ERR_INIT;
	int rc = d->policy->fault ? err_set(&err, ERR_INVAL, "%s", d->policy->fault)
	                          : admission_matcher_ask(d->policy->matcher, d->a, &d->resource, &err);
	if (rc == 0)
		return;
	if (rc < 0) {
		is_misconfigured(d, NULL, err.msg);
		return;
	}
	for (size_t i = 0; i < all->binding_count; i++)
		if (slice_eq(all->bindings[i]->policy, d->policy->name))
			ask_bound(d, all->bindings[i]);
}

/* ---- the answer ---- */

static int code_of(const char *reason)
{
	return strcmp(reason, "Unauthorized") == 0            ? ERR_UNAUTHENTICATED
	       : strcmp(reason, "Forbidden") == 0             ? ERR_FORBIDDEN
	       : strcmp(reason, "RequestEntityTooLarge") == 0 ? ERR_TOO_BIG
	                                                      : ERR_INVALID_OBJECT;
}

static int refuse(struct admission *a, const struct dispatch *d, struct err *err)
{
	struct arena *arena = &a->call->arena;
	int code = code_of(d->reason);
	const char *cause = arena_strdup(arena, d->denied);
	admission_forbid(a, err, cause);
	struct json *status = status_new(arena, err_http_status(code), d->reason, a->call->words);
	struct json *details = json_need(arena, status, "details", JSON_OBJECT), *one = json_new(arena, JSON_OBJECT);
	json_set_str(arena, details, "name", a->name);
	if (*a->resource->group)
		json_set_cstr(arena, details, "group", a->resource->group);
	json_set_cstr(arena, details, "kind", a->resource->plural);
	json_set_cstr(arena, one, "message", cause);
	json_append(json_need(arena, details, "causes", JSON_ARRAY), one);
	a->call->status = status;
	return err_set(err, code, "%s", a->call->words);
}

/* A version in which some policy sees the object is not known yet. */
static bool lacks_forms(struct admission *a, const struct policies *all)
{
	for (size_t i = 0; a->resource->conversion && i < all->policy_count && all->binding_count; i++) {
		const struct policy *p = all->policies[i];
		const struct resource *r;
		struct err err = ERR_INIT;
		if (p->fault || !is_bound(all, p) || admission_matcher_ask(p->matcher, a, &r, &err) <= 0)
			continue;
		admission_object_as(a, a->object, r, &err);
		admission_object_as(a, a->old, r, &err);
	}
	return conversion_is_wanted(a->resource);
}

int admit_by_policies(struct admission *a, struct err *err)
{
	struct dispatch d = {.a = a, .failures = STRBUF_INIT};
	size_t warnings = a->call->n_warnings;
	if (a->was_asked || admission_is_exempt(a))
		return 0;
	const struct policies *all = policies_get(a->call->server);
	if (lacks_forms(a, all))
		return admission_get_forms(a, a->resource);
	for (size_t i = 0; i < all->policy_count && all->binding_count; i++) {
		if (!is_bound(all, all->policies[i]))
			continue;
		d.policy = all->policies[i];
		ask(&d, all);
	}
	if (a->lacking) { /* what was said is said again */
		strbuf_release(&d.failures);
		a->call->n_warnings = warnings;
		return admission_get_forms(a, a->lacking);
	}
	note_failures(&d);
	return d.denied ? refuse(a, &d, err) : 0;
}
