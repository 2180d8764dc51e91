/* Passwords: a hash fits its password and nothing else. */
#include "base/pki/pki.h"
#include "tests/unit/unit.h"

static void test_a_hash_fits_its_password_only(void **state)
{
	struct strbuf one = STRBUF_INIT, two = STRBUF_INIT;
	struct err err = ERR_INIT;
	assert_int_equal(pki_password_hash(SLICE("secret"), 4, &one, &err), 0);
	assert_int_equal(pki_password_hash(SLICE("secret"), 4, &two, &err), 0);
	assert_string_not_equal(strbuf_cstr(&one), strbuf_cstr(&two)); /* salted */
	assert_true(slice_starts(strbuf_slice(&one), "$2a$04$"));
	assert_int_equal(pki_password_bcrypt_cost(strbuf_slice(&one)), 4);
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

/* Made by etcd 3.5, by the reference implementation, and by ourselves before. */
static void test_hashes_of_others_are_understood(void **state)
{
	static const struct {
		const char *password, *hash;
	} rows[] = {
	        {"s", "$2a$10$A/9Hj8jIsIRNW9a2uWrmFOtqkyj2oHci88dUNL9iIJmakAMmydOwi"},
	        {"U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"},
	        {"", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"},
	        {"\xff\xff\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"},
	        {"pw", "scrypt$8$8$1$AAECAwQFBgcICQoLDA0ODw$N3rAmHIw2K1BgefCzkFawPHk0ftGxmp34kOIYEbWWJ4"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_true(pki_password_check(slice_of(rows[i].password), slice_of(rows[i].hash)));
		assert_false(pki_password_check(SLICE("other"), slice_of(rows[i].hash)));
	}
}

/* libcrypt answers "$2a$" differently here, by its precaution; Go does not. */
static void test_go_knows_one_algorithm(void **state)
{
	struct slice hash = SLICE("$2a$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e");
	assert_true(pki_password_check(SLICE("\xff\xff\xa3"), hash));
}

static void test_72_bytes_are_the_limit(void **state)
{
	struct strbuf hash = STRBUF_INIT;
	struct err err = ERR_INIT;
	char text[80];
	memset(text, 'x', sizeof text);
	assert_int_equal(pki_password_hash((struct slice){text, 73}, 4, &hash, &err), ERR_INVAL);
	assert_int_equal(pki_password_hash((struct slice){text, 72}, 4, &hash, &err), 0);
	assert_true(pki_password_check((struct slice){text, 72}, strbuf_slice(&hash)));
	assert_true(pki_password_check((struct slice){text, 80}, strbuf_slice(&hash)));
	assert_false(pki_password_check((struct slice){text, 71}, strbuf_slice(&hash)));
	strbuf_release(&hash);
}

static void test_what_is_no_hash_fits_nothing(void **state)
{
	static const char *const texts[] = {"", "scrypt", "scrypt$8$8$1", "scrypt$8$8$1$$", "scrypt$8$8$1$AAAA$AAAA",
	        "scrypt$99$8$1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	        "bcrypt$8$8$1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWN", /* a character is missing */
	        "$2x$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy",
	        "$2a$31$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy", /* it would take a day */
	        "$2a$03$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy",
	        "$2a$05$CCCCCCCCCCCC*CCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"};
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
	        cmocka_unit_test(test_hashes_of_others_are_understood),
	        cmocka_unit_test(test_go_knows_one_algorithm),
	        cmocka_unit_test(test_72_bytes_are_the_limit),
	        cmocka_unit_test(test_what_is_no_hash_fits_nothing),
	        cmocka_unit_test(test_hmac_is_that_of_rfc_4231),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
