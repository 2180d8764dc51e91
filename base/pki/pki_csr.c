/* Certificates for keys that stay with their owner (PKCS #10, RFC 2986). See pki.h.
 *
 * Of a request its key is taken and its signature, which shows that the sender has the private half; the subject and
 * the extensions it asks for are not looked at, for the signer decides what the certificate says. What can go wrong is
 * all the sender's doing: no PEM, a signature that does not fit, a key that is too weak, or so large that checking it
 * would be work. */
#include "base/pki/pki.h"

#include "base/check.h"
#include "base/pki/pki_int.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <stdlib.h>

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 4096, CSR_BYTES_MAX = 16 * 1024 };

int pki_csr_for(const char *common_name, const char *key_pem, char **ret_csr_pem, struct err *err)
{
	EVP_PKEY *key = pki_private_key_read(key_pem);
	if (!key)
		return pki_openssl_err(err, ERR_INVAL, "read the private key");
	X509_REQ *r = X509_REQ_new();
	BIO *b = BIO_new(BIO_s_mem());
	CHECK(r && b);
	X509_NAME_add_entry_by_txt(
	        X509_REQ_get_subject_name(r), "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0);
	bool ok = X509_REQ_set_pubkey(r, key) == 1 && X509_REQ_sign(r, key, EVP_sha256()) > 0 &&
	          PEM_write_bio_X509_REQ(b, r) == 1;
	if (ok)
		*ret_csr_pem = pki_bio_text(b);
	else
		pki_openssl_err(err, ERR_INTERNAL, "make a certificate request");
	BIO_free(b);
	X509_REQ_free(r);
	EVP_PKEY_free(key);
	return ok ? 0 : err->code;
}

int pki_csr_new(const char *common_name, char **ret_key_pem, char **ret_csr_pem, struct err *err)
{
	char *key_pem;
	if (pki_key_generate(&key_pem, err) != 0)
		return err->code;
	if (pki_csr_for(common_name, key_pem, ret_csr_pem, err) != 0) {
		free(key_pem);
		return err->code;
	}
	*ret_key_pem = key_pem;
	return 0;
}

static bool is_strong(EVP_PKEY *key)
{
	char group[32] = "";
	if (EVP_PKEY_is_a(key, "EC"))
		return EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 && strcmp(group, "prime256v1") == 0;
	int bits = EVP_PKEY_get_bits(key);
	return EVP_PKEY_is_a(key, "RSA") && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
}

/* The key of a request whose sender has it; NULL: err says what is wrong with it. */
static EVP_PKEY *key_of_request(struct slice csr_pem, struct err *err)
{
	if (csr_pem.len > CSR_BYTES_MAX) {
		err_set(err, ERR_INVAL, "certificate request: %zu bytes, at most %d", csr_pem.len, CSR_BYTES_MAX);
		return NULL;
	}
	BIO *b = BIO_new_mem_buf(csr_pem.ptr ? csr_pem.ptr : "", (int)csr_pem.len);
	X509_REQ *r = PEM_read_bio_X509_REQ(b, NULL, NULL, NULL);
	EVP_PKEY *key = r ? X509_REQ_get_pubkey(r) : NULL;
	BIO_free(b);
	const char *wrong = !key                           ? "it is none in PEM"
	                    : !is_strong(key)              ? "its key is neither EC P-256 nor RSA of 2048 to 4096 bits"
	                    : X509_REQ_verify(r, key) != 1 ? "its signature does not fit"
	                                                   : NULL;
	X509_REQ_free(r);
	ERR_clear_error();
	if (!wrong)
		return key;
	EVP_PKEY_free(key);
	err_set(err, ERR_INVAL, "certificate request: %s", wrong);
	return NULL;
}

int pki_issue_csr(const struct pki_pair *ca, struct slice csr_pem, const struct pki_request *request,
        char **ret_certificate_pem, struct err *err)
{
	EVP_PKEY *key = key_of_request(csr_pem, err);
	if (!key)
		return err->code;
	EVP_PKEY *ca_key = pki_private_key_read(ca->key_pem);
	X509 *issuer = ca_key ? pki_certificate_read(ca->certificate_pem, err) : NULL;
	X509 *x = issuer ? pki_certificate_make(request, key, issuer, ca_key, err) : NULL;
	if (!ca_key)
		pki_openssl_err(err, ERR_INVAL, "read CA key");
	if (x)
		*ret_certificate_pem = pki_certificate_pem(x);
	X509_free(x);
	X509_free(issuer);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
	return x ? 0 : err->code;
}
