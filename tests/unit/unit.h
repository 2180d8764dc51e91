/* What every unit test includes: cmocka and its prerequisites. */
#ifndef K3X_TESTS_UNIT_H
#define K3X_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Until it is so, a minute at most: slow machines are slow, and a test that passes never waits so long. */
#define WAIT_FOR(condition) \
	do { \
		bool is_so_ = false; \
		for (int tries_ = 0; !(is_so_ = (condition)) && tries_ < 60000; tries_++) \
			usleep(1000); \
		assert_true(is_so_); \
	} while (0)

/* A text of n bytes (and its zero byte) that does not pack: where the size of what is stored matters, or where it must
 * lie in a file as it is. */
static inline void unit_noise(char *out, size_t n)
{
	static uint64_t r = 88172645463325252;
	for (size_t i = 0; i < n; i++) {
		r ^= r << 13;
		r ^= r >> 7;
		r ^= r << 17;
		out[i] = (char)(1 + r % 255);
	}
	out[n] = 0;
}

#endif
