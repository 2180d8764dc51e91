/* Signatures by others' keys: vectors of RFC 7515 and 7520, and what must not fit. */
#include "base/pki/pki_jws.h"

#include "base/base64.h"
#include "base/check.h"
#include "tests/unit/unit.h"

static struct err err;

#define JWK(...) jws_key_new(&(struct jws_jwk){__VA_ARGS__}, &key, &err)
#define TEXT(s) \
	{ \
		s, sizeof s - 1 \
	}

/* RFC 7515 appendix A.2 and A.3 */
static const char rs256_n[] =
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-"
        "yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-"
        "KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
        "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
static const char rs256_token[] =
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0c"
        "nVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb"
        "F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6"
        "_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0ig"
        "cN_IoypGlUPQGe77Rw";
static const char es256_x[] = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                  es256_y[] = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
static const char es256_token[] =
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0c"
        "nVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

static int verify(struct jws_key *key, const char *algorithm, const char *token, int flip)
{
	struct arena a = ARENA_INIT;
	struct slice sig;
	const char *dot = strrchr(token, '.');
	assert_true(base64url_decode(&a, slice_of(dot + 1), &sig));
	if (flip >= 0)
		((char *)sig.ptr)[flip] ^= 1;
	err = ERR_INIT;
	int rc = jws_verify(key, slice_of(algorithm), (struct slice){token, (size_t)(dot - token)}, sig, &err);
	arena_release(&a);
	return rc;
}

static void the_rfcs_tokens_fit_their_keys_alone(void **state)
{
	struct jws_key *key;
	assert_int_equal(JWK(.kty = SLICE("RSA"), .n = TEXT(rs256_n), .e = SLICE("AQAB")), 0);
	assert_int_equal(verify(key, "RS256", rs256_token, -1), 0);
	assert_int_equal(verify(key, "RS256", rs256_token, 5), ERR_UNAUTHENTICATED);
	assert_int_equal(verify(key, "RS384", rs256_token, -1), ERR_UNAUTHENTICATED);
	assert_int_equal(verify(key, "PS256", rs256_token, -1), ERR_UNAUTHENTICATED);
	assert_int_equal(verify(key, "ES256", es256_token, -1), ERR_UNAUTHENTICATED);
	jws_key_free(key);
	assert_int_equal(JWK(.kty = SLICE("EC"), .crv = SLICE("P-256"), .x = TEXT(es256_x), .y = TEXT(es256_y)), 0);
	assert_int_equal(verify(key, "ES256", es256_token, -1), 0);
	assert_int_equal(verify(key, "ES256", es256_token, 40), ERR_UNAUTHENTICATED);
	assert_int_equal(verify(key, "ES384", es256_token, -1), ERR_UNAUTHENTICATED);
	assert_int_equal(verify(key, "RS256", rs256_token, -1), ERR_UNAUTHENTICATED);
	jws_key_free(key);
}

static void no_key_is_for_none_or_a_symmetric_algorithm(void **state)
{
	struct jws_key *key;
	assert_int_equal(JWK(.kty = SLICE("RSA"), .n = TEXT(rs256_n), .e = SLICE("AQAB")), 0);
	static const char *const odd[] = {"none", "HS256", "HS512", "", "rs256", "RS1"};
	for (size_t i = 0; i < COUNT_OF(odd); i++) {
		assert_false(jws_algorithm_is_known(slice_of(odd[i])));
		assert_int_equal(verify(key, odd[i], rs256_token, -1), ERR_UNAUTHENTICATED);
	}
	jws_key_free(key);
}

static void broken_and_weak_keys_are_refused(void **state)
{
	struct jws_key *key;
	assert_int_equal(JWK(.kty = SLICE("RSA"), .n = SLICE("AQAB"), .e = SLICE("AQAB")), ERR_INVAL);
	assert_int_equal(JWK(.kty = SLICE("RSA"), .n = TEXT(rs256_n), .e = SLICE("AQ")), ERR_INVAL);
	assert_int_equal(JWK(.kty = SLICE("RSA"), .n = TEXT(rs256_n)), ERR_INVAL);
	assert_int_equal(
	        JWK(.kty = SLICE("EC"), .crv = SLICE("P-256"), .x = TEXT(es256_x), .y = TEXT(es256_x)), ERR_INVAL);
	assert_int_equal(
	        JWK(.kty = SLICE("EC"), .crv = SLICE("P-384"), .x = TEXT(es256_x), .y = TEXT(es256_y)), ERR_INVAL);
	assert_int_equal(JWK(.kty = SLICE("EC"), .crv = SLICE("secp256k1")), ERR_UNIMPLEMENTED);
	assert_int_equal(JWK(.kty = SLICE("oct")), ERR_UNIMPLEMENTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_rfcs_tokens_fit_their_keys_alone),
	        cmocka_unit_test(no_key_is_for_none_or_a_symmetric_algorithm),
	        cmocka_unit_test(broken_and_weak_keys_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
