/* See checks.h: collecting errors, choices, labels, selectors, what may not change. Upstream: apimachinery
 * pkg/api/validation. */
#include "api/machinery/rules/checks.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>

enum { ANNOTATIONS_BYTES_MAX = 256 * 1024 };

const char *at(struct field_errors *e, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return arena_strdup(e->arena, text);
}

void bad_required(struct field_errors *e, const char *field, const char *detail)
{
	field_error_add(e, "FieldValueRequired", field, "Required value%s%s", *detail ? ": " : "", detail);
}

void bad_value(struct field_errors *e, const char *field, struct slice value, const char *detail)
{
	field_error_add(e, "FieldValueInvalid", field, "Invalid value: \"%.*s\": %s", SLICE_FMT(value), detail);
}

void bad_number(struct field_errors *e, const char *field, int64_t value, const char *detail)
{
	field_error_add(e, "FieldValueInvalid", field, "Invalid value: %lld: %s", (long long)value, detail);
}

void bad_quantity(struct field_errors *e, const char *field, const struct quantity *q, const char *detail)
{
	char text[QUANTITY_TEXT_MAX];
	quantity_format(q, text);
	field_error_add(e, "FieldValueInvalid", field, "Invalid value: %s: %s", text, detail);
}

void bad_choice(struct field_errors *e, const char *field, struct slice value, const char *supported)
{
	struct strbuf list = STRBUF_INIT;
	struct slice rest = slice_of(supported);
	while (rest.ptr) {
		struct slice s = slice_cut(&rest, ',');
		strbuf_addf(&list, "%s\"%.*s\"", list.len ? ", " : "", SLICE_FMT(s));
	}
	field_error_add(e, "FieldValueNotSupported", field, "Unsupported value: \"%.*s\": supported values: %s",
	        SLICE_FMT(value), strbuf_cstr(&list));
	strbuf_release(&list);
}

void bad_duplicate(struct field_errors *e, const char *field, struct slice value)
{
	field_error_add(e, "FieldValueDuplicate", field, "Duplicate value: \"%.*s\"", SLICE_FMT(value));
}

void bad_immutable(struct field_errors *e, const char *field, struct slice value)
{
	field_error_add(e, "FieldValueInvalid", field, "Invalid value: %.*s: field is immutable", SLICE_FMT(value));
}

void bad_forbidden(struct field_errors *e, const char *field, const char *detail)
{
	field_error_add(e, "FieldValueForbidden", field, "Forbidden: %s", detail);
}

void bad_not_found(struct field_errors *e, const char *field, struct slice value)
{
	field_error_add(e, "FieldValueNotFound", field, "Not found: \"%.*s\"", SLICE_FMT(value));
}

void check_token_seconds(struct field_errors *e, const char *field, int64_t seconds)
{
	enum { MIN_S = 600 };
	if (seconds < MIN_S)
		bad_number(e, field, seconds, "may not specify a duration less than 10 minutes");
	if (seconds > INT64_C(1) << 32)
		bad_number(e, field, seconds, "may not specify a duration larger than 2^32 seconds");
}

const struct json *object_member(const struct json *o, const char *name)
{
	const struct json *v = json_get(o, name);
	return json_is(v, JSON_OBJECT) ? v : NULL;
}

bool name_set_add(struct name_set *s, struct slice name)
{
	return map_put(&s->map, name.ptr ? name : SLICE(""), s) == NULL;
}

bool name_set_has(const struct name_set *s, struct slice name)
{
	return map_get(&s->map, name.ptr ? name : SLICE("")) != NULL;
}

void name_set_release(struct name_set *s)
{
	map_release(&s->map);
}

void check_choice(struct field_errors *e, const char *field, struct slice value, const char *supported, bool required)
{
	struct slice rest = slice_of(supported);
	if (!value.len) {
		if (required)
			bad_required(e, field, "");
		return;
	}
	while (rest.ptr)
		if (slice_eq(slice_cut(&rest, ','), value))
			return;
	bad_choice(e, field, value, supported);
}

void check_port(struct field_errors *e, const char *field, int64_t port)
{
	if (port < 1 || port > 65535)
		bad_number(e, field, port, "must be between 1 and 65535, inclusive");
}

void check_non_negative(struct field_errors *e, const char *field, const struct json *v)
{
	if (v && json_int(v, 0) < 0)
		bad_number(e, field, json_int(v, 0), "must be greater than or equal to 0");
}

/* Objects, and what has a name of somebody's domain. */
static bool is_counted_in_pieces(struct slice resource)
{
	static const char *const plain[] = {"pods", "resourcequotas", "services", "replicationcontrollers", "secrets",
	        "configmaps", "persistentvolumeclaims", "services.nodeports", "services.loadbalancers"};
	if (!memchr(resource.ptr, '/', resource.len))
		return slice_is_any(resource, plain, COUNT_OF(plain));
	return !slice_starts(resource, "requests.") &&
	       !memmem(resource.ptr, resource.len, "kubernetes.io/", strlen("kubernetes.io/"));
}

void check_resource_amount(struct field_errors *e, const char *field, struct slice resource, struct slice text)
{
	struct quantity q;
	if (quantity_parse(text, &q, NULL) != 0)
		return;
	if (quantity_sign(&q) < 0)
		bad_value(e, field, text, "must be greater than or equal to 0");
	if (is_counted_in_pieces(resource) && quantity_milli_value(&q) % 1000 != 0)
		bad_quantity(e, field, &q, "must be an integer");
}

/* As a label's, but for capitals, which its prefix may have too. */
static const char *annotation_key_error(struct field_errors *e, struct slice key)
{
	const char *bad = check_qualified_name(key);
	return bad ? check_qualified_name(slice_lower(e->arena, key)) : NULL;
}

void check_annotations(struct field_errors *e, const char *field, const struct json *annotations)
{
	size_t total = 0;
	JSON_FOREACH (it, annotations) {
		const char *bad = annotation_key_error(e, it->key);
		if (bad)
			bad_value(e, field, it->key, bad);
		total += it->key.len + json_str(it).len;
	}
	if (total > ANNOTATIONS_BYTES_MAX)
		field_error_add(e, "FieldValueTooLong", field, "Too long: may not be more than 262144 bytes");
}

void check_labels(struct field_errors *e, const char *field, const struct json *labels)
{
	JSON_FOREACH (it, labels) {
		const char *bad = check_qualified_name(it->key);
		if (bad)
			bad_value(e, field, it->key, bad);
		bad = validate_label_value(json_str(it));
		if (bad)
			bad_value(e, field, json_str(it), bad);
	}
}

static void check_values(struct field_errors *e, const char *base, const struct json *values)
{
	int i = 0;
	JSON_FOREACH (it, values) {
		const char *bad = validate_label_value(json_str(it));
		if (bad)
			bad_value(e, at(e, "%s.values[%d]", base, i), json_str(it), bad);
		i++;
	}
}

void check_selector(struct field_errors *e, const char *field, const struct json *selector)
{
	int i = 0;
	check_labels(e, at(e, "%s.matchLabels", field), json_get(selector, "matchLabels"));
	JSON_FOREACH (x, json_get(selector, "matchExpressions")) {
		struct slice op = json_get_str(x, "operator");
		struct json *values = json_get(x, "values");
		bool any = values && values->first;
		const char *base = at(e, "%s.matchExpressions[%d]", field, i++);
		const char *bad = check_qualified_name(json_get_str(x, "key"));
		if (bad)
			bad_value(e, at(e, "%s.key", base), json_get_str(x, "key"), bad);
		if (slice_is(op, "In") || slice_is(op, "NotIn")) {
			if (!any)
				bad_required(e, at(e, "%s.values", base),
				        "must be specified when `operator` is 'In' or 'NotIn'");
		} else if (slice_is(op, "Exists") || slice_is(op, "DoesNotExist")) {
			if (any)
				bad_forbidden(e, at(e, "%s.values", base),
				        "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
		} else {
			bad_value(e, at(e, "%s.operator", base), op, "not a valid selector operator");
		}
		check_values(e, base, values);
	}
}

void check_immutable(struct field_errors *e, const char *field, const struct json *now, const struct json *before)
{
	if (json_equal(now, before))
		return;
	struct strbuf text = STRBUF_INIT;
	if (now)
		json_write(&text, now);
	else
		strbuf_adds(&text, "\"null\""); /* as Go shows a pointer to nothing */
	bad_immutable(e, field, strbuf_slice(&text));
	strbuf_release(&text);
}

bool differs_beyond(const struct json *now, const struct json *before, const char *free_fields)
{
	const struct json *sides[] = {now, before};
	for (size_t i = 0; i < 2; i++)
		JSON_FOREACH (it, sides[i]) {
			struct slice rest = slice_of(free_fields);
			bool is_free = false;
			while (rest.ptr && !is_free)
				is_free = slice_eq(slice_cut(&rest, ','), it->key);
			if (!is_free && !json_equal(it, json_get_slice(sides[1 - i], it->key)))
				return true;
		}
	return false;
}
