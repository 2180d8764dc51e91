/* The image of this very program, for the add-ons that are programs of it: /bin/k3x, the entry point, with the shared
 * libraries it needs and their loader, and nothing else. Blocks; any thread. */
#ifndef K3X_NODE_RUNTIME_SYSTEM_IMAGE_H
#define K3X_NODE_RUNTIME_SYSTEM_IMAGE_H

#include "base/err.h"
#include "base/mem/arena.h"

/* Its name; under --system-default-registry another stands before it. */
#define SYSTEM_IMAGE "docker.io/k3x/system:" K3X_VERSION

/* A line (its end included) that is another one when the name, the program or a library of it is; "" when they can't be
 * read. */
const char *system_image_stamp(struct arena *a, const char *name);

/* Writes an archive with the image (OCI image layout 1.0.0 in a tar) under `name`; the same bytes for the same
 * files. It is streamed, 64 KiB at a time. On failure nothing is left. */
int system_image_write(const char *path, const char *name, struct err *err);

#endif
