/* Key sets of issuers. */
#include "api/server/auth/identity/jwks.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "base/pki/pki.h"
#include "tests/unit/unit.h"

static struct err err;
static struct arena a;

static int parse(const char *text, struct jwks **ret)
{
	err = ERR_INIT;
	return jwks_parse(slice_of(text), ret, &err);
}

static char *own_key(struct pki_key **key)
{
	struct strbuf b = STRBUF_INIT;
	char *pem;
	assert_int_equal(pki_key_generate(&pem, &err), 0);
	assert_int_equal(pki_key_load(pem, key, &err), 0);
	free(pem);
	assert_int_equal(pki_key_jwk(*key, &b, &err), 0);
	return b.data;
}

static int verify(struct jwks *s, struct slice token, const char *algorithm, const char *id)
{
	struct jws_header h = {slice_of(algorithm), slice_of(id)};
	err = ERR_INIT;
	return jwks_verify(s, token, &h, &err);
}

static void the_named_key_verifies_and_an_unknown_name_is_told_apart(void **state)
{
	struct pki_key *one, *two;
	CLEANUP(cleanup_free) char *first = own_key(&one);
	CLEANUP(cleanup_free) char *second = own_key(&two);
	CLEANUP(cleanup_strbuf) struct strbuf id = STRBUF_INIT, token = STRBUF_INIT, set = STRBUF_INIT;
	struct jwks *s;
	strbuf_addf(&set, "{\"keys\":[%s,%s,{\"kty\":\"oct\",\"k\":\"AA\"},{\"kty\":\"EC\",\"use\":\"enc\"}]}", second,
	        first);
	assert_int_equal(parse(set.data, &s), 0);
	assert_int_equal(jwks_count(s), 2);
	assert_int_equal(pki_key_id(one, &id, &err), 0);
	assert_int_equal(jwt_sign(one, SLICE("{}"), &token, &err), 0);
	assert_int_equal(verify(s, strbuf_slice(&token), "ES256", id.data), 0);
	assert_int_equal(verify(s, strbuf_slice(&token), "ES256", ""), 0);
	assert_int_equal(verify(s, strbuf_slice(&token), "ES256", "other"), ERR_NOT_FOUND);
	assert_int_equal(verify(s, strbuf_slice(&token), "RS256", id.data), ERR_NOT_FOUND);
	assert_int_equal(verify(s, strbuf_slice(&token), "HS256", id.data), ERR_NOT_FOUND);
	token.data[token.len - 10] ^= 1;
	assert_int_equal(verify(s, strbuf_slice(&token), "ES256", id.data), ERR_UNAUTHENTICATED);
	jwks_free(s);
	pki_key_free(one);
	pki_key_free(two);
}

static void what_is_no_set_of_useful_keys_is_told(void **state)
{
	static const char *const bad[] = {"", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[]}",
	        "{\"keys\":[{\"kty\":\"oct\"}]}", "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}"};
	struct jwks *s;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		if (parse(bad[i], &s) != ERR_INVAL)
			fail_msg("%s is taken", bad[i]);
}

static void a_header_with_demands_is_refused(void **state)
{
	struct jws_header h;
	assert_int_equal(jws_header_parse(&a, SLICE("{\"alg\":\"RS256\",\"kid\":\"k\"}"), &h, &err), 0);
	assert_true(slice_is(h.key_id, "k") && slice_is(h.algorithm, "RS256"));
	assert_int_equal(
	        jws_header_parse(&a, SLICE("{\"alg\":\"RS256\",\"crit\":[\"b64\"]}"), &h, &err), ERR_UNAUTHENTICATED);
	assert_int_equal(jws_header_parse(&a, SLICE("[]"), &h, &err), ERR_UNAUTHENTICATED);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_named_key_verifies_and_an_unknown_name_is_told_apart),
	        cmocka_unit_test(what_is_no_set_of_useful_keys_is_told),
	        cmocka_unit_test(a_header_with_demands_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
