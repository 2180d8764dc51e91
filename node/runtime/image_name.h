/* Names of images. Pure. */
#ifndef K3X_NODE_RUNTIME_IMAGE_NAME_H
#define K3X_NODE_RUNTIME_IMAGE_NAME_H

#include "base/err.h"
#include "base/mem/arena.h"

/* Is it a reference as registries and runtimes take it: [HOST[:PORT]/]PATH[:TAG][@DIGEST]? ERR_INVAL says what is wrong
 * with it. */
int image_name_check(const char *image, struct err *err);
/* As registries and ctr have it: "busybox" -> "docker.io/library/busybox:latest". */
const char *image_whole_name(struct arena *a, const char *image);
const char *image_default_tag(struct arena *a, const char *image); /* "busybox" -> "busybox:latest" */
/* What is done without an imagePullPolicy. */
const char *image_default_policy(const char *image);

/* What containerd says of an image that is no file system, once it has it. */
#define IMAGE_IS_ARTIFACT "mismatched image rootfs and manifest layers"

#endif
