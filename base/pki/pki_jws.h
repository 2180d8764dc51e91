/* Signatures of tokens that others have made (RFC 7515, 7518): public keys from JSON Web Keys, and the nine algorithms
 * RS, PS and ES with 256, 384 and 512. Our own tokens are signed and verified by pki.h. No state, any thread. */
#ifndef K3X_BASE_PKI_PKI_JWS_H
#define K3X_BASE_PKI_PKI_JWS_H

#include "base/err.h"
#include "base/mem/str.h"

struct jws_key;

/* "RS256", ... "ES512". Everything else, "none" and the symmetric HS ones first of all, is not known. */
bool jws_algorithm_is_known(struct slice algorithm);

/* The members of a JSON Web Key that make it one, as they stand there: numbers are base64url. */
struct jws_jwk {
	struct slice kty;  /* "RSA" or "EC" */
	struct slice crv;  /* "P-256", "P-384", "P-521" */
	struct slice n, e; /* of RSA, 2048 to 8192 bits */
	struct slice x, y; /* of EC */
};

/* ERR_UNIMPLEMENTED: a kind of key that is not one of these; ERR_INVAL: one that is broken or too weak. */
int jws_key_new(const struct jws_jwk *jwk, struct jws_key **ret, struct err *err);
void jws_key_free(struct jws_key *k); /* NULL is allowed */

/* The kind of key that the algorithm is for, curve included. */
bool jws_key_fits(const struct jws_key *k, struct slice algorithm);

/* 0, or ERR_UNAUTHENTICATED when the signature (its bytes) does not fit or the key is none for the algorithm. */
int jws_verify(
        const struct jws_key *k, struct slice algorithm, struct slice data, struct slice signature, struct err *err);

#endif
