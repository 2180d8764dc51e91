/* Removes images that no container is made of, when their disk fills or they are old. Loop's thread. */
#ifndef K3X_NODE_COLLECT_IMAGE_GC_H
#define K3X_NODE_COLLECT_IMAGE_GC_H

#include <stdbool.h>

struct image_gc;
struct node;

/* By n->config. removed(n): images went, so that the node's list is another one. */
struct image_gc *image_gc_new(struct node *n, void (*removed)(struct node *n));
/* No round begins any more; one under way ends with the node's calls and errands. */
void image_gc_close(struct image_gc *g);
/* Removes all that may go, whatever the disk says: for eviction. done(arg) on the loop, once, never inside; false: the
 * runtime is not up, or somebody asked already. */
bool image_gc_remove_unused(struct image_gc *g, void (*done)(void *arg), void *arg);

#endif
