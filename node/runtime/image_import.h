/* Importing images: archives in DATA/agent/images, at the start and whenever one is put there, and the pause image of
 * our own. Loop's thread. */
#ifndef K3X_NODE_RUNTIME_IMAGE_IMPORT_H
#define K3X_NODE_RUNTIME_IMAGE_IMPORT_H

#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <stdbool.h>

struct image_import;
struct node;

/* imported(n): what was put there while we run is in, or the image of this binary (or it cannot be). */
struct image_import *image_import_new(struct node *n, void (*imported)(struct node *n));
/* The runtime is up: imports what is new, then done(n), and follows the folder from then on. Does nothing while an
 * import is under way. */
void image_import_start(struct image_import *im, void (*done)(struct node *n));
/* It is one of our own that is on its way: whoever needs it asks again after imported(). */
bool image_import_owes(const struct image_import *im, const char *image);
/* The runtime came up again: is the pause image there still, and what is new? */
void image_import_again(struct image_import *im);
/* closed(arg) on the loop; image_import_free() comes when the node's errands have ended. */
void image_import_close(struct image_import *im, void (*closed)(void *arg), void *arg);
void image_import_free(struct image_import *im);

/* For tests. The program that unpacks an archive of this name, "" for one that is not packed; NULL: it is no archive.
 */
const char *image_import_unpacker(struct slice name);
/* The images that `ctr images import` says it has unpacked, in the arena. */
size_t image_import_names(struct arena *a, struct slice output, const char ***ret);

#endif
