/* Making and removing a volume's directory, beneath a base and nowhere else. Block; any thread. */
#ifndef K3X_TOOLS_PROVISIONER_DIRECTORY_H
#define K3X_TOOLS_PROVISIONER_DIRECTORY_H

#include "base/err.h"

/* `path` is relative to `base`, which exists: names with single slashes between, none of them "." or "..". What is
 * missing of it is made, and the last gets `mode`. ERR_INVAL: the path is none; ERR_IO: a link or a file is in the way.
 */
int directory_make(const char *base, const char *path, unsigned mode, struct err *err);
/* Removes it with all that is in it; one that is not there is removed already. Links are removed, not followed.
 * ERR_BUSY: something is mounted inside. Parents stay. */
int directory_remove(const char *base, const char *path, struct err *err);

#endif
