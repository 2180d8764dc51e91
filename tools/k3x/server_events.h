/* What a server tells people of itself, as Events about its Node. */
#ifndef K3X_TOOLS_K3X_SERVER_EVENTS_H
#define K3X_TOOLS_K3X_SERVER_EVENTS_H

#include "base/rt/loop.h"

struct api_server;
struct server_events;

/* Before the API is there, what is told waits. `loop` is the main thread's. */
struct server_events *server_events_new(struct loop *loop, const char *node_name);
/* The loop's thread. */
void server_events_begin(struct server_events *e, struct api_server *api);
/* Before the API closes: closed(arg) when nothing of it is under way, maybe from inside. The loop's thread. */
void server_events_close(struct server_events *e, void (*closed)(void *arg), void *arg);
/* When no thread tells anything any more, and the loop has ended. NULL is allowed. */
void server_events_free(struct server_events *e);

/* Any thread, never waits; after the end nothing happens. The texts are copied. */
void server_events_tell(struct server_events *e, const char *type, const char *reason, const char *message);

#endif
