/* Randomness for times that should not come together: reconnects, limits of watches. From the system, so that two
 * machines that start alike do not act alike. Any thread. */
#ifndef K3X_API_CLIENT_JITTER_H
#define K3X_API_CLIENT_JITTER_H

#include <stdint.h>
#include <sys/random.h>

/* 0 ... below - 1; 0 when below is 0. */
static inline uint64_t jitter_below(uint64_t below)
{
	uint32_t r = 0;
	if (getrandom(&r, sizeof r, GRND_NONBLOCK) != (ssize_t)sizeof r)
		r = 0; /* before the system has gathered any */
	return below ? r % below : 0;
}

#endif
