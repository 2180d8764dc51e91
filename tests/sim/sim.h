/* Whole clusters in one thread from one seed. A seed either returns 0 or prints what broke and returns 1. Each seed
 * runs in a child process of its own, so that a crash of the library is a result like any other. */
#ifndef K3X_TESTS_SIM_H
#define K3X_TESTS_SIM_H

#include <stdint.h>

struct sim_options {
	unsigned workarounds_off;
	int with_store; /* the store's state machine behind the log, instead of a hash */
	int quiet;
};

struct sim_totals {
	uint64_t seeds, steps, messages, commands, acked, reads, crashes, snapshots, changes, installs, transfers;
};

int sim_run_seed(uint64_t seed, const struct sim_options *o, struct sim_totals *add);

#endif
