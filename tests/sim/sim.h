/* Whole clusters in one thread from one seed. A seed either returns 0 or prints what broke and returns 1. Each seed
 * runs in a child process of its own, so that a crash of the library is a result like any other. */
#ifndef K3X_TESTS_SIM_H
#define K3X_TESTS_SIM_H

#include "base/buggify.h"

#include <stdint.h>

struct sim_options {
	int no_buggify; /* rare branches are not forced */
	unsigned workarounds_off;
	int with_store; /* the store's state machine behind the log, instead of a hash */
	int quiet;
};

struct sim_totals {
	uint64_t rare[BUGGIFY_POINT_COUNT]; /* branches that were forced */
	uint64_t seeds, steps, messages, commands, acked, reads, crashes, snapshots, changes, installs, transfers;
};

/* Rare branches (base/buggify.h) are taken at random from now on; NULL: never. How often each was. See sim_rare.c. */
void sim_rare_force(uint64_t (*rng)(void));
void sim_rare_count(uint64_t counts[BUGGIFY_POINT_COUNT]);

int sim_run_seed(uint64_t seed, const struct sim_options *o, struct sim_totals *add);

#endif
