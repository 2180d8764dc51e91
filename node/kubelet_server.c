#include "node/pod.h"

#include <stdlib.h>

struct kubelet_server *kubelet_server_new(struct node *n) { return NULL; }
int kubelet_server_port(const struct kubelet_server *s) { return 0; }
void kubelet_server_close(struct kubelet_server *s, void (*closed)(void *arg), void *arg) {}
