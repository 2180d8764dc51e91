/* The API server: HTTP front, watch cache and request handling on one loop, above a store engine.
 *
 * It serves kubectl and everybody else over HTTPS, and the rest of the house in-process through api/client/client.h;
 * both take the same path through authentication (or a fixed identity), authorization, admission and the store. */
#ifndef K3X_API_SERVER_SERVER_H
#define K3X_API_SERVER_SERVER_H

#include "api/server/inproc.h"
#include "api/server/options.h"
#include "base/err.h"

struct api_server;

/* Starts loading the cache and listening; `ready` runs on the loop once requests are answered, or with why not. The
 * options' strings are copied. Loop's thread. */
int api_server_new(const struct api_server_options *options, void (*ready)(void *arg, const struct err *err), void *arg,
        struct api_server **ret, struct err *err);

int api_server_port(const struct api_server *s);

/* Reads certificates, CAs, service account keys and join tokens again: for new connections, and for what is asked from
 * now on. What can't be read stays as it was. Loop's thread. */
int api_server_reload(struct api_server *s, struct err *err);

/* Drains connections for at most timeout_ms, then closes the rest, and frees. All clients must be closed. Loop's
 * thread. */
void api_server_close(struct api_server *s, unsigned timeout_ms, void (*closed)(void *arg), void *arg);

#endif
