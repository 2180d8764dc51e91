/* Keeps container logs small. Loop's thread. */
#ifndef K3X_NODE_RUNTIME_LOG_ROTATE_H
#define K3X_NODE_RUNTIME_LOG_ROTATE_H

struct log_rotation;
struct node;

struct log_rotation *log_rotation_new(struct node *n);
void log_rotation_close(struct log_rotation *r);

#endif
