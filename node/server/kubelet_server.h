/* The kubelet's HTTPS server. Loop's thread. */
#ifndef K3X_NODE_SERVER_KUBELET_SERVER_H
#define K3X_NODE_SERVER_KUBELET_SERVER_H

struct kubelet_server;
struct node;

/* NULL: it cannot listen; the log says why. Its port is the node's `kubelet_port` then. */
struct kubelet_server *kubelet_server_new(struct node *n);
void kubelet_server_close(struct kubelet_server *s, void (*closed)(void *arg), void *arg);

#endif
