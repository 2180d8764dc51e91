/* Copies of the machine's state, which it makes for other servers. */
#ifndef K3X_RAFT_WIRE_STATE_COPY_H
#define K3X_RAFT_WIRE_STATE_COPY_H

#include "base/err.h"

#include <stdint.h>

/* A copy of the machine's state, to be made as the new file `path` by whoever gets it; done() is called on the raft
 * loop, not before the call has returned, with index (what the copy has applied) or err. */
struct raft_state_copy {
	const char *path;
	uint64_t index;
	struct err err;
	void (*done)(struct raft_state_copy *c);
	void *arg;
};

#endif
