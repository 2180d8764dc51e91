/* Key pairs of Curve25519 (RFC 7748), as WireGuard has them: 32 bytes each, and nothing around them. Any thread. */
#ifndef K3X_BASE_PKI_PKI_X25519_H
#define K3X_BASE_PKI_PKI_X25519_H

#include "base/err.h"

enum { PKI_X25519_BYTES = 32 };

/* A new private key, its fixed bits set ("clamped") as wg(8) does it, so that all programs show the same bytes. */
void pki_x25519_generate(unsigned char ret[PKI_X25519_BYTES]);
/* The public key of a private one. ERR_INTERNAL: the library has no such curve. */
int pki_x25519_public(const unsigned char key[PKI_X25519_BYTES], unsigned char ret[PKI_X25519_BYTES], struct err *err);

#endif
