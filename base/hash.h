/* FNV-1a (RFC draft-eastlake-fnv): a hash that is the same on every machine and at every start, for names and
 * fingerprints that are stored or shown. It keeps nobody from making collisions: tables whose keys come from clients
 * use base/mem/map.h, whose hash is seeded. Any thread. */
#ifndef K3X_BASE_HASH_H
#define K3X_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define FNV1A32_INIT UINT32_C(2166136261)
#define FNV1A64_INIT UINT64_C(14695981039346656037)

/* Adds bytes to a hash; begin with FNV1A32_INIT or FNV1A64_INIT. */
static inline uint32_t fnv1a32_add(uint32_t h, const void *data, size_t len)
{
	const unsigned char *p = data;
	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT32_C(16777619);
	return h;
}

static inline uint64_t fnv1a64_add(uint64_t h, const void *data, size_t len)
{
	const unsigned char *p = data;
	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(1099511628211);
	return h;
}

static inline uint64_t fnv1a64(const void *data, size_t len)
{
	return fnv1a64_add(FNV1A64_INIT, data, len);
}

#endif
