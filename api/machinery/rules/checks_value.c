/* See checks_value.h. Upstream: pkg/apis/apps/validation (percentages), apimachinery's metav1 validation (conditions),
 * and Go's fmt for what is shown. */
#include "api/machinery/rules/checks_value.h"

#include "api/machinery/rules/checks.h"
#include "base/check.h"

#include <stdlib.h>

/* ---- choices, counts ---- */

void check_supported(struct field_errors *e, const char *field, struct slice value, const char *supported)
{
	if (value.len)
		check_choice(e, field, value, supported, true);
	else
		bad_choice(e, field, value, supported);
}

void check_not_too_many(struct field_errors *e, const char *field, const struct json *list, unsigned max)
{
	if (list && list->count > max)
		field_error_add(
		        e, "FieldValueTooMany", field, "Too many: %u: must have at most %u items", list->count, max);
}

void check_not_too_long(struct field_errors *e, const char *field, const struct json *v, unsigned max)
{
	if (json_str(v).len > max)
		field_error_add(e, "FieldValueTooLong", field, "Too long: may not be more than %u bytes", max);
}

/* ---- numbers and percentages ---- */

static bool percent_parse(struct slice text, uint64_t *ret)
{
	return text.len > 1 && text.ptr[text.len - 1] == '%' &&
	       slice_to_u64((struct slice){text.ptr, text.len - 1}, ret);
}

int64_t count_or_percent(const struct json *v)
{
	uint64_t percent = 0;
	if (!json_is(v, JSON_STRING))
		return json_int(v, 0);
	return percent_parse(json_str(v), &percent) ? (int64_t)percent : 0;
}

static void bad_int_or_string(struct field_errors *e, const char *field, const struct json *v, const char *detail)
{
	field_error_add(e, "FieldValueInvalid", field,
	        "Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:\"%.*s\"}: %s", SLICE_FMT(json_str(v)),
	        detail);
}

void check_count_or_percent(struct field_errors *e, const char *field, const struct json *v)
{
	uint64_t percent;
	if (!json_is(v, JSON_STRING))
		check_non_negative(e, field, v);
	else if (!percent_parse(json_str(v), &percent))
		bad_int_or_string(e, field, v,
		        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or "
		        "'93%', regex used for validation is '[0-9]+%')");
}

void check_count_or_part(struct field_errors *e, const char *field, const struct json *v)
{
	check_count_or_percent(e, field, v);
	if (json_is(v, JSON_STRING) && count_or_percent(v) > 100)
		bad_int_or_string(e, field, v, "must not be greater than 100%");
}

/* ---- conditions ---- */

static bool is_reason(struct slice s)
{
	const char *letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", *more = "0123456789_,:";
	for (size_t i = 0; i < s.len; i++)
		if (!s.ptr[i] || !(strchr(letters, s.ptr[i]) || (i && strchr(more, s.ptr[i]))))
			return false;
	return s.len && !strchr(",:", s.ptr[s.len - 1]);
}

static void check_meta_condition(struct field_errors *e, const char *field, const struct json *c)
{
	enum { REASON_MAX = 1024, MESSAGE_MAX = 32 * 1024 };
	struct slice type = json_get_str(c, "type"), reason = json_get_str(c, "reason");
	const char *bad = check_qualified_name(type);
	if (bad)
		bad_value(e, at(e, "%s.type", field), type, bad);
	check_supported(e, at(e, "%s.status", field), json_get_str(c, "status"), "False,True,Unknown");
	if (json_get_int(c, "observedGeneration", 0) < 0)
		bad_number(e, at(e, "%s.observedGeneration", field), json_get_int(c, "observedGeneration", 0),
		        "must be greater than or equal to zero");
	if (!json_get_str(c, "lastTransitionTime").len)
		bad_required(e, at(e, "%s.lastTransitionTime", field), "must be set");
	if (!reason.len)
		bad_required(e, at(e, "%s.reason", field), "must be set");
	else if (!is_reason(reason))
		bad_value(e, at(e, "%s.reason", field), reason,
		        "a condition reason must start with alphabetic character, optionally followed by a string of "
		        "alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. "
		        "'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex "
		        "used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')");
	check_not_too_long(e, at(e, "%s.reason", field), json_get(c, "reason"), REASON_MAX);
	check_not_too_long(e, at(e, "%s.message", field), json_get(c, "message"), MESSAGE_MAX);
}

void check_meta_conditions(struct field_errors *e, const char *field, const struct json *conditions)
{
	struct name_set types = {MAP_INIT};
	int i = 0;
	JSON_FOREACH (it, conditions) {
		const char *here = at(e, "%s[%d]", field, i++);
		if (!name_set_add(&types, json_get_str(it, "type")))
			bad_duplicate(e, at(e, "%s.type", here), json_get_str(it, "type"));
		check_meta_condition(e, here, it);
	}
	name_set_release(&types);
}

/* ---- as Go shows it ---- */

static int by_key(const void *x, const void *y)
{
	const struct json *const *a = x, *const *b = y;
	return slice_cmp((*a)->key, (*b)->key);
}

/* Go prints maps in the order of their keys. */
const char *go_map_text(struct arena *a, const struct json *map)
{
	struct strbuf b = STRBUF_INIT;
	size_t n = 0;
	if (!map)
		return "map[string]string(nil)";
	const struct json **members = ARENA_ARRAY(a, const struct json *, map->count + 1);
	JSON_FOREACH (it, map)
		members[n++] = it;
	qsort(members, n, sizeof *members, by_key);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&b, "%s\"%.*s\":\"%.*s\"", i ? ", " : "", SLICE_FMT(members[i]->key),
		        SLICE_FMT(json_str(members[i])));
	const char *text = arena_printf(a, "map[string]string{%s}", strbuf_cstr(&b));
	strbuf_release(&b);
	return text;
}

static const char *go_requirements_text(struct arena *a, const struct json *list)
{
	struct strbuf b = STRBUF_INIT;
	if (!list)
		return "[]v1.LabelSelectorRequirement(nil)";
	JSON_FOREACH (it, list) {
		const struct json *values = json_get(it, "values");
		strbuf_addf(&b, "%sv1.LabelSelectorRequirement{Key:\"%.*s\", Operator:\"%.*s\", Values:%s}",
		        b.len ? ", " : "", SLICE_FMT(json_get_str(it, "key")), SLICE_FMT(json_get_str(it, "operator")),
		        values ? go_list_text(a, "[]string", values) : "[]string(nil)");
	}
	const char *text = arena_printf(a, "[]v1.LabelSelectorRequirement{%s}", strbuf_cstr(&b));
	strbuf_release(&b);
	return text;
}

const char *go_selector_text(struct arena *a, const struct json *selector)
{
	if (!selector)
		return "\"null\"";
	return arena_printf(a, "v1.LabelSelector{MatchLabels:%s, MatchExpressions:%s}",
	        go_map_text(a, json_get(selector, "matchLabels")),
	        go_requirements_text(a, json_get(selector, "matchExpressions")));
}

void check_same_selector(struct field_errors *e, const char *field, const struct json *now, const struct json *before)
{
	if (!json_equal(now, before))
		field_error_add(e, "FieldValueInvalid", field, "Invalid value: %s: field is immutable",
		        go_selector_text(e->arena, now));
}
