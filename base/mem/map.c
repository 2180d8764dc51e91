/* See map.h. Linear probing at a load of at most 3/4; deletion shifts the following run back, so there are no
 * tombstones. The hash is wyhash-shaped (multiply and fold), seeded from the system once. */
#include "base/mem/map.h"

#include "base/check.h"
#include "base/mem/arena.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

static uint64_t seed;
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void seed_init(void)
{
	CHECK(getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed);
}

/* Multiply to 128 bits and xor the halves. */
static uint64_t fold(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
	__uint128_t r = (__uint128_t)a * b;
	return (uint64_t)r ^ (uint64_t)(r >> 64);
#else /* 32-bit targets: four partial products */
	uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
	uint64_t mid1 = ah * bl, mid2 = al * bh, low = al * bl;
	uint64_t carry = ((low >> 32) + (uint32_t)mid1 + (uint32_t)mid2) >> 32;
	uint64_t high = ah * bh + (mid1 >> 32) + (mid2 >> 32) + carry;
	return (low + (mid1 << 32) + (mid2 << 32)) ^ high;
#endif
}

static uint64_t load(const char *p, size_t n)
{
	uint64_t v = 0;
	memcpy(&v, p, n);
	return v;
}

uint64_t map_hash(struct slice key)
{
	pthread_once(&seed_once, seed_init);
	uint64_t h = seed ^ (key.len * 0x9e3779b97f4a7c15ull);
	const char *p = key.ptr;
	size_t n = key.len;
	for (; n > 8; n -= 8, p += 8)
		h = fold(h ^ load(p, 8), 0xa0761d6478bd642full);
	if (n)
		h = fold(h ^ load(p, n), 0xe7037ed1a0b428dbull);
	return fold(h, 0x8ebc6af09c88c6e3ull);
}

void map_init(struct map *m)
{
	*m = MAP_INIT;
}

void map_release(struct map *m)
{
	free(m->slots);
	*m = MAP_INIT;
}

static struct map_slot *find(const struct map *m, struct slice key, uint64_t hash)
{
	size_t mask = m->cap - 1;
	size_t i = hash & mask;
	while (m->slots[i].value && !(m->slots[i].hash == hash && slice_eq(m->slots[i].key, key)))
		i = (i + 1) & mask;
	return &m->slots[i];
}

void *map_get(const struct map *m, struct slice key)
{
	return m->cap ? find(m, key, map_hash(key))->value : NULL;
}

static void grow(struct map *m)
{
	struct map bigger = {.cap = m->cap ? m->cap * 2 : 16};
	bigger.slots = xcalloc(bigger.cap, sizeof *bigger.slots);
	MAP_FOREACH (it, m)
		*find(&bigger, it->key, it->hash) = *it;
	bigger.count = m->count;
	free(m->slots);
	*m = bigger;
}

void *map_put(struct map *m, struct slice key, void *value)
{
	CHECK(value != NULL);
	if ((m->count + 1) * 4 > m->cap * 3)
		grow(m);
	uint64_t hash = map_hash(key);
	struct map_slot *s = find(m, key, hash);
	void *old = s->value;
	if (!old)
		m->count++;
	*s = (struct map_slot){key, value, hash};
	return old;
}

void *map_del(struct map *m, struct slice key)
{
	if (!m->cap)
		return NULL;
	struct map_slot *s = find(m, key, map_hash(key));
	void *old = s->value;
	if (!old)
		return NULL;
	size_t mask = m->cap - 1;
	size_t hole = (size_t)(s - m->slots);
	for (size_t i = (hole + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
		size_t home = m->slots[i].hash & mask;
		if (((i - home) & mask) >= ((i - hole) & mask)) { /* its probe run passes the hole */
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole].value = NULL;
	m->count--;
	return old;
}

void *map_entry_new(size_t size, size_t key_offset, struct slice key)
{
	CHECK(key_offset + sizeof(struct slice) <= size);
	char *entry = xcalloc(1, size + key.len + 1);
	if (key.len)
		memcpy(entry + size, key.ptr, key.len);
	memcpy(entry + key_offset, &(struct slice){entry + size, key.len}, sizeof(struct slice));
	return entry;
}
