/* EncryptionConfigurations: what they say, and what is none. */
#include "api/server/sealing/config.h"

#include "tests/unit/unit.h"

#define HEAD "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n"
#define K16 "MDEyMzQ1Njc4OWFiY2RlZg=="
#define K32 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

static struct sealing_config *config;

static int teardown(void **state)
{
	sealing_config_free(config);
	config = NULL;
	return 0;
}

static void load(const char *resources)
{
	struct err err = ERR_INIT;
	struct strbuf text = STRBUF_INIT;
	strbuf_addf(&text, HEAD "%s", resources);
	sealing_config_free(config);
	config = NULL;
	if (sealing_config_parse(strbuf_slice(&text), &config, &err) != 0)
		fail_msg("%s", err.msg);
	strbuf_release(&text);
}

static void keys_stand_in_the_order_of_the_file(void **state)
{
	load("- resources: [secrets]\n  providers:\n  - aesgcm: {keys: [{name: a, secret: " K16
	     "}, {name: b, secret: " K32 "}]}\n  - secretbox: {keys: [{name: a, secret: " K32
	     "}]}\n  - identity: {}\n");
	const struct sealing_rule *r = sealing_config_find(config, "", "secrets");
	assert_int_equal(r->n_keys, 4);
	assert_true(slice_is(r->keys[0].prefix, "k8s:enc:aesgcm:v1:a:"));
	assert_true(slice_is(r->keys[0].secret, "0123456789abcdef"));
	assert_true(slice_is(r->keys[1].prefix, "k8s:enc:aesgcm:v1:b:"));
	assert_true(slice_is(r->keys[2].prefix, "k8s:enc:secretbox:v1:a:"));
	assert_true(r->keys[3].is_identity);
	assert_int_equal(strlen(config->hash), 64);
}

static bool covered(const char *resources, const char *group, const char *plural)
{
	struct strbuf text = STRBUF_INIT;
	strbuf_addf(&text, "- {resources: [%s], providers: [{identity: {}}]}\n", resources);
	load(strbuf_cstr(&text));
	strbuf_release(&text);
	return sealing_config_find(config, group, plural) != NULL;
}

static void resources_are_named_or_covered_by_wildcards(void **state)
{
	assert_true(covered("secrets", "", "secrets"));
	assert_false(covered("secrets", "", "configmaps"));
	assert_false(covered("secrets", "apps", "secrets"));
	assert_true(covered("deployments.apps", "apps", "deployments"));
	assert_false(covered("deployments.apps", "", "deployments"));
	assert_true(covered("pandas.bears.example", "bears.example", "pandas"));
	assert_true(covered("'*.apps'", "apps", "daemonsets"));
	assert_false(covered("'*.apps'", "", "secrets"));
	assert_true(covered("'*.'", "", "secrets"));
	assert_false(covered("'*.'", "apps", "daemonsets"));
	assert_true(covered("'*.*'", "apps", "daemonsets"));
	assert_true(covered("'*.*'", "", "secrets"));
}

static void the_first_rule_that_covers_counts(void **state)
{
	load("- {resources: [secrets], providers: [{identity: {}}]}\n"
	     "- {resources: ['*.*'], providers: [{aescbc: {keys: [{name: k, secret: " K16 "}]}}]}\n");
	assert_true(sealing_config_find(config, "", "secrets")->keys[0].is_identity);
	assert_false(sealing_config_find(config, "", "pods")->keys[0].is_identity);
}

static void refused(const char *text, int code, const char *why)
{
	struct err err = ERR_INIT;
	struct sealing_config *c = NULL;
	assert_int_equal(sealing_config_parse(slice_of(text), &c, &err), code);
	assert_null(c);
	if (!strstr(err.msg, why))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, why);
}

static void what_is_wrong_is_named(void **state)
{
	refused("", ERR_INVAL, "kind EncryptionConfiguration");
	refused("kind: EncryptionConfig\napiVersion: v1\n", ERR_INVAL, "kind EncryptionConfiguration");
	refused(HEAD "  []", ERR_INVAL, "there must be one at least");
	refused(HEAD "- {}\n", ERR_INVAL, "resources[0].resources: must be a list");
	refused(HEAD "- {resources: [secrets]}\n", ERR_INVAL, "resources[0].providers: there must be one");
	refused(HEAD "- {resources: [secrets], provider: []}\n", ERR_INVAL, "unknown field \"provider\"");
	refused(HEAD "- {resources: ['*'], providers: [{identity: {}}]}\n", ERR_INVAL, "*.*");
	refused(HEAD "- {resources: ['secret*'], providers: [{identity: {}}]}\n", ERR_INVAL, "\"secret*\"");
	refused(HEAD "- {resources: [a, a], providers: [{identity: {}}]}\n", ERR_INVAL, "twice");
	refused(HEAD "- {resources: ['*.*', secrets], providers: [{identity: {}}]}\n", ERR_INVAL,
	        "\"secrets\" is masked by \"*.*\"");
	refused(HEAD "- {resources: [x.apps, '*.apps'], providers: [{identity: {}}]}\n", ERR_INVAL,
	        "\"x.apps\" is masked by \"*.apps\"");
	refused(HEAD "- {resources: [secrets, '*.'], providers: [{identity: {}}]}\n", ERR_INVAL, "masked by \"*.\"");
	refused(HEAD "- {resources: [a], providers: [{identity: {}}, {identity: {}}]}\n", ERR_INVAL, "twice");
	refused(HEAD "- {resources: [a], providers: [{}]}\n", ERR_INVAL, "must have one of");
	refused(HEAD "- {resources: [a], providers: [{identity: {}, aescbc: {}}]}\n", ERR_INVAL, "must have one of");
	refused(HEAD "- {resources: [a], providers: [{rot13: {}}]}\n", ERR_INVAL, "\"rot13\" is none of");
	refused(HEAD "- {resources: [a], providers: [{kms: {name: k}}]}\n", ERR_UNIMPLEMENTED,
	        "apiVersion v1 is deprecated");
	refused(HEAD "- {resources: [a], providers: [{kms: {name: 'k:', apiVersion: v2}}]}\n", ERR_INVAL,
	        "must not contain ':'");
	refused(HEAD "- {resources: [a], providers: [{kms: {name: k, apiVersion: v2, endpoint: x}}]}\n", ERR_INVAL,
	        "must be unix:///PATH");
	refused(HEAD "- {resources: [a], providers: [{aescbc: {keys: []}}]}\n", ERR_INVAL, "aescbc.keys");
	refused(HEAD "- {resources: [a], providers: [{aescbc: {keys: [{secret: " K16 "}]}}]}\n", ERR_INVAL,
	        "needs a name");
	refused(HEAD "- {resources: [a], providers: [{aescbc: {keys: [{name: k, secret: '!'}]}}]}\n", ERR_INVAL,
	        "must be 16, 24 or 32 bytes");
	refused(HEAD "- {resources: [a], providers: [{secretbox: {keys: [{name: k, secret: " K16 "}]}}]}\n", ERR_INVAL,
	        "must be 32 bytes");
	refused(HEAD "- {resources: [a], providers: [{aescbc: {keys: [{name: k, secret: " K16
	             "}, {name: k, secret: " K32 "}]}}]}\n",
	        ERR_INVAL, "two keys are named \"k\"");
}

int main(void)
{
#define T(fn) cmocka_unit_test_teardown(fn, teardown)
	const struct CMUnitTest tests[] = {T(keys_stand_in_the_order_of_the_file),
	        T(resources_are_named_or_covered_by_wildcards), T(the_first_rule_that_covers_counts),
	        T(what_is_wrong_is_named)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
