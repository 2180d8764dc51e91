/* A CA that takes over from another: what is cross-signed is believed by those who know the old one, and nothing else.
 */
#include "base/pki/pki_int.h"

#include "base/mem/arena.h"
#include "tests/unit/unit.h"

#include <openssl/pem.h>
#include <time.h>

static struct err err;
static struct pki_pair old_ca, new_ca;
static char *cross; /* the new CA's certificate, signed by the old one */

static char *sign_by(const struct pki_pair *subject, const struct pki_pair *issuer)
{
	X509 *x = pki_certificate_read(subject->certificate_pem, &err),
	     *by = pki_certificate_read(issuer->certificate_pem, &err);
	EVP_PKEY *key = pki_private_key_read(issuer->key_pem);
	assert_true(x && by && key);
	X509_set_issuer_name(x, X509_get_subject_name(by));
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	char *pem = pki_certificate_pem(x);
	X509_free(x);
	X509_free(by);
	EVP_PKEY_free(key);
	return pem;
}

static int set_up(void **state)
{
	err = ERR_INIT;
	if (pki_ca_new("old", &old_ca, &err) != 0 || pki_ca_new("new", &new_ca, &err) != 0)
		return -1;
	cross = sign_by(&new_ca, &old_ca);
	return 0;
}

static int tear_down(void **state)
{
	pki_pair_release(&old_ca);
	pki_pair_release(&new_ca);
	free(cross);
	return 0;
}

static void what_is_cross_signed_goes_on(void **state)
{
	CLEANUP(cleanup_free) char *bundle = xprintf("%s%s", new_ca.certificate_pem, cross);
	struct pki_pair both = {bundle, new_ca.key_pem};
	assert_int_equal(pki_bundle_check(&both, &err), 0);
	assert_int_equal(pki_bundle_continues(&both, old_ca.certificate_pem, &err), 0);
	assert_int_equal(pki_bundle_continues(&new_ca, old_ca.certificate_pem, &err), ERR_UNAUTHENTICATED);
	/* A certificate of the old CA in the bundle vouches for itself alone. */
	CLEANUP(cleanup_free) char *with_old = xprintf("%s%s", new_ca.certificate_pem, old_ca.certificate_pem);
	struct pki_pair beside = {with_old, new_ca.key_pem};
	assert_int_equal(pki_bundle_continues(&beside, old_ca.certificate_pem, &err), ERR_UNAUTHENTICATED);
}

static void what_cannot_sign_is_refused(void **state)
{
	err = ERR_INIT;
	struct pki_pair mixed = {new_ca.certificate_pem, old_ca.key_pem}, leaf = PKI_PAIR_INIT;
	struct pki_request r = {.common_name = "leaf", .is_server = true};
	assert_int_equal(pki_bundle_check(&mixed, &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "its key is not"));
	err = ERR_INIT;
	assert_int_equal(pki_issue(&old_ca, &r, &leaf, &err), 0);
	assert_int_equal(pki_bundle_check(&leaf, &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "is no CA"));
	pki_pair_release(&leaf);
	struct pki_pair none = {"nothing", "nothing"};
	assert_int_equal(pki_bundle_check(&none, &err), ERR_INVAL);
}

static size_t count(const char *pem)
{
	size_t n = 0;
	for (const char *p = pem; (p = strstr(p, "-----BEGIN CERTIFICATE-----")); p++)
		n++;
	return n;
}

static void bundles_are_merged_without_what_is_there_or_over(void **state)
{
	struct strbuf out = STRBUF_INIT;
	CLEANUP(cleanup_free) char *bundle = xprintf("%s%s", new_ca.certificate_pem, cross);
	int64_t now = time(NULL);
	pki_bundle_merge(&out, bundle, old_ca.certificate_pem, now);
	assert_int_equal(count(strbuf_cstr(&out)), 3);
	assert_true(slice_starts(strbuf_slice(&out), new_ca.certificate_pem));
	strbuf_reset(&out);
	pki_bundle_merge(&out, bundle, bundle, now);
	assert_int_equal(count(strbuf_cstr(&out)), 2);
	strbuf_reset(&out);
	pki_bundle_merge(&out, bundle, old_ca.certificate_pem, now + (int64_t)PKI_CA_DAYS * 86400 + 1);
	assert_int_equal(count(strbuf_cstr(&out)), 2);
	strbuf_release(&out);
}

static void only_what_another_signed_goes_behind_a_leaf(void **state)
{
	struct strbuf out = STRBUF_INIT;
	CLEANUP(cleanup_free) char *bundle = xprintf("%s%s%s", new_ca.certificate_pem, cross, old_ca.certificate_pem);
	pki_bundle_chain(&out, bundle);
	assert_string_equal(strbuf_cstr(&out), cross);
	strbuf_reset(&out);
	pki_bundle_chain(&out, old_ca.certificate_pem);
	assert_int_equal(out.len, 0);
	strbuf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_is_cross_signed_goes_on),
	        cmocka_unit_test(what_cannot_sign_is_refused),
	        cmocka_unit_test(bundles_are_merged_without_what_is_there_or_over),
	        cmocka_unit_test(only_what_another_signed_goes_behind_a_leaf),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
