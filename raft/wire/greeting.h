/* How a connection between servers begins, without I/O: who it is from, and, in a cluster with a secret, the proof that
 * both ends know it.
 *
 *     caller                                   called
 *              <-- challenge: nonce            (only with a secret)
 *     hello, nonce, HMAC of both nonces -->
 *              <-- proof: HMAC of both nonces  (only with a secret)
 *
 * Nonces are drawn for each connection, so that nothing that was heard before opens one. The secret keeps strangers out
 * where there is no TLS; what is said afterwards is neither hidden nor protected by it. Private to raft/. */
#ifndef K3X_RAFT_WIRE_GREETING_H
#define K3X_RAFT_WIRE_GREETING_H

#include "raft/wire/wire_frame.h"

enum { GREETING_NONCE_BYTES = 16, GREETING_BYTES_MAX = 1024 };

/* The end that calls. */
enum caller_state { CALLER_AWAITS_CHALLENGE, CALLER_AWAITS_PROOF, CALLER_DONE };
struct caller {
	enum caller_state state;
	struct slice secret; /* borrowed; empty: none */
	struct strbuf hello;
	unsigned char nonce[GREETING_NONCE_BYTES], challenge[GREETING_NONCE_BYTES];
};

/* *out: the payload to be sent at once; empty when the other end speaks first. */
void caller_begin(struct caller *c, struct slice secret, const struct wire_hello *hello, struct strbuf *out);
/* A frame that came while it was not done. *out: what to send; empty: nothing. ERR_PROTOCOL: it does not know the
 * secret. */
int caller_take(struct caller *c, struct slice payload, struct strbuf *out, struct err *err);
void caller_release(struct caller *c);

static inline bool caller_is_done(const struct caller *c)
{
	return c->state == CALLER_DONE;
}

/* The end that is called. */
struct called {
	struct slice secret; /* borrowed; empty: none */
	unsigned char challenge[GREETING_NONCE_BYTES];
};

void called_begin(struct called *c, struct slice secret, struct strbuf *out);
/* The first frame: *ret points into it. *out: what to send before anything else. ERR_PROTOCOL: it is no greeting, or
 * one of somebody who does not know the secret. */
int called_take(struct called *c, struct slice payload, struct wire_hello *ret, struct strbuf *out, struct err *err);

#endif
