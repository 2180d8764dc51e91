/* Events about pods and the node, as `kubectl get events` shows them. Loop's thread. */
#ifndef K3X_NODE_EVENTS_EVENTS_H
#define K3X_NODE_EVENTS_EVENTS_H

#include <stdbool.h>

struct events;
struct node;
struct pod;

struct events *events_new(struct node *n);
void events_free(struct events *e);
/* container NULL: about the whole pod. */
__attribute__((format(printf, 5, 6))) void pod_event(
        struct pod *p, const char *container, bool is_warning, const char *reason, const char *fmt, ...);
__attribute__((format(printf, 4, 5))) void node_event(
        struct node *n, bool is_warning, const char *reason, const char *fmt, ...);

#endif
