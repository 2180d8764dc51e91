/* Encryption under a key that both sides have, in the forms that Kubernetes stores: AES-CBC, AES-GCM, and NaCl's
 * secretbox (XSalsa20 and Poly1305). Each text carries the nonce that was drawn for it. No state, any thread; about a
 * microsecond and a byte or two per nanosecond.
 *
 * Sealing appends to `out` and cannot fail with a key of the right size. Opening appends the plain text; ERR_CORRUPT:
 * it was made with another key, or changed (AES-CBC sees that by its padding alone, so seldom: prefer the others). */
#ifndef K3X_BASE_PKI_PKI_CIPHER_H
#define K3X_BASE_PKI_PKI_CIPHER_H

#include "base/err.h"
#include "base/mem/str.h"

enum pki_cipher { PKI_AES_CBC, PKI_AES_GCM, PKI_SECRETBOX };

/* Does a key of so many bytes fit? AES: 16, 24, 32; secretbox: 32. */
bool pki_cipher_takes(enum pki_cipher cipher, size_t key_bytes);

/* context: what else must be the same when it is opened (AES-GCM's associated data; others have none). */
void pki_cipher_seal(
        enum pki_cipher cipher, struct slice key, struct slice context, struct slice plain, struct strbuf *out);
int pki_cipher_open(enum pki_cipher cipher, struct slice key, struct slice context, struct slice sealed,
        struct strbuf *out, struct err *err);

/* The same with a nonce that is given: for published test vectors alone. */
void pki_cipher_seal_with(enum pki_cipher cipher, struct slice key, struct slice nonce, struct slice context,
        struct slice plain, struct strbuf *out);

#endif
