/* Random numbers from the seed of a run: splitmix64. Each worker and the nemesis have a stream of their own, so that
 * the schedule of faults depends on the seed alone. (What servers and the kernel make of it does not.) */
#ifndef K3X_JEPSEN_RNG_H
#define K3X_JEPSEN_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline void rng_init(struct rng *r, uint64_t seed, uint64_t stream)
{
	r->state = seed;
	r->state = rng_next(r) ^ (stream * UINT64_C(0xd1342543de82ef95));
}

/* 0 to n - 1; n above 0. */
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)((rng_next(r) >> 32) * n >> 32);
}

/* low to high, both included. */
static inline int64_t rng_between(struct rng *r, int64_t low, int64_t high)
{
	return low + (int64_t)(rng_next(r) % (uint64_t)(high - low + 1));
}

static inline bool rng_chance(struct rng *r, uint32_t percent)
{
	return rng_below(r, 100) < percent;
}

#endif
