/* What a path of another server's asks for, as far as paths tell it: upstream's request info. Pure. */
#ifndef K3X_API_SERVER_AGGREGATE_REMOTE_ROUTE_H
#define K3X_API_SERVER_AGGREGATE_REMOTE_ROUTE_H

#include "api/server/route.h"

/* Of "/apis/GROUP/VERSION/..." with at least one segment behind the version; else false. The row and the subresource
 * are made for it, in the arena. A method that is none of a verb: ERR_METHOD. */
bool remote_route(
        struct arena *a, struct slice path, struct slice method, bool wants_watch, struct route *ret, struct err *err);

#endif
