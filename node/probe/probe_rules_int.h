/* The rules of probes: verdicts and requests, apart from the running. Pure. */
#ifndef K3X_NODE_PROBE_PROBE_RULES_INT_H
#define K3X_NODE_PROBE_PROBE_RULES_INT_H

#include "base/json/json.h"
#include "base/wire/http.h"

/* Runs in a row that went one way. */
struct probe_count {
	unsigned successes, failures;
};

enum probe_verdict { PROBE_UNDECIDED, PROBE_PASSED, PROBE_FAILED };

/* Counts a run. spec: the probe's, with successThreshold (1) and failureThreshold (3). A verdict of failure begins the
 * count anew. */
enum probe_verdict probe_count_run(struct probe_count *c, const struct json *spec, bool is_ok);

/* When it first runs, from now: initialDelaySeconds after the container's start, and a moment at least. */
uint64_t probe_first_ms(const struct json *spec, int64_t age_ms);
unsigned probe_period_ms(const struct json *spec);
unsigned probe_timeout_ms(const struct json *spec);

/* The request of an httpGet, in the arena. */
struct probe_request {
	const char *target; /* what may not stand in a request line is escaped */
	const char *host;   /* of httpHeaders; NULL: none is given */
	struct http_header *headers;
	size_t headers_count;
};
struct probe_request probe_http_request(struct arena *a, const struct json *get);

#endif
