/* Counts what libraft allocates, and fills it with a pattern, so that a leak or a read of what was never set shows. */
#ifndef K3X_TESTS_SIM_MEMORY_H
#define K3X_TESTS_SIM_MEMORY_H

void sim_memory_count(void);  /* from now on, for ever */
long sim_memory_blocks(void); /* blocks that live */

#endif
