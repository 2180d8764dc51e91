/* Who writes a policy or binds it must be allowed to read what it takes as parameters: else its messages would show him
 * what he may not see. Upstream does this in the storage of the group (pkg/registry/admissionregistration), field by
 * field; the words are its, but for how a user is shown.
 *
 * Of a policy the verb get is asked for on all objects of paramKind, of a binding on what paramRef names, of the kind
 * that its policy has. Whoever is of system:masters is not asked for, nor what is as it was. What is not known (a kind,
 * a policy) stands for everything. The answer may take a turn of the loop. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/server/auth/rights/authorize.h"
#include "api/server/call.h"
#include "base/check.h"

struct question {
	struct admission *a;
	struct authorization z;
	const char *field, *why; /* of the refusal */
};

static void known(struct authorization *z)
{
	struct question *q = CONTAINER_OF(z, struct question, z);
	struct err err = ERR_INIT;
	if (z->verdict != VERDICT_ALLOW) {
		field_error_add(q->a->errors, "FieldValueForbidden", q->field, "Forbidden: %s", q->why);
		err_set(&err, ERR_INVALID_OBJECT, "%s: Forbidden: %s", q->field, q->why);
	}
	admission_resume(q->a, &err);
}

/* "*" for what nobody knows. */
static void name_resource(struct attributes *at, struct arena *a, const struct json *param_kind)
{
	struct slice version = json_get_str(param_kind, "apiVersion"), rest = version, first = slice_cut(&rest, '/');
	struct resource_snapshot *s = resources_snapshot();
	const struct resource *r = resources_snapshot_find_kind(s, version, json_get_str(param_kind, "kind"));
	at->group = at->version = at->resource = SLICE("*");
	if (version.len) {
		at->group = rest.ptr ? first : SLICE("");
		at->version = rest.ptr ? rest : first;
	}
	if (r)
		at->resource = slice_of(arena_strdup(a, r->plural));
	resources_snapshot_unref(s);
}

static int ask(struct admission *a, const struct json *param_kind, struct slice ns, struct slice name,
        const char *field, const char *why)
{
	struct question *q = ARENA_NEW(a->arena, struct question);
	*q = (struct question){.a = a, .field = field, .why = why};
	q->z = (struct authorization){.arena = a->arena,
	        .done = known,
	        .attributes = {
	                .user = a->call->user, .is_resource = true, .verb = SLICE("get"), .ns = ns, .name = name}};
	name_resource(&q->z.attributes, a->arena, param_kind);
	authorize(a->call->server, &q->z);
	return ADMISSION_LATER;
}

static bool is_same(const struct admission *a, const char *member)
{
	return a->old &&
	       json_equal(json_path(a->object, "spec", member, NULL), json_path(a->old, "spec", member, NULL));
}

int admit_param_kind(struct admission *a, struct err *err)
{
	const struct json *kind = json_path(a->object, "spec", "paramKind", NULL);
	if (!json_is(kind, JSON_OBJECT) || is_same(a, "paramKind") || user_is_in(a->call->user, "system:masters"))
		return 0;
	return ask(a, kind, SLICE("*"), SLICE("*"), "spec.paramKind",
	        arena_printf(a->arena,
	                "user %.*s must have \"get\" permission on all objects of the referenced paramKind (kind=%.*s, "
	                "apiVersion=%.*s)",
	                SLICE_FMT(a->call->user->name), SLICE_FMT(json_get_str(kind, "kind")),
	                SLICE_FMT(json_get_str(kind, "apiVersion"))));
}

static const struct json *kind_of_policy(struct admission *a, struct slice policy)
{
	struct err err = ERR_INIT;
	struct object *o = admission_lookup(a, "admissionregistration.k8s.io", "validatingadmissionpolicies", policy);
	const struct json *tree = o ? json_parse(a->arena, object_text(o), NULL, &err) : NULL;
	return json_path(tree, "spec", "paramKind", NULL);
}

int admit_param_ref(struct admission *a, struct err *err)
{
	const struct json *spec = json_get(a->object, "spec"), *ref = json_get(spec, "paramRef");
	if (!json_is(ref, JSON_OBJECT) || (is_same(a, "paramRef") && is_same(a, "policyName")) ||
	        user_is_in(a->call->user, "system:masters"))
		return 0;
	return ask(a, kind_of_policy(a, json_get_str(spec, "policyName")), json_get_str(ref, "namespace"),
	        json_get_str(ref, "name"), "spec.paramRef",
	        arena_printf(a->arena,
	                "user %.*s does not have \"get\" permission on the object referenced by paramRef",
	                SLICE_FMT(a->call->user->name)));
}
