/* Clients of the API inside this process. */
#ifndef K3X_API_SERVER_INPROC_H
#define K3X_API_SERVER_INPROC_H

#include "api/client/client.h"

struct api_server;

/* A client without sockets that acts as `user` in `groups` (comma-separated, NULL: none) and system:authenticated. It
 * belongs to `loop`, which may be any loop; messages go between it and the server's loop. Any thread. */
struct client *api_server_client(struct api_server *s, struct loop *loop, const char *user, const char *groups);

/* The same for what one server does for all others: what it writes is written while this server leads in `led_term` (of
 * store_led_term()), or never, however late it comes. */
struct client *api_server_led_client(
        struct api_server *s, struct loop *loop, const char *user, const char *groups, uint64_t led_term);

#endif
