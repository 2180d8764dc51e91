/* Refusals come again and again, from a peer that tries for ever: each is worth a line in the log once, and then once a
 * minute with how often it came. From many addresses at once no more than some a minute are said: a flood of visitors
 * would else be one of lines. Without I/O, time is passed in. Private to raft/. */
#ifndef K3X_RAFT_WIRE_REFUSALS_H
#define K3X_RAFT_WIRE_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

enum { REFUSALS_KEPT = 16, REFUSAL_BYTES_MAX = 256, REFUSAL_SAID_EVERY_MS = 60000, REFUSALS_SAID_MAX = 64 };

struct refusals {
	struct refusal {
		char text[REFUSAL_BYTES_MAX]; /* who and why; empty: free */
		uint64_t said_ms, noted_ms, unsaid;
	} at[REFUSALS_KEPT];
	uint64_t minute_ms; /* when the one began in which... */
	unsigned n_said;    /* ...so many were said */
};

/* True: it is to be said now; *ret_times: how often it came since it was said last, this time counted (1: it is new).
 * Beyond REFUSALS_SAID_MAX in REFUSAL_SAID_EVERY_MS none is said, and counts for the next time that it is.
 * Of more than REFUSALS_KEPT the one that has not come for the longest time is forgotten. */
bool refusals_note(struct refusals *r, const char *who, const char *why, uint64_t now_ms, uint64_t *ret_times);

#endif
