/* Certificate requests that say themselves what they want (PKCS #10): read, and signed as they are. For requests whose
 * signer decides what the certificate says see pki_issue_csr(). No state, any thread. */
#ifndef K3X_BASE_PKI_PKI_REQUEST_H
#define K3X_BASE_PKI_PKI_REQUEST_H

#include "base/mem/arena.h"
#include "base/pki/pki.h"

enum { PKI_REQUEST_ORGANIZATIONS_MAX = 64 };

/* What a request says; texts in the arena. */
struct pki_request_info {
	struct slice common_name;
	struct slice organizations[PKI_REQUEST_ORGANIZATIONS_MAX];
	size_t n_organizations;
	size_t n_dns, n_ips, n_emails, n_uris, n_other_names; /* alternative names */
};

/* ERR_INVAL: it is none in PEM, larger than 16 KiB, has two common names or too many organizations, is not signed by
 * its key, or the key is neither EC of P-256, P-384, P-521, Ed25519, nor RSA of 2048 to 8192 bits. */
int pki_request_read(struct arena *a, struct slice csr_pem, struct pki_request_info *ret, struct err *err);

/* A certificate of the request's subject, alternative names and key, for these usages (known ones, as
 * certificates.k8s.io names them: "client auth"), good from five minutes ago for so many seconds, or as long as the CA.
 * Nothing else of the request is taken. Result malloc'ed. */
int pki_request_sign(const struct pki_pair *ca, struct slice csr_pem, const struct slice *usages, size_t n_usages,
        int64_t seconds, char **ret_certificate_pem, struct err *err);

#endif
