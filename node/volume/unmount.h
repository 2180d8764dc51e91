/* Undoing mounts, and the folders of pods that are no more. */
#ifndef K3X_NODE_VOLUME_UNMOUNT_H
#define K3X_NODE_VOLUME_UNMOUNT_H

struct node;

/* Undoes every mount below it, but those of CSI drivers. Blocks; any thread. */
void volumes_unmount_below(const char *dir);
/* Unmounts and removes folders of pods that nobody knows, on the pool; those that a driver still holds something of are
 * left, and it is to be called again. Loop's thread, once the pods are known. */
void volumes_remove_orphans(struct node *n);

#endif
