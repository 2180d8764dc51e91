/* See admission_webhook.h. Upstream: pkg/apis/admissionregistration, and apiserver pkg/util/webhook/validation.go. */
#include "api/machinery/rules/admission/admission_webhook.h"
#include "api/machinery/rules/admission/admission_match.h"
#include "api/machinery/rules/admission/webhook_client.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_value.h"

#include "base/check.h"

enum { TIMEOUT_S = 10, TIMEOUT_S_MAX = 30, NAME_PARTS = 3 };

/* ---- defaults ---- */

static void set_default(struct arena *a, struct json *v, const char *name, const char *value)
{
	if (!json_get(v, name))
		json_set_cstr(a, v, name, value);
}

static void hook_defaults(struct arena *a, struct json *hook)
{
	set_default(a, hook, "failurePolicy", "Fail");
	admission_match_defaults(a, hook, "rules");
	if (!json_get(hook, "timeoutSeconds"))
		json_set_int(a, hook, "timeoutSeconds", TIMEOUT_S);
	webhook_client_defaults(a, json_get(hook, "clientConfig"));
}

void webhook_validating_defaults(struct arena *a, struct json *object)
{
	JSON_FOREACH (it, json_get(object, "webhooks"))
		if (it->type == JSON_OBJECT)
			hook_defaults(a, it);
}

void webhook_mutating_defaults(struct arena *a, struct json *object)
{
	webhook_validating_defaults(a, object);
	JSON_FOREACH (it, json_get(object, "webhooks"))
		if (it->type == JSON_OBJECT)
			set_default(a, it, "reinvocationPolicy", "Never");
}

/* ---- one ---- */

static void check_name(struct field_errors *e, struct slice name, const char *field)
{
	const char *why = name.len ? validate_dns1123_subdomain(name) : NULL;
	struct slice rest = name;
	int parts = 0;
	for (; rest.len; parts++)
		slice_cut(&rest, '.');
	if (!name.len)
		bad_required(e, field, "");
	else if (why)
		bad_value(e, field, name, why);
	else if (parts < NAME_PARTS)
		bad_value(e, field, name, "should be a domain with at least three segments separated by dots");
}

/* What an older server let in is let in again: it is told by what is stored. */
struct lenience {
	bool any_effects, any_versions, same_names, any_labels, same_conditions;
};

#define EFFECTS "None,NoneOnDryRun"

static void check_hook(
        struct field_errors *e, const struct json *hook, const char *here, const struct lenience *may, bool mutates)
{
	const struct json *effects = json_get(hook, "sideEffects");
	int64_t timeout = json_get_int(hook, "timeoutSeconds", TIMEOUT_S);
	int i = 0;
	check_name(e, json_get_str(hook, "name"), at(e, "%s.name", here));
	JSON_FOREACH (it, json_get(hook, "rules"))
		admission_check_rule(e, it, at(e, "%s.rules[%d]", here, i++));
	check_supported(e, at(e, "%s.failurePolicy", here), json_get_str(hook, "failurePolicy"), "Fail,Ignore");
	check_supported(e, at(e, "%s.matchPolicy", here), json_get_str(hook, "matchPolicy"), "Equivalent,Exact");
	if (!json_is(effects, JSON_STRING))
		bad_required(e, at(e, "%s.sideEffects", here),
		        may->any_effects ? "must specify one of None, NoneOnDryRun, Some, Unknown"
		                         : "must specify one of None, NoneOnDryRun");
	else
		check_supported(e, at(e, "%s.sideEffects", here), json_str(effects),
		        may->any_effects ? EFFECTS ",Some,Unknown" : EFFECTS);
	if (timeout < 1 || timeout > TIMEOUT_S_MAX)
		bad_number(e, at(e, "%s.timeoutSeconds", here), timeout,
		        "the timeout value must be between 1 and 30 seconds");
	if (!may->any_labels) {
		check_selector(e, at(e, "%s.namespaceSelector", here), json_get(hook, "namespaceSelector"));
		check_selector(e, at(e, "%s.objectSelector", here), json_get(hook, "objectSelector"));
	}
	if (mutates)
		check_supported(e, at(e, "%s.reinvocationPolicy", here), json_get_str(hook, "reinvocationPolicy"),
		        "IfNeeded,Never");
	webhook_client_check(e, json_get(hook, "clientConfig"), at(e, "%s.clientConfig", here));
	if (!may->same_conditions)
		admission_check_conditions(e, json_get(hook, "matchConditions"), at(e, "%s.matchConditions", here));
	webhook_review_versions_check(e, json_get(hook, "admissionReviewVersions"), "must specify one of v1, v1beta1",
	        may->any_versions, at(e, "%s.admissionReviewVersions", here));
}

/* ---- what was there before ---- */

static bool conditions_are_same(const struct json *now, const struct json *before)
{
	const struct json *x = now ? now->first : NULL, *y = before ? before->first : NULL;
	for (; x && y; x = x->next, y = y->next)
		if (!json_equal(json_get(x, "matchConditions"), json_get(y, "matchConditions")))
			return false;
	return !x && !y;
}

static bool has_bad_selector(struct arena *a, const struct json *hook)
{
	struct field_errors *e = ARENA_NEW(a, struct field_errors);
	field_errors_init(e, a);
	check_selector(e, "", json_get(hook, "namespaceSelector"));
	check_selector(e, "", json_get(hook, "objectSelector"));
	return e->count > 0;
}

static struct lenience lenience_for(struct arena *a, const struct json *now, const struct json *before)
{
	struct lenience may = {.same_conditions = conditions_are_same(now, before)};
	struct name_set seen = {MAP_INIT};
	JSON_FOREACH (it, before) {
		struct slice effects = json_get_str(it, "sideEffects");
		const struct json *versions = json_get(it, "admissionReviewVersions");
		may.any_effects |= !slice_is(effects, "None") && !slice_is(effects, "NoneOnDryRun");
		may.any_versions |= versions && versions->count && !webhook_review_version_is_known(versions);
		may.same_names |= !name_set_add(&seen, json_get_str(it, "name"));
		may.any_labels |= has_bad_selector(a, it);
	}
	name_set_release(&seen);
	return may;
}

/* ---- all ---- */

static void validate(struct field_errors *e, const struct json *object, const struct json *old, bool mutates)
{
	const struct json *hooks = json_get(object, "webhooks");
	struct lenience may = {0};
	struct name_set seen = {MAP_INIT};
	int i = 0;
	if (old)
		may = lenience_for(e->arena, hooks, json_get(old, "webhooks"));
	JSON_FOREACH (it, hooks) {
		const char *here = at(e, "webhooks[%d]", i++);
		struct slice name = json_get_str(it, "name");
		check_hook(e, it, here, &may, mutates);
		if (name.len && !may.same_names && !name_set_add(&seen, name))
			bad_duplicate(e, at(e, "%s.name", here), name);
	}
	name_set_release(&seen);
}

void webhook_mutating_validate(struct field_errors *e, const struct json *object, const struct json *old)
{
	validate(e, object, old, true);
}

void webhook_validating_validate(struct field_errors *e, const struct json *object, const struct json *old)
{
	validate(e, object, old, false);
}
