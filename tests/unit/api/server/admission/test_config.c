/* Admission configurations. */
#include "api/server/admission/config.h"

#include "api/server/admission/admission.h"
#include "base/check.h"
#include "tests/unit/unit.h"

static struct err err;

#define HEAD "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n"
#define POD_SECURITY \
	"- name: PodSecurity\n  configuration:\n    apiVersion: pod-security.admission.config.k8s.io/v1\n    kind: " \
	"PodSecurityConfiguration\n"
#define EVENTS \
	"- name: EventRateLimit\n  configuration:\n    apiVersion: eventratelimit.admission.k8s.io/v1alpha1\n    " \
	"kind: " \
	"Configuration\n"

static int parse(const char *text, struct admission_config **ret)
{
	err = ERR_INIT;
	*ret = xcalloc(1, sizeof **ret);
	return admission_config_parse(*ret, slice_of(text), "/nonexistent", &err);
}

static void levels_and_exemptions_are_read(void **state)
{
	struct admission_config *c;
	assert_int_equal(
	        parse(HEAD POD_SECURITY "    defaults: {enforce: baseline, enforce-version: v1.30, warn: restricted}\n"
	                                "    exemptions: {usernames: [jane], namespaces: [kube-system]}\n",
	                &c),
	        0);
	assert_int_equal(c->defaults.enforce.level, POD_SECURITY_BASELINE);
	assert_int_equal(c->defaults.enforce.minor, 30);
	assert_int_equal(c->defaults.warn.level, POD_SECURITY_RESTRICTED);
	assert_int_equal(c->defaults.warn.minor, POD_SECURITY_LATEST);
	assert_true(config_lists(c->exempt_users, SLICE("jane")) && !config_lists(c->exempt_users, SLICE("joe")));
	assert_true(config_lists(c->exempt_namespaces, SLICE("kube-system")));
	assert_false(config_lists(c->exempt_runtime_classes, SLICE("x")));
	admission_config_free(c);
}

static void what_nobody_reads_is_refused_by_name(void **state)
{
	static const struct {
		const char *text, *told;
	} bad[] = {
	        {"kind: Pod", "AdmissionConfiguration"},
	        {HEAD "- name: ImagePolicyWebhook\n  path: x\n", "ImagePolicyWebhook"},
	        {HEAD "- name: ResourceQuota\n  configuration: {}\n", "ResourceQuota"},
	        {HEAD "- name: ResourceQuota\n  configuration: {apiVersion: apiserver.config.k8s.io/v1, kind: "
	              "ResourceQuotaConfiguration, limitedResources: [{resource: pods, matchScopes: []}]}\n",
	                "matchScopes"},
	        {HEAD "- name: PodSecurity\n", "one of the two"},
	        {HEAD "- name: PodSecurity\n  path: gone.yaml\n", "/nonexistent/gone.yaml"},
	        {HEAD "- name: PodSecurity\n  configuration: {kind: x}\n", "PodSecurityConfiguration"},
	        {HEAD POD_SECURITY "    defaults: {enforce: strict}\n", "strict"},
	        {HEAD POD_SECURITY "    defaults: {enforce-version: 1.32}\n", "enforce-version"},
	        {HEAD POD_SECURITY "    default: {}\n", "unknown field \"default\""},
	        {HEAD POD_SECURITY "    exemptions: {usernames: jane}\n", "no list"},
	        {HEAD EVENTS, "there are none"},
	        {HEAD EVENTS "    limits: [{type: Moon, qps: 1, burst: 1}]\n", "Moon"},
	        {HEAD EVENTS "    limits: [{type: User, qps: 0, burst: 1}]\n", "at least 1"},
	        {HEAD "- name: PodNodeSelector\n  configuration: {podNodeSelectorPluginConfig: {a: [b]}}\n", "no text"},
	        {HEAD "- name: PodNodeSelector\n  configuration: {x: y}\n", "unknown field \"x\""},
	        {HEAD "extra: 1\n", "line"},
	};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct admission_config *c;
		assert_int_not_equal(parse(bad[i].text, &c), 0);
		if (!strstr(err.msg, bad[i].told) && strcmp(bad[i].told, "line") != 0)
			fail_msg("%s: %s", bad[i].text, err.msg);
		admission_config_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(levels_and_exemptions_are_read),
	        cmocka_unit_test(what_nobody_reads_is_refused_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
