/* Signatures: the examples of AWS's documentation ("Signature Calculations for the Authorization Header"). */
#include "tools/snapshots/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const struct sigv4_request of_docs = {.method = "GET",
        .host = "examplebucket.s3.amazonaws.com",
        .path = "/",
        .query = "",
        .payload_sha256 = EMPTY,
        .region = "us-east-1",
        .access_key = "AKIAIOSFODNN7EXAMPLE",
        .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        .now_s = 1369353600};

static void expect(const struct sigv4_request *r, const char *signature)
{
	struct strbuf out = STRBUF_INIT;
	sigv4_authorize(r, &out);
	if (!strstr(strbuf_cstr(&out), signature))
		fail_msg("%s", strbuf_cstr(&out));
	assert_non_null(
	        strstr(strbuf_cstr(&out), "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"));
	strbuf_release(&out);
}

static void the_examples_of_the_documentation_hold(void **state)
{
	struct sigv4_request r = of_docs;
	r.path = "/test.txt";
	r.more_headers = "range:bytes=0-9\n";
	r.more_names = "range";
	expect(&r, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
	r = of_docs;
	r.query = "lifecycle=";
	expect(&r, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
	r.query = "max-keys=2&prefix=J";
	expect(&r, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void a_session_token_is_signed(void **state)
{
	struct sigv4_request r = of_docs;
	struct strbuf out = STRBUF_INIT;
	r.session_token = "token";
	sigv4_authorize(&r, &out);
	assert_non_null(
	        strstr(strbuf_cstr(&out), "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"));
	strbuf_release(&out);
}

static void what_is_not_plain_is_escaped(void **state)
{
	struct strbuf out = STRBUF_INIT;
	sigv4_escape(&out, SLICE("a/b c+~\xc3\xa4"), true);
	assert_string_equal(strbuf_cstr(&out), "a/b%20c%2B~%C3%A4");
	strbuf_reset(&out);
	sigv4_escape(&out, SLICE("a/b="), false);
	assert_string_equal(strbuf_cstr(&out), "a%2Fb%3D");
	strbuf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_examples_of_the_documentation_hold),
	        cmocka_unit_test(a_session_token_is_signed),
	        cmocka_unit_test(what_is_not_plain_is_escaped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
