/* See histogram.h. Counts are kept per bucket and summed up when they are written, so that to observe touches one
 * bucket; the count is the sum of what was read of the buckets, not a counter of its own that could be ahead of them.
 */
#include "base/histogram.h"

#include "base/check.h"

#include <inttypes.h>

#define NS_PER_S 1e9

void histogram_init(struct histogram *h, const uint64_t *bounds_ns, size_t n)
{
	CHECK(n <= HISTOGRAM_BOUNDS_MAX);
	*h = (struct histogram){.n_bounds = n};
	for (size_t i = 0; i < n; i++) {
		CHECK(i == 0 || bounds_ns[i] > bounds_ns[i - 1]);
		h->bounds_ns[i] = bounds_ns[i];
	}
}

void histogram_init_doubling(struct histogram *h, uint64_t first_ns, size_t n)
{
	uint64_t bounds[HISTOGRAM_BOUNDS_MAX];
	CHECK(n <= HISTOGRAM_BOUNDS_MAX);
	for (size_t i = 0; i < n; i++)
		bounds[i] = first_ns << i;
	histogram_init(h, bounds, n);
}

void histogram_observe(struct histogram *h, uint64_t ns)
{
	size_t i = 0;
	while (i < h->n_bounds && ns > h->bounds_ns[i])
		i++;
	atomic_fetch_add_explicit(&h->counts[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->sum_ns, ns, memory_order_relaxed);
}

static uint64_t count_of(const struct histogram *h, size_t i)
{
	return atomic_load_explicit(&h->counts[i], memory_order_relaxed);
}

uint64_t histogram_count(const struct histogram *h)
{
	uint64_t total = 0;
	for (size_t i = 0; i <= h->n_bounds; i++)
		total += count_of(h, i);
	return total;
}

void histogram_write(const struct histogram *h, struct strbuf *out, const char *name, const char *labels)
{
	const char *comma = *labels ? "," : "", *open = *labels ? "{" : "", *close = *labels ? "}" : "";
	uint64_t total = 0;
	for (size_t i = 0; i < h->n_bounds; i++) {
		total += count_of(h, i);
		strbuf_addf(out, "%s_bucket{%s%sle=\"%.9g\"} %" PRIu64 "\n", name, labels, comma,
		        (double)h->bounds_ns[i] / NS_PER_S, total);
	}
	total += count_of(h, h->n_bounds);
	double sum = (double)atomic_load_explicit(&h->sum_ns, memory_order_relaxed) / NS_PER_S;
	strbuf_addf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, comma, total);
	strbuf_addf(out, "%s_sum%s%s%s %.15g\n", name, open, labels, close, sum);
	strbuf_addf(out, "%s_count%s%s%s %" PRIu64 "\n", name, open, labels, close, total);
}
