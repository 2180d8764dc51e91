/* Certificates for keys that stay with their owner. */
#include "base/pki/pki.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct err err;

static void the_signer_decides_what_the_certificate_says(void **state)
{
	struct pki_pair ca = PKI_PAIR_INIT;
	char *key, *csr, *crt = NULL;
	struct pki_key *mine, *certified;
	struct pki_info info;
	struct strbuf one = STRBUF_INIT, two = STRBUF_INIT;
	struct pki_request r = {.common_name = "system:node:one", .is_client = true};
	assert_int_equal(pki_ca_new("ca", &ca, &err), 0);
	assert_int_equal(pki_csr_new("system:masters", &key, &csr, &err), 0);
	assert_int_equal(pki_issue_csr(&ca, slice_of(csr), &r, &crt, &err), 0);
	assert_int_equal(pki_info(crt, &info, &err), 0);
	assert_string_equal(info.common_name, "system:node:one");
	assert_int_equal(pki_verify(crt, ca.certificate_pem, &err), 0);
	assert_int_equal(pki_key_load(key, &mine, &err), 0);
	assert_int_equal(pki_key_load(crt, &certified, &err), 0);
	pki_key_id(mine, &one, &err);
	pki_key_id(certified, &two, &err);
	assert_true(one.len && slice_eq(strbuf_slice(&one), strbuf_slice(&two)));
	pki_key_free(mine);
	pki_key_free(certified);
	strbuf_release(&one);
	strbuf_release(&two);
	free(key);
	free(csr);
	free(crt);
	pki_pair_release(&ca);
}

static void a_renewed_certificate_keeps_its_key(void **state)
{
	struct pki_pair ca = PKI_PAIR_INIT;
	char *key, *csr, *again, *crt = NULL;
	struct pki_key *mine, *certified;
	struct strbuf one = STRBUF_INIT, two = STRBUF_INIT;
	struct pki_request r = {.common_name = "x", .is_client = true};
	assert_int_equal(pki_ca_new("ca", &ca, &err), 0);
	assert_int_equal(pki_csr_new("x", &key, &csr, &err), 0);
	assert_int_equal(pki_csr_for("x", key, &again, &err), 0);
	assert_int_equal(pki_issue_csr(&ca, slice_of(again), &r, &crt, &err), 0);
	assert_int_equal(pki_key_load(key, &mine, &err), 0);
	assert_int_equal(pki_key_load(crt, &certified, &err), 0);
	pki_key_id(mine, &one, &err);
	pki_key_id(certified, &two, &err);
	assert_true(one.len && slice_eq(strbuf_slice(&one), strbuf_slice(&two)));
	free(again);
	assert_int_equal(pki_csr_for("x", "no key", &again, &err), ERR_INVAL);
	pki_key_free(mine);
	pki_key_free(certified);
	strbuf_release(&one);
	strbuf_release(&two);
	free(key);
	free(csr);
	free(crt);
	pki_pair_release(&ca);
}

static void what_is_no_request_is_refused(void **state)
{
	struct pki_pair ca = PKI_PAIR_INIT;
	char *key, *csr, *crt = NULL;
	struct pki_request r = {.common_name = "x", .is_client = true};
	assert_int_equal(pki_ca_new("ca", &ca, &err), 0);
	assert_int_equal(pki_csr_new("x", &key, &csr, &err), 0);
	assert_int_equal(pki_issue_csr(&ca, SLICE(""), &r, &crt, &err), ERR_INVAL);
	assert_int_equal(pki_issue_csr(&ca, slice_of(ca.certificate_pem), &r, &crt, &err), ERR_INVAL);
	char *body = strchr(csr, '\n') + 120; /* in the key or the signature */
	*body = *body == 'A' ? 'B' : 'A';
	assert_int_equal(pki_issue_csr(&ca, slice_of(csr), &r, &crt, &err), ERR_INVAL);
	assert_null(crt);
	free(key);
	free(csr);
	pki_pair_release(&ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_signer_decides_what_the_certificate_says),
	        cmocka_unit_test(a_renewed_certificate_keeps_its_key),
	        cmocka_unit_test(what_is_no_request_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
