/* Which authorizers there are: configurations that are taken and refused, and for what a webhook is asked. */
#include "api/server/auth/rights/authorization_config.h"

#include "base/check.h"
#include "tests/unit/unit.h"

#define HEAD "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\n"
#define HOOK(more) \
	HEAD "authorizers:\n- {type: Webhook, name: w, webhook: {timeout: 3s, subjectAccessReviewVersion: v1, " \
	     "failurePolicy: Deny, " \
	     "connectionInfo: {type: KubeConfigFile, kubeConfigFile: /x}" more "}}\n"

static struct err err;
static struct authorization_config *config;

static int load(const char *text)
{
	err = ERR_INIT;
	authorization_config_free(TAKE(config));
	return authorization_config_parse(slice_of(text), &config, &err);
}

static void configurations_are_checked(void **state)
{
	static const struct {
		const char *text, *told; /* NULL: it is fine */
	} rows[] = {
	        {HEAD "authorizers: [{type: Node, name: node}, {type: RBAC, name: rbac}]\n", NULL},
	        {HOOK(""), NULL},
	        {HEAD "authorizers: []\n",
	                "authorizers: Required value: at least one authorization mode must be defined"},
	        {HEAD "authorizers: [{type: Node}]\n", "authorizers[0].name: Required value"},
	        {HEAD "authorizers: [{type: Node, name: A_}]\n", "authorizers[0].name: Invalid value"},
	        {HEAD "authorizers: [{type: Odd, name: a}]\n", "authorizers[0].type: Unsupported value: \"Odd\""},
	        {HEAD "authorizers: [{type: Node, name: a}, {type: Node, name: b}]\n",
	                "authorizers[1].type: Duplicate value: \"Node\""},
	        {HEAD "authorizers: [{type: Node, name: a}, {type: RBAC, name: a}]\n",
	                "authorizers[1].name: Duplicate value: \"a\""},
	        {HEAD "authorizers: [{type: Webhook, name: a}]\n",
	                "authorizers[0].webhook: Required value: required when type=Webhook"},
	        {HEAD "authorizers: [{type: Node, name: a, webhook: {}}]\n", "may only be specified when type=Webhook"},
	        {HOOK(", odd: 1"), "unknown field \"odd\""},
	        {HOOK(", authorizedTTL: 0s"), "authorizedTTL: Invalid value: \"0s\": must be > 0s"},
	        {HOOK(", matchConditions: [{expression: 'true'}]"),
	                "matchConditionSubjectAccessReviewVersion: Required value: required if match conditions are "
	                "specified"},
	        {HOOK(", matchConditionSubjectAccessReviewVersion: v1, matchConditions: [{expression: 'request.odd'}]"),
	                "matchConditions[0].expression: Invalid value"},
	        {HOOK(", matchConditionSubjectAccessReviewVersion: v1, matchConditions: [{expression: "
	              "'request.user'}]"),
	                "must evaluate to bool"},
	        {HOOK(", matchConditionSubjectAccessReviewVersion: v1, matchConditions: [{expression: ''}]"),
	                "matchConditions[0].expression: Required value"},
	        {HEAD "authorizers: [{type: Webhook, name: a, webhook: {timeout: 31s}}]\n", "must be > 0s and <= 30s"},
	        {HEAD "authorizers: [{type: Webhook, name: a, webhook: {}}]\n", "failurePolicy: Required value"},
	        {HEAD "authorizers: [{type: Webhook, name: a, webhook: {connectionInfo: {type: KubeConfigFile, "
	              "kubeConfigFile: x}}}]\n",
	                "must be an absolute path"},
	        {"apiVersion: v1\nkind: AuthorizationConfiguration\n", "must be of kind AuthorizationConfiguration"},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int rc = load(rows[i].text);
		if (rc != (rows[i].told ? ERR_INVAL : 0) || (rc && !strstr(err.msg, rows[i].told)))
			fail_msg("%s: %s", rows[i].text, err.msg);
	}
}

static void a_webhook_is_asked_what_its_conditions_say(void **state)
{
	struct arena a = ARENA_INIT;
	struct user *u = user_new(SLICE("jane"), SLICE_NULL);
	const char *why = "";
	user_add_group(u, SLICE("devs"));
	struct attributes pods = {.user = u,
	                          .is_resource = true,
	                          .verb = SLICE("get"),
	                          .resource = SLICE("pods"),
	                          .ns = SLICE("x")},
	                  path = {.user = u, .verb = SLICE("get"), .path = SLICE("/metrics")};
	assert_int_equal(load(HOOK(", matchConditionSubjectAccessReviewVersion: v1, matchConditions: [{expression: "
	                           "'has(request.resourceAttributes)'}, {expression: "
	                           "'request.resourceAttributes.namespace == \"x\"'}, "
	                           "{expression: '\"devs\" in request.groups'}]")),
	        0);
	assert_int_equal(authorizer_matches(&config->items[0], &a, &pods, &why), AUTHORIZER_IS_ASKED);
	assert_int_equal(authorizer_matches(&config->items[0], &a, &path, &why), AUTHORIZER_IS_PASSED_OVER);
	pods.ns = SLICE("y");
	assert_int_equal(authorizer_matches(&config->items[0], &a, &pods, &why), AUTHORIZER_IS_PASSED_OVER);
	pods.ns = SLICE_NULL; /* the member is not there */
	assert_int_equal(authorizer_matches(&config->items[0], &a, &pods, &why), AUTHORIZER_HAS_FAILED);
	assert_non_null(strstr(why, "no such key"));
	assert_int_equal(config->items[0].timeout_ms, 3000);
	assert_true(config->items[0].denies_on_failure && config->items[0].authorized_ttl_ms == 300000);
	user_unref(u);
	arena_release(&a);
}

static void arguments_are_a_configuration(void **state)
{
	static const char *const odd[] = {"ABAC"}, *const hook[] = {"Webhook", "RBAC"};
	struct api_authorization_arguments args = {.webhook_version = "v1beta1", .authorized_ttl_ms = 7};
	err = ERR_INIT;
	authorization_config_free(TAKE(config));
	assert_int_equal(authorization_config_of_arguments(&args, &config, &err), 0);
	assert_true(config->count == 2 && config->items[0].type == AUTHORIZER_NODE &&
	            config->items[1].type == AUTHORIZER_RBAC);
	authorization_config_free(TAKE(config));
	args.modes = (struct flag_list){(const char **)odd, 1};
	assert_int_equal(authorization_config_of_arguments(&args, &config, &err), ERR_INVAL);
	args.modes = (struct flag_list){(const char **)hook, 2};
	assert_int_equal(authorization_config_of_arguments(&args, &config, &err), ERR_INVAL);
	args.webhook_config_file = "/x";
	assert_int_equal(authorization_config_of_arguments(&args, &config, &err), 0);
	assert_string_equal(config->items[0].api_version, "authorization.k8s.io/v1beta1");
	assert_int_equal(config->items[0].authorized_ttl_ms, 7);
}

static int release(void **state)
{
	authorization_config_free(config);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(configurations_are_checked),
	        cmocka_unit_test(a_webhook_is_asked_what_its_conditions_say),
	        cmocka_unit_test(arguments_are_a_configuration),
	};
	return cmocka_run_group_tests(tests, NULL, release);
}
