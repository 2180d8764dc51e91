/* Facts about the machine. Any thread. */
#ifndef K3X_NODE_GROUND_MACHINE_H
#define K3X_NODE_GROUND_MACHINE_H

#include <stdint.h>

int64_t node_memory_bytes(void); /* all of it; 0 when the kernel does not say */

#endif
