/* See match.h. Upstream: apiserver pkg/admission/plugin/policy/matching and plugin/webhook/predicates. */
#include "api/server/admission/match.h"
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "base/check.h"

struct admission_matcher {
	struct label_selector ns, object;
	const struct json *rules, *excluded; /* NULL: none */
	bool is_exact;
};

static int read_selector(
        struct arena *a, const struct json *v, const char *name, struct label_selector *out, struct err *err)
{
	bool matches_nothing = false;
	const struct json *s = json_get(v, name);
	if (!json_is(s, JSON_OBJECT))
		return 0; /* none: everything */
	if (label_selector_from_json(a, s, out, &matches_nothing, err) != 0)
		return err_wrap(err, "%s", name);
	return 0;
}

int admission_matcher_new(
        struct arena *a, const struct json *v, const char *rules, const struct admission_matcher **ret, struct err *err)
{
	struct admission_matcher *m = ARENA_NEW(a, struct admission_matcher);
	struct json *copy = json_is(v, JSON_OBJECT) ? json_copy(a, v) : NULL;
	if (read_selector(a, copy, "namespaceSelector", &m->ns, err) != 0 ||
	        read_selector(a, copy, "objectSelector", &m->object, err) != 0)
		return err->code;
	m->rules = json_get(copy, rules);
	m->excluded = json_get(copy, "excludeResourceRules");
	m->is_exact = slice_is(json_get_str(copy, "matchPolicy"), "Exact");
	*ret = m;
	return 0;
}

/* ---- rules ---- */

static bool has(const struct json *list, const char *text)
{
	JSON_FOREACH (it, list)
		if (slice_is(json_str(it), "*") || slice_is(json_str(it), text))
			return true;
	return false;
}

static bool fits_resource(const struct json *list, const struct resource *r, const char *sub)
{
	JSON_FOREACH (it, list) {
		struct slice wanted_sub = json_str(it), wanted = slice_cut(&wanted_sub, '/');
		bool resource = slice_is(wanted, "*") || slice_is(wanted, r->plural);
		if (resource && (slice_is(wanted_sub, "*") || slice_is(wanted_sub, sub)))
			return true;
	}
	return false;
}

static bool fits_scope(struct slice scope, const struct resource *r)
{
	return !scope.len || slice_is(scope, "*") || slice_is(scope, r->namespaced ? "Namespaced" : "Cluster");
}

static bool fits_name(const struct json *names, struct slice name)
{
	JSON_FOREACH (it, names)
		if (slice_eq(json_str(it), name))
			return true;
	return !names || !names->count;
}

static bool fits_rule(const struct admission *a, const struct json *rule, const struct resource *r)
{
	return fits_scope(json_get_str(rule, "scope"), r) &&
	       has(json_get(rule, "operations"), admission_operation_name(a->operation)) &&
	       has(json_get(rule, "apiGroups"), r->group) && has(json_get(rule, "apiVersions"), r->version) &&
	       fits_resource(json_get(rule, "resources"), r, a->sub) &&
	       fits_name(json_get(rule, "resourceNames"), a->name);
}

static bool fits_any(const struct admission *a, const struct json *rules, const struct resource *r)
{
	JSON_FOREACH (it, rules)
		if (fits_rule(a, it, r))
			return true;
	return false;
}

/* The row that a rule speaks of; NULL: none does. */
static const struct resource *find(
        const struct admission *a, const struct json *rules, const struct admission_matcher *m)
{
	const struct resource *found = NULL;
	size_t count;
	if (fits_any(a, rules, a->resource))
		return a->resource;
	if (m->is_exact || !rules || !rules->count)
		return NULL;
	struct resource_snapshot *s = resources_snapshot();
	const struct resource *const *rows = resources_snapshot_rows(s, &count);
	for (size_t i = 0; i < count && !found; i++)
		if (rows[i] != a->resource && rows[i]->storage && rows[i]->storage == a->resource->storage &&
		        fits_any(a, rules, rows[i]))
			found = rows[i];
	resources_snapshot_unref(s);
	return found;
}

/* ---- selectors ---- */

static const struct json *labels(const struct json *object)
{
	return json_path(object, "metadata", "labels", NULL);
}

/* 1, 0, or an error: the namespace is not there. */
static int fits_namespace(const struct admission_matcher *m, struct admission *a, struct err *err)
{
	if (!m->ns.count)
		return 1;
	if (resource_has(a->resource, KIND_IS_NAMESPACE))
		return label_selector_matches_tree(&m->ns, labels(a->object ? a->object : a->old));
	if (!a->resource->namespaced)
		return 1;
	struct object *o = admission_lookup(a, "", "namespaces", a->ns);
	if (!o)
		return err_set(err, ERR_NOT_FOUND, "namespaces \"%.*s\" not found", SLICE_FMT(a->ns));
	return label_selector_matches(&m->ns, object_span(o, o->labels));
}

static bool fits_object(const struct admission_matcher *m, const struct admission *a)
{
	return !m->object.count || (a->object && label_selector_matches_tree(&m->object, labels(a->object))) ||
	       (a->old && label_selector_matches_tree(&m->object, labels(a->old)));
}

int admission_matcher_ask(
        const struct admission_matcher *m, struct admission *a, const struct resource **ret_resource, struct err *err)
{
	int ns = fits_namespace(m, a, err);
	if (ns == 0 || !fits_object(m, a) || find(a, m->excluded, m))
		return 0;
	const struct resource *r = m->rules && m->rules->count ? find(a, m->rules, m) : a->resource;
	if (!r)
		return 0;
	*ret_resource = r;
	return ns;
}

bool admission_is_exempt(const struct admission *a)
{
	static const char *const kinds[] = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
	        "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "MutatingAdmissionPolicy",
	        "MutatingAdmissionPolicyBinding"};
	if (strcmp(a->resource->group, "admissionregistration.k8s.io") != 0)
		return false;
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (strcmp(a->resource->kind, kinds[i]) == 0)
			return true;
	return false;
}

struct json *admission_object_as(
        struct admission *a, const struct json *object, const struct resource *to, struct err *err)
{
	if (!object || to == a->resource || a->as) /* a subresource's kind has one form */
		return (struct json *)object;
	struct json *copy = json_copy(a->arena, object);
	return resource_convert(a->arena, copy, a->resource, to, err) == 0 ? copy : NULL;
}
