/* A histogram of latencies with buckets that grow with the value: fixed memory, a few instructions per value.
 *
 * Values below 64 have a bucket each. Above, a value keeps its seven highest bits: its bucket is the position of the
 * highest bit and the six bits behind it. */
#include "tools/bench/store/store.h"

static unsigned bucket_of(uint64_t v)
{
	if (v < (1u << HISTOGRAM_BITS))
		return (unsigned)v;
	unsigned shift = (unsigned)(63 - __builtin_clzll(v)) - HISTOGRAM_BITS;
	return ((shift + 1) << HISTOGRAM_BITS) + (unsigned)(v >> shift) - (1u << HISTOGRAM_BITS);
}

/* The largest value that falls into it. */
static uint64_t bucket_end(unsigned bucket)
{
	unsigned shift = bucket >> HISTOGRAM_BITS;
	uint64_t low = bucket & ((1u << HISTOGRAM_BITS) - 1);
	if (shift == 0)
		return low;
	return (((low | (1u << HISTOGRAM_BITS)) + 1) << (shift - 1)) - 1;
}

void histogram_add(struct histogram *h, uint64_t value)
{
	h->counts[bucket_of(value)]++;
	h->total++;
	if (value > h->max)
		h->max = value;
}

uint64_t histogram_percentile(const struct histogram *h, double p)
{
	uint64_t wanted = (uint64_t)((double)h->total * p / 100), seen = 0;
	if (wanted >= h->total)
		return h->max;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->counts[i];
		if (seen > wanted)
			return bucket_end(i) < h->max ? bucket_end(i) : h->max;
	}
	return h->max;
}
