/* A volume's files given to the pod's group. Blocks; any thread. */
#ifndef K3X_NODE_VOLUME_GROUP_H
#define K3X_NODE_VOLUME_GROUP_H

#include "base/err.h"

#include <stdint.h>

/* All below `path`, and then it: of group `gid`, which may read and write it, and directories hand the group on, as
 * upstream does for local volumes. Not again when the directory itself has it already: it is the last that gets it. What
 * links point to, and other file systems, are left alone. Below 0: nothing. */
int volume_give_to_group(const char *path, int64_t gid, struct err *err);

#endif
