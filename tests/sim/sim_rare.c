/* Rare branches of raft/, forced now and then with the simulation's own random numbers. */
#include "tests/sim/sim.h"

static uint64_t (*draw)(void);

static bool force(enum buggify_point p)
{
	return draw() % 1000 < (p == BUGGIFY_ENTRIES_SHED ? 10 : 100);
}

void sim_rare_force(uint64_t (*rng)(void))
{
	draw = rng;
	buggify_ask = rng ? force : NULL;
}

void sim_rare_count(uint64_t counts[BUGGIFY_POINT_COUNT])
{
	for (int i = 0; i < BUGGIFY_POINT_COUNT; i++)
		counts[i] = buggify_taken[i];
}
