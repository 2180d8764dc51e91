/* How long things take, counted in buckets as Prometheus wants them.
 *
 * To observe is a search through a few bounds and two additions, without a lock, on any thread. A histogram belongs to
 * whoever measures; others read it while it is counted on: the buckets written are then of one moment or the next, but
 * always add up to the count beside them. */
#ifndef K3X_BASE_HISTOGRAM_H
#define K3X_BASE_HISTOGRAM_H

#include "base/mem/str.h"

#include <stdatomic.h>
#include <time.h>

enum { HISTOGRAM_BOUNDS_MAX = 16 };

struct histogram {
	size_t n_bounds;
	uint64_t bounds_ns[HISTOGRAM_BOUNDS_MAX];          /* upper ends, ascending; a bucket has its end in it */
	_Atomic uint64_t counts[HISTOGRAM_BOUNDS_MAX + 1]; /* each bucket's own; the last: beyond every bound */
	_Atomic uint64_t sum_ns;
};

/* Bounds are copied; n is at most HISTOGRAM_BOUNDS_MAX. */
void histogram_init(struct histogram *h, const uint64_t *bounds_ns, size_t n);
void histogram_init_doubling(struct histogram *h, uint64_t first_ns, size_t n);

void histogram_observe(struct histogram *h, uint64_t ns);

/* Of the monotonic clock. */
static inline uint64_t histogram_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline void histogram_observe_since(struct histogram *h, uint64_t begun_ns)
{
	histogram_observe(h, histogram_now_ns() - begun_ns);
}

uint64_t histogram_count(const struct histogram *h);

/* Adds the lines of the exposition format for `name`, in seconds, without its HELP and TYPE. labels: `To="1f"`, or "".
 */
void histogram_write(const struct histogram *h, struct strbuf *out, const char *name, const char *labels);

#endif
