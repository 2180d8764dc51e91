/* The checksum, and its form of four in turn: known values, and that any bit that changes is seen. */
#include "tests/unit/unit.h"

#include "base/crc32c.h"

#include <string.h>

static void the_known_value(void **state)
{
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}

/* As its definition says, byte by byte. */
static uint32_t in_turn(uint32_t crc, const unsigned char *p, size_t len)
{
	uint32_t sums[4] = {crc, crc, crc, crc};
	unsigned char all[16];
	size_t whole = len / 32 * 32;
	for (size_t at = 0; at < whole; at += 8)
		sums[at / 8 % 4] = crc32c(sums[at / 8 % 4], p + at, 8);
	sums[0] = crc32c(sums[0], p + whole, len - whole);
	for (int i = 0; i < 16; i++)
		all[i] = (unsigned char)(sums[i / 4] >> i % 4 * 8);
	return crc32c(0, all, sizeof all);
}

static void four_in_turn_are_what_they_say(void **state)
{
	unsigned char data[4096];
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 31 + i / 7);
	for (size_t len = 0; len < 200; len++)
		assert_int_equal(crc32c_in_turn(7, data, len), in_turn(7, data, len));
	assert_int_equal(crc32c_in_turn(0, data, 4088), in_turn(0, data, 4088));
}

static void every_bit_counts(void **state)
{
	unsigned char data[4088];
	memset(data, 'x', sizeof data);
	uint32_t sum = crc32c_in_turn(1, data, sizeof data);
	for (size_t bit = 0; bit < sizeof data * 8; bit++) {
		data[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_int_not_equal(crc32c_in_turn(1, data, sizeof data), sum);
		data[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	assert_int_not_equal(crc32c_in_turn(2, data, sizeof data), sum);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_known_value),
	        cmocka_unit_test(four_in_turn_are_what_they_say), cmocka_unit_test(every_bit_counts)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
