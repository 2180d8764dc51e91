/* Which headers pass a proxy (RFC 9110, 7.6): all but those that belong to one connection, and what was said to this
 * server alone. API loop. */
#ifndef K3X_API_SERVER_PASSING_HEADERS_H
#define K3X_API_SERVER_PASSING_HEADERS_H

#include "api/server/call.h"

struct header_list {
	struct http_header *items;
	size_t count;
};

/* Of a request: without credentials, impersonation, and what a front proxy says of users, which this server has judged;
 * with room for `extra` more. In the call's arena; values are those of its exchange. */
void headers_of_request(struct call *c, size_t extra, struct header_list *ret);
/* Adds one for which there is room; an empty value is left out. */
void headers_add(struct header_list *l, const char *name, struct slice value);

/* True for those of an answer that go on to the client as they are. */
bool headers_passes_back(struct slice name);

#endif
