/* What consensus needs of the world besides a disk: time, randomness, a network and somewhere to do blocking work. A
 * table of functions, so that production (a loop, a writer thread, TLS) and the simulator (one thread, virtual time,
 * one seed) share everything above it. All functions are called on the raft thread and none may call back into raft
 * before it has returned. */
#ifndef K3X_RAFT_ADAPTER_RAFT_ENV_H
#define K3X_RAFT_ADAPTER_RAFT_ENV_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct raft_env;

/* Blocking work: work() may run on another thread, then done() on the raft thread. One job at a time. */
struct raft_job {
	void (*work)(struct raft_job *job);
	void (*done)(struct raft_job *job);
};

struct raft_env_vtable {
	uint64_t (*now_ms)(struct raft_env *e); /* monotonic */
	uint64_t (*random)(struct raft_env *e);
	/* Copies the frame and sends it, or drops it: raft tolerates loss. */
	void (*send)(struct raft_env *e, uint64_t to, const char *address, const void *frame, size_t len);
	void (*submit)(struct raft_env *e, struct raft_job *job);
	/* When it returns no job runs, and no done() will be called for those submitted before. */
	void (*quiesce)(struct raft_env *e);
	/* The disk can't be trusted any more. Production stops the process here; if it returns, nothing more is
	 * written, sent or voted. */
	void (*fatal)(struct raft_env *e, const struct err *why);
};

struct raft_env {
	const struct raft_env_vtable *v;
};

#endif
