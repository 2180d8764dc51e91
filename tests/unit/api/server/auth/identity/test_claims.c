/* Claims of service account tokens: what is written is read again, and what is no claim is not believed. */
#include "api/server/auth/identity/claims.h"

#include "tests/unit/unit.h"

static struct arena a;

static int parse(const char *text, struct claims *ret)
{
	struct err err = ERR_INIT;
	return claims_parse(&a, slice_of(text), ret, &err);
}

static int setup(void **state)
{
	a = ARENA_INIT;
	return 0;
}

static int teardown(void **state)
{
	arena_release(&a);
	return 0;
}

static void what_is_written_is_read(void **state)
{
	CLEANUP(cleanup_strbuf) struct strbuf out = STRBUF_INIT;
	struct claims got;
	const struct slice audiences[] = {SLICE("https://x"), SLICE("a \"b\"")};
	const struct claims c = {.issuer = SLICE("https://x"),
	        .id = SLICE("1-2"),
	        .subject = SLICE("system:serviceaccount:n:s"),
	        .ns = SLICE("n"),
	        .account = {true, SLICE("s"), SLICE("u1")},
	        .pod = {true, SLICE("p"), SLICE("u2")},
	        .expires_s = 9007199254740993,
	        .issued_s = 7,
	        .not_before_s = 8,
	        .audiences = audiences,
	        .audience_count = 2};
	claims_write(&c, &out);
	assert_string_equal(strbuf_cstr(&out),
	        "{\"aud\":[\"https://x\",\"a \\\"b\\\"\"],\"exp\":9007199254740993,\"iat\":7,\"iss\":\"https://x\","
	        "\"jti\":\"1-2\",\"kubernetes.io\":{\"namespace\":\"n\",\"serviceaccount\":{\"name\":\"s\",\"uid\":"
	        "\"u1\"},"
	        "\"pod\":{\"name\":\"p\",\"uid\":\"u2\"}},\"nbf\":8,\"sub\":\"system:serviceaccount:n:s\"}");
	assert_int_equal(parse(strbuf_cstr(&out), &got), 0);
	assert_int_equal(got.expires_s, 9007199254740993);
	assert_int_equal(got.audience_count, 2);
	assert_true(slice_eq(got.audiences[1], audiences[1]));
	assert_true(slice_is(got.account.name, "s") && slice_is(got.account.uid, "u1"));
	assert_true(got.pod.is_named && slice_is(got.pod.uid, "u2") && !got.secret.is_named);
	assert_true(slice_is(got.ns, "n") && slice_is(got.issuer, "https://x") && got.not_before_s == 8);
}

/* A claim that is there in another form names nothing: whoever checks it finds no such object. */
static void what_is_not_a_claim_is_absent(void **state)
{
	struct claims c;
	assert_int_equal(parse("{}", &c), 0);
	assert_true(!c.issuer.ptr && !c.pod.is_named && !c.audience_count && !c.expires_s);
	assert_int_equal(parse("{\"aud\":\"one\",\"exp\":\"9\",\"iss\":7,\"nbf\":1e3,\"kubernetes.io\":{\"pod\":null,"
	                       "\"secret\":[],\"serviceaccount\":\"x\"}}",
	                         &c),
	        0);
	assert_true(c.audience_count == 1 && slice_is(c.audiences[0], "one"));
	assert_true(c.expires_s == 0 && !c.issuer.ptr && c.not_before_s == 1000);
	assert_true(c.pod.is_named && !c.pod.name.ptr && c.secret.is_named && !c.account.uid.ptr);
	assert_int_equal(parse("{\"aud\":[1,\"two\",null]}", &c), 0);
	assert_true(c.audience_count == 1 && slice_is(c.audiences[0], "two"));
}

static void what_two_readers_could_see_differently_is_refused(void **state)
{
	struct claims c;
	assert_int_equal(parse("[]", &c), ERR_INVAL);
	assert_int_equal(parse("", &c), ERR_INVAL);
	assert_int_equal(parse("{\"iss\":\"x\\u0000y\"}", &c), ERR_INVAL);
	assert_int_equal(parse("{\"iss\":\"x\",\"iss\":\"y\"}", &c), ERR_INVAL);
	assert_int_equal(parse("{\"kubernetes.io\":{\"namespace\":\"a\",\"namespace\":\"b\"}}", &c), ERR_INVAL);
	assert_int_equal(parse("{\"exp\":18446744073709551617}", &c), ERR_INVAL);
	assert_int_equal(parse("{\"iss\":\"x\"} {}", &c), ERR_INVAL);
}

static void upstreams_older_claims_name_account_and_secret(void **state)
{
	struct claims c;
	assert_int_equal(parse("{\"iss\":\"kubernetes/serviceaccount\",\"sub\":\"system:serviceaccount:n:s\","
	                       "\"kubernetes.io/serviceaccount/namespace\":\"n\","
	                       "\"kubernetes.io/serviceaccount/service-account.name\":\"s\","
	                       "\"kubernetes.io/serviceaccount/service-account.uid\":\"u\","
	                       "\"kubernetes.io/serviceaccount/secret.name\":\"t\"}",
	                         &c),
	        0);
	assert_true(c.is_legacy && slice_is(c.ns, "n") && !c.pod.is_named && c.expires_s == 0 && !c.audience_count);
	assert_true(slice_is(c.account.name, "s") && slice_is(c.account.uid, "u"));
	assert_true(c.secret.is_named && slice_is(c.secret.name, "t") && !c.secret.uid.ptr);
	assert_int_equal(parse("{\"iss\":\"x\",\"kubernetes.io/serviceaccount/namespace\":\"n\"}", &c), 0);
	assert_true(!c.is_legacy && !c.ns.ptr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(what_is_written_is_read, setup, teardown),
	        cmocka_unit_test_setup_teardown(what_is_not_a_claim_is_absent, setup, teardown),
	        cmocka_unit_test_setup_teardown(upstreams_older_claims_name_account_and_secret, setup, teardown),
	        cmocka_unit_test_setup_teardown(what_two_readers_could_see_differently_is_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
