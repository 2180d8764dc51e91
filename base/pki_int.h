/* Shared by pki.c and pki_sign.c. */
#ifndef K3X_BASE_PKI_INT_H
#define K3X_BASE_PKI_INT_H

#include "base/err.h"

#include <openssl/bio.h>

/* Sets err to "what: OpenSSL's reason" and returns the code. */
int pki_openssl_err(struct err *err, int code, const char *what);
char *pki_bio_text(BIO *b); /* malloc'ed */

#endif
