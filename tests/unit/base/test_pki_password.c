/* Passwords: a hash fits its password and nothing else. */
#include "base/pki.h"
#include "tests/unit/unit.h"

static void test_a_hash_fits_its_password_only(void **state)
{
	struct strbuf one = STRBUF_INIT, two = STRBUF_INIT;
	struct err err = ERR_INIT;
	assert_int_equal(pki_password_hash(SLICE("secret"), 4, &one, &err), 0);
	assert_int_equal(pki_password_hash(SLICE("secret"), 4, &two, &err), 0);
	assert_string_not_equal(strbuf_cstr(&one), strbuf_cstr(&two)); /* salted */
	assert_true(slice_starts(strbuf_slice(&one), "scrypt$8$8$1$"));
	assert_true(pki_password_check(SLICE("secret"), strbuf_slice(&one)));
	assert_true(pki_password_check(SLICE("secret"), strbuf_slice(&two)));
	assert_false(pki_password_check(SLICE("Secret"), strbuf_slice(&one)));
	assert_false(pki_password_check(SLICE(""), strbuf_slice(&one)));
	strbuf_reset(&one);
	assert_int_equal(pki_password_hash(SLICE(""), 4, &one, &err), 0);
	assert_true(pki_password_check(SLICE(""), strbuf_slice(&one)));
	assert_false(pki_password_check(SLICE("x"), strbuf_slice(&one)));
	strbuf_release(&one);
	strbuf_release(&two);
}

static void test_what_is_no_hash_fits_nothing(void **state)
{
	static const char *const texts[] = {"", "scrypt", "scrypt$8$8$1", "scrypt$8$8$1$$", "scrypt$8$8$1$AAAA$AAAA",
	        "scrypt$99$8$1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	        "bcrypt$8$8$1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_false(pki_password_check(SLICE(""), slice_of(texts[i])));
}

static void test_hmac_is_that_of_rfc_4231(void **state)
{
	static const unsigned char want[] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e};
	unsigned char got[32];
	pki_hmac_sha256(SLICE("Jefe"), SLICE("what do ya want for nothing?"), got);
	assert_memory_equal(got, want, sizeof want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_a_hash_fits_its_password_only),
	        cmocka_unit_test(test_what_is_no_hash_fits_nothing),
	        cmocka_unit_test(test_hmac_is_that_of_rfc_4231),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
