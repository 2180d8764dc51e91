/* The image of the pause container, made of a program inside this binary. */
#ifndef K3X_NODE_RUNTIME_PAUSE_IMAGE_H
#define K3X_NODE_RUNTIME_PAUSE_IMAGE_H

#include "base/err.h"
#include "base/mem/str.h"

#define PAUSE_IMAGE_DEFAULT "k3x/pause:" K3X_VERSION

/* Appends a tar as `docker save` writes it: one layer with /pause, a configuration, a manifest with this name. */
void pause_image_write(struct strbuf *out, const char *name);

#endif
