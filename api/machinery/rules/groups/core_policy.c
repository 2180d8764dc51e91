/* LimitRange and ResourceQuota: what makes one of them sensible, with upstream's words. What they then do to other
 * objects is admission's (api/server/admission/). */
#include "api/machinery/rules/groups/core_policy_int.h"

#include "api/machinery/codec/resource_list.h"
#include "api/machinery/rules/checks.h"
#include "base/check.h"

/* ---- LimitRange ---- */

struct limit {
	struct field_errors *e;
	const char *field;
	struct resource_list min, max, fallback, request, ratio;
};

static const char *text(struct field_errors *e, const struct quantity *q)
{
	char out[QUANTITY_TEXT_MAX];
	quantity_format(q, out);
	return at(e, "%s", out);
}

/* `low` must not be above `high`. */
static void check_pair(struct limit *l, struct slice name, const char *member, const struct resource_list *low,
        const char *low_word, const struct resource_list *high, const char *high_word)
{
	const struct quantity *x = resource_list_get(low, name), *y = resource_list_get(high, name);
	if (!x || !y || quantity_cmp(x, y) <= 0)
		return;
	bad_value(l->e, at(l->e, "%s.%s[%.*s]", l->field, member, SLICE_FMT(name)), slice_of(text(l->e, x)),
	        at(l->e, "%s value %s is greater than %s value %s", low_word, text(l->e, x), high_word, text(l->e, y)));
}

static void check_ratio(struct limit *l, struct slice name)
{
	struct quantity one = quantity_from_value(1, QUANTITY_DECIMAL_SI);
	const struct quantity *ratio = resource_list_get(&l->ratio, name), *min = resource_list_get(&l->min, name),
	                      *max = resource_list_get(&l->max, name);
	const char *field = at(l->e, "%s.maxLimitRequestRatio[%.*s]", l->field, SLICE_FMT(name));
	if (!ratio)
		return;
	if (quantity_cmp(ratio, &one) < 0)
		bad_value(l->e, field, slice_of(text(l->e, ratio)),
		        at(l->e, "ratio %s is less than 1", text(l->e, ratio)));
	if (!min || !max || quantity_sign(min) <= 0 || quantity_sign(max) <= 0)
		return;
	double widest = quantity_double(max) / quantity_double(min);
	if (widest < quantity_double(ratio))
		bad_value(l->e, field, slice_of(text(l->e, ratio)),
		        at(l->e, "ratio %s is greater than max/min = %f", text(l->e, ratio), widest));
}

static void check_name(struct limit *l, struct slice name)
{
	check_pair(l, name, "min", &l->min, "min", &l->max, "max");
	check_pair(l, name, "min", &l->min, "min", &l->request, "default request");
	check_pair(l, name, "defaultRequest", &l->request, "default request", &l->max, "max");
	check_pair(l, name, "defaultRequest", &l->request, "default request", &l->fallback, "default limit");
	check_pair(l, name, "min", &l->min, "min", &l->fallback, "default");
	check_pair(l, name, "default", &l->fallback, "default", &l->max, "max");
	check_ratio(l, name);
}

static void check_claim_limit(struct limit *l)
{
	if (!resource_list_get(&l->min, SLICE("storage")) && !resource_list_get(&l->max, SLICE("storage")))
		bad_required(l->e, at(l->e, "%s.limits", l->field),
		        "either minimum or maximum storage value is required, but neither was provided");
}

static void check_limit(struct limit *l, const struct json *limit, struct slice type)
{
	struct arena *a = l->e->arena;
	struct resource_list names = {.arena = a};
	const struct resource_list *all[] = {&l->min, &l->max, &l->fallback, &l->request, &l->ratio};
	l->min = resource_list_read(a, json_get(limit, "min"));
	l->max = resource_list_read(a, json_get(limit, "max"));
	l->fallback = resource_list_read(a, json_get(limit, "default"));
	l->request = resource_list_read(a, json_get(limit, "defaultRequest"));
	l->ratio = resource_list_read(a, json_get(limit, "maxLimitRequestRatio"));
	if (slice_is(type, "Pod") && l->fallback.n)
		bad_forbidden(l->e, at(l->e, "%s.default", l->field), "may not be specified when `type` is 'Pod'");
	if (slice_is(type, "Pod") && l->request.n)
		bad_forbidden(
		        l->e, at(l->e, "%s.defaultRequest", l->field), "may not be specified when `type` is 'Pod'");
	if (slice_is(type, "PersistentVolumeClaim"))
		check_claim_limit(l);
	for (size_t i = 0; i < COUNT_OF(all); i++)
		resource_list_raise(&names, all[i]);
	for (size_t i = 0; i < names.n; i++)
		check_name(l, names.list[i].name);
}

void validate_limit_range(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct name_set seen = {0};
	int i = 0;
	JSON_FOREACH (it, json_path(object, "spec", "limits", NULL)) {
		struct slice type = json_get_str(it, "type");
		struct limit l = {.e = e, .field = at(e, "spec.limits[%d]", i++)};
		const char *bad = check_qualified_name(type);
		bool is_own =
		        slice_is(type, "Pod") || slice_is(type, "Container") || slice_is(type, "PersistentVolumeClaim");
		if (bad)
			bad_value(e, at(e, "%s.type", l.field), type, bad);
		else if (!is_own && !memchr(type.ptr, '/', type.len))
			bad_value(
			        e, at(e, "%s.type", l.field), type, "must be a standard limit type or fully qualified");
		if (!name_set_add(&seen, type))
			bad_duplicate(e, at(e, "%s.type", l.field), type);
		check_limit(&l, it, type);
	}
	name_set_release(&seen);
}

/* ---- ResourceQuota ---- */

static const char scopes_known[] =
        "Terminating,NotTerminating,BestEffort,NotBestEffort,PriorityClass,CrossNamespacePodAffinity";

/* Names without a domain are those that something counts. */
static bool is_counted(struct slice name)
{
	static const char *const plain[] = {"cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory",
	        "requests.storage", "requests.ephemeral-storage", "limits.cpu", "limits.memory",
	        "limits.ephemeral-storage", "pods", "resourcequotas", "services", "replicationcontrollers", "secrets",
	        "persistentvolumeclaims", "configmaps", "services.nodeports", "services.loadbalancers"};
	return slice_is_any(name, plain, COUNT_OF(plain)) || slice_starts(name, "requests.hugepages-") ||
	       slice_starts(name, "hugepages-") || memchr(name.ptr, '/', name.len) != NULL;
}

/* What a quota of pods of some kind may bound. */
static bool fits_scope(struct slice scope, struct slice name)
{
	static const char *const compute[] = {"cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory",
	        "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage", "pods"};
	if (slice_is(scope, "BestEffort"))
		return slice_is(name, "pods");
	return slice_is_any(name, compute, COUNT_OF(compute)) || slice_starts(name, "requests.");
}

static void check_scope(struct field_errors *e, const char *field, struct slice scope, const struct json *hard)
{
	if (!scope.len || !slice_is_any(scope,
	                          (const char *const[]){"Terminating", "NotTerminating", "BestEffort", "NotBestEffort",
	                                  "PriorityClass", "CrossNamespacePodAffinity"},
	                          6)) {
		bad_choice(e, field, scope, scopes_known);
		return;
	}
	JSON_FOREACH (it, hard)
		if (!fits_scope(scope, it->key))
			bad_value(e, field, it->key, "unsupported scope applied to resource");
}

static void check_scopes(struct field_errors *e, const struct json *spec)
{
	static const char *const pairs[][2] = {{"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"}};
	const struct json *scopes = json_get(spec, "scopes"), *hard = json_get(spec, "hard");
	bool has[2][2] = {{false}};
	int i = 0;
	JSON_FOREACH (it, scopes) {
		check_scope(e, at(e, "spec.scopes[%d]", i++), it->text, hard);
		for (size_t k = 0; k < 4; k++)
			has[k / 2][k % 2] |= slice_is(it->text, pairs[k / 2][k % 2]);
	}
	for (size_t k = 0; k < 2; k++)
		if (has[k][0] && has[k][1])
			bad_value(e, "spec.scopes", slice_of(pairs[k][0]), "conflicting scopes");
}

static void check_selector_terms(struct field_errors *e, const struct json *spec)
{
	const struct json *terms = json_path(spec, "scopeSelector", "matchExpressions", NULL);
	int i = 0;
	JSON_FOREACH (it, terms) {
		const char *field = at(e, "spec.scopeSelector.matchExpressions[%d]", i++);
		struct slice scope = json_get_str(it, "scopeName"), op = json_get_str(it, "operator");
		const struct json *values = json_get(it, "values");
		bool wants_values = slice_is(op, "In") || slice_is(op, "NotIn");
		check_scope(e, at(e, "%s.scopeName", field), scope, json_get(spec, "hard"));
		check_choice(e, at(e, "%s.operator", field), op, "In,NotIn,Exists,DoesNotExist", true);
		if (wants_values && !(values && values->first))
			bad_required(e, at(e, "%s.values", field),
			        "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector");
		if (!wants_values && values && values->first)
			bad_value(e, at(e, "%s.values", field), scope,
			        "must be no value when `operator` is 'Exists' or 'DoesNotExist' for scope selector");
		if (!slice_is(scope, "PriorityClass") && !slice_is(op, "Exists"))
			bad_value(e, at(e, "%s.operator", field), op,
			        "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, "
			        "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
			        "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity");
	}
}

static void check_amounts(struct field_errors *e, const char *field, const struct json *map)
{
	JSON_FOREACH (it, map) {
		struct quantity q;
		struct err err = ERR_INIT;
		const char *name = at(e, "%s[%.*s]", field, SLICE_FMT(it->key));
		const char *bad = check_qualified_name(it->key);
		if (bad)
			bad_value(e, name, it->key, bad);
		else if (!is_counted(it->key))
			bad_value(e, name, it->key, "must be a standard resource for quota");
		if (quantity_parse(it->text, &q, &err) == 0 && quantity_sign(&q) < 0)
			bad_value(e, name, it->text, "must be greater than or equal to 0");
	}
}

void validate_resource_quota(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *before = json_get(old, "spec");
	check_amounts(e, "spec.hard", json_get(spec, "hard"));
	check_amounts(e, "status.hard", json_path(object, "status", "hard", NULL));
	check_amounts(e, "status.used", json_path(object, "status", "used", NULL));
	check_scopes(e, spec);
	check_selector_terms(e, spec);
	if (old && !json_equal(json_get(spec, "scopes"), json_get(before, "scopes")) &&
	        (json_get(spec, "scopes") || json_get(before, "scopes")))
		bad_value(e, "spec.scopes", SLICE(""), "field is immutable");
}
