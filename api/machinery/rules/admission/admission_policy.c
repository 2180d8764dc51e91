/* ValidatingAdmissionPolicy and its binding. Upstream: pkg/apis/admissionregistration. */
#include "api/machinery/rules/admission/admission_policy.h"
#include "api/machinery/rules/admission/admission_match.h"
#include "api/machinery/rules/checks.h"

#include "api/machinery/cel/policy_program.h"
#include "base/check.h"

enum { ANNOTATIONS_MAX = 20, VALUE_EXPRESSION_BYTES_MAX = 5 * 1024, ACTIONS_MAX = 3 };

/* ---- policies ---- */

void policy_defaults(struct arena *a, struct json *object)
{
	struct json *spec = json_need(a, object, "spec", JSON_OBJECT);
	if (!json_get(spec, "failurePolicy"))
		json_set_cstr(a, spec, "failurePolicy", "Fail");
	admission_match_defaults(a, json_get(spec, "matchConstraints"), "resourceRules");
}

static bool has_line_breaks(struct slice s)
{
	return s.len && (memchr(s.ptr, '\n', s.len) || memchr(s.ptr, '\r', s.len));
}

static void check_param_kind(struct field_errors *e, const struct json *kind)
{
	struct slice version = json_get_str(kind, "apiVersion"), group = version;
	if (!kind)
		return;
	if (!version.len) {
		bad_required(e, "spec.paramKind.apiVersion", "");
	} else {
		struct slice first = slice_cut(&group, '/');
		struct slice last = group.ptr ? group : first;
		if (!last.len || memchr(last.ptr, '/', last.len) || validate_dns1123_label(last))
			bad_value(e, "spec.paramKind.apiVersion", version,
			        at(e, "unexpected GroupVersion string: %.*s", SLICE_FMT(version)));
	}
	if (!json_get_str(kind, "kind").len)
		bad_required(e, "spec.paramKind.kind", "");
}

static bool is_identifier(struct slice s)
{
	bool good = s.len && !(s.ptr[0] >= '0' && s.ptr[0] <= '9');
	for (size_t i = 0; i < s.len && good; i++)
		good = (s.ptr[i] >= 'a' && s.ptr[i] <= 'z') || (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z') ||
		       s.ptr[i] == '_' || (s.ptr[i] >= '0' && s.ptr[i] <= '9');
	return good;
}

static void check_variables(struct field_errors *e, const struct json *list)
{
	struct name_set seen = {MAP_INIT};
	int i = 0;
	if (list && list->count > POLICY_VARIABLES_COUNT_MAX)
		field_error_add(e, "FieldValueTooMany", "spec.variables", "Too many: %u: must have at most %d items",
		        list->count, POLICY_VARIABLES_COUNT_MAX);
	JSON_FOREACH (it, list) {
		struct slice name = json_get_str(it, "name");
		const char *here = at(e, "spec.variables[%d]", i++);
		if (!name.len)
			bad_required(e, at(e, "%s.name", here), "name is not specified");
		else if (!is_identifier(name))
			bad_value(e, at(e, "%s.name", here), name, "name is not a valid CEL identifier");
		else if (!name_set_add(&seen, name))
			bad_duplicate(e, at(e, "%s.name", here), name);
		if (!slice_trim(json_get_str(it, "expression")).len)
			bad_required(e, at(e, "%s.expression", here), "expression is not specified");
	}
	name_set_release(&seen);
}

static void check_validation(struct field_errors *e, const struct json *v, const char *here)
{
	struct slice text = slice_trim(json_get_str(v, "expression")), message = json_get_str(v, "message"),
	             trimmed = slice_trim(message), said = json_get_str(v, "messageExpression");
	if (!text.len)
		bad_required(e, at(e, "%s.expression", here), "expression is not specified");
	if (said.len && !slice_trim(said).len)
		bad_value(e, at(e, "%s.messageExpression", here), said, "must be non-empty if specified");
	if (message.len && !trimmed.len)
		bad_value(e, at(e, "%s.message", here), message, "message must be non-empty if specified");
	else if (has_line_breaks(trimmed))
		bad_value(e, at(e, "%s.message", here), message, "message must not contain line breaks");
	else if (has_line_breaks(text) && !trimmed.len)
		bad_required(
		        e, at(e, "%s.message", here), "message must be specified if expression contains line breaks");
	if (json_get(v, "reason"))
		check_choice(e, at(e, "%s.reason", here), json_get_str(v, "reason"),
		        "Forbidden,Invalid,RequestEntityTooLarge,Unauthorized", true);
}

static void check_audit_annotations(struct field_errors *e, const struct json *list)
{
	struct name_set seen = {MAP_INIT};
	int i = 0;
	if (list && list->count > ANNOTATIONS_MAX)
		bad_value(e, "spec.auditAnnotations", SLICE("[...]"),
		        at(e, "must not have more than %d auditAnnotations", ANNOTATIONS_MAX));
	JSON_FOREACH (it, list) {
		const char *here = at(e, "spec.auditAnnotations[%d]", i++);
		struct slice key = json_get_str(it, "key"), value = slice_trim(json_get_str(it, "valueExpression"));
		const char *why = key.len ? check_qualified_name(key) : NULL;
		if (!key.len)
			bad_required(e, at(e, "%s.key", here), "");
		else if (memchr(key.ptr, '/', key.len) || why)
			bad_value(e, at(e, "%s.key", here), key, why ? why : "must not contain a '/'");
		else if (!name_set_add(&seen, key))
			bad_duplicate(e, at(e, "%s.key", here), key);
		if (!value.len)
			bad_required(e, at(e, "%s.valueExpression", here), "valueExpression is not specified");
		else if (value.len > VALUE_EXPRESSION_BYTES_MAX)
			bad_required(e, at(e, "%s.valueExpression", here),
			        at(e, "must not exceed %d bytes in length", VALUE_EXPRESSION_BYTES_MAX));
	}
	name_set_release(&seen);
}

static void expression_is_bad(void *arg, const char *field, struct slice expression, const char *words)
{
	struct field_errors *e = arg;
	bad_value(e, at(e, "spec.%s", field), expression, words);
}

void policy_validate(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *match = json_get(spec, "matchConstraints"),
	                  *checks = json_get(spec, "validations"), *notes = json_get(spec, "auditAnnotations");
	struct policy_faults faults = {expression_is_bad, e};
	size_t before = e->count;
	int i = 0;
	check_choice(e, "spec.failurePolicy", json_get_str(spec, "failurePolicy"), "Fail,Ignore", true);
	check_param_kind(e, json_get(spec, "paramKind"));
	if (!json_is(match, JSON_OBJECT))
		bad_required(e, "spec.matchConstraints", "");
	else
		admission_check_match(e, match, "spec.matchConstraints", true);
	admission_check_conditions(e, json_get(spec, "matchConditions"), "spec.matchConditions");
	check_variables(e, json_get(spec, "variables"));
	if ((!checks || !checks->count) && (!notes || !notes->count)) {
		bad_required(e, "spec.validations", "validations or auditAnnotations must contain at least one item");
		bad_required(
		        e, "spec.auditAnnotations", "validations or auditAnnotations must contain at least one item");
	}
	JSON_FOREACH (it, checks)
		check_validation(e, it, at(e, "spec.validations[%d]", i++));
	check_audit_annotations(e, notes);
	/* what was let in is not weighed anew */
	if (e->count == before && !(old && json_equal(spec, json_get(old, "spec"))))
		policy_program_new(e->arena, spec, NULL, NULL, &faults);
}

/* ---- bindings ---- */

void policy_binding_defaults(struct arena *a, struct json *object)
{
	admission_match_defaults(a, json_path(object, "spec", "matchResources", NULL), "resourceRules");
}

static void check_param_ref(struct field_errors *e, const struct json *ref)
{
	struct slice name = json_get_str(ref, "name");
	const struct json *selector = json_get(ref, "selector");
	const char *why = name.len ? check_path_segment(name) : NULL;
	if (name.len && selector)
		bad_forbidden(e, "spec.paramRef.name", "name and selector are mutually exclusive");
	if (!name.len && !selector)
		bad_required(e, "spec.paramRef", "one of name or selector must be specified");
	if (why)
		bad_value(e, "spec.paramRef.name", name, why);
	check_selector(e, "spec.paramRef.selector", selector);
	if (!json_get_str(ref, "parameterNotFoundAction").len)
		bad_required(e, "spec.paramRef.parameterNotFoundAction", "");
	else
		check_choice(e, "spec.paramRef.parameterNotFoundAction", json_get_str(ref, "parameterNotFoundAction"),
		        "Allow,Deny", true);
}

void policy_binding_validate(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *actions = json_get(spec, "validationActions");
	struct slice name = json_get_str(spec, "policyName");
	const char *why = name.len ? validate_dns1123_subdomain(name) : NULL;
	struct name_set seen = {MAP_INIT};
	int i = 0;
	if (!name.len)
		bad_required(e, "spec.policyName", "");
	else if (why)
		bad_value(e, "spec.policyName", name, why);
	if (json_is(json_get(spec, "paramRef"), JSON_OBJECT))
		check_param_ref(e, json_get(spec, "paramRef"));
	if (json_is(json_get(spec, "matchResources"), JSON_OBJECT))
		admission_check_match(e, json_get(spec, "matchResources"), "spec.matchResources", false);
	if (!actions || !actions->count)
		bad_required(e, "spec.validationActions", "at least one validation action is required");
	JSON_FOREACH (it, actions) {
		const char *field = at(e, "spec.validationActions[%d]", i++);
		check_choice(e, field, json_str(it), "Audit,Deny,Warn", true);
		if (!name_set_add(&seen, json_str(it)))
			bad_duplicate(e, field, json_str(it));
	}
	if (name_set_has(&seen, SLICE("Deny")) && name_set_has(&seen, SLICE("Warn")))
		bad_value(e, "spec.validationActions", SLICE("[\"Deny\", \"Warn\"]"),
		        "must not contain both Deny and Warn (repeating the same validation failure information in the "
		        "API response and headers serves no purpose)");
	name_set_release(&seen);
}
