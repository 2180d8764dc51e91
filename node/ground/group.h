/* A volume's files given to the pod's group. Blocks; any thread. */
#ifndef K3X_NODE_GROUND_GROUP_H
#define K3X_NODE_GROUND_GROUP_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* All below `path`, and then it: of group `gid`, which may read and write it, and directories hand the group on, as
 * upstream does for local volumes. The directory itself is the last that gets it:
 * with `on_mismatch`, nothing is done where it has it (fsGroupChangePolicy: OnRootMismatch). What links point to, and
 * other file systems, are left alone. Below 0: nothing. */
int volume_give_to_group(const char *path, int64_t gid, bool on_mismatch, struct err *err);

#endif
