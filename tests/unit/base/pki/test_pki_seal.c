/* Sealed bytes: who knows the password reads them, and nobody changes them unnoticed. */
#include "base/pki/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void what_was_sealed_is_read_with_the_password_alone(void **state)
{
	struct strbuf sealed = STRBUF_INIT, again = STRBUF_INIT, plain = STRBUF_INIT;
	struct err err = ERR_INIT;
	pki_seal(SLICE("secret"), SLICE("the keys"), &sealed);
	assert_null(memmem(sealed.data, sealed.len, "the keys", 8));
	assert_int_equal(pki_unseal(SLICE("secret"), strbuf_slice(&sealed), &plain, &err), 0);
	assert_true(slice_is(strbuf_slice(&plain), "the keys"));
	assert_int_equal(pki_unseal(SLICE("secreT"), strbuf_slice(&sealed), &plain, &err), ERR_UNAUTHENTICATED);
	assert_int_equal(plain.len, 8); /* nothing was appended */
	pki_seal(SLICE("secret"), SLICE("the keys"), &again);
	assert_false(slice_eq(strbuf_slice(&sealed), strbuf_slice(&again)));
	strbuf_release(&sealed);
	strbuf_release(&again);
	strbuf_release(&plain);
}

static void every_part_that_is_changed_is_noticed(void **state)
{
	struct strbuf sealed = STRBUF_INIT, plain = STRBUF_INIT;
	struct err err = ERR_INIT;
	pki_seal(SLICE("secret"), SLICE("x"), &sealed);
	static const size_t at[] = {0, 11, 12, 30, 40, 55};
	for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
		sealed.data[at[i]] ^= 1;
		assert_int_not_equal(pki_unseal(SLICE("secret"), strbuf_slice(&sealed), &plain, &err), 0);
		sealed.data[at[i]] ^= 1;
	}
	for (size_t n = 0; n < sealed.len; n += 7)
		assert_int_not_equal(pki_unseal(SLICE("secret"), (struct slice){sealed.data, n}, &plain, &err), 0);
	assert_int_equal(plain.len, 0);
	strbuf_release(&sealed);
}

static void rounds_of_a_stranger_are_bounded(void **state)
{
	struct strbuf sealed = STRBUF_INIT, plain = STRBUF_INIT;
	struct err err = ERR_INIT;
	pki_seal(SLICE("secret"), SLICE("x"), &sealed);
	sealed.data[8] = 0x7f; /* two thousand million rounds: an hour */
	assert_int_equal(pki_unseal(SLICE("secret"), strbuf_slice(&sealed), &plain, &err), ERR_INVAL);
	strbuf_release(&sealed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_was_sealed_is_read_with_the_password_alone),
	        cmocka_unit_test(every_part_that_is_changed_is_noticed),
	        cmocka_unit_test(rounds_of_a_stranger_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
