/* Names of the images that the cluster itself needs, under --system-default-registry. Pure. */
#ifndef K3X_TOOLS_K3X_SYSTEM_NAMES_H
#define K3X_TOOLS_K3X_SYSTEM_NAMES_H

#include "base/err.h"
#include "base/mem/arena.h"

/* NULL, "" and what is a host, or host:port. ERR_INVAL says so otherwise. */
int system_names_check(const char *registry, struct err *err);

/* `image` in that registry: one that names no registry, or docker.io, is in it; one that names another is left alone,
 * somebody meant it. NULL stays NULL, and without a registry the name is what it was. In the arena, or `image`. */
const char *system_name(struct arena *a, const char *registry, const char *image);

#endif
