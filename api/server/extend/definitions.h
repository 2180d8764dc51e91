/* CustomResourceDefinitions at work. Every server follows the definitions in its own watch cache: one that is
 * established gets its objects loaded into the cache, and then its versions' rows into the registry; when it is gone
 * both are taken away. A change of its spec makes new rows, and objects are read anew where the change concerns them.
 * The server that leads says which are established, and empties those that are being deleted. API loop. */
#ifndef K3X_API_SERVER_EXTEND_DEFINITIONS_H
#define K3X_API_SERVER_EXTEND_DEFINITIONS_H

#include "base/err.h"

struct api_server;
struct definitions;

struct definitions *definitions_new(struct api_server *s);
/* The cache is loaded: begins. ready(s) is called once, never from inside, when all established kinds are served. */
void definitions_start(struct definitions *d, void (*ready)(struct api_server *s));
/* Every second. */
void definitions_tick(struct definitions *d);

/* The close, in three steps: nothing is written any more (closed(arg) when nothing is out); no call is left: rows go;
 * the cache is closed. */
void definitions_close(struct definitions *d, void (*closed)(void *arg), void *arg);
void definitions_stop(struct definitions *d);
void definitions_free(struct definitions *d);

#endif
