/* See admission_webhook.h. Upstream: pkg/apis/admissionregistration, and apiserver pkg/util/webhook/validation.go. */
#include "api/machinery/rules/admission_webhook.h"
#include "api/machinery/rules/admission_match.h"
#include "api/machinery/rules/checks.h"

#include "api/machinery/cel/policy_env.h"
#include "base/check.h"

#define URL_FORM "; desired format: https://host[/path]"

enum { TIMEOUT_S = 10, TIMEOUT_S_MAX = 30, PORT = 443, NAME_PARTS = 3 };

/* ---- defaults ---- */

static void set_default(struct arena *a, struct json *v, const char *name, const char *value)
{
	if (!json_get(v, name))
		json_set_cstr(a, v, name, value);
}

static void hook_defaults(struct arena *a, struct json *hook)
{
	struct json *service = json_path(hook, "clientConfig", "service", NULL);
	set_default(a, hook, "failurePolicy", "Fail");
	admission_match_defaults(a, hook, "rules");
	if (!json_get(hook, "timeoutSeconds"))
		json_set_int(a, hook, "timeoutSeconds", TIMEOUT_S);
	if (json_is(service, JSON_OBJECT) && !json_get(service, "port"))
		json_set_int(a, service, "port", PORT);
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

/* ---- where it is ---- */

static struct slice span(const char *from, const char *to)
{
	return (struct slice){from, (size_t)(to - from)};
}

static void check_url(struct field_errors *e, struct slice url, const char *field)
{
	const char *text = arena_memdup(e->arena, url.ptr, url.len);
	const char *colon = strstr(text, "://");
	struct slice scheme = colon ? span(text, colon) : SLICE("");
	const char *host = colon ? colon + 3 : text;
	const char *host_end = host + strcspn(host, "/?#"), *fragment = strchr(host_end, '#');
	const char *query = strchr(host_end, '?');
	const char *user = memchr(host, '@', (size_t)(host_end - host));
	if (query && fragment && query > fragment)
		query = NULL;
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 127 || *p == '\\') {
			bad_required(e, field, at(e, "url must be a valid URL: it has an odd character%s", URL_FORM));
			return;
		}
	if (!slice_is(scheme, "https"))
		bad_value(e, field, scheme, "'https' is the only allowed URL scheme" URL_FORM);
	if (!colon || host == host_end)
		bad_value(e, field, SLICE(""), "host must be specified" URL_FORM);
	if (user)
		bad_value(e, field, span(host, user), "user information is not permitted in the URL");
	if (fragment && fragment[1])
		bad_value(e, field, slice_of(fragment + 1), "fragments are not permitted in the URL");
	if (query && query + 1 != fragment && query[1])
		bad_value(e, field, fragment ? span(query + 1, fragment) : slice_of(query + 1),
		        "query parameters are not permitted in the URL");
}

static void check_path(struct field_errors *e, struct slice path, const char *field)
{
	struct slice rest = path;
	int i = 0;
	if (!path.len || slice_is(path, "/"))
		return;
	if (path.ptr[0] != '/') {
		bad_value(e, field, path, "must start with a '/'");
		return;
	}
	slice_cut(&rest, '/');
	if (rest.len && rest.ptr[rest.len - 1] == '/')
		rest.len--;
	while (rest.ptr) {
		struct slice step = slice_cut(&rest, '/');
		const char *why = step.len ? validate_dns1123_subdomain(step) : NULL;
		if (!step.len)
			bad_value(e, field, path, at(e, "segment[%d] may not be empty", i));
		else if (why)
			bad_value(e, field, path, at(e, "segment[%d]: %s", i, why));
		i++;
	}
}

static void check_service(struct field_errors *e, const struct json *service, const char *here)
{
	int64_t port = json_get_int(service, "port", PORT);
	if (!json_get_str(service, "name").len)
		bad_required(e, at(e, "%s.name", here), "service name is required");
	if (!json_get_str(service, "namespace").len)
		bad_required(e, at(e, "%s.namespace", here), "service namespace is required");
	if (port < 1 || port > 65535)
		bad_number(
		        e, at(e, "%s.port", here), port, "port is not valid: must be between 1 and 65535, inclusive");
	check_path(e, json_get_str(service, "path"), at(e, "%s.path", here));
}

static void check_client(struct field_errors *e, const struct json *client, const char *here)
{
	const struct json *url = json_get(client, "url"), *service = json_get(client, "service");
	if (json_is(url, JSON_STRING) == json_is(service, JSON_OBJECT))
		bad_required(e, here, "exactly one of url or service is required");
	else if (url)
		check_url(e, json_str(url), at(e, "%s.url", here));
	else
		check_service(e, service, at(e, "%s.service", here));
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

static void check_versions(struct field_errors *e, const struct json *list, const char *field)
{
	struct name_set seen = {MAP_INIT};
	bool is_known = false;
	int i = 0;
	if (!list || !list->count) {
		bad_required(e, field, "must specify one of v1, v1beta1");
		return;
	}
	JSON_FOREACH (it, list) {
		struct slice version = json_str(it);
		const char *why = check_dns1035_label(version), *here = at(e, "%s[%d]", field, i++);
		if (why)
			bad_value(e, here, version, why);
		if (!name_set_add(&seen, version))
			bad_value(e, here, version, "duplicate version");
		is_known = is_known || slice_is(version, "v1") || slice_is(version, "v1beta1");
	}
	name_set_release(&seen);
	if (!is_known)
		field_error_add(e, "FieldValueInvalid", field,
		        "Invalid value: [...]: must include at least one of v1, v1beta1");
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
	check_versions(e, json_get(hook, "admissionReviewVersions"), at(e, "%s.admissionReviewVersions", here));
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
	check_client(e, json_get(hook, "clientConfig"), at(e, "%s.clientConfig", here));
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
