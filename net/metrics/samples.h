/* What nodes and containers used: of each the last two samples, and from them a rate of CPU time and a working set, as
 * upstream's metrics-server makes them. No I/O, times are passed in; one thread.
 *
 * A node's scrape (the text of its kubelet's /metrics/resource) replaces what was known of the node and of its pods: of
 * whatever it doesn't speak of any more nothing is kept. */
#ifndef K3X_NET_METRICS_SAMPLES_H
#define K3X_NET_METRICS_SAMPLES_H

#include "base/err.h"
#include "base/mem/str.h"

struct samples;

struct samples_point {
	int64_t start_ms; /* when what is measured began, since 1970; 0: not said */
	int64_t at_ms;    /* 0: there is no such sample */
	uint64_t cpu_ns;  /* used since start_ms */
	uint64_t memory_bytes;
};

struct samples_series {
	struct samples_point last, before;
};

struct samples_container {
	const char *name;
	struct samples_series series;
};

struct samples_pod {
	struct slice key; /* "namespace/name" */
	struct slice node;
	struct samples_container *containers;
	size_t n_containers;
	int64_t taken_ms; /* when its node was scraped last */
};

struct samples_usage {
	int64_t at_ms, window_ms;
	uint64_t cpu_nanocores, memory_bytes;
};

struct samples *samples_new(int64_t resolution_ms); /* between two scrapes of a node */
void samples_free(struct samples *s);               /* NULL is allowed */

/* Takes a scrape of a node that was answered at now_ms, which is the time of samples without one. ERR_INVAL names the
 * line that is no sample, ERR_TOO_BIG says of what there is too much; what was known stays then. */
int samples_take(struct samples *s, struct slice node, struct slice text, int64_t now_ms, struct err *err);
void samples_drop_node(struct samples *s, struct slice node); /* and its pods */

/* False: it can't be told yet, or its counters went back. */
bool samples_usage(const struct samples_series *x, struct samples_usage *ret);

/* NULL: nothing is known. Of a node that was last scraped at *ret_taken_ms. */
const struct samples_series *samples_node(const struct samples *s, struct slice node, int64_t *ret_taken_ms);
const struct samples_pod *samples_pod(const struct samples *s, struct slice key);
void samples_each_pod(const struct samples *s, void (*see)(void *arg, const struct samples_pod *p), void *arg);
size_t samples_nodes(const struct samples *s);
size_t samples_pods(const struct samples *s);

#endif
