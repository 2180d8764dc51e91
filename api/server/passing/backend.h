/* An endpoint of a Service that is ready: what stands in for the Service's own address, which a server need not be able
 * to reach, for only nodes have its rules. API loop. */
#ifndef K3X_API_SERVER_PASSING_BACKEND_H
#define K3X_API_SERVER_PASSING_BACKEND_H

#include "api/server/cache/cache.h"
#include "base/mem/arena.h"

struct json;

struct backend {
	const char *host; /* an address, or an ExternalName's */
	int port;
	size_t place; /* of those that there are: tells them apart */
};

/* Of a port, which is one of the service's by its number or by its name; "" or SLICE_NULL: the only one. Endpoints take
 * turns, as *turns counts. Texts in the arena. ERR_NOT_FOUND: no such service, or port; ERR_UNAVAILABLE: none of its
 * endpoints is ready. */
int backend_find(struct cache *cache, struct arena *a, struct slice ns, struct slice service, struct slice port,
        unsigned *turns, struct backend *ret, struct err *err);

#endif
