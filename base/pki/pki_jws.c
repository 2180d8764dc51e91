/* See pki_jws.h. An algorithm is a row: what key it takes, which digest, how wide the numbers of an EC signature are.
 * The key and the algorithm must fit each other, so that a public key is never taken for the secret of a symmetric
 * algorithm (RFC 8725 section 3.1): those are not even known. */
#include "base/pki/pki_jws.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/pki/pki_int.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <stdlib.h>

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192, COORDINATE_MAX = 66 };

enum kind { KIND_RSA, KIND_P256, KIND_P384, KIND_P521 };

struct jws_key {
	EVP_PKEY *key;
	enum kind kind;
};

static const struct {
	const char *name;
	enum kind kind;
	const char *digest;
	bool is_pss;
} algorithms[] = {
        {"RS256", KIND_RSA, "SHA256", false},
        {"RS384", KIND_RSA, "SHA384", false},
        {"RS512", KIND_RSA, "SHA512", false},
        {"PS256", KIND_RSA, "SHA256", true},
        {"PS384", KIND_RSA, "SHA384", true},
        {"PS512", KIND_RSA, "SHA512", true},
        {"ES256", KIND_P256, "SHA256", false},
        {"ES384", KIND_P384, "SHA384", false},
        {"ES512", KIND_P521, "SHA512", false},
};

static const struct {
	const char *crv, *group;
	size_t coordinate; /* bytes */
} curves[] = {[KIND_P256] = {"P-256", "prime256v1", 32},
        [KIND_P384] = {"P-384", "secp384r1", 48},
        [KIND_P521] = {"P-521", "secp521r1", 66}};

static int row_of(struct slice algorithm)
{
	for (int i = 0; i < (int)COUNT_OF(algorithms); i++)
		if (slice_is(algorithm, algorithms[i].name))
			return i;
	return -1;
}

bool jws_algorithm_is_known(struct slice algorithm)
{
	return row_of(algorithm) >= 0;
}

/* ---- keys ---- */

static int broken(struct err *err, const char *what)
{
	ERR_clear_error();
	return err_set(err, ERR_INVAL, "a JSON Web Key's %s", what);
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *b)
{
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

static int rsa_key(struct arena *a, const struct jws_jwk *jwk, EVP_PKEY **ret, struct err *err)
{
	struct slice n, e;
	if (!base64url_decode(a, jwk->n, &n) || !base64url_decode(a, jwk->e, &e) || n.len > RSA_BITS_MAX / 8 ||
	        !e.len || e.len > 8)
		return broken(err, "\"n\" and \"e\" are no RSA key of 2048 to 8192 bits");
	BIGNUM *bn = BN_bin2bn((const unsigned char *)n.ptr, (int)n.len, NULL),
	       *be = BN_bin2bn((const unsigned char *)e.ptr, (int)e.len, NULL);
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	bool ok = BN_num_bits(bn) >= RSA_BITS_MIN && BN_is_odd(bn) && BN_is_odd(be) && !BN_is_one(be);
	if (ok && OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
	        OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, be) == 1)
		*ret = from_params("RSA", b);
	OSSL_PARAM_BLD_free(b);
	BN_free(bn);
	BN_free(be);
	return *ret ? 0 : broken(err, "\"n\" and \"e\" are no RSA key of 2048 to 8192 bits");
}

static int ec_key(struct arena *a, const struct jws_jwk *jwk, enum kind kind, EVP_PKEY **ret, struct err *err)
{
	struct slice x, y;
	size_t n = curves[kind].coordinate;
	unsigned char point[1 + 2 * COORDINATE_MAX];
	if (!base64url_decode(a, jwk->x, &x) || !base64url_decode(a, jwk->y, &y) || x.len != n || y.len != n)
		return broken(err, "\"x\" and \"y\" are no point of its curve");
	point[0] = POINT_CONVERSION_UNCOMPRESSED;
	memcpy(point + 1, x.ptr, n);
	memcpy(point + 1 + n, y.ptr, n);
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	if (OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, curves[kind].group, 0) == 1 &&
	        OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * n) == 1)
		*ret = from_params("EC", b);
	OSSL_PARAM_BLD_free(b);
	return *ret ? 0 : broken(err, "\"x\" and \"y\" are no point of its curve");
}

int jws_key_new(const struct jws_jwk *jwk, struct jws_key **ret, struct err *err)
{
	struct arena a = ARENA_INIT;
	enum kind kind = KIND_RSA;
	EVP_PKEY *key = NULL;
	bool is_ec = slice_is(jwk->kty, "EC");
	for (enum kind k = KIND_P256; is_ec && k <= KIND_P521; k++)
		if (slice_is(jwk->crv, curves[k].crv))
			kind = k;
	int rc = 0;
	if (is_ec ? kind == KIND_RSA : !slice_is(jwk->kty, "RSA"))
		rc = err_set(err, ERR_UNIMPLEMENTED, "a JSON Web Key is neither RSA nor EC of P-256, P-384, P-521");
	else
		rc = is_ec ? ec_key(&a, jwk, kind, &key, err) : rsa_key(&a, jwk, &key, err);
	arena_release(&a);
	ERR_clear_error();
	if (rc != 0)
		return rc;
	struct jws_key *k = xcalloc(1, sizeof *k);
	*k = (struct jws_key){key, kind};
	*ret = k;
	return 0;
}

void jws_key_free(struct jws_key *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->key);
	free(k);
}

bool jws_key_fits(const struct jws_key *k, struct slice algorithm)
{
	int row = row_of(algorithm);
	return row >= 0 && algorithms[row].kind == k->kind;
}

/* ---- signatures ---- */

/* r and s side by side (RFC 7518 section 3.4) to DER; NULL: of another length. */
static unsigned char *to_der(struct slice raw, size_t coordinate, size_t *len)
{
	unsigned char *der = NULL;
	if (raw.len != 2 * coordinate)
		return NULL;
	const unsigned char *bytes = (const unsigned char *)raw.ptr;
	ECDSA_SIG *sig = ECDSA_SIG_new();
	ECDSA_SIG_set0(
	        sig, BN_bin2bn(bytes, (int)coordinate, NULL), BN_bin2bn(bytes + coordinate, (int)coordinate, NULL));
	int n = i2d_ECDSA_SIG(sig, &der);
	ECDSA_SIG_free(sig);
	*len = n > 0 ? (size_t)n : 0;
	return der;
}

static bool is_signed(const struct jws_key *k, int row, struct slice data, const unsigned char *sig, size_t len)
{
	EVP_PKEY_CTX *key_ctx = NULL; /* the digest's */
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = EVP_DigestVerifyInit_ex(ctx, &key_ctx, algorithms[row].digest, NULL, NULL, k->key, NULL) == 1;
	if (ok && algorithms[row].is_pss)
		ok = EVP_PKEY_CTX_set_rsa_padding(key_ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(key_ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
	ok = ok && EVP_DigestVerify(ctx, sig, len, (const unsigned char *)data.ptr, data.len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

int jws_verify(
        const struct jws_key *k, struct slice algorithm, struct slice data, struct slice signature, struct err *err)
{
	int row = row_of(algorithm);
	unsigned char *der = NULL;
	const unsigned char *sig = (const unsigned char *)signature.ptr;
	size_t len = signature.len;
	if (row < 0 || algorithms[row].kind != k->kind)
		return err_set(err, ERR_UNAUTHENTICATED, "the key is none for the algorithm");
	if (k->kind != KIND_RSA)
		sig = der = to_der(signature, curves[k->kind].coordinate, &len);
	bool ok = sig && len && is_signed(k, row, data, sig, len);
	OPENSSL_free(der);
	return ok ? 0 : err_set(err, ERR_UNAUTHENTICATED, "signature does not fit");
}
