/* Facts about the machine. Any thread. */
#ifndef K3X_NODE_GROUND_MACHINE_H
#define K3X_NODE_GROUND_MACHINE_H

#include "base/err.h"
#include "base/mem/str.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;

/* The sizes of huge pages that the kernel has and how many bytes lie in each: lines "hugepages-2Mi 4194304". */
const char *machine_hugepages(struct arena *a);

/* Of /proc/meminfo, in bytes; -1: it does not say. */
struct machine_memory {
	int64_t total, unused, inactive_file, swap_total, swap_free;
};
void machine_memory_parse(struct slice meminfo, struct machine_memory *ret);

int64_t node_memory_bytes(void); /* all of it; 0 when the kernel does not say */

int64_t node_swap_bytes(void); /* all of it that is on; 0: none */

/* For ourselves and containerd: pods are to go before us when memory is short. */
bool machine_may_lower_oom_score(void); /* needs CAP_SYS_RESOURCE, which nested machines may lack */

bool node_has_apparmor(void); /* the kernel has it, and it is on */

/* Makes /run/netns a shared mount of its own, as `ip netns add` does later otherwise: then each namespace that was
 * mounted there is mounted twice and cannot be removed. ERR_IO: it cannot be. */
int machine_share_netns(struct err *err);

#endif
