/* Several certificates in one PEM text: a CA that takes over from another. See pki.h.
 *
 * A new CA is believed by those that know only the old one when a certificate of its key is signed by the old one (it
 * is "cross-signed"). That one travels behind what the new CA signs, and old and new are trusted side by side until
 * everybody has heard of the new one.
 *
 * What can go wrong: a text without a certificate, a first one that is no CA or is over, a key that is another's. */
#include "base/pki/pki.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "base/pki/pki_int.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdlib.h>

static STACK_OF(X509) * read_all(const char *pem)
{
	STACK_OF(X509) *list = sk_X509_new_null();
	BIO *b = BIO_new_mem_buf(pem, -1);
	CHECK(list && b);
	for (X509 *x; (x = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL;)
		sk_X509_push(list, x);
	BIO_free(b);
	ERR_clear_error();
	return list;
}

static void free_all(STACK_OF(X509) * list)
{
	sk_X509_pop_free(list, X509_free);
}

static bool is_self_signed(X509 *x)
{
	return X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) == 0 &&
	       X509_verify(x, X509_get0_pubkey(x)) == 1;
}

int pki_bundle_check(const struct pki_pair *ca, struct err *err)
{
	struct pki_pair leaf = PKI_PAIR_INIT;
	struct pki_info info;
	struct pki_request r = {.common_name = "trial", .is_server = true};
	if (pki_info(ca->certificate_pem, &info, err) != 0)
		return err->code;
	if (!info.is_ca)
		return err_set(err, ERR_INVAL, "the first certificate, %s, is no CA", info.subject);
	if (pki_issue(ca, &r, &leaf, err) != 0)
		return err_wrap(err, "it can't sign");
	X509 *x = pki_certificate_read(leaf.certificate_pem, err),
	     *issuer = pki_certificate_read(ca->certificate_pem, err);
	int rc = err->code;
	if (rc == 0 && X509_verify(x, X509_get0_pubkey(issuer)) != 1)
		rc = err_set(err, ERR_INVAL, "its key is not that of its first certificate, %s", info.subject);
	if (rc == 0 && (X509_cmp_current_time(X509_get0_notAfter(issuer)) < 0 ||
	                       X509_cmp_current_time(X509_get0_notBefore(issuer)) > 0))
		rc = err_set(err, ERR_INVAL, "its certificate %s is not valid now", info.subject);
	X509_free(x);
	X509_free(issuer);
	pki_pair_release(&leaf);
	ERR_clear_error();
	return rc;
}

static bool verifies(X509 *x, STACK_OF(X509) * between, STACK_OF(X509) * trusted)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	CHECK(store && ctx);
	for (int i = 0; i < sk_X509_num(trusted); i++)
		X509_STORE_add_cert(store, sk_X509_value(trusted, i));
	X509_STORE_CTX_init(ctx, store, x, between);
	X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_PARTIAL_CHAIN);
	bool ok = X509_verify_cert(ctx) == 1;
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return ok;
}

int pki_bundle_continues(const struct pki_pair *ca, const char *old_pem, struct err *err)
{
	STACK_OF(X509) *bundle = read_all(ca->certificate_pem), *old = read_all(old_pem);
	bool ok = false;
	EVP_PKEY *key = sk_X509_num(bundle) ? X509_get0_pubkey(sk_X509_value(bundle, 0)) : NULL;
	for (int i = 0; key && i < sk_X509_num(bundle) && !ok; i++) {
		X509 *x = sk_X509_value(bundle, i);
		ok = EVP_PKEY_eq(X509_get0_pubkey(x), key) == 1 && verifies(x, bundle, old);
	}
	free_all(bundle);
	free_all(old);
	ERR_clear_error();
	return ok ? 0
	          : err_set(err, ERR_UNAUTHENTICATED,
	                    "no certificate of the new CA in it is signed by the old one: put one that is "
	                    "cross-signed behind the first");
}

static bool has(STACK_OF(X509) * list, X509 *x)
{
	for (int i = 0; i < sk_X509_num(list); i++)
		if (X509_cmp(sk_X509_value(list, i), x) == 0)
			return true;
	return false;
}

bool pki_bundle_shares(const char *pem, const char *other_pem)
{
	STACK_OF(X509) *one = read_all(pem), *other = read_all(other_pem);
	bool shares = false;
	for (int i = 0; i < sk_X509_num(one) && !shares; i++)
		shares = has(other, sk_X509_value(one, i));
	free_all(one);
	free_all(other);
	return shares;
}

static void add(struct strbuf *out, X509 *x)
{
	char *pem = pki_certificate_pem(x);
	strbuf_adds(out, pem);
	free(pem);
}

void pki_bundle_merge(struct strbuf *out, const char *pem, const char *more, int64_t now_s)
{
	STACK_OF(X509) *first = read_all(pem), *second = read_all(more);
	time_t now = (time_t)now_s;
	for (int i = 0; i < sk_X509_num(first); i++)
		add(out, sk_X509_value(first, i));
	for (int i = 0; i < sk_X509_num(second); i++) {
		X509 *x = sk_X509_value(second, i);
		if (!has(first, x) && X509_cmp_time(X509_get0_notAfter(x), &now) > 0)
			add(out, x);
	}
	free_all(first);
	free_all(second);
	ERR_clear_error();
}

void pki_bundle_chain(struct strbuf *out, const char *bundle_pem)
{
	STACK_OF(X509) *bundle = read_all(bundle_pem);
	for (int i = 0; i < sk_X509_num(bundle); i++)
		if (!is_self_signed(sk_X509_value(bundle, i)))
			add(out, sk_X509_value(bundle, i));
	free_all(bundle);
	ERR_clear_error();
}
