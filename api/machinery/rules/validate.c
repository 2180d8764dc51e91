/* Validation of metadata, and what the files of the groups share: collecting errors, names, choices, selectors. See
 * validate.h. Upstream: apimachinery/pkg/api/validation. */
#include "api/machinery/rules/custom_program.h"
#include "api/machinery/rules/validate_int.h"

#include "api/machinery/schema/kind_ops.h"

#include <stdarg.h>
#include <stdio.h>

enum { LABEL_MAX = 63, SUBDOMAIN_MAX = 253, ANNOTATIONS_BYTES_MAX = 256 * 1024 };

/* ---- collecting ---- */

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

/* ---- names ---- */

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static bool is_label(struct slice s)
{
	if (!s.len || !is_lower_alnum(s.ptr[0]) || !is_lower_alnum(s.ptr[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_lower_alnum(s.ptr[i]) && s.ptr[i] != '-')
			return false;
	return true;
}

const char *validate_dns1123_label(struct slice s)
{
	if (s.len > LABEL_MAX)
		return "must be no more than 63 characters";
	return is_label(s) ? NULL
	                   : "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
	                     "and must start and end with an "
	                     "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
	                     "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
}

const char *validate_dns1123_subdomain(struct slice s)
{
	struct slice rest = s;
	bool good = s.len > 0;
	if (s.len > SUBDOMAIN_MAX)
		return "must be no more than 253 characters";
	while (good && rest.ptr)
		good = is_label(slice_cut(&rest, '.'));
	return good ? NULL
	            : "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
	              "and must start and end with an "
	              "alphanumeric character (e.g. 'example.com', regex used for validation is "
	              "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
}

const char *check_dns1035_label(struct slice s)
{
	if (s.len > LABEL_MAX)
		return "must be no more than 63 characters";
	return is_label(s) && !(s.ptr[0] >= '0' && s.ptr[0] <= '9')
	               ? NULL
	               : "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
	                 "alphabetic character, and end with an "
	                 "alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
	                 "'[a-z]([-a-z0-9]*[a-z0-9])?')";
}

static bool is_name_part(struct slice s)
{
	if (!s.len || s.len > LABEL_MAX || !is_alnum(s.ptr[0]) || !is_alnum(s.ptr[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.ptr[i]) && !memchr("-_.", s.ptr[i], 3))
			return false;
	return true;
}

const char *check_qualified_name(struct slice s)
{
	const char *slash = s.len ? memchr(s.ptr, '/', s.len) : NULL;
	struct slice name = s;
	if (slash) {
		struct slice prefix = {s.ptr, (size_t)(slash - s.ptr)};
		name = (struct slice){slash + 1, s.len - prefix.len - 1};
		if (validate_dns1123_subdomain(prefix))
			return "prefix part must be a lowercase RFC 1123 subdomain";
	}
	return is_name_part(name) ? NULL
	                          : "name part must consist of alphanumeric characters, '-', '_' or '.', and must "
	                            "start and end with an alphanumeric character "
	                            "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
	                            "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
}

const char *check_config_key(struct slice s)
{
	if (s.len > SUBDOMAIN_MAX)
		return "must be no more than 253 characters";
	bool good = s.len > 0 && !slice_is(s, ".") && !slice_starts(s, "..");
	for (size_t i = 0; good && i < s.len; i++)
		good = is_alnum(s.ptr[i]) || memchr("-_.", s.ptr[i], 3) != NULL;
	return good ? NULL
	            : "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  "
	              "or 'KEY_NAME',  or 'key-name', regex "
	              "used for validation is '[-._a-zA-Z0-9]+')";
}

const char *check_path_segment(struct slice name)
{
	bool bad = !name.len || slice_is(name, ".") || slice_is(name, "..") || memchr(name.ptr, '/', name.len) ||
	           memchr(name.ptr, '%', name.len);
	return bad ? "may not be empty, '.' or '..', nor contain '/' or '%'" : NULL;
}

/* ---- shared checks ---- */

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

static const char *label_value_error(struct slice s)
{
	if (s.len > LABEL_MAX)
		return "must be no more than 63 characters";
	return !s.len || is_name_part(s) ? NULL
	                                 : "a valid label must be an empty string or consist of alphanumeric "
	                                   "characters, '-', '_' or '.', and must start and end with an "
	                                   "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex "
	                                   "used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
}

void check_labels(struct field_errors *e, const char *field, const struct json *labels)
{
	JSON_FOREACH (it, labels) {
		const char *bad = check_qualified_name(it->key);
		if (bad)
			bad_value(e, field, it->key, bad);
		bad = label_value_error(json_str(it));
		if (bad)
			bad_value(e, field, json_str(it), bad);
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
	}
}

void check_immutable(struct field_errors *e, const char *field, const struct json *now, const struct json *before)
{
	if (json_equal(now, before))
		return;
	struct strbuf text = STRBUF_INIT;
	if (now)
		json_write(&text, now);
	bad_immutable(e, field, strbuf_slice(&text));
	strbuf_release(&text);
}

/* ---- metadata ---- */

static void check_name(struct field_errors *e, const struct resource *r, const struct json *meta)
{
	struct slice name = json_get_str(meta, "name"), generate = json_get_str(meta, "generateName");
	if (!name.len) {
		bad_required(e, "metadata.name", generate.len ? "" : "name or generateName is required");
		return;
	}
	const struct kind_ops *ops = resource_ops(r);
	const char *bad = (ops->check_name ? ops->check_name : validate_dns1123_subdomain)(name);
	if (bad)
		bad_value(e, "metadata.name", name, bad);
}

static void check_annotations(struct field_errors *e, const struct json *annotations)
{
	size_t total = 0;
	JSON_FOREACH (it, annotations) {
		const char *bad = check_qualified_name(it->key);
		if (bad)
			bad_value(e, "metadata.annotations", it->key, bad);
		total += it->key.len + json_str(it).len;
	}
	if (total > ANNOTATIONS_BYTES_MAX)
		field_error_add(
		        e, "FieldValueTooLong", "metadata.annotations", "Too long: may not be more than 262144 bytes");
}

static void check_owners(struct field_errors *e, const struct json *owners)
{
	static const char *const needed[] = {"apiVersion", "kind", "name", "uid"};
	int i = 0, controllers = 0;
	JSON_FOREACH (it, owners) {
		for (size_t k = 0; k < 4; k++)
			if (!json_get_str(it, needed[k]).len)
				bad_value(e, at(e, "metadata.ownerReferences[%d].%s", i, needed[k]), SLICE(""),
				        "must not be empty");
		controllers += json_get_bool(it, "controller", false);
		i++;
	}
	if (controllers > 1)
		bad_value(e, "metadata.ownerReferences", SLICE("..."),
		        "Only one reference can have Controller set to true");
}

static void check_finalizers(struct field_errors *e, const struct json *finalizers)
{
	bool orphan = false, foreground = false;
	JSON_FOREACH (it, finalizers) {
		struct slice s = json_str(it);
		const char *bad = check_qualified_name(s);
		if (bad)
			bad_value(e, "metadata.finalizers", s, bad);
		orphan = orphan || slice_is(s, "orphan");
		foreground = foreground || slice_is(s, "foregroundDeletion");
	}
	if (orphan && foreground)
		bad_value(e, "metadata.finalizers", SLICE("[foregroundDeletion orphan]"),
		        "finalizer orphan and foregroundDeletion cannot be both set");
}

static void check_added_finalizers(struct field_errors *e, const struct json *meta, const struct json *old_meta)
{
	struct name_set had = {MAP_INIT};
	if (!json_get_str(old_meta, "deletionTimestamp").len)
		return;
	JSON_FOREACH (it, json_get(old_meta, "finalizers"))
		name_set_add(&had, json_str(it));
	JSON_FOREACH (it, json_get(meta, "finalizers"))
		if (!name_set_has(&had, json_str(it)))
			bad_forbidden(e, "metadata.finalizers",
			        "no new finalizers can be added if the object is being deleted");
	name_set_release(&had);
}

static void check_metadata(
        struct field_errors *e, const struct resource *r, const struct json *object, const struct json *old)
{
	struct json *meta = json_get(object, "metadata");
	if (!old)
		check_name(e, r, meta);
	check_labels(e, "metadata.labels", json_get(meta, "labels"));
	check_annotations(e, json_get(meta, "annotations"));
	check_owners(e, json_get(meta, "ownerReferences"));
	check_finalizers(e, json_get(meta, "finalizers"));
	if (old)
		check_added_finalizers(e, meta, json_get(old, "metadata"));
}

/* ---- what may not change ---- */

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

static const struct json *follow(const struct json *v, struct slice dotted)
{
	while (v && dotted.ptr)
		v = json_get_slice(v, slice_cut(&dotted, '.'));
	return v;
}

static void check_frozen_fields(
        struct field_errors *e, const char *fields, const struct json *object, const struct json *old)
{
	struct slice rest = fields ? slice_of(fields) : SLICE_NULL;
	while (rest.ptr) {
		struct slice path = slice_cut(&rest, ',');
		check_immutable(e, at(e, "%.*s", SLICE_FMT(path)), follow(object, path), follow(old, path));
	}
}

void validate_object(struct field_errors *e, const struct resource *r, const struct json *object,
        const struct json *old, const char *sub)
{
	const struct kind_ops *ops = resource_ops(r);
	check_metadata(e, r, object, old);
	if (r->custom) { /* the status too, whichever part is written */
		custom_program_check(e, r->custom, object, old, "", true);
		custom_program_check_rules(e, r->custom, object, old, "");
	}
	if (*sub && ops->validate_part)
		ops->validate_part(e, object, old);
	if (*sub)
		return; /* the rest is the old object's, which was valid */
	if (ops->validate)
		ops->validate(e, object, old);
	if (old)
		check_frozen_fields(e, ops->immutable, object, old);
}

const char *validate_label_key(struct slice s)
{
	return check_qualified_name(s);
}

const char *validate_label_value(struct slice s)
{
	return label_value_error(s);
}
