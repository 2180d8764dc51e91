/* The small files of base: errors, base64, CRC-32C, the ordered map. */
#include "tests/unit/unit.h"

#include "base/base64.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/mem/omap.h"

#include <errno.h>

static void errors_carry_their_way_out(void **state)
{
	struct err err = ERR_INIT;
	assert_int_equal(err_set(&err, ERR_CORRUPT, "segment %d", 7), ERR_CORRUPT);
	assert_int_equal(err_wrap(&err, "load log"), ERR_CORRUPT);
	assert_string_equal(err.msg, "load log: segment 7");
	assert_int_equal(err_errno(&err, ENOSPC, "write x"), ERR_NO_SPACE);
	assert_string_equal(err.msg, "write x: No space left on device");
	char longer[1000];
	memset(longer, 'a', sizeof longer - 1);
	longer[sizeof longer - 1] = 0;
	err_set(&err, ERR_IO, "%s", longer);
	assert_int_equal(strlen(err.msg), ERR_MSG_MAX - 1);
	assert_string_equal(err.msg + ERR_MSG_MAX - 4, "...");
	assert_int_equal(err_set(NULL, ERR_IO, "x"), ERR_IO);
	assert_int_equal(err_http_status(ERR_CONFLICT), 409);
	assert_string_equal(err_reason(ERR_EXISTS), "AlreadyExists");
	assert_int_equal(err_http_status(-5), 500);
}

static void base64_reads_what_it_writes_and_nothing_else(void **state)
{
	static const char *const pairs[][2] = {
	        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
	struct arena a = ARENA_INIT;
	struct slice out;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		assert_string_equal(base64_encode(&a, slice_of(pairs[i][0])).ptr, pairs[i][1]);
		assert_true(base64_decode(&a, slice_of(pairs[i][1]), &out));
		assert_true(slice_is(out, pairs[i][0]));
	}
	assert_false(base64_decode(&a, SLICE("Zg="), &out));
	assert_false(base64_decode(&a, SLICE("Zg"), &out));
	assert_false(base64_decode(&a, SLICE("Z"), &out));
	assert_false(base64_decode(&a, SLICE("Zh=="), &out)); /* stray bits */
	assert_false(base64_decode(&a, SLICE("Zm9v!"), &out));
	assert_false(base64_decode(&a, SLICE("=Zm9"), &out));
	assert_true(base64url_decode(&a, SLICE("_-8"), &out));
	assert_int_equal(out.len, 2);
	assert_string_equal(base64url_encode(&a, out).ptr, "_-8");
	arena_release(&a);
}

static void crc32c_gives_the_published_values(void **state)
{
	unsigned char zeros[32] = {0}, ones[32];
	memset(ones, 0xff, sizeof ones);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
	assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aau); /* RFC 3720 appendix B.4 */
	assert_int_equal(crc32c(0, ones, 32), 0x62a8ab43u);
	assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283u);
}

static void the_ordered_map_is_ordered(void **state)
{
	struct omap m;
	char keys[1000][8];
	omap_init(&m);
	for (int i = 0; i < 1000; i++) {
		snprintf(keys[i], sizeof keys[i], "%03d", i * 7919 % 1000);
		assert_null(omap_put(&m, slice_of(keys[i]), keys[i]));
	}
	for (int i = 0; i < 1000; i += 3)
		assert_ptr_equal(omap_del(&m, slice_of(keys[i])), keys[i]);
	assert_null(omap_del(&m, SLICE("nobody")));
	size_t n = 0;
	const char *before = "";
	for (struct omap_node *at = omap_seek(&m, SLICE("")); at; at = omap_next(at), n++) {
		assert_true(strcmp(before, at->value) < 0);
		before = at->value;
	}
	assert_int_equal(n, m.count);
	assert_int_equal(n, 666);
	assert_null(omap_get(&m, slice_of(keys[0])));
	assert_ptr_equal(omap_get(&m, slice_of(keys[1])), keys[1]);
	omap_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(errors_carry_their_way_out),
	        cmocka_unit_test(base64_reads_what_it_writes_and_nothing_else),
	        cmocka_unit_test(crc32c_gives_the_published_values),
	        cmocka_unit_test(the_ordered_map_is_ordered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
