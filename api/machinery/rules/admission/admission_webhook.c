/* See admission_webhook.h. Upstream: pkg/apis/admissionregistration, and apiserver pkg/util/webhook/validation.go. */
#include "api/machinery/rules/admission/admission_webhook.h"
#include "api/machinery/rules/admission/admission_match.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/admission/webhook_client.h"

#include "api/machinery/cel/policy_env.h"
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

struct conditions {
	struct field_errors *e;
	const struct json *list;
	const char *field;
};

static void condition_is_bad(void *arg, size_t index, const char *words)
{
	const struct conditions *c = arg;
	bad_value(c->e, at(c->e, "%s[%zu].expression", c->field, index),
	        json_get_str(json_at(c->list, index), "expression"), words);
}

static void check_conditions(struct field_errors *e, const struct json *list, const char *field)
{
	struct conditions c = {e, list, field};
	struct policy_env env;
	size_t before = e->count;
	admission_check_conditions(e, list, field);
	if (!list || e->count != before)
		return;
	policy_env_init(&env, false, true);
	match_conditions_new(e->arena, &env, list, condition_is_bad, &c);
}

static void check_hook(struct field_errors *e, const struct json *hook, const char *here, bool mutates)
{
	const struct json *effects = json_get(hook, "sideEffects");
	int64_t timeout = json_get_int(hook, "timeoutSeconds", TIMEOUT_S);
	int i = 0;
	check_name(e, json_get_str(hook, "name"), at(e, "%s.name", here));
	webhook_review_versions_check(e, json_get(hook, "admissionReviewVersions"), "must specify one of v1, v1beta1",
	        at(e, "%s.admissionReviewVersions", here));
	JSON_FOREACH (it, json_get(hook, "rules"))
		admission_check_rule(e, it, at(e, "%s.rules[%d]", here, i++));
	check_choice(e, at(e, "%s.failurePolicy", here), json_get_str(hook, "failurePolicy"), "Fail,Ignore", true);
	check_choice(e, at(e, "%s.matchPolicy", here), json_get_str(hook, "matchPolicy"), "Equivalent,Exact", true);
	if (!json_is(effects, JSON_STRING))
		bad_required(e, at(e, "%s.sideEffects", here), "must specify one of None, NoneOnDryRun");
	else
		check_choice(e, at(e, "%s.sideEffects", here), json_str(effects), "None,NoneOnDryRun", true);
	if (timeout < 1 || timeout > TIMEOUT_S_MAX)
		bad_number(e, at(e, "%s.timeoutSeconds", here), timeout,
		        "the timeout value must be between 1 and 30 seconds");
	check_selector(e, at(e, "%s.namespaceSelector", here), json_get(hook, "namespaceSelector"));
	check_selector(e, at(e, "%s.objectSelector", here), json_get(hook, "objectSelector"));
	webhook_client_check(e, json_get(hook, "clientConfig"), at(e, "%s.clientConfig", here));
	if (mutates)
		check_choice(e, at(e, "%s.reinvocationPolicy", here), json_get_str(hook, "reinvocationPolicy"),
		        "IfNeeded,Never", true);
}

/* ---- all ---- */

static void validate(struct field_errors *e, const struct json *object, const struct json *old, bool mutates)
{
	const struct json *hooks = json_get(object, "webhooks");
	struct name_set seen = {MAP_INIT};
	/* what was let in is not compiled anew */
	bool is_new = !old || !json_get(old, "webhooks") || !json_equal(hooks, json_get(old, "webhooks"));
	int i = 0;
	JSON_FOREACH (it, hooks) {
		const char *here = at(e, "webhooks[%d]", i++);
		struct slice name = json_get_str(it, "name");
		check_hook(e, it, here, mutates);
		if (is_new)
			check_conditions(e, json_get(it, "matchConditions"), at(e, "%s.matchConditions", here));
		if (name.len && !name_set_add(&seen, name))
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
