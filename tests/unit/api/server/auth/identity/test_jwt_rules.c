/* ID tokens: who they are here, and which are refused, by the arguments and by a configuration. */
#include "api/server/auth/identity/authentication_config.h"

#include "base/check.h"
#include "tests/unit/unit.h"

static struct err err;
static struct user *user;

#define ISSUER "\"iss\":\"https://i.example\","
#define GOOD ISSUER "\"aud\":\"c\",\"exp\":2000,\"sub\":\"jane\""

static struct api_oidc_arguments args(void)
{
	return (struct api_oidc_arguments){
	        .issuer_url = "https://i.example", .client_id = "c", .username_claim = "sub"};
}

static int ask(const struct api_oidc_arguments *o, const char *claims)
{
	struct arena a = ARENA_INIT;
	const struct jwt_rules *rules;
	int64_t expires_s;
	err = ERR_INIT;
	user_unref(TAKE(user));
	int rc = jwt_rules_of_arguments(&a, o, &rules, &err);
	if (rc == 0)
		rc = jwt_rules_user(rules, slice_of(claims), 1000, &user, &expires_s, &err);
	arena_release(&a);
	return rc;
}

static void a_name_is_prefixed_by_its_issuer_unless_told_otherwise(void **state)
{
	struct api_oidc_arguments o = args();
	assert_int_equal(ask(&o, "{" GOOD "}"), 0);
	assert_true(slice_is(user->name, "https://i.example#jane"));
	assert_true(user_is_in(user, "system:authenticated"));
	o.username_prefix = "oidc:";
	assert_int_equal(ask(&o, "{" GOOD "}"), 0);
	assert_true(slice_is(user->name, "oidc:jane"));
	o.username_prefix = "-";
	assert_int_equal(ask(&o, "{" GOOD "}"), 0);
	assert_true(slice_is(user->name, "jane"));
	o = args();
	o.username_claim = "email";
	assert_int_equal(ask(&o, "{" GOOD ",\"email\":\"j@x\"}"), 0);
	assert_true(slice_is(user->name, "j@x"));
}

static void groups_are_a_text_or_a_list(void **state)
{
	struct api_oidc_arguments o = args();
	o.groups_claim = "groups";
	o.groups_prefix = "g:";
	assert_int_equal(ask(&o, "{" GOOD ",\"groups\":[\"a\",\"b\"]}"), 0);
	assert_true(user_is_in(user, "g:a") && user_is_in(user, "g:b"));
	assert_int_equal(ask(&o, "{" GOOD ",\"groups\":\"a\"}"), 0);
	assert_true(user_is_in(user, "g:a"));
	assert_int_equal(ask(&o, "{" GOOD ",\"groups\":[1]}"), ERR_UNAUTHENTICATED);
}

static void what_is_amiss_is_refused(void **state)
{
	static const char *const required[] = {"hd=example.com"};
	static const struct {
		const char *claims, *told;
	} bad[] = {
	        {"[]", "not JSON"},
	        {"{\"iss\":\"https://i.example/\",\"aud\":\"c\",\"exp\":2000,\"sub\":\"j\"}", "somebody else"},
	        {"{" ISSUER "\"aud\":\"d\",\"exp\":2000,\"sub\":\"j\"}", "another audience"},
	        {"{" ISSUER "\"aud\":[\"d\",\"e\"],\"exp\":2000,\"sub\":\"j\"}", "another audience"},
	        {"{" ISSUER "\"exp\":2000,\"sub\":\"j\"}", "another audience"},
	        {"{" ISSUER "\"aud\":\"c\",\"sub\":\"j\"}", "no \"exp\""},
	        {"{" ISSUER "\"aud\":\"c\",\"exp\":1000,\"sub\":\"j\"}", "expired"},
	        {"{" ISSUER "\"aud\":\"c\",\"exp\":\"2000\",\"sub\":\"j\"}", "no \"exp\""},
	        {"{" GOOD ",\"nbf\":1301}", "not valid yet"},
	        {"{" GOOD "}", "required claim hd"},
	        {"{" GOOD ",\"hd\":\"other\"}", "required claim hd"},
	        {"{" ISSUER "\"aud\":\"c\",\"exp\":2000,\"hd\":\"example.com\"}", "no text that could be a name"},
	        {"{" GOOD ",\"hd\":\"example.com\",\"_claim_names\":{\"groups\":\"s\"}}", "distributed"},
	        {"{" GOOD ",\"sub\":\"root\"}", "not JSON"},
	};
	struct api_oidc_arguments o = args();
	o.required_claims = (struct flag_list){(const char **)required, 1};
	o.groups_claim = "groups";
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(ask(&o, bad[i].claims), ERR_UNAUTHENTICATED);
		if (!strstr(err.msg, bad[i].told))
			fail_msg("%s: %s", bad[i].claims, err.msg);
	}
	assert_int_equal(ask(&o, "{" GOOD ",\"hd\":\"example.com\",\"nbf\":1299}"), 0);
	o = args();
	o.username_claim = "email";
	assert_int_equal(ask(&o, "{" GOOD ",\"email\":\"j@x\",\"email_verified\":false}"), ERR_UNAUTHENTICATED);
}

static int check(const struct api_oidc_arguments *o, const struct jwt_rules **ret)
{
	static struct arena a;
	err = ERR_INIT;
	arena_release(&a);
	return jwt_rules_of_arguments(&a, o, ret, &err);
}

static void arguments_are_checked_among_themselves(void **state)
{
	static const char *const none[] = {"none"}, *const no_value[] = {"=x"};
	const struct jwt_rules *rules;
	struct api_oidc_arguments o = args();
	assert_int_equal(check(&o, &rules), 0);
	assert_true(jwt_rules_allow(rules, SLICE("RS256")) && !jwt_rules_allow(rules, SLICE("ES256")));
	o.signing_algs = (struct flag_list){(const char **)none, 1};
	assert_int_equal(check(&o, &rules), ERR_INVAL);
	o = args();
	o.required_claims = (struct flag_list){(const char **)no_value, 1};
	assert_int_equal(check(&o, &rules), ERR_INVAL);
	o = args();
	o.client_id = NULL;
	assert_int_equal(check(&o, &rules), ERR_INVAL);
	o = args();
	o.issuer_url = "http://i.example";
	assert_int_equal(check(&o, &rules), ERR_INVAL);
	check(&(struct api_oidc_arguments){0}, &rules); /* lets the arena go */
}

/* ---- a configuration ---- */

#define HEAD "apiVersion: apiserver.config.k8s.io/v1beta1\nkind: AuthenticationConfiguration\n"
#define ISSUED "jwt:\n- issuer: {url: 'https://i.example', audiences: [c, d], audienceMatchPolicy: MatchAny}\n"

static struct authentication_config *config;

static int load(const char *text)
{
	static const char *const own[] = {"https://own"};
	struct flag_list list = {(const char **)own, 1};
	err = ERR_INIT;
	authentication_config_free(TAKE(config));
	return authentication_config_parse(slice_of(text), &list, &config, &err);
}

static int ask_config(const char *claims)
{
	int64_t expires_s;
	err = ERR_INIT;
	user_unref(TAKE(user));
	return jwt_rules_user(config->issuers[0], slice_of(claims), 1000, &user, &expires_s, &err);
}

static void expressions_make_a_user(void **state)
{
	assert_int_equal(
	        load(HEAD ISSUED
	                "  claimValidationRules:\n"
	                "  - {claim: hd, requiredValue: example.com}\n"
	                "  - {expression: 'claims.exp - claims.nbf <= 5000', message: too long}\n"
	                "  claimMappings:\n"
	                "    username: {expression: 'claims.sub + \":x\"'}\n"
	                "    groups: {expression: 'claims.roles.split(\",\")'}\n"
	                "    uid: {claim: sub}\n"
	                "    extra:\n"
	                "    - {key: example.com/tenant, valueExpression: 'claims.tenant'}\n"
	                "    - {key: example.com/none, valueExpression: '\"\"'}\n"
	                "  userValidationRules:\n"
	                "  - {expression: '!user.username.startsWith(\"system:\")', message: no system names}\n"
	                "  - {expression: 'user.groups.all(g, g != \"root\")'}\n"),
	        0);
	assert_int_equal(
	        ask_config("{" ISSUER "\"aud\":\"d\",\"exp\":2000,\"nbf\":900,\"sub\":\"jane\",\"hd\":\"example.com\","
	                   "\"roles\":\"a,b\",\"tenant\":[\"t1\",\"t2\"]}"),
	        0);
	assert_true(slice_is(user->name, "jane:x") && slice_is(user->uid, "jane"));
	assert_true(user_is_in(user, "a") && user_is_in(user, "b") && user_is_in(user, "system:authenticated"));
	assert_true(slice_is(user->extras->key, "example.com/tenant") && slice_is(user->extras->next->value, "t2"));
	assert_null(user->extras->next->next);
	static const struct {
		const char *claims, *told;
	} bad[] = {
	        {"{" GOOD ",\"nbf\":900}", "required claim hd"},
	        {"{" ISSUER "\"aud\":\"c\",\"exp\":9000,\"nbf\":900,\"hd\":\"example.com\"}",
	                "validation expression 'claims.exp - claims.nbf <= 5000' failed: too long"},
	        {"{" GOOD ",\"nbf\":900,\"hd\":\"example.com\",\"roles\":1,\"tenant\":\"t\"}",
	                "error evaluating group claim expression"},
	        {"{" GOOD ",\"nbf\":900,\"hd\":\"example.com\",\"roles\":\"a\"}",
	                "error evaluating extra claim expression: no such key: tenant"},
	        {"{" GOOD ",\"nbf\":900,\"hd\":\"example.com\",\"roles\":\"root\",\"tenant\":\"t\"}",
	                "validation expression 'user.groups.all(g, g != \"root\")' failed"},
	        {"{" ISSUER
	         "\"aud\":\"c\",\"exp\":2000,\"sub\":\"system:a\",\"nbf\":900,\"hd\":\"example.com\",\"roles\":\"a\","
	         "\"tenant\":\"t\"}",
	                "failed: no system names"},
	        {"{" ISSUER "\"aud\":\"c\",\"exp\":2000,\"sub\":5,\"nbf\":900,\"hd\":\"example.com\",\"roles\":\"a\"}",
	                "error evaluating username claim expression"},
	};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(ask_config(bad[i].claims), ERR_UNAUTHENTICATED);
		if (!strstr(err.msg, bad[i].told))
			fail_msg("%s: %s", bad[i].claims, err.msg);
	}
}

static void configurations_are_checked(void **state)
{
	static const struct {
		const char *text, *told; /* NULL: it is fine */
	} rows[] = {
	        {HEAD, NULL},
	        {HEAD "anonymous: {enabled: true, conditions: [{path: /livez}]}\n", NULL},
	        {"kind: AuthenticationConfiguration\n", "must be of kind AuthenticationConfiguration"},
	        {HEAD "odd: 1\n", "unknown field \"odd\""},
	        {HEAD "anonymous: {enabled: false, conditions: [{path: /livez}]}\n",
	                "enabled should be set to true when conditions are defined"},
	        {HEAD ISSUED, "jwt[0].claimMappings.username: Required value: claim or expression is required"},
	        {HEAD ISSUED "  claimMappings: {username: {claim: sub}}\n",
	                "jwt[0].claimMappings.username.prefix: Required value: prefix is required when claim is set"},
	        {HEAD ISSUED "  claimMappings: {username: {claim: sub, prefix: '', expression: claims.sub}}\n",
	                "claim and expression can't both be set"},
	        {HEAD ISSUED "  claimMappings: {username: {expression: 'claims.sub', prefix: x}}\n",
	                "prefix can't be set when expression is set"},
	        {HEAD ISSUED "  claimMappings: {username: {expression: 'claims.sub +'}}\n", "compilation failed"},
	        {HEAD ISSUED "  claimMappings: {username: {expression: 'claims.email'}}\n",
	                "claims.email_verified must be used"},
	        {HEAD ISSUED "  claimMappings: {username: {expression: 'claims.email'}}\n  claimValidationRules: "
	                     "[{expression: "
	                     "'claims.?email_verified.orValue(true) == true'}]\n",
	                NULL},
	        {HEAD ISSUED "  claimMappings: {username: {claim: sub, prefix: ''}, extra: [{key: a, valueExpression: "
	                     "'claims.x'}]}\n",
	                "must be a domain-prefixed path"},
	        {HEAD ISSUED "  claimMappings: {username: {claim: sub, prefix: ''}, extra: [{key: x.k8s.io/a, "
	                     "valueExpression: 'claims.x'}]}\n",
	                "reserved for Kubernetes use"},
	        {HEAD ISSUED "  claimMappings: {username: {claim: sub, prefix: ''}}\n  userValidationRules: "
	                     "[{expression: 'user.username'}]\n",
	                "must evaluate to bool"},
	        {HEAD ISSUED "  claimMappings: {username: {claim: sub, prefix: ''}}\n  claimValidationRules: [{claim: "
	                     "a, message: m}]\n",
	                "message can't be set when claim is set"},
	        {HEAD "jwt:\n- issuer: {url: 'http://i', audiences: [a]}\n  claimMappings: {username: {claim: sub, "
	              "prefix: ''}}\n",
	                "jwt[0].issuer.url: Invalid value: \"http://i\": URL scheme must be https"},
	        {HEAD "jwt:\n- issuer: {url: 'https://u@i?q', audiences: [a]}\n  claimMappings: {username: {claim: "
	              "sub, prefix: ''}}\n",
	                "URL must not contain a username or password"},
	        {HEAD "jwt:\n- issuer: {url: 'https://own', audiences: [a]}\n  claimMappings: {username: {claim: sub, "
	              "prefix: ''}}\n",
	                "must not overlap"},
	        {HEAD "jwt:\n- issuer: {url: 'https://i', audiences: []}\n  claimMappings: {username: {claim: sub, "
	              "prefix: ''}}\n",
	                "at least one jwt[0].issuer.audiences is required"},
	        {HEAD "jwt:\n- issuer: {url: 'https://i', audiences: [a, b]}\n  claimMappings: {username: {claim: sub, "
	              "prefix: ''}}\n",
	                "audienceMatchPolicy must be MatchAny for multiple audiences"},
	        {HEAD "jwt:\n- issuer: {url: 'https://i', discoveryURL: 'https://i/', audiences: [a]}\n  "
	              "claimMappings: {username: "
	              "{claim: sub, prefix: ''}}\n",
	                "discoveryURL must be different from URL"},
	        {HEAD "jwt:\n- issuer: {url: 'https://i', certificateAuthority: x, audiences: [a]}\n  claimMappings: "
	              "{username: "
	              "{claim: sub, prefix: ''}}\n",
	                "certificateAuthority: Invalid value: \"<omitted>\""},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int rc = load(rows[i].text);
		if (rc != (rows[i].told ? ERR_INVAL : 0) || (rc && !strstr(err.msg, rows[i].told)))
			fail_msg("%s: %s", rows[i].text, err.msg);
	}
}

static int release(void **state)
{
	user_unref(user);
	authentication_config_free(config);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_name_is_prefixed_by_its_issuer_unless_told_otherwise),
	        cmocka_unit_test(groups_are_a_text_or_a_list),
	        cmocka_unit_test(what_is_amiss_is_refused),
	        cmocka_unit_test(arguments_are_checked_among_themselves),
	        cmocka_unit_test(expressions_make_a_user),
	        cmocka_unit_test(configurations_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, release);
}
