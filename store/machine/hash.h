/* The store's hash: cheap, not cryptographic, the same on every machine (words are little endian, as are all machines
 * this runs on). For telling replicas apart, not for damage done on purpose. */
#ifndef K3X_STORE_MACHINE_HASH_H
#define K3X_STORE_MACHINE_HASH_H

#include "store/machine/read/view.h"

#include <string.h>

static inline uint64_t hash_word(uint64_t h, uint64_t w)
{
	h = (h ^ w) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ (h >> 29);
}

static inline uint64_t hash_bytes(uint64_t h, struct slice s)
{
	uint64_t w;
	h = hash_word(h, s.len);
	for (; s.len >= sizeof w; s.ptr += sizeof w, s.len -= sizeof w) {
		memcpy(&w, s.ptr, sizeof w);
		h = hash_word(h, w);
	}
	w = 0;
	if (s.len)
		memcpy(&w, s.ptr, s.len);
	return hash_word(h, w);
}

/* The hash of every version kept at `revision` (0: the newest), whatever compaction has got to removing by now: equal
 * contents and equal compacted revisions give equal hashes on any engine. with_leases: the leases too.
 * ERR_COMPACTED, ERR_FUTURE_REVISION. */
int hash_versions(struct store_view *v, int64_t revision, bool with_leases, uint32_t *ret, struct err *err);

#endif
