/* A budget: what the work for one request may use. It hangs on the request's arena, so that whatever builds trees there
 * (parsers, patches) can give the work up before it has eaten the memory or the time of everybody else.
 *
 *     struct budget b = BUDGET(REQUEST_ARENA_BYTES_MAX, deadline_ms);
 *     arena.budget = &b;
 *
 * Nothing is refused by arena_alloc() itself: loops over what a client sent ask budget_check() as they go, and each
 * step between two questions is bounded. One thread at a time. */
#ifndef K3X_BASE_MEM_BUDGET_H
#define K3X_BASE_MEM_BUDGET_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct budget {
	size_t bytes_max;     /* of the arena; 0: no limit */
	uint64_t deadline_ms; /* on the monotonic clock; 0: none */
	unsigned questions;   /* the clock is read at every so many */
};

#define BUDGET(bytes, deadline) ((struct budget){.bytes_max = (bytes), .deadline_ms = (deadline)})

/* 0; ERR_TOO_BIG (413) when more bytes are used, ERR_TIMEOUT (504) when the deadline has passed. NULL: always 0. */
int budget_check(struct budget *b, size_t used_bytes, struct err *err);

#endif
