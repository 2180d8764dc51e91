/* Who holds a mount, when it will not go. Blocks (reads /proc); for pool threads. */
#ifndef K3X_NODE_GROUND_MOUNT_PINS_H
#define K3X_NODE_GROUND_MOUNT_PINS_H

#include "base/mem/str.h"

/* Writes what pins the mount at `path`: how often it is mounted here, the processes in whose mount namespaces it is
 * too, and those that have a file or a folder of it open, a few of each. "nothing that can be seen" when there is none.
 */
void mount_pins(const char *path, struct strbuf *out);

/* The first path below /run/netns or /var/run/netns that a message of the runtime names; false: none. */
bool mount_path_in(const char *message, char *out, size_t size);

#endif
