/* CRC-32C (Castagnoli, RFC 3720 appendix B.4): the checksum of log batches, snapshots and frames. Uses the processor's
 * instruction where there is one. Any thread. */
#ifndef K3X_BASE_CRC32C_H
#define K3X_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues a checksum over more bytes; start with 0. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
