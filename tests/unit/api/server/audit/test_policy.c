/* Audit policies: which rule a request meets, and what is no policy. */
#include "api/server/audit/policy.h"

#include "tests/unit/unit.h"

#define HEAD "apiVersion: audit.k8s.io/v1\nkind: Policy\n"

static struct audit_policy *policy;
static struct user *jane;

static void load(const char *rules)
{
	struct err err = ERR_INIT;
	struct strbuf text = STRBUF_INIT;
	audit_policy_free(policy);
	policy = NULL;
	strbuf_addf(&text, HEAD "%s", rules);
	if (audit_policy_parse(strbuf_slice(&text), &policy, &err) != 0)
		fail_msg("%s", err.msg);
	strbuf_release(&text);
}

static int setup(void **state)
{
	jane = user_new(SLICE("jane"), SLICE_NULL);
	user_add_group(jane, SLICE("devs"));
	return 0;
}

static int teardown(void **state)
{
	audit_policy_free(policy);
	user_unref(jane);
	return 0;
}

static struct attributes get(const char *resource, const char *sub, const char *ns, const char *name)
{
	return (struct attributes){.user = jane,
	        .is_resource = true,
	        .verb = SLICE("get"),
	        .resource = slice_of(resource),
	        .subresource = slice_of(sub),
	        .ns = slice_of(ns),
	        .name = slice_of(name)};
}

static enum audit_level level(struct attributes a)
{
	return audit_policy_judge(policy, &a).level;
}

static void the_first_rule_that_fits_decides(void **state)
{
	load("rules:\n- {level: Request, users: [jim]}\n- {level: Metadata, userGroups: [devs]}\n- {level: None}\n");
	assert_int_equal(level(get("pods", "", "n", "p")), AUDIT_METADATA);
}

static void what_no_rule_fits_is_not_audited(void **state)
{
	load("rules:\n- {level: Request, users: [jim]}\n");
	assert_int_equal(level(get("pods", "", "n", "p")), AUDIT_NONE);
}

static void verbs_and_namespaces_narrow(void **state)
{
	load("rules:\n- {level: Request, verbs: [list]}\n- {level: Metadata, namespaces: [m]}\n");
	assert_int_equal(level(get("pods", "", "n", "p")), AUDIT_NONE);
	assert_int_equal(level(get("pods", "", "m", "p")), AUDIT_METADATA);
	load("rules:\n- {level: Metadata, namespaces: [\"\"]}\n");
	assert_int_equal(level(get("nodes", "", "", "x")), AUDIT_METADATA);
}

static void resources_have_wildcards(void **state)
{
	load("rules:\n- {level: Request, resources: [{resources: [pods/log]}]}\n"
	     "- {level: Metadata, resources: [{resources: [pods]}]}\n");
	assert_int_equal(level(get("pods", "log", "n", "p")), AUDIT_REQUEST);
	assert_int_equal(level(get("pods", "", "n", "p")), AUDIT_METADATA);
	assert_int_equal(level(get("pods", "exec", "n", "p")), AUDIT_NONE);
	load("rules:\n- {level: Metadata, resources: [{resources: [pods/*]}]}\n");
	assert_int_equal(level(get("pods", "", "n", "p")), AUDIT_METADATA);
	assert_int_equal(level(get("pods", "exec", "n", "p")), AUDIT_METADATA);
	assert_int_equal(level(get("services", "exec", "n", "p")), AUDIT_NONE);
	load("rules:\n- {level: Metadata, resources: [{resources: [\"*/status\"]}]}\n");
	assert_int_equal(level(get("pods", "status", "n", "p")), AUDIT_METADATA);
	assert_int_equal(level(get("pods", "", "n", "p")), AUDIT_NONE);
	load("rules:\n- {level: Metadata, resources: [{resources: [\"*\"]}]}\n");
	assert_int_equal(level(get("pods", "exec", "n", "p")), AUDIT_METADATA);
}

static void groups_and_names_are_held_against_the_request(void **state)
{
	struct attributes a = get("deployments", "", "n", "web");
	a.group = SLICE("apps");
	load("rules:\n- {level: Metadata, resources: [{group: apps}]}\n");
	assert_int_equal(level(a), AUDIT_METADATA);
	assert_int_equal(level(get("pods", "", "n", "p")), AUDIT_NONE);
	load("rules:\n- {level: Metadata, resources: [{group: apps, resources: [deployments], resourceNames: "
	     "[db]}]}\n");
	assert_int_equal(level(a), AUDIT_NONE);
	a.name = SLICE("db");
	assert_int_equal(level(a), AUDIT_METADATA);
}

static void paths_end_in_a_wildcard_or_are_whole(void **state)
{
	struct attributes a = {.user = jane, .verb = SLICE("get"), .path = SLICE("/healthz/etcd")};
	load("rules:\n- {level: Metadata, nonResourceURLs: [/healthz*]}\n");
	assert_int_equal(level(a), AUDIT_METADATA);
	assert_int_equal(level(get("pods", "", "n", "p")), AUDIT_NONE);
	load("rules:\n- {level: Metadata, nonResourceURLs: [/healthz]}\n");
	assert_int_equal(level(a), AUDIT_NONE);
	load("rules:\n- {level: Metadata, nonResourceURLs: [\"*\"]}\n");
	assert_int_equal(level(a), AUDIT_METADATA);
	load("rules:\n- {level: Metadata, resources: [{group: \"\"}]}\n");
	assert_int_equal(level(a), AUDIT_NONE);
}

static void stages_and_managed_fields_are_of_the_rule_and_of_all(void **state)
{
	struct attributes a = get("pods", "", "n", "p");
	load("omitStages: [Panic]\nomitManagedFields: true\nrules:\n- {level: Metadata, omitStages: [RequestReceived], "
	     "users: [jane]}\n");
	struct audit_decision d = audit_policy_judge(policy, &a);
	assert_int_equal(d.omitted, 1u << AUDIT_RECEIVED | 1u << AUDIT_PANIC);
	assert_true(d.omits_managed);
	load("omitManagedFields: true\nrules:\n- {level: Metadata, omitManagedFields: false}\n");
	assert_false(audit_policy_judge(policy, &a).omits_managed);
}

static void refused(const char *text, const char *why)
{
	struct err err = ERR_INIT;
	struct audit_policy *p = NULL;
	assert_int_equal(audit_policy_parse(slice_of(text), &p, &err), ERR_INVAL);
	assert_null(p);
	if (!strstr(err.msg, why))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, why);
}

static void what_is_wrong_is_named(void **state)
{
	refused("", "apiVersion audit.k8s.io/v1");
	refused("apiVersion: audit.k8s.io/v1beta1\nkind: Policy\n", "apiVersion audit.k8s.io/v1");
	refused(HEAD, "rules: there must be one");
	refused(HEAD "rules: []\n", "rules: there must be one");
	refused(HEAD "rule: []\n", "rule: unknown field");
	refused(HEAD "rules:\n- {level: metadata}\n", "rules[0].level: \"metadata\" is no level");
	refused(HEAD "rules:\n- {level: None}\n- {level: None, user: [x]}\n", "rules[1].user: unknown field");
	refused(HEAD "rules:\n- {level: None, users: x}\n", "rules[0].users: must be a list of strings");
	refused(HEAD "rules:\n- {level: None, users: [1]}\n", "rules[0].users: must be a list of strings");
	refused(HEAD "rules:\n- {level: None, omitStages: [Start]}\n", "\"Start\" is no stage");
	refused(HEAD "rules:\n- {level: None, nonResourceURLs: [healthz]}\n", "must begin with a '/'");
	refused(HEAD "rules:\n- {level: None, nonResourceURLs: [/a*/b]}\n", "must be the final character");
	refused(HEAD "rules:\n- {level: None, namespaces: [x], nonResourceURLs: [/a]}\n", "not for both");
	refused(HEAD "rules:\n- {level: None, resources: [{group: apps/v1}]}\n", "is a group and version");
	refused(HEAD "rules:\n- {level: None, resources: [{group: apps, resourceNames: [x]}]}\n",
	        "at least one resource");
	refused(HEAD "rules:\n- {level: None, resources: [pods]}\n", "rules[0].resources[0]: must be an object");
	refused(HEAD "rules:\n- {level: None, omitManagedFields: 1}\n", "omitManagedFields: must be true or false");
	refused(HEAD "rules: {}\n", "rules: there must be one");
	refused("{", "audit policy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_first_rule_that_fits_decides),
	        cmocka_unit_test(what_no_rule_fits_is_not_audited),
	        cmocka_unit_test(verbs_and_namespaces_narrow),
	        cmocka_unit_test(resources_have_wildcards),
	        cmocka_unit_test(groups_and_names_are_held_against_the_request),
	        cmocka_unit_test(paths_end_in_a_wildcard_or_are_whole),
	        cmocka_unit_test(stages_and_managed_fields_are_of_the_rule_and_of_all),
	        cmocka_unit_test(what_is_wrong_is_named),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
