/* CRC-32C (Castagnoli, RFC 3720 appendix B.4): the checksum of log batches, snapshots and frames. Uses the processor's
 * instruction where there is one. Any thread. */
#ifndef K3X_BASE_CRC32C_H
#define K3X_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues a checksum over more bytes; start with 0. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

/* Another checksum of the same strength, three times as fast with the instruction, which takes three cycles and may
 * begin in each: words of eight bytes go to four sums in turn, what is left over to the first, and the result is the
 * checksum of the four, little-endian. `crc` is where each begins. */
uint32_t crc32c_in_turn(uint32_t crc, const void *data, size_t len);

#endif
