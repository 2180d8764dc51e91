/* Unpacked blocks of versions, as many as fit. One connection's, one thread at a time. See version_cache.c. */
#ifndef K3X_STORE_MACHINE_DATABASE_VERSION_CACHE_H
#define K3X_STORE_MACHINE_DATABASE_VERSION_CACHE_H

#include "store/machine/database/version_block.h"

struct version_cache;

struct version_cache *version_cache_new(unsigned blocks_max, size_t bytes_max);
void version_cache_free(struct version_cache *c); /* NULL is allowed */

/* What is in it is good for one state of the blocks. Another than the last time: it is emptied. */
void version_cache_of_state(struct version_cache *c, int64_t state);
void version_cache_clear(struct version_cache *c);

/* Lets go of a block that is larger than all of the cache may be. NULL is allowed. */
void version_cache_trim(struct version_cache *c);

/* The block that the version lies in, or would lie in; NULL: it is not known here. Borrowed until the next
 * version_cache_room(), clear or trim. */
const struct version_block *version_cache_find(struct version_cache *c, int64_t id);

/* A place for a block that is to be decoded, and what makes it known; one that is not added is used again. NULL: it
 * overlaps with another, which no two blocks may. */
struct version_block *version_cache_room(struct version_cache *c);
const struct version_block *version_cache_add(struct version_cache *c);

#endif
