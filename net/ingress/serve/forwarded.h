/* Which headers pass, how rules change them, and what a request says on its way about where it came from. Pure; memory
 * of the exchange. */
#ifndef K3X_NET_INGRESS_SERVE_FORWARDED_H
#define K3X_NET_INGRESS_SERVE_FORWARDED_H

#include "base/wire/http_client.h"
#include "net/ingress/route/filters.h"

struct forwarded {
	struct http_exchange *exchange;
	bool is_trusted; /* what it says itself of where it came from is believed */
	bool is_tls, is_upgrade;
	const char *prefix;               /* X-Forwarded-Prefix; NULL: none */
	const struct header_edits *edits; /* NULL: none */
};

struct header_vector {
	struct http_header *items;
	size_t count;
};

/* Those of the client but for what belongs to its connection (RFC 9110, 7.6.1), with X-Forwarded-* and X-Real-Ip. */
struct header_vector forwarded_request(const struct forwarded *f);
/* Sets those of the answer that pass. edits: NULL for none. */
void forwarded_answer(struct http_exchange *x, const struct http_answer *answer, const struct header_edits *edits);

#endif
