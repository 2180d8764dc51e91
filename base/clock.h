/* What time it is. For durations and deadlines the monotonic clock, which nobody sets; for what people read the wall
 * clock, which may jump. Code that runs under the simulator is given the time instead (raft/adapter/raft_env.h). On a
 * loop, loop_now_ms() is cheaper: it is read once a turn. Any thread. */
#ifndef K3X_BASE_CLOCK_H
#define K3X_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_read_ns(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t clock_mono_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

static inline uint64_t clock_mono_ms(void)
{
	return clock_mono_ns() / 1000000;
}

/* Since 1970, UTC. */
static inline int64_t clock_wall_ns(void)
{
	return (int64_t)clock_read_ns(CLOCK_REALTIME);
}

static inline int64_t clock_wall_s(void)
{
	return clock_wall_ns() / 1000000000;
}

#endif
