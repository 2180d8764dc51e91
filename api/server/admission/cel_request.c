/* See cel_request.h. Upstream: CreateAdmissionRequest of apiserver pkg/admission/plugin/cel. */
#include "api/server/admission/cel_request.h"
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"
#include "api/server/admission/match.h"

#include "api/server/auth/rights/authorize.h"
#include "api/server/call.h"
#include "api/server/state.h"
#include "base/check.h"

/* ---- the request ---- */

static void set_triple(struct arena *a, struct json *to, const char *name, const char *group, const char *version,
        const char *third, const char *value)
{
	struct json *v = json_set(a, to, name, json_new(a, JSON_OBJECT));
	json_set_cstr(a, v, "group", group);
	json_set_cstr(a, v, "version", version);
	json_set_cstr(a, v, third, value);
}

/* A resource and its kind; that of a subresource is what it speaks. */
static void set_kind(struct admission *a, struct json *to, const struct resource *r, const char *kind_name,
        const char *resource_name)
{
	if (a->as)
		set_triple(a->arena, to, kind_name, a->as->group, a->as->version, "kind", a->as->kind);
	else
		set_triple(a->arena, to, kind_name, r->group, r->version, "kind", r->kind);
	set_triple(a->arena, to, resource_name, r->group, r->version, "resource", r->plural);
}

static void set_user(struct arena *a, struct json *to, const struct user *u)
{
	struct json *v = json_set(a, to, "userInfo", json_new(a, JSON_OBJECT));
	json_set_str(a, v, "username", u->name);
	if (u->uid.len)
		json_set_str(a, v, "uid", u->uid);
	struct json *groups = json_set(a, v, "groups", json_new(a, JSON_ARRAY));
	for (size_t i = 0; i < u->n_groups; i++)
		json_append(groups, json_new_str(a, u->groups[i]));
	for (const struct user_extra *x = u->extras; x; x = x->next) {
		struct json *extra = json_need(a, v, "extra", JSON_OBJECT);
		struct json *list = json_get_slice(extra, x->key);
		if (!list)
			list = json_set_slice(a, extra, x->key, json_new(a, JSON_ARRAY));
		json_append(list, json_new_str(a, x->value));
	}
}

static void set_options(struct admission *a, struct json *to)
{
	static const char *const kinds[] = {[ADMISSION_CREATE] = "CreateOptions",
	        [ADMISSION_UPDATE] = "UpdateOptions",
	        [ADMISSION_DELETE] = "DeleteOptions"};
	static const char *const words[] = {"fieldManager", "fieldValidation"};
	if (a->operation == ADMISSION_CONNECT)
		return; /* they are the object */
	struct json *v = json_set(a->arena, to, "options", json_new(a->arena, JSON_OBJECT));
	json_set_cstr(a->arena, v, "kind", kinds[a->operation]);
	json_set_cstr(a->arena, v, "apiVersion", "meta.k8s.io/v1");
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		struct slice s = call_param(a->call, words[i]);
		if (s.len && a->operation != ADMISSION_DELETE)
			json_set_str(a->arena, v, words[i], s);
	}
	if (a->is_dry_run)
		json_append(json_need(a->arena, v, "dryRun", JSON_ARRAY), json_new_cstr(a->arena, "All"));
}

struct json *cel_request_json(struct admission *a, const struct resource *r)
{
	struct json *v = json_new(a->arena, JSON_OBJECT);
	bool is_namespace = resource_has(a->resource, KIND_IS_NAMESPACE);
	set_kind(a, v, r, "kind", "resource");
	json_set_cstr(a->arena, v, "subResource", a->sub);
	set_kind(a, v, a->resource, "requestKind", "requestResource");
	json_set_cstr(a->arena, v, "requestSubResource", a->sub);
	json_set_str(a->arena, v, "name", a->name);
	json_set_str(a->arena, v, "namespace", is_namespace ? a->name : a->ns.ptr ? a->ns : SLICE(""));
	json_set_cstr(a->arena, v, "operation", admission_operation_name(a->operation));
	set_user(a->arena, v, a->call->user);
	set_options(a, v);
	json_set_bool(a->arena, v, "dryRun", a->is_dry_run);
	return v;
}

/* ---- the authorizer ---- */

static struct user *account_user(struct arena *a, const struct kube_question *q)
{
	struct user *u = user_new(slice_of(arena_printf(a, "system:serviceaccount:%.*s:%.*s",
	                                  SLICE_FMT(q->service_account_ns), SLICE_FMT(q->service_account))),
	        SLICE(""));
	user_add_group(u, SLICE("system:serviceaccounts"));
	user_add_group(u, slice_of(arena_printf(a, "system:serviceaccounts:%.*s", SLICE_FMT(q->service_account_ns))));
	user_add_group(u, SLICE("system:authenticated"));
	return u;
}

static struct slice or_empty(struct slice s)
{
	return s.ptr ? s : SLICE("");
}

static void check(void *arg, struct arena *a, const struct kube_question *q, struct kube_answer *ret)
{
	const struct admission *admission = arg;
	struct user *u = q->service_account.len ? account_user(a, q) : user_ref(admission->call->user);
	struct authorization z = {.arena = a,
	        .explains = true,
	        .attributes = {.user = u,
	                .is_resource = q->is_resource,
	                .verb = or_empty(q->verb),
	                .group = or_empty(q->group),
	                .version = SLICE("*"),
	                .resource = or_empty(q->resource),
	                .subresource = or_empty(q->subresource),
	                .ns = or_empty(q->ns),
	                .name = or_empty(q->name),
	                .path = or_empty(q->path)}};
	ret->allowed = authorize_now(admission->call->server, &z) == VERDICT_ALLOW;
	ret->reason = z.reason;
	user_unref(u);
}

/* ---- all ---- */

/* What expressions may see of a namespace. */
static struct cel_value namespace_value(struct admission *a)
{
	struct object *o = a->resource->namespaced ? admission_lookup(a, "", "namespaces", a->ns) : NULL;
	struct json *tree = o ? json_parse(a->arena, object_text(o), NULL, NULL) : NULL;
	return cel_of_json(a->arena, tree, NULL);
}

int cel_request_init(struct cel_request *out, struct admission *a, const struct resource *r, struct err *err)
{
	*out = (struct cel_request){.admission = a, .authorizer = {check, a}};
	const struct json *object = admission_object_as(a, a->object, r, err),
	                  *old = admission_object_as(a, a->old, r, err);
	if (err->code)
		return err_wrap(err, "failed to convert object version");
	struct kube_question own = {.is_resource = true,
	        .group = slice_of(a->resource->group),
	        .resource = slice_of(a->resource->plural),
	        .subresource = slice_of(a->sub),
	        .ns = a->ns,
	        .name = a->name};
	for (size_t i = 0; i < POLICY_VARIABLES_MAX; i++)
		out->values[i] = cel_null();
	out->values[POLICY_OBJECT] = cel_of_json(a->arena, object, NULL);
	out->values[POLICY_OLD_OBJECT] = cel_of_json(a->arena, old, NULL);
	out->values[POLICY_REQUEST] = cel_of_json(a->arena, cel_request_json(a, r), &policy_request_type);
	out->values[POLICY_NAMESPACE] = namespace_value(a);
	out->values[POLICY_AUTHORIZER] = kube_authorizer_value(a->arena, &out->authorizer);
	out->values[POLICY_REQUEST_RESOURCE] = kube_resource_value(a->arena, &out->authorizer, &own);
	return 0;
}
