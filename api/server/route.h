/* What a request's path and method ask for. */
#ifndef K3X_API_SERVER_ROUTE_H
#define K3X_API_SERVER_ROUTE_H

#include "api/machinery/schema/resources.h"

/* What the path says. */
struct route {
	bool is_resource;
	const struct resource *resource;
	const struct resource_sub *sub; /* NULL: the object itself */
	struct slice ns;                /* empty for cluster scope and lists over all namespaces */
	struct slice name;              /* empty: the collection */
	struct slice tail;              /* what follows a subresource that proxies, as it was sent: "", "/", "/a/b" */
	enum resource_verb verb;
};

/* Fills *ret from a path ("/api/v1/namespaces/a/pods/b"; decoded parts lie in the arena) and a method. is_resource
 * stays false for paths that are not under /api/VERSION or /apis/GROUP/VERSION. Errors: ERR_NOT_FOUND, ERR_METHOD,
 * ERR_INVAL for broken escapes. Pure; any thread. */
int route_parse(
        struct arena *a, struct slice path, struct slice method, bool wants_watch, struct route *ret, struct err *err);

#endif
