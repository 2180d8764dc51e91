/* The bundle in the APIService: our own CA first, of others the newest few. */
#include "tests/unit/unit.h"

#include "base/limits.h"
#include "base/pki/pki.h"
#include "net/metrics/trust.h"

#include <time.h>

static size_t count(const struct strbuf *b)
{
	size_t n = 0;
	for (const char *at = strbuf_cstr(b); (at = strstr(at, "-----BEGIN CERTIFICATE-----")); at++)
		n++;
	return n;
}

static void copies_stand_beside_each_other_and_old_ones_go(void **state)
{
	struct strbuf bundle = STRBUF_INIT;
	struct err err = ERR_INIT;
	for (unsigned i = 0; i < METRICS_BUNDLE_CERTIFICATES_MAX + 2; i++) {
		struct pki_pair ca = PKI_PAIR_INIT;
		struct strbuf next = STRBUF_INIT;
		assert_int_equal(pki_ca_new("ca", &ca, &err), 0);
		trust_bundle(&next, ca.certificate_pem, strbuf_cstr(&bundle), time(NULL));
		assert_int_equal(strncmp(next.data, ca.certificate_pem, strlen(ca.certificate_pem)), 0);
		strbuf_release(&bundle);
		bundle = next;
		size_t most = METRICS_BUNDLE_CERTIFICATES_MAX;
		assert_int_equal(count(&bundle), i + 1 < most ? i + 1 : most);
		pki_pair_release(&ca);
	}
	assert_int_equal(bundle.len, strlen(bundle.data));
	strbuf_release(&bundle);
}

static void what_is_no_certificate_is_dropped(void **state)
{
	struct pki_pair ca = PKI_PAIR_INIT;
	struct strbuf bundle = STRBUF_INIT;
	struct err err = ERR_INIT;
	assert_int_equal(pki_ca_new("ca", &ca, &err), 0);
	trust_bundle(&bundle, ca.certificate_pem, "garbage", time(NULL));
	assert_int_equal(count(&bundle), 1);
	strbuf_release(&bundle);
	pki_pair_release(&ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(copies_stand_beside_each_other_and_old_ones_go),
	        cmocka_unit_test(what_is_no_certificate_is_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
