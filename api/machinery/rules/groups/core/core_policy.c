/* LimitRange and ResourceQuota: what makes one of them sensible, with upstream's words. What they then do to other
 * objects is admission's (api/server/admission/). */
#include "api/machinery/rules/groups/core/core_policy_int.h"

#include "api/machinery/codec/resource_list.h"
#include "api/machinery/rules/checks_resource.h"
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

struct bound {
	const char *word; /* "min": what messages call it */
	const struct resource_list *list;
};

/* `low` must not be above `high`; upstream tells it of one of the two, at `member`. */
static void check_pair(struct limit *l, struct slice name, const char *member, struct bound low, struct bound high)
{
	const struct quantity *x = resource_list_get(low.list, name), *y = resource_list_get(high.list, name);
	bool is_of_high = strcmp(high.word, "default request") == 0;
	if (!x || !y || quantity_cmp(x, y) <= 0)
		return;
	bad_quantity(l->e, at(l->e, "%s.%s[%.*s]", l->field, member, SLICE_FMT(name)), is_of_high ? y : x,
	        at(l->e, "%s value %s is greater than %s value %s", low.word, text(l->e, x), high.word, text(l->e, y)));
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
		bad_quantity(l->e, field, ratio, at(l->e, "ratio %s is less than 1", text(l->e, ratio)));
	if (!min || !max || quantity_sign(min) <= 0 || quantity_sign(max) <= 0)
		return;
	double widest = quantity_double(max) / quantity_double(min);
	if (widest < quantity_double(ratio))
		bad_quantity(l->e, field, ratio,
		        at(l->e, "ratio %s is greater than max/min = %f", text(l->e, ratio), widest));
}

static void check_equal(struct limit *l, struct slice name)
{
	const struct quantity *limit = resource_list_get(&l->fallback, name),
	                      *request = resource_list_get(&l->request, name);
	if (!resource_may_overcommit(name) && limit && request && quantity_cmp(limit, request) != 0)
		bad_quantity(l->e, at(l->e, "%s.defaultRequest[%.*s]", l->field, SLICE_FMT(name)), request,
		        at(l->e, "default value %s must equal to defaultRequest value %s in %.*s", text(l->e, limit),
		                text(l->e, request), SLICE_FMT(name)));
}

static void check_name(struct limit *l, struct slice name)
{
	struct bound min = {"min", &l->min}, max = {"max", &l->max}, request = {"default request", &l->request};
	check_pair(l, name, "min", min, max);
	check_pair(l, name, "defaultRequest", min, request);
	check_pair(l, name, "defaultRequest", request, max);
	check_pair(l, name, "defaultRequest", request, (struct bound){"default limit", &l->fallback});
	check_pair(l, name, "default", min, (struct bound){"default", &l->fallback});
	check_pair(l, name, "default", (struct bound){"default", &l->fallback}, max);
	check_ratio(l, name);
	check_equal(l, name);
}

static void check_claim_limit(struct limit *l)
{
	if (!resource_list_get(&l->min, SLICE("storage")) && !resource_list_get(&l->max, SLICE("storage")))
		bad_required(l->e, at(l->e, "%s.limits", l->field),
		        "either minimum or maximum storage value is required, but neither was provided");
}

/* What has no domain is what containers have, where it is them that are bounded. */
static void check_names(struct limit *l, const struct json *limit, struct slice type)
{
	static const char *const members[] = {"max", "min", "default", "defaultRequest", "maxLimitRequestRatio"};
	bool is_of_containers = slice_is(type, "Pod") || slice_is(type, "Container");
	for (size_t i = 0; i < COUNT_OF(members); i++)
		JSON_FOREACH (it, json_get(limit, members[i])) {
			const char *field = at(l->e, "%s.%s[%.*s]", l->field, members[i], SLICE_FMT(it->key));
			if (is_of_containers)
				check_container_resource_name(l->e, field, it->key);
			else
				check_resource_name(l->e, field, it->key);
		}
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
		check_names(&l, it, type);
		check_limit(&l, it, type);
	}
	name_set_release(&seen);
}

/* ---- ResourceQuota ---- */

static bool is_pods_resource(struct slice name)
{
	static const char *const compute[] = {
	        "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory", "pods"};
	return slice_is_any(name, compute, COUNT_OF(compute));
}

/* What a quota of pods of some kind may bound; what has a domain's name, anybody may count. */
static bool fits_scope(struct slice scope, struct slice name)
{
	if (memchr(name.ptr, '/', name.len) || !resource_is_counted(name))
		return true;
	return slice_is(scope, "BestEffort") ? slice_is(name, "pods") : is_pods_resource(name);
}

/* A place where scopes stand: where messages say that one is unknown, and that several do not go together. */
struct scope_place {
	const char *one, *all;
	const char *(*shown)(struct field_errors *e, const struct json *spec, struct slice scope);
	bool has[2][2];
};

static const char *shown_scopes(struct field_errors *e, const struct json *spec, struct slice scope)
{
	return go_list_text(e->arena, "[]core.ResourceQuotaScope", json_get(spec, "scopes"));
}

static const char *shown_scope(struct field_errors *e, const struct json *spec, struct slice scope)
{
	return at(e, "\"%.*s\"", SLICE_FMT(scope));
}

static const char *const scope_pairs[2][2] = {{"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"}};

static void check_scope(struct field_errors *e, struct scope_place *place, const struct json *spec, struct slice scope)
{
	static const char *const known[] = {"Terminating", "NotTerminating", "BestEffort", "NotBestEffort",
	        "PriorityClass", "CrossNamespacePodAffinity"};
	if (!slice_is_any(scope, known, COUNT_OF(known)))
		field_error_add(e, "FieldValueInvalid", place->one, "Invalid value: %s: unsupported scope",
		        place->shown(e, spec, scope));
	else
		JSON_FOREACH (it, json_get(spec, "hard"))
			if (!fits_scope(scope, it->key))
				field_error_add(e, "FieldValueInvalid", place->all,
				        "Invalid value: %s: unsupported scope applied to resource",
				        place->shown(e, spec, scope));
	for (size_t k = 0; k < 4; k++)
		place->has[k / 2][k % 2] |= slice_is(scope, scope_pairs[k / 2][k % 2]);
}

static void check_conflicts(struct field_errors *e, const struct scope_place *place, const struct json *spec)
{
	for (size_t k = 0; k < COUNT_OF(scope_pairs); k++)
		if (place->has[k][0] && place->has[k][1])
			field_error_add(e, "FieldValueInvalid", place->all, "Invalid value: %s: conflicting scopes",
			        shown_scopes(e, spec, SLICE_NULL));
}

static void check_scopes(struct field_errors *e, const struct json *spec)
{
	struct scope_place place = {"spec.scopes", "spec.scopes", shown_scopes, {{false}}};
	JSON_FOREACH (it, json_get(spec, "scopes"))
		check_scope(e, &place, spec, json_str(it));
	check_conflicts(e, &place, spec);
}

/* ---- selectors of scopes ---- */

#define TERMS "spec.scopeSelector.matchExpressions"

static void check_term(struct field_errors *e, const struct json *term)
{
	static const char values_field[] = TERMS ".values", operator_field[] = TERMS ".operator";
	struct slice scope = json_get_str(term, "scopeName"), op = json_get_str(term, "operator");
	const struct json *values = json_get(term, "values");
	bool wants_values = slice_is(op, "In") || slice_is(op, "NotIn");
	bool wants_none = slice_is(op, "Exists") || slice_is(op, "DoesNotExist");
	if (!slice_is(scope, "PriorityClass") && !slice_is(op, "Exists"))
		bad_value(e, operator_field, op,
		        "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, "
		        "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
		        "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity");
	if (wants_values && !(values && values->first))
		bad_required(e, values_field,
		        "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector");
	if (wants_none && values && values->first)
		field_error_add(e, "FieldValueInvalid", values_field,
		        "Invalid value: %s: must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope "
		        "selector",
		        go_list_text(e->arena, "[]string", values));
	if (!wants_values && !wants_none)
		bad_value(e, operator_field, op, "not a valid selector operator");
}

static void check_selector_terms(struct field_errors *e, const struct json *spec)
{
	struct scope_place place = {TERMS ".scopeName", TERMS, shown_scope, {{false}}};
	JSON_FOREACH (it, json_path(spec, "scopeSelector", "matchExpressions", NULL)) {
		check_scope(e, &place, spec, json_get_str(it, "scopeName"));
		check_term(e, it);
	}
	check_conflicts(e, &place, spec);
}

/* ---- amounts ---- */

static void check_amounts(struct field_errors *e, const char *field, const struct json *map)
{
	JSON_FOREACH (it, map) {
		const char *name = at(e, "%s[%.*s]", field, SLICE_FMT(it->key));
		check_resource_name(e, name, it->key);
		if (!resource_is_counted(it->key))
			bad_value(e, name, it->key, "must be a standard resource for quota");
		check_resource_amount(e, name, it->key, it->text);
	}
}

/* Whether two lists have the same members, in any order. */
static bool is_same_set(const struct json *x, const struct json *y)
{
	const struct json *sides[] = {x, y};
	bool same = true;
	for (size_t i = 0; i < 2 && same; i++) {
		struct name_set other = {MAP_INIT};
		JSON_FOREACH (it, sides[1 - i])
			name_set_add(&other, json_str(it));
		JSON_FOREACH (it, sides[i])
			same = same && name_set_has(&other, json_str(it));
		name_set_release(&other);
	}
	return same;
}

void validate_resource_quota_status(struct field_errors *e, const struct json *object, const struct json *old)
{
	check_amounts(e, "status.hard", json_path(object, "status", "hard", NULL));
	check_amounts(e, "status.used", json_path(object, "status", "used", NULL));
}

void validate_resource_quota(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *before = json_get(old, "spec");
	check_amounts(e, "spec.hard", json_get(spec, "hard"));
	if (!old)
		validate_resource_quota_status(e, object, NULL);
	check_scopes(e, spec);
	check_selector_terms(e, spec);
	if (old && !is_same_set(json_get(spec, "scopes"), json_get(before, "scopes")))
		field_error_add(e, "FieldValueInvalid", "spec.scopes", "Invalid value: %s: field is immutable",
		        shown_scopes(e, spec, SLICE_NULL));
}
