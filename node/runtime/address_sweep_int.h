/* What is swept, by itself: for tests. */
#ifndef K3X_NODE_RUNTIME_ADDRESS_SWEEP_INT_H
#define K3X_NODE_RUNTIME_ADDRESS_SWEEP_INT_H

#include "base/mem/map.h"

#include <stdint.h>

/* Removes from `dir` the addresses that were given out before `before_s` (Unix time) to sandboxes that are not in
 * `known` (by their ids). Returns how many. Any thread; blocks. */
unsigned address_sweep_folder(const char *dir, const struct map *known, int64_t before_s);

#endif
