/* What an answer says of paths on its own server, said so that it holds here: redirects, and links in HTML. A server
 * behind a proxy knows nothing of the path it is reached by; its "/x" is "/api/v1/namespaces/NS/pods/NAME/proxy/x".
 * Upstream: apimachinery util/proxy/transport.go. Pure. */
#ifndef K3X_API_SERVER_PASSING_LINKS_H
#define K3X_API_SERVER_PASSING_LINKS_H

#include "base/mem/arena.h"
#include "base/mem/str.h"

struct links_place {
	const char *prefix; /* what goes before its paths, without a slash at the end */
	const char *there;  /* its own "host:port" */
	struct slice here;  /* what the client called this server: Host */
};

/* A URL as it is to be said here: one of another host, or that is relative, is itself. In the arena. */
const char *links_here(struct arena *a, const struct links_place *p, struct slice url);

/* Are there links in an answer of this Content-Type and Content-Encoding that can be found? */
bool links_are_in(struct slice content_type, struct slice content_encoding);

/* The attributes of HTML's tags that are links, in a text that comes in pieces of any size. What is in comments,
 * scripts and styles is left alone, and so is a tag longer than LINKS_TAG_BYTES_MAX. */
enum { LINKS_TAG_BYTES_MAX = 16 << 10 };
struct links;
struct links *links_new(const struct links_place *p); /* *p is borrowed */
void links_free(struct links *l);                     /* NULL is allowed */
/* Appends to *out what of the text so far can be said; all of it when is_end. */
void links_rewrite(struct links *l, struct slice piece, bool is_end, struct strbuf *out);

#endif
