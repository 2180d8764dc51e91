/* The keys of an issuer of tokens: a JSON Web Key Set (RFC 7517), and whether one of them has signed a token. No state,
 * any thread. */
#ifndef K3X_API_SERVER_AUTH_IDENTITY_JWKS_H
#define K3X_API_SERVER_AUTH_IDENTITY_JWKS_H

#include "base/err.h"
#include "base/mem/str.h"

struct jwks;

enum { JWKS_KEYS_MAX = 64 };

/* Keys that are for something else than signatures, or of a kind that is not known, are passed over, as RFC 7517
 * section 5 says. ERR_INVAL: no set of keys, a broken key, more than JWKS_KEYS_MAX, or none that is of use. */
int jwks_parse(struct slice text, struct jwks **ret, struct err *err);
void jwks_free(struct jwks *s); /* NULL is allowed */
size_t jwks_count(const struct jwks *s);

/* What a token's header says; texts are copied into the arena. ERR_UNAUTHENTICATED: it is none, or names extensions
 * ("crit") that nobody here knows. */
struct jws_header {
	struct slice algorithm, key_id; /* key_id: empty when it names none */
};
struct arena;
int jws_header_parse(struct arena *a, struct slice text, struct jws_header *ret, struct err *err);

/* Did one of the keys sign the token (its compact form)? Of the keys that are for the algorithm the one that the header
 * names, and all when it names none. ERR_NOT_FOUND: there is no such key (now), or none is named and none of all did;
 * ERR_UNAUTHENTICATED: the named one did not. */
int jwks_verify(const struct jwks *s, struct slice token, const struct jws_header *h, struct err *err);

#endif
