/* See policy_params.h. Upstream: CollectParams of apiserver pkg/admission/plugin/policy/generic. Parameters are objects
 * of any kind that the watch cache holds: one by its name, or all that a selector picks in one namespace. */
#include "api/server/admission/policies/policy_params.h"
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/server/call.h"
#include "api/server/converting/conversion.h"
#include "api/server/state.h"
#include "base/check.h"

/* What one policy may be asked with for one request. */
enum { PARAMS_MAX = 1000 };

static struct json *tree_of(struct admission *a, const struct resource *r, struct object *o)
{
	struct err err = ERR_INIT;
	struct json *tree = json_parse(a->arena, object_text(o), NULL, &err);
	if (!tree || resource_convert(a->arena, tree, r->storage, r, &err) == 0)
		return tree;
	if (!a->lacking && conversion_is_wanted(r))
		a->lacking = resource_ref(r);
	return NULL;
}

static int add(
        struct admission *a, const struct resource *r, struct object *o, struct policy_params *ret, struct err *err)
{
	if (ret->count == PARAMS_MAX)
		return err_set(err, ERR_INVAL, "paramRef.selector picks more than %d parameters", PARAMS_MAX);
	if (!ret->items)
		ret->items = ARENA_ARRAY(a->arena, struct json *, PARAMS_MAX);
	struct json *tree = tree_of(a, r, o);
	if (!tree)
		return err_set(err, ERR_INVAL, "parameter \"%.*s\" cannot be read as %s", SLICE_FMT(o->key), r->kind);
	ret->items[ret->count++] = tree;
	return 0;
}

/* All of a namespace ("": of a cluster-scoped kind) that the selector picks. */
static int select_params(struct admission *a, const struct resource *r, struct slice ns, const struct json *selector,
        struct policy_params *ret, struct err *err)
{
	struct label_selector s = {0};
	bool matches_nothing = false;
	const char *prefix = ns.len ? arena_printf(a->arena, "%.*s/", SLICE_FMT(ns)) : "";
	if (label_selector_from_json(a->arena, selector, &s, &matches_nothing, err) != 0)
		return err->code;
	struct cache_resource *cr = cache_resource(a->call->server->cache, r);
	struct omap_node *n = omap_seek(&cr->objects, slice_of(prefix));
	for (; n && slice_starts(n->key, prefix) && !matches_nothing; n = omap_next(n)) {
		struct object *o = n->value;
		if (label_selector_matches(&s, object_span(o, o->labels)) && add(a, r, o, ret, err) != 0)
			return err->code;
	}
	return 0;
}

static int find_params(struct admission *a, const struct resource *r, const struct json *ref, struct policy_params *ret,
        struct err *err)
{
	struct slice ns = json_get_str(ref, "namespace"), name = json_get_str(ref, "name");
	if (!r->namespaced && ns.len)
		return err_set(
		        err, ERR_INVAL, "paramRef.namespace must not be provided for a cluster-scoped `paramKind`");
	if (r->namespaced && !ns.len)
		ns = resource_has(a->resource, KIND_IS_NAMESPACE) ? a->name : a->ns;
	if (r->namespaced && !ns.len)
		return err_set(err, ERR_INVAL,
		        "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources");
	if (!name.len)
		return select_params(a, r, r->namespaced ? ns : SLICE(""), json_get(ref, "selector"), ret, err);
	struct slice key = name;
	if (r->namespaced)
		key = slice_of(arena_printf(a->arena, "%.*s/%.*s", SLICE_FMT(ns), SLICE_FMT(name)));
	struct object *o = cache_get(cache_resource(a->call->server->cache, r), key);
	return o ? add(a, r, o, ret, err) : 0;
}

int policy_params_get(struct admission *a, const struct policy *p, const struct policy_binding *b,
        struct policy_params *ret, struct err *err)
{
	static struct json *none[1];
	const struct json *kind = json_get(p->spec, "paramKind"), *ref = json_get(b->spec, "paramRef");
	*ret = (struct policy_params){0};
	if (!json_is(kind, JSON_OBJECT) || !json_is(ref, JSON_OBJECT)) {
		*ret = (struct policy_params){none, 1};
		return 0;
	}
	struct resource_snapshot *s = resources_snapshot();
	const struct resource *r =
	        resources_snapshot_find_kind(s, json_get_str(kind, "apiVersion"), json_get_str(kind, "kind"));
	int rc = r && r->storage_prefix
	                 ? find_params(a, r, ref, ret, err)
	                 : err_set(err, ERR_INVAL, "paramKind kind `%.*s, Kind=%.*s` not known",
	                           SLICE_FMT(json_get_str(kind, "apiVersion")), SLICE_FMT(json_get_str(kind, "kind")));
	resources_snapshot_unref(s);
	if (rc == 0 && !ret->count && slice_is(json_get_str(ref, "parameterNotFoundAction"), "Deny"))
		return err_set(
		        err, ERR_INVAL, "no params found for policy binding with `Deny` parameterNotFoundAction");
	return rc;
}
