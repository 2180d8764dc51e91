/* sim [SEED [COUNT [WORKAROUNDS_OFF [WITH_STORE]]]]: runs COUNT seeds from SEED; ends with 1 when one fails.
 * WORKAROUNDS_OFF is a mask with bit n for finding n of the adapter: the runs then should fail. SIM_SECONDS in the
 * environment stops early.
 */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, count = argc > 2 ? strtoull(argv[2], NULL, 0) : 100;
	struct sim_options o = {.workarounds_off = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 0) : 0,
	        .with_store = argc > 4 && atoi(argv[4])};
	const char *seconds = getenv("SIM_SECONDS");
	time_t end = seconds ? time(NULL) + atoi(seconds) : 0;
	struct sim_totals t = {0};
	uint64_t failed = 0, i = 0;
	for (; i < count && (!end || time(NULL) < end); i++)
		failed += sim_run_seed(seed + i, &o, &t) != 0;
	printf("sim: %llu seeds, %llu failed; in the others %llu steps, %llu messages, %llu commands, %llu "
	       "acknowledged, "
	       "%llu reads, %llu crashes, %llu snapshots, %llu installs, %llu membership changes, %llu transfers\n",
	        (unsigned long long)i, (unsigned long long)failed, (unsigned long long)t.steps,
	        (unsigned long long)t.messages, (unsigned long long)t.commands, (unsigned long long)t.acked,
	        (unsigned long long)t.reads, (unsigned long long)t.crashes, (unsigned long long)t.snapshots,
	        (unsigned long long)t.installs, (unsigned long long)t.changes, (unsigned long long)t.transfers);
	return failed != 0;
}
