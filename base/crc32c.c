/* See crc32c.h. The table form works everywhere; on x86-64 with SSE 4.2 and on arm64 with the CRC extension the
 * instruction is used, chosen once. */
#include "base/crc32c.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

static uint32_t table[8][256];
static bool has_instruction;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;
		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0x82f63b78u : c >> 1;
		table[0][i] = c;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int k = 1; k < 8; k++)
			table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
#ifdef __x86_64__
	has_instruction = __builtin_cpu_supports("sse4.2");
#endif
}

/* Eight bytes a step, a table for each of them. */
static uint32_t by_table(uint32_t crc, const unsigned char *p, size_t n)
{
	for (; n >= 8; n -= 8, p += 8) {
		uint32_t low =
		        crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
		crc = table[7][low & 255] ^ table[6][low >> 8 & 255] ^ table[5][low >> 16 & 255] ^ table[4][low >> 24] ^
		      table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
	}
	while (n--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 255];
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const unsigned char *p, size_t n)
{
	uint64_t c = crc, word;
	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&word, p, 8);
		c = __builtin_ia32_crc32di(c, word);
	}
	while (n--)
		c = __builtin_ia32_crc32qi((uint32_t)c, *p++);
	return (uint32_t)c;
}
#else
static uint32_t by_instruction(uint32_t crc, const unsigned char *p, size_t n)
{
	return by_table(crc, p, n);
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
	pthread_once(&once, init);
	crc = ~crc;
	crc = has_instruction ? by_instruction(crc, data, len) : by_table(crc, data, len);
	return ~crc;
}

/* ---- four in turn ---- */

enum { SUMS = 4, TURN_BYTES = SUMS * 8 };

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static void turns_by_instruction(
        uint32_t c[SUMS], const unsigned char *p, size_t turns)
{
	uint64_t a = c[0], b = c[1], d = c[2], e = c[3], word[SUMS];
	for (; turns; turns--, p += TURN_BYTES) {
		memcpy(word, p, TURN_BYTES);
		a = __builtin_ia32_crc32di(a, word[0]);
		b = __builtin_ia32_crc32di(b, word[1]);
		d = __builtin_ia32_crc32di(d, word[2]);
		e = __builtin_ia32_crc32di(e, word[3]);
	}
	c[0] = (uint32_t)a;
	c[1] = (uint32_t)b;
	c[2] = (uint32_t)d;
	c[3] = (uint32_t)e;
}
#endif

static void turns_by_table(uint32_t c[SUMS], const unsigned char *p, size_t turns)
{
	for (; turns; turns--, p += TURN_BYTES)
		for (int i = 0; i < SUMS; i++)
			c[i] = by_table(c[i], p + (size_t)i * 8, 8);
}

uint32_t crc32c_in_turn(uint32_t crc, const void *data, size_t len)
{
	pthread_once(&once, init);
	const unsigned char *p = data;
	uint32_t c[SUMS] = {~crc, ~crc, ~crc, ~crc};
	unsigned char all[SUMS * 4];
	size_t turns = len / TURN_BYTES;
#ifdef __x86_64__
	if (has_instruction)
		turns_by_instruction(c, p, turns);
	else
#endif
		turns_by_table(c, p, turns);
	c[0] = ~crc32c(~c[0], p + turns * TURN_BYTES, len % TURN_BYTES);
	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (unsigned char)(~c[i / 4] >> i % 4 * 8);
	return crc32c(0, all, sizeof all);
}
