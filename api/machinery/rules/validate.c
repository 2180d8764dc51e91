/* Validation of metadata and of the small kinds; pods are in validate_pod.c, services in validate_service.c. See
 * validate.h. Upstream: apimachinery/pkg/api/validation and pkg/apis/GROUP/validation. */
#include "api/machinery/rules/validate_int.h"

#include "api/machinery/schema/selector.h"

#include <stdarg.h>
#include <stdio.h>

enum { LABEL_MAX = 63, SUBDOMAIN_MAX = 253, ANNOTATIONS_BYTES_MAX = 256 * 1024, OBJECT_DATA_BYTES_MAX = 1024 * 1024 };

/* ---- collecting ---- */

void field_errors_init(struct field_errors *e, struct arena *a)
{
	e->arena = a;
	e->count = 0;
	e->dropped = 0;
}

void field_error_add(struct field_errors *e, const char *reason, const char *field, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	if (e->count == FIELD_ERRORS_MAX) {
		e->dropped++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	e->items[e->count++] =
	        (struct field_error){reason, arena_strdup(e->arena, field), arena_strdup(e->arena, text)};
}

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

/* ---- metadata ---- */

static const char *name_error(const struct resource *r, struct slice name)
{
	if (strcmp(r->kind, "Namespace") == 0)
		return validate_dns1123_label(name);
	if (strcmp(r->kind, "Service") == 0)
		return check_dns1035_label(name);
	if (strncmp(r->group, "rbac.", 5) == 0 || strcmp(r->kind, "ComponentStatus") == 0) {
		bool bad = !name.len || slice_is(name, ".") || slice_is(name, "..") ||
		           memchr(name.ptr, '/', name.len) || memchr(name.ptr, '%', name.len);
		return bad ? "may not be empty, '.' or '..', nor contain '/' or '%'" : NULL;
	}
	return validate_dns1123_subdomain(name);
}

static void check_name(struct field_errors *e, const struct resource *r, const struct json *meta)
{
	struct slice name = json_get_str(meta, "name"), generate = json_get_str(meta, "generateName");
	if (!name.len) {
		bad_required(e, "metadata.name", generate.len ? "" : "name or generateName is required");
		return;
	}
	const char *bad = name_error(r, name);
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
	if (!json_get_str(old_meta, "deletionTimestamp").len)
		return;
	JSON_FOREACH (it, json_get(meta, "finalizers")) {
		bool had = false;
		JSON_FOREACH (o, json_get(old_meta, "finalizers"))
			had = had || json_equal(o, it);
		if (!had)
			bad_forbidden(e, "metadata.finalizers",
			        "no new finalizers can be added if the object is being deleted");
	}
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

/* ---- ConfigMap, Secret ---- */

static void check_data(struct field_errors *e, const char *field, const struct json *data, size_t *total)
{
	JSON_FOREACH (it, data) {
		const char *bad = check_config_key(it->key);
		if (bad)
			bad_value(e, at(e, "%s[%.*s]", field, SLICE_FMT(it->key)), it->key, bad);
		*total += it->key.len + json_str(it).len;
	}
}

static bool same(const struct json *x, const struct json *y)
{
	bool x_empty = !x || !x->first, y_empty = !y || !y->first;
	return (x_empty && y_empty) || json_equal(x, y);
}

static void check_frozen(struct field_errors *e, const struct json *object, const struct json *old)
{
	if (!json_get_bool(old, "immutable", false))
		return;
	if (!json_get_bool(object, "immutable", false))
		bad_forbidden(e, "immutable", "field is immutable when `immutable` is set");
	if (!same(json_get(object, "data"), json_get(old, "data")) ||
	        !same(json_get(object, "binaryData"), json_get(old, "binaryData")))
		bad_forbidden(e, "data", "field is immutable when `immutable` is set");
}

static void validate_config_map(struct field_errors *e, const struct json *object, const struct json *old)
{
	size_t total = 0;
	check_data(e, "data", json_get(object, "data"), &total);
	check_data(e, "binaryData", json_get(object, "binaryData"), &total);
	JSON_FOREACH (it, json_get(object, "binaryData"))
		if (json_get_slice(json_get(object, "data"), it->key))
			bad_value(e, at(e, "binaryData[%.*s]", SLICE_FMT(it->key)), it->key,
			        "duplicate of key present in data");
	if (total > OBJECT_DATA_BYTES_MAX)
		field_error_add(e, "FieldValueTooLong", "", "Too long: may not be more than 1048576 bytes");
	if (old)
		check_frozen(e, object, old);
}

static void validate_secret(struct field_errors *e, const struct json *object, const struct json *old)
{
	size_t total = 0;
	struct slice type = json_get_str(object, "type");
	struct json *data = json_get(object, "data");
	check_data(e, "data", data, &total);
	if (total / 4 * 3 > OBJECT_DATA_BYTES_MAX)
		field_error_add(e, "FieldValueTooLong", "data", "Too long: may not be more than 1048576 bytes");
	if (slice_is(type, "kubernetes.io/tls")) {
		if (!json_get(data, "tls.crt"))
			bad_required(e, "data[tls.crt]", "");
		if (!json_get(data, "tls.key"))
			bad_required(e, "data[tls.key]", "");
	}
	if (slice_is(type, "kubernetes.io/dockerconfigjson") && !json_get(data, ".dockerconfigjson"))
		bad_required(e, "data[.dockerconfigjson]", "");
	if (slice_is(type, "kubernetes.io/service-account-token") &&
	        !json_get(json_path(object, "metadata", "annotations", NULL), "kubernetes.io/service-account.name"))
		bad_required(e, "metadata.annotations[kubernetes.io/service-account.name]", "");
	if (!old)
		return;
	if (!slice_eq(type, json_get_str(old, "type")))
		field_error_add(
		        e, "FieldValueInvalid", "type", "Invalid value: \"%.*s\": field is immutable", SLICE_FMT(type));
	check_frozen(e, object, old);
}

/* ---- workloads ---- */

static void check_immutable(
        struct field_errors *e, const char *field, const struct json *now, const struct json *before)
{
	if (json_equal(now, before))
		return;
	struct strbuf text = STRBUF_INIT;
	if (now)
		json_write(&text, now);
	bad_immutable(e, field, strbuf_slice(&text));
	strbuf_release(&text);
}

static void check_selector_fits(struct field_errors *e, const struct json *spec)
{
	struct json *selector = json_get(spec, "selector"),
	            *labels = json_path(spec, "template", "metadata", "labels", NULL);
	struct label_selector parsed;
	bool nothing;
	if (!selector) {
		bad_required(e, "spec.selector", "");
		return;
	}
	check_selector(e, "spec.selector", selector);
	if (label_selector_from_json(e->arena, selector, &parsed, &nothing, NULL) != 0)
		return;
	if (!parsed.count) {
		bad_value(e, "spec.selector", SLICE("{}"), "empty selector is invalid for deployment");
		return;
	}
	if (!label_selector_matches_tree(&parsed, labels)) {
		struct strbuf text = STRBUF_INIT;
		if (labels)
			json_write(&text, labels);
		field_error_add(e, "FieldValueInvalid", "spec.template.metadata.labels",
		        "Invalid value: %s: `selector` does not match template `labels`", strbuf_cstr(&text));
		strbuf_release(&text);
	}
}

static void check_always_restarts(struct field_errors *e, const struct json *spec)
{
	struct slice policy = json_str(json_path(spec, "template", "spec", "restartPolicy", NULL));
	if (policy.len && !slice_is(policy, "Always"))
		bad_choice(e, "spec.template.spec.restartPolicy", policy, "Always");
}

static void validate_workload(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json *spec = json_get(object, "spec");
	check_non_negative(e, "spec.replicas", json_get(spec, "replicas"));
	check_non_negative(e, "spec.minReadySeconds", json_get(spec, "minReadySeconds"));
	check_non_negative(e, "spec.revisionHistoryLimit", json_get(spec, "revisionHistoryLimit"));
	check_selector_fits(e, spec);
	validate_pod_template(e, "spec.template", json_get(spec, "template"));
	check_always_restarts(e, spec);
	if (old)
		check_immutable(
		        e, "spec.selector", json_get(spec, "selector"), json_path(old, "spec", "selector", NULL));
}

/* Whole numbers and percentages; -1 when it is neither. */
static int64_t int_or_percent(const struct json *v, bool *is_percent)
{
	uint64_t n;
	struct slice s = json_str(v);
	*is_percent = s.ptr != NULL;
	if (!s.ptr)
		return json_int(v, -1);
	if (s.len < 2 || s.ptr[s.len - 1] != '%' || !slice_to_u64((struct slice){s.ptr, s.len - 1}, &n))
		return -1;
	return (int64_t)n;
}

static void check_rolling(struct field_errors *e, const struct json *rolling)
{
	bool percent;
	struct json *unavailable = json_get(rolling, "maxUnavailable"), *surge = json_get(rolling, "maxSurge");
	int64_t u = int_or_percent(unavailable, &percent);
	if (u < 0 || (percent && u > 100))
		bad_value(e, "spec.strategy.rollingUpdate.maxUnavailable", unavailable ? unavailable->text : SLICE(""),
		        "must be a non-negative integer or a percentage of at most 100%");
	int64_t s = int_or_percent(surge, &percent);
	if (s < 0)
		bad_value(e, "spec.strategy.rollingUpdate.maxSurge", surge ? surge->text : SLICE(""),
		        "must be a non-negative integer or a percentage");
	if (u == 0 && s == 0)
		field_error_add(e, "FieldValueInvalid", "spec.strategy.rollingUpdate.maxUnavailable",
		        "Invalid value: 0: may not be 0 when `maxSurge` is 0");
}

static void validate_deployment(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json *spec = json_get(object, "spec"), *strategy = json_get(spec, "strategy");
	struct slice type = json_get_str(strategy, "type");
	validate_workload(e, object, old);
	check_choice(e, "spec.strategy.type", type, "Recreate,RollingUpdate", false);
	if (slice_is(type, "Recreate") && json_get(strategy, "rollingUpdate"))
		bad_forbidden(
		        e, "spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'");
	if (slice_is(type, "RollingUpdate"))
		check_rolling(e, json_get(strategy, "rollingUpdate"));
	struct json *deadline = json_get(spec, "progressDeadlineSeconds");
	if (deadline && json_int(deadline, 0) <= json_get_int(spec, "minReadySeconds", 0))
		bad_number(e, "spec.progressDeadlineSeconds", json_int(deadline, 0),
		        "must be greater than minReadySeconds");
}

static void validate_job(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json *spec = json_get(object, "spec");
	struct slice policy = json_str(json_path(spec, "template", "spec", "restartPolicy", NULL));
	check_non_negative(e, "spec.parallelism", json_get(spec, "parallelism"));
	check_non_negative(e, "spec.completions", json_get(spec, "completions"));
	check_non_negative(e, "spec.backoffLimit", json_get(spec, "backoffLimit"));
	validate_pod_template(e, "spec.template", json_get(spec, "template"));
	if (policy.len && slice_is(policy, "Always"))
		bad_choice(e, "spec.template.spec.restartPolicy", policy, "OnFailure,Never");
	if (old && json_get(spec, "completions") && !slice_is(json_get_str(spec, "completionMode"), "Indexed"))
		check_immutable(e, "spec.completions", json_get(spec, "completions"),
		        json_path(old, "spec", "completions", NULL));
}

static void validate_namespace(struct field_errors *e, const struct json *object, const struct json *old)
{
	JSON_FOREACH (it, json_path(object, "spec", "finalizers", NULL)) {
		const char *bad = check_qualified_name(json_str(it));
		if (bad)
			bad_value(e, "spec.finalizers", json_str(it), bad);
	}
}

static void validate_role_binding(struct field_errors *e, const struct json *object, const struct json *old)
{
	struct json *ref = json_get(object, "roleRef");
	if (!json_get_str(ref, "name").len)
		bad_required(e, "roleRef.name", "");
	check_choice(e, "roleRef.kind", json_get_str(ref, "kind"), "Role,ClusterRole", true);
	if (old && !json_equal(ref, json_get(old, "roleRef")))
		bad_value(e, "roleRef", json_get_str(ref, "name"), "cannot change roleRef");
}

static void validate_endpoint_slice(struct field_errors *e, const struct json *object, const struct json *old)
{
	check_choice(e, "addressType", json_get_str(object, "addressType"), "IPv4,IPv6,FQDN", true);
	if (old && !slice_eq(json_get_str(object, "addressType"), json_get_str(old, "addressType")))
		field_error_add(e, "FieldValueInvalid", "addressType", "Invalid value: \"%.*s\": field is immutable",
		        SLICE_FMT(json_get_str(object, "addressType")));
}

static void validate_priority_class(struct field_errors *e, const struct json *object, const struct json *old)
{
	int64_t value = json_get_int(object, "value", 0);
	bool is_system = slice_starts(json_str(json_path(object, "metadata", "name", NULL)), "system-");
	if (value > 1000000000 && !is_system)
		bad_forbidden(e, "value", "maximum allowed value of a user defined priority is 1000000000");
	if (old && value != json_get_int(old, "value", 0))
		bad_forbidden(e, "value", "may not be changed in an update.");
}

/* ---- the table ---- */

struct row {
	const char *group;
	const char *kind;
	void (*validate)(struct field_errors *e, const struct json *object, const struct json *old);
};

static const struct row rows[] = {
        {"", "Pod", validate_pod},
        {"", "Service", validate_service},
        {"", "ConfigMap", validate_config_map},
        {"", "Secret", validate_secret},
        {"", "Namespace", validate_namespace},
        {"apps", "Deployment", validate_deployment},
        {"apps", "ReplicaSet", validate_workload},
        {"apps", "DaemonSet", validate_workload},
        {"apps", "StatefulSet", validate_workload},
        {"batch", "Job", validate_job},
        {"discovery.k8s.io", "EndpointSlice", validate_endpoint_slice},
        {"rbac.authorization.k8s.io", "RoleBinding", validate_role_binding},
        {"rbac.authorization.k8s.io", "ClusterRoleBinding", validate_role_binding},
        {"scheduling.k8s.io", "PriorityClass", validate_priority_class},
};

void validate_object(struct field_errors *e, const struct resource *r, const struct json *object,
        const struct json *old, const char *sub)
{
	check_metadata(e, r, object, old);
	if (*sub)
		return; /* the rest is the old object's, which was valid */
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(rows[i].group, r->group) == 0 && strcmp(rows[i].kind, r->kind) == 0)
			rows[i].validate(e, object, old);
}
