/* ValidatingAdmissionPolicy and its binding. Upstream: pkg/apis/admissionregistration. */
#include "api/machinery/rules/admission/admission_policy.h"
#include "api/machinery/rules/admission/admission_match.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_value.h"

#include "api/machinery/cel/policy_program.h"
#include "api/machinery/table/custom_columns.h"
#include "base/check.h"

enum { ANNOTATIONS_MAX = 20, VALUE_EXPRESSION_BYTES_MAX = 5 * 1024 };

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

/* What APIServices ask of their group and version. */
static void check_param_version(struct field_errors *e, struct slice text, const char *field)
{
	struct slice version = text, first = slice_cut(&version, '/');
	if (version.ptr && memchr(version.ptr, '/', version.len)) {
		bad_value(e, field, text, at(e, "unexpected GroupVersion string: %.*s", SLICE_FMT(text)));
		return;
	}
	struct slice group = version.ptr ? first : SLICE("");
	version = version.ptr ? version : first;
	const char *why_group = group.len ? validate_dns1123_subdomain(group) : NULL,
	           *why = version.len ? check_dns1035_label(version) : NULL;
	if (why_group)
		bad_value(e, field, group, why_group);
	if (!version.len)
		bad_value(e, field, text, "version must be specified");
	else if (why)
		bad_value(e, field, version, why);
}

static void check_param_kind(struct field_errors *e, const struct json *ref)
{
	struct slice version = json_get_str(ref, "apiVersion"), kind = json_get_str(ref, "kind");
	const char *why = kind.len ? check_dns1035_label(slice_lower(e->arena, kind)) : NULL;
	if (!version.len)
		bad_required(e, "spec.paramKind.apiVersion", "");
	else
		check_param_version(e, version, "spec.paramKind.apiVersion");
	if (!kind.len)
		bad_required(e, "spec.paramKind.kind", "");
	else if (why)
		bad_value(e, "spec.paramKind.kind", kind,
		        at(e, "may have mixed case, but should otherwise match: %s", why));
}

static bool is_identifier(struct slice s)
{
	static const char *const reserved[] = {"true", "false", "null", "in", "as", "break", "const", "continue",
	        "else", "for", "function", "if", "import", "let", "loop", "package", "namespace", "return", "var",
	        "void", "while"};
	bool good = s.len && !(s.ptr[0] >= '0' && s.ptr[0] <= '9');
	for (size_t i = 0; i < s.len && good; i++)
		good = (s.ptr[i] >= 'a' && s.ptr[i] <= 'z') || (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z') ||
		       s.ptr[i] == '_' || (s.ptr[i] >= '0' && s.ptr[i] <= '9');
	return good && !slice_is_any(s, reserved, COUNT_OF(reserved));
}

/* Each name once: there upstream takes the last one of a name, and an apply refuses the list. */
static void check_variables(struct field_errors *e, const struct json *list)
{
	struct name_set seen = {MAP_INIT};
	int i = 0;
	check_not_too_many(e, "spec.variables", list, POLICY_VARIABLES_COUNT_MAX);
	JSON_FOREACH (it, list) {
		struct slice name = json_get_str(it, "name");
		const char *here = at(e, "spec.variables[%d]", i++);
		if (!slice_trim(name).len)
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
	if (json_get(v, "reason"))
		check_supported(e, at(e, "%s.reason", here), json_get_str(v, "reason"),
		        "Forbidden,Invalid,RequestEntityTooLarge");
}

/* Their keys are told by the policy's name before them. */
static void check_audit_annotations(struct field_errors *e, const struct json *list, struct slice policy)
{
	struct name_set seen = {MAP_INIT};
	int i = 0;
	if (list && list->count > ANNOTATIONS_MAX)
		bad_value(e, "spec.auditAnnotations", SLICE("..."),
		        at(e, "must not have more than %d auditAnnotations", ANNOTATIONS_MAX));
	JSON_FOREACH (it, list) {
		const char *here = at(e, "spec.auditAnnotations[%d]", i++), *field = at(e, "%s.valueExpression", here);
		struct slice key = json_get_str(it, "key"), value = slice_trim(json_get_str(it, "valueExpression")),
		             name = slice_of(at(e, "%.*s/%.*s", SLICE_FMT(policy), SLICE_FMT(key)));
		const char *why = check_qualified_name(name);
		if (!policy.len)
			bad_value(e, at(e, "%s.key", here), key, "requires metadata.name be non-empty");
		else if (why)
			bad_value(e, at(e, "%s.key", here), name, why);
		if (!value.len)
			bad_required(e, field, "valueExpression is not specified");
		else if (value.len > VALUE_EXPRESSION_BYTES_MAX)
			bad_required(e, field, at(e, "must not exceed %d bytes in length", VALUE_EXPRESSION_BYTES_MAX));
		if (!name_set_add(&seen, key))
			bad_duplicate(e, at(e, "%s.key", here), key);
	}
	name_set_release(&seen);
}

/* ---- expressions ---- */

struct expressions {
	struct field_errors *e;
	bool same_conditions; /* as they were: not weighed anew */
};

/* Of what is not there, or longer than it may be, enough is said. */
static void expression_is_bad(void *arg, const char *field, struct slice expression, const char *words)
{
	const struct expressions *x = arg;
	bool is_condition = slice_starts(slice_of(field), "matchConditions["),
	     is_note = slice_starts(slice_of(field), "auditAnnotations[");
	if (expression.len && !(is_condition && x->same_conditions) &&
	        !(is_note && expression.len > VALUE_EXPRESSION_BYTES_MAX))
		bad_value(x->e, at(x->e, "spec.%s", field), slice_trim(expression), words);
}

static bool is_same(const struct json *spec, const struct json *old_spec, const char *member)
{
	return json_equal(json_get(spec, member), json_get(old_spec, member));
}

static void check_expressions(struct field_errors *e, const struct json *spec, const struct json *old_spec)
{
	struct expressions x = {
	        e, old_spec && is_same(spec, old_spec, "paramKind") && is_same(spec, old_spec, "matchConditions")};
	struct policy_faults faults = {expression_is_bad, &x};
	if (!x.same_conditions)
		admission_check_condition_names(e, json_get(spec, "matchConditions"), "spec.matchConditions");
	if (!json_equal(spec, old_spec))
		policy_program_new(e->arena, spec, NULL, NULL, &faults);
}

void policy_validate(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *match = json_get(spec, "matchConstraints"),
	                  *rules = json_get(match, "resourceRules"), *checks = json_get(spec, "validations"),
	                  *notes = json_get(spec, "auditAnnotations");
	int i = 0;
	check_supported(e, "spec.failurePolicy", json_get_str(spec, "failurePolicy"), "Fail,Ignore");
	if (object_member(spec, "paramKind"))
		check_param_kind(e, json_get(spec, "paramKind"));
	if (!json_is(match, JSON_OBJECT))
		bad_required(e, "spec.matchConstraints", "");
	else
		admission_check_match(e, match, "spec.matchConstraints");
	if (json_is(match, JSON_OBJECT) && (!rules || !rules->count))
		bad_required(e, "spec.matchConstraints.resourceRules", "");
	check_variables(e, json_get(spec, "variables"));
	if ((!checks || !checks->count) && (!notes || !notes->count)) {
		bad_required(e, "spec.validations", "validations or auditAnnotations must contain at least one item");
		bad_required(
		        e, "spec.auditAnnotations", "validations or auditAnnotations must contain at least one item");
	}
	JSON_FOREACH (it, checks)
		check_validation(e, it, at(e, "spec.validations[%d]", i++));
	check_audit_annotations(e, notes, json_str(json_path(object, "metadata", "name", NULL)));
	check_expressions(e, spec, json_get(old, "spec"));
}

/* ---- status ---- */

static void check_field_ref(struct field_errors *e, struct slice ref, const char *field)
{
	struct err err = ERR_INIT;
	struct slice path = slice_of(at(e, ".%.*s", SLICE_FMT(ref)));
	if (!ref.len)
		bad_required(e, field, "");
	else if (!custom_path_new(e->arena, path, &err))
		bad_value(e, field, ref, at(e, "invalid JSONPath: %s", err.msg));
}

void policy_validate_status(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *status = json_get(object, "status");
	int i = 0;
	JSON_FOREACH (it, json_path(status, "typeChecking", "expressionWarnings", NULL)) {
		const char *here = at(e, "status.typeChecking.expressionWarnings[%d]", i++);
		if (!json_get_str(it, "warning").len)
			bad_required(e, at(e, "%s.warning", here), "");
		check_field_ref(e, slice_trim(json_get_str(it, "fieldRef")), at(e, "%s.fieldRef", here));
	}
	check_meta_conditions(e, "status.conditions", json_get(status, "conditions"));
}

/* ---- bindings ---- */

void policy_binding_defaults(struct arena *a, struct json *object)
{
	admission_match_defaults(a, json_path(object, "spec", "matchResources", NULL), "resourceRules");
}

static void check_param_ref(struct field_errors *e, const struct json *ref)
{
	struct slice name = json_get_str(ref, "name"), action = json_get_str(ref, "parameterNotFoundAction");
	const struct json *selector = object_member(ref, "selector");
	const char *why = name.len ? check_path_segment(name) : NULL;
	if (why)
		bad_value(e, "spec.paramRef.name", name, why);
	if (name.len && selector)
		bad_forbidden(e, "spec.paramRef.name", "name and selector are mutually exclusive");
	if (selector)
		check_selector(e, "spec.paramRef.selector", selector);
	if (name.len && selector)
		bad_forbidden(e, "spec.paramRef.selector", "name and selector are mutually exclusive");
	if (!name.len && !selector)
		bad_required(e, "spec.paramRef", "one of name or selector must be specified");
	check_choice(e, "spec.paramRef.parameterNotFoundAction", action, "Deny,Allow", true);
}

static void check_actions(struct field_errors *e, const struct json *actions)
{
	struct name_set seen = {MAP_INIT};
	int i = 0;
	JSON_FOREACH (it, actions) {
		const char *field = at(e, "spec.validationActions[%d]", i++);
		check_supported(e, field, json_str(it), "Audit,Deny,Warn");
		if (!name_set_add(&seen, json_str(it)))
			bad_duplicate(e, field, json_str(it));
	}
	if (name_set_has(&seen, SLICE("Deny")) && name_set_has(&seen, SLICE("Warn")))
		field_error_add(e, "FieldValueInvalid", "spec.validationActions",
		        "Invalid value: %s: must not contain both Deny and Warn (repeating the same validation failure "
		        "information in the API response and headers serves no purpose)",
		        go_list_text(e->arena, "[]admissionregistration.ValidationAction", actions));
	if (!actions || !actions->count)
		bad_required(e, "spec.validationActions", "at least one validation action is required");
	name_set_release(&seen);
}

void policy_binding_validate(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec");
	struct slice name = json_get_str(spec, "policyName");
	const char *why = name.len ? validate_dns1123_subdomain(name) : NULL;
	if (!name.len)
		bad_required(e, "spec.policyName", "");
	else if (why)
		bad_value(e, "spec.policyName", name, why);
	if (object_member(spec, "paramRef"))
		check_param_ref(e, json_get(spec, "paramRef"));
	if (object_member(spec, "matchResources"))
		admission_check_match(e, json_get(spec, "matchResources"), "spec.matchResouces"); /* sic: upstream's */
	check_actions(e, json_get(spec, "validationActions"));
}
