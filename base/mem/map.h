/* Hash map from byte strings to pointers. Open addressing, keys borrowed from the caller (usually they live in the
 * value). The hash is seeded per process so that clients cannot choose colliding keys. One thread at a time. */
#ifndef K3X_BASE_MEM_MAP_H
#define K3X_BASE_MEM_MAP_H

#include "base/mem/str.h"

struct map_slot {
	struct slice key;
	void *value; /* NULL: free slot */
	uint64_t hash;
};

struct map {
	struct map_slot *slots;
	size_t cap; /* a power of two, or 0 */
	size_t count;
};

#define MAP_INIT ((struct map){0})

void map_init(struct map *m);
void map_release(struct map *m);                      /* values are not touched */
void *map_get(const struct map *m, struct slice key); /* NULL when absent */
/* Adds or replaces; returns the value that was there, NULL when none. `value` must not be NULL; the key's bytes must
 * live as long as the entry. A replaced entry takes the new key's bytes. */
void *map_put(struct map *m, struct slice key, void *value);
void *map_del(struct map *m, struct slice key); /* returns the value, NULL when absent */
uint64_t map_hash(struct slice key);

/* A value that carries its key: `size` zeroed bytes, the key's bytes and a zero byte behind them, and at `key_offset`
 * the slice of them. free() it.
 *
 *     struct pod { struct slice key; ... };
 *     struct pod *p = MAP_ENTRY_NEW(struct pod, key, key);
 *     map_put(&m, p->key, p); */
void *map_entry_new(size_t size, size_t key_offset, struct slice key);

#define MAP_ENTRY_NEW(type, member, k) ((type *)map_entry_new(sizeof(type), offsetof(type, member), (k)))

/* Visits all entries in no order; the map must not change meanwhile, except by nothing. */
#define MAP_FOREACH(it, m) \
	for (struct map_slot *it = (m)->slots; it && it < (m)->slots + (m)->cap; it++) \
		if (it->value)

#endif
