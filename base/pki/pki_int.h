/* Shared by the files of pki.h. */
#ifndef K3X_BASE_PKI_PKI_INT_H
#define K3X_BASE_PKI_PKI_INT_H

#include "base/pki/pki.h"

#include <openssl/bio.h>
#include <openssl/x509.h>

/* Sets err to "what: OpenSSL's reason" and returns the code. */
int pki_openssl_err(struct err *err, int code, const char *what);
char *pki_bio_text(BIO *b); /* malloc'ed */

/* NULL: err says why. */
X509 *pki_certificate_read(const char *pem, struct err *err);
EVP_PKEY *pki_private_key_read(const char *pem); /* NULL: OpenSSL knows why */
char *pki_certificate_pem(X509 *x);              /* malloc'ed */
void pki_serial_set(X509 *x);                    /* a random one */
/* An extension in OpenSSL's words, which must hold nothing that a stranger chose. False: OpenSSL knows why. */
bool pki_extension_add(X509 *x, X509 *issuer, int nid, const char *value);
/* A certificate for `key`; issuer NULL: of itself, a CA. NULL: err says why. */
X509 *pki_certificate_make(
        const struct pki_request *r, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, struct err *err);

#endif
