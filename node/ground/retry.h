/* Trying again: one thing that failed, how long it is left alone, and when that is worth a line in the log.
 *
 *     static const struct retry_rule rule = {1000, 30000};
 *     if (retry_failed(&r, &rule, now))
 *             log_warn("node", "cannot frob", "failures=%u error=...", r.failures, ...);
 *
 * Each failure doubles the pause, up to the rule's longest. The first failure is told, and then one a minute at most,
 * also when the thing succeeds between two failures. Pure: time is passed in. */
#ifndef K3X_NODE_GROUND_RETRY_H
#define K3X_NODE_GROUND_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct retry_rule {
	unsigned first_ms, longest_ms;
};

/* Zeroed: nothing has failed. */
struct retry {
	unsigned pause_ms, failures; /* in a row */
	uint64_t not_before_ms;
	uint64_t told_ms; /* 0: never */
};

/* It failed at now_ms. True when a log line is due. */
bool retry_failed(struct retry *r, const struct retry_rule *rule, uint64_t now_ms);
void retry_succeeded(struct retry *r);
/* How long it is still to be left alone; 0: try. */
uint64_t retry_wait_ms(const struct retry *r, uint64_t now_ms);

#endif
