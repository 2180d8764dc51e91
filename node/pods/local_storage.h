/* Ends pods that hold more local storage than they may. Loop's thread. */
#ifndef K3X_NODE_PODS_LOCAL_STORAGE_H
#define K3X_NODE_PODS_LOCAL_STORAGE_H

struct local_storage;
struct node;

struct local_storage *local_storage_new(struct node *n);
void local_storage_close(struct local_storage *s);

#endif
