/* Key pairs of Curve25519. */
#include "base/pki/pki_x25519.h"

#include "base/mem/str.h"
#include "tests/unit/unit.h"

static void from_hex(const char *hex, unsigned char *ret)
{
	for (size_t i = 0; i < PKI_X25519_BYTES; i++)
		ret[i] = (unsigned char)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
}

/* RFC 7748 section 6.1. */
static void a_private_key_has_the_public_key_of_the_standard(void **state)
{
	static const char *const pairs[][2] = {
	        {"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
	                "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"},
	        {"5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
	                "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"},
	};
	for (size_t i = 0; i < 2; i++) {
		unsigned char key[PKI_X25519_BYTES], want[PKI_X25519_BYTES], public_key[PKI_X25519_BYTES];
		struct err err = ERR_INIT;
		from_hex(pairs[i][0], key);
		from_hex(pairs[i][1], want);
		assert_int_equal(pki_x25519_public(key, public_key, &err), 0);
		assert_memory_equal(public_key, want, sizeof want);
	}
}

static void a_new_key_is_another_and_has_its_fixed_bits(void **state)
{
	unsigned char a[PKI_X25519_BYTES], b[PKI_X25519_BYTES];
	pki_x25519_generate(a);
	pki_x25519_generate(b);
	assert_memory_not_equal(a, b, sizeof a);
	assert_int_equal(a[0] & 7, 0);
	assert_int_equal(a[31] & 0xc0, 0x40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_private_key_has_the_public_key_of_the_standard),
	        cmocka_unit_test(a_new_key_is_another_and_has_its_fixed_bits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
