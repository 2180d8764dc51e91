/* ID tokens: who they are here, and which are refused. */
#include "api/server/auth/oidc_claims.h"

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
	int64_t expires_s;
	err = ERR_INIT;
	user_unref(TAKE(user));
	return oidc_user(o, slice_of(claims), 1000, &user, &expires_s, &err);
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

static void arguments_are_checked_among_themselves(void **state)
{
	static const char *const none[] = {"none"}, *const no_value[] = {"=x"};
	struct api_oidc_arguments o = args();
	assert_int_equal(oidc_arguments_check(&o, &err), 0);
	assert_true(oidc_allows(&o, SLICE("RS256")) && !oidc_allows(&o, SLICE("ES256")));
	o.signing_algs = (struct flag_list){(const char **)none, 1};
	assert_int_equal(oidc_arguments_check(&o, &err), ERR_INVAL);
	o = args();
	o.required_claims = (struct flag_list){(const char **)no_value, 1};
	assert_int_equal(oidc_arguments_check(&o, &err), ERR_INVAL);
	o = args();
	o.client_id = NULL;
	assert_int_equal(oidc_arguments_check(&o, &err), ERR_INVAL);
	o = args();
	o.issuer_url = "http://i.example";
	assert_int_equal(oidc_arguments_check(&o, &err), ERR_INVAL);
}

static int release(void **state)
{
	user_unref(user);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_name_is_prefixed_by_its_issuer_unless_told_otherwise),
	        cmocka_unit_test(groups_are_a_text_or_a_list),
	        cmocka_unit_test(what_is_amiss_is_refused),
	        cmocka_unit_test(arguments_are_checked_among_themselves),
	};
	return cmocka_run_group_tests(tests, NULL, release);
}
