/* A server that is asked to let somebody in: who it must be, and what it is shown. Used by a server or an agent that
 * joins, on a thread without a loop. */
#ifndef K3X_TOOLS_K3X_JOIN_JOIN_CONTACT_H
#define K3X_TOOLS_K3X_JOIN_JOIN_CONTACT_H

#include "api/server/auth/identity/join_token.h"
#include "tools/k3x/join/join_http.h"

struct join_contact {
	const char *url;
	const char *user; /* "server" or "node": what one joins as */
	struct join_token token;
	struct strbuf ca;                 /* PEM: who vouches for the server; join_contact_meet() fetches it */
	const char *cert_file, *key_file; /* what is shown instead of the token; NULL: the token */
};

/* Fetches the CA, sends nothing else before its hash is known to be the token's, and compares the clocks.
 * ERR_UNAVAILABLE and its like: nobody is there; ERR_UNAUTHENTICATED: the CA is another; ERR_CONFLICT: the clocks. */
int join_contact_meet(struct join_contact *c, struct err *err);

/* One call, as join_http_call(). headers: at most JOIN_HTTP_HEADERS_MAX. */
int join_contact_call(struct join_contact *c, const char *method, const char *path, struct slice body,
        const struct http_header *headers, size_t n_headers, struct strbuf *answer, struct err *err);

void join_contact_release(struct join_contact *c);

#endif
