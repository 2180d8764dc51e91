/* One request passed on to another server, and its answer passed back, both as they come.
 *
 * Bodies are streamed in both directions, each side held back while the other does not read. An upgrade (WebSocket,
 * SPDY, whatever the two agree on) goes through as it is: from the answer 101 on bytes are carried both ways between
 * two connections until either side ends, by a session that is no call any more (sessions.c).
 *
 * What can go wrong: no connection, or no answer: the client is told what tell() makes of it. The answer breaks off
 * when part of it has been passed on: the client's is broken off, too. The client goes away: so does the request.
 * API loop. */
#ifndef K3X_API_SERVER_PASSING_FORWARD_H
#define K3X_API_SERVER_PASSING_FORWARD_H

#include "api/server/call.h"
#include "api/server/passing/links.h"
#include "base/wire/http_client.h"

struct forward {
	/* set by who starts it; zeroed before, in the call's arena; texts live as long as that */
	struct http_client *client; /* taken over, closed at the end */
	const char *method;         /* NULL: the call's */
	const char *target;         /* path and query there */
	const struct http_header *headers;
	size_t headers_count;
	const char *upgrade;             /* to this protocol; NULL: none */
	bool translates;                 /* what is no success is told in the API's form, with the other side's words */
	bool has_no_body;                /* whatever the client sends */
	const struct links_place *place; /* for redirects and links in its answer; NULL: it is not looked at */
	/* Why there was no answer, in words for the client. NULL: "error trying to reach service". */
	void (*tell)(struct forward *f, const struct err *why, struct err *ret);
	void *arg; /* the starter's */
	/* its own */
	struct call *call;
	struct http_call *upstream; /* NULL before and after */
	struct links *links;        /* NULL: the answer has none that are looked at */
	struct strbuf refusal;      /* what the other side said instead */
	bool is_begun;              /* the answer was begun */
};

/* The call is answered by it. */
void forward_start(struct forward *f, struct call *c);

#endif
