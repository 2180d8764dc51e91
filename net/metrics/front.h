/* What is asked of the metrics server: paths, who may ask, answers. On one loop. */
#ifndef K3X_NET_METRICS_FRONT_H
#define K3X_NET_METRICS_FRONT_H

#include "api/client/access.h"
#include "base/wire/http.h"
#include "net/metrics/known.h"
#include "net/metrics/samples.h"

struct front;
struct scraper;
struct trust;

/* All borrowed. */
struct front_options {
	struct samples *samples;
	struct known *known;
	struct scraper *scraper;
	struct access *access;
	struct trust *trust;
	int64_t stale_ms; /* what was scraped longer ago is left out */
};

struct front *front_new(const struct front_options *options);
void front_free(struct front *f); /* after the servers whose handler it is */
/* The handler of a server; arg is the front. */
void front_handle(struct http_exchange *x, void *arg);

/* Pure, for tests. What a path asks for: false, it is none of ours. */
struct front_route {
	bool is_resource, is_pods;
	struct slice ns, name;
};
bool front_route_read(struct arena *a, struct slice path, struct front_route *ret);

#endif
