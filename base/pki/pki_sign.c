/* Signatures and JSON Web Tokens. See pki.h.
 *
 * The algorithm follows from the key, never from what a token claims (RFC 8725 section 3.1): a token whose header names
 * another algorithm fails because its signature does not fit. */
#include "base/pki/pki.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/mem/arena.h"
#include "base/pki/pki_int.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <stdlib.h>

enum { COORDINATE = 32, RSA_BITS_MIN = 2048, TOKEN_BYTES_MAX = 64 * 1024 };

struct pki_key {
	EVP_PKEY *key;
	bool is_private;
	bool is_ec;
};

static void add_base64url(struct strbuf *out, const void *data, size_t len)
{
	struct arena a = ARENA_INIT;
	strbuf_add_slice(out, base64url_encode(&a, (struct slice){data, len}));
	arena_release(&a);
}

static bool decode_base64url(struct strbuf *out, struct slice text)
{
	struct arena a = ARENA_INIT;
	struct slice bytes;
	bool ok = base64url_decode(&a, text, &bytes);
	if (ok)
		strbuf_add_slice(out, bytes);
	arena_release(&a);
	return ok;
}

int pki_key_generate(char **ret_pem, struct err *err)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	if (!key)
		return pki_openssl_err(err, ERR_INTERNAL, "make key");
	BIO *b = BIO_new(BIO_s_mem());
	PEM_write_bio_PKCS8PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
	*ret_pem = pki_bio_text(b);
	BIO_free(b);
	EVP_PKEY_free(key);
	return 0;
}

static EVP_PKEY *read_key(const char *pem, bool *is_private)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
	*is_private = key != NULL;
	if (!key) {
		BIO_reset(b);
		key = PEM_read_bio_PUBKEY(b, NULL, NULL, NULL);
	}
	if (!key) {
		BIO_reset(b);
		X509 *certificate = PEM_read_bio_X509(b, NULL, NULL, NULL);
		key = certificate ? X509_get_pubkey(certificate) : NULL;
		X509_free(certificate);
	}
	BIO_free(b);
	return key;
}

int pki_key_load(const char *pem, struct pki_key **ret, struct err *err)
{
	bool is_private;
	char group[32] = "";
	EVP_PKEY *key = read_key(pem, &is_private);
	if (!key)
		return pki_openssl_err(err, ERR_INVAL, "read key");
	ERR_clear_error();
	bool is_ec = EVP_PKEY_is_a(key, "EC");
	if (is_ec)
		EVP_PKEY_get_group_name(key, group, sizeof group, NULL);
	bool ok = is_ec ? strcmp(group, "prime256v1") == 0
	                : EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= RSA_BITS_MIN;
	if (!ok) {
		EVP_PKEY_free(key);
		return err_set(err, ERR_INVAL, "key is neither EC P-256 nor RSA of at least %d bits", RSA_BITS_MIN);
	}
	struct pki_key *k = xcalloc(1, sizeof *k);
	*k = (struct pki_key){key, is_private, is_ec};
	*ret = k;
	return 0;
}

void pki_key_free(struct pki_key *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->key);
	free(k);
}

bool pki_key_is_private(const struct pki_key *k)
{
	return k->is_private;
}

const char *pki_key_algorithm(const struct pki_key *k)
{
	return k->is_ec ? "ES256" : "RS256";
}

int pki_key_public_pem(const struct pki_key *k, char **ret_pem, struct err *err)
{
	BIO *b = BIO_new(BIO_s_mem());
	int ok = PEM_write_bio_PUBKEY(b, k->key);
	if (ok == 1)
		*ret_pem = pki_bio_text(b);
	BIO_free(b);
	return ok == 1 ? 0 : pki_openssl_err(err, ERR_INTERNAL, "write public key");
}

int pki_key_id(const struct pki_key *k, struct strbuf *out, struct err *err)
{
	unsigned char *der = NULL, md[32];
	int n = i2d_PUBKEY(k->key, &der);
	if (n <= 0)
		return pki_openssl_err(err, ERR_INTERNAL, "encode public key");
	pki_sha256(der, (size_t)n, md);
	OPENSSL_free(der);
	add_base64url(out, md, sizeof md);
	return 0;
}

static void add_number(const struct pki_key *k, struct strbuf *out, const char *label, const char *param, int width)
{
	BIGNUM *bn = NULL;
	unsigned char bytes[1024];
	if (EVP_PKEY_get_bn_param(k->key, param, &bn) != 1)
		return;
	int n = width ? width : BN_num_bytes(bn);
	CHECK((size_t)n <= sizeof bytes);
	BN_bn2binpad(bn, bytes, n);
	BN_free(bn);
	strbuf_addf(out, ",\"%s\":\"", label);
	add_base64url(out, bytes, (size_t)n);
	strbuf_addc(out, '"');
}

int pki_key_jwk(const struct pki_key *k, struct strbuf *out, struct err *err)
{
	CLEANUP(cleanup_strbuf) struct strbuf id = STRBUF_INIT;
	int rc = pki_key_id(k, &id, err);
	if (rc != 0)
		return rc;
	strbuf_addf(out, "{\"use\":\"sig\",\"kty\":\"%s\",\"kid\":\"%s\",\"alg\":\"%s\"", k->is_ec ? "EC" : "RSA",
	        id.data, pki_key_algorithm(k));
	if (k->is_ec) {
		strbuf_adds(out, ",\"crv\":\"P-256\"");
		add_number(k, out, "x", OSSL_PKEY_PARAM_EC_PUB_X, COORDINATE);
		add_number(k, out, "y", OSSL_PKEY_PARAM_EC_PUB_Y, COORDINATE);
	} else {
		add_number(k, out, "n", OSSL_PKEY_PARAM_RSA_N, 0);
		add_number(k, out, "e", OSSL_PKEY_PARAM_RSA_E, 0);
	}
	strbuf_addc(out, '}');
	return 0;
}

/* DER to the fixed 64 bytes of RFC 7518 section 3.4, and back. */
static bool der_to_raw(const unsigned char *der, size_t len, unsigned char raw[2 * COORDINATE])
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
	bool ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, COORDINATE) == COORDINATE &&
	          BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + COORDINATE, COORDINATE) == COORDINATE;
	ECDSA_SIG_free(sig);
	return ok;
}

static int raw_to_der(const unsigned char *raw, unsigned char **der)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	ECDSA_SIG_set0(sig, BN_bin2bn(raw, COORDINATE, NULL), BN_bin2bn(raw + COORDINATE, COORDINATE, NULL));
	int n = i2d_ECDSA_SIG(sig, der);
	ECDSA_SIG_free(sig);
	return n;
}

int pki_sign(const struct pki_key *k, struct slice data, struct strbuf *out, struct err *err)
{
	unsigned char sig[1024], raw[2 * COORDINATE];
	size_t len = sizeof sig;
	if (!k->is_private)
		return err_set(err, ERR_INVAL, "a public key cannot sign");
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k->key) == 1 &&
	          EVP_DigestSign(ctx, sig, &len, (const unsigned char *)data.ptr, data.len) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok || (k->is_ec && !der_to_raw(sig, len, raw)))
		return pki_openssl_err(err, ERR_INTERNAL, "sign");
	if (k->is_ec)
		strbuf_add(out, raw, sizeof raw);
	else
		strbuf_add(out, sig, len);
	return 0;
}

int pki_verify_signature(const struct pki_key *k, struct slice data, struct slice signature, struct err *err)
{
	unsigned char *der = NULL;
	const unsigned char *sig = (const unsigned char *)signature.ptr;
	size_t len = signature.len;
	if (k->is_ec) {
		if (len != 2 * COORDINATE)
			return err_set(err, ERR_UNAUTHENTICATED, "signature has the wrong length");
		int n = raw_to_der(sig, &der);
		sig = der;
		len = n > 0 ? (size_t)n : 0;
	}
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, k->key) == 1 &&
	          EVP_DigestVerify(ctx, sig, len, (const unsigned char *)data.ptr, data.len) == 1;
	EVP_MD_CTX_free(ctx);
	OPENSSL_free(der);
	ERR_clear_error();
	return ok ? 0 : err_set(err, ERR_UNAUTHENTICATED, "signature does not fit");
}

int jwt_sign(const struct pki_key *k, struct slice claims_json, struct strbuf *out, struct err *err)
{
	CLEANUP(cleanup_strbuf) struct strbuf header = STRBUF_INIT, sig = STRBUF_INIT;
	size_t start = out->len;
	strbuf_addf(&header, "{\"alg\":\"%s\",\"kid\":\"", pki_key_algorithm(k));
	int rc = pki_key_id(k, &header, err);
	if (rc != 0)
		return rc;
	strbuf_adds(&header, "\"}");
	add_base64url(out, header.data, header.len);
	strbuf_addc(out, '.');
	add_base64url(out, claims_json.ptr, claims_json.len);
	rc = pki_sign(k, (struct slice){out->data + start, out->len - start}, &sig, err);
	if (rc != 0) {
		out->len = start;
		return rc;
	}
	strbuf_addc(out, '.');
	add_base64url(out, sig.data, sig.len);
	return 0;
}

static int split(struct slice token, struct slice parts[3], struct err *err)
{
	if (token.len > TOKEN_BYTES_MAX)
		return err_set(err, ERR_UNAUTHENTICATED, "token is too long");
	parts[0] = slice_cut(&token, '.');
	parts[1] = slice_cut(&token, '.');
	parts[2] = token;
	if (!parts[0].len || !parts[1].len || !parts[2].len || memchr(token.ptr, '.', token.len))
		return err_set(err, ERR_UNAUTHENTICATED, "token is not a JSON Web Token");
	return 0;
}

int jwt_parse(struct slice token, struct strbuf *header_json, struct strbuf *claims_json, struct err *err)
{
	struct slice parts[3];
	int rc = split(token, parts, err);
	if (rc != 0)
		return rc;
	if (!decode_base64url(header_json, parts[0]) || !decode_base64url(claims_json, parts[1]))
		return err_set(err, ERR_UNAUTHENTICATED, "token is not base64url");
	return 0;
}

int jwt_verify(struct slice token, struct pki_key *const *keys, size_t count, struct err *err)
{
	CLEANUP(cleanup_strbuf) struct strbuf sig = STRBUF_INIT;
	struct slice parts[3];
	int rc = split(token, parts, err);
	if (rc != 0)
		return rc;
	if (!decode_base64url(&sig, parts[2]))
		return err_set(err, ERR_UNAUTHENTICATED, "token is not base64url");
	struct slice signed_part = {token.ptr, parts[0].len + 1 + parts[1].len};
	for (size_t i = 0; i < count; i++)
		if (pki_verify_signature(keys[i], signed_part, strbuf_slice(&sig), NULL) == 0)
			return 0;
	return err_set(err, ERR_UNAUTHENTICATED, "token is signed by no key we know");
}
