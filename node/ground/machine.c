/* See machine.h. */
#include "node/ground/machine.h"

#include <sys/sysinfo.h>

int64_t node_memory_bytes(void)
{
	struct sysinfo s;
	return sysinfo(&s) == 0 ? (int64_t)s.totalram * s.mem_unit : 0;
}
