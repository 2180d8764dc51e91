/* Requests that say themselves what they want: what is read is what is signed, and no more. */
#include "base/pki/pki_request.h"

#include "base/check.h"
#include "tests/unit/unit.h"

static struct err err;
static struct arena a;
static struct pki_pair ca;

static char *request(const char *subject, const char *extra)
{
	char command[1024], *text = xcalloc(1, 20000);
	snprintf(command, sizeof command,
	        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout /dev/null -subj '%s' "
	        "%s 2>/dev/null",
	        subject, extra);
	FILE *f = popen(command, "r");
	assert_non_null(f);
	size_t n = fread(text, 1, 19999, f);
	assert_int_equal(pclose(f), 0);
	assert_true(n > 0);
	return text;
}

static void subject_and_names_are_read(void **state)
{
	struct pki_request_info info;
	CLEANUP(cleanup_free)
	char *csr = request("/O=system:nodes/O=b/CN=system:node:n",
	        "-addext subjectAltName=DNS:n,IP:10.0.0.1,email:a@b,URI:spiffe://x");
	assert_int_equal(pki_request_read(&a, slice_of(csr), &info, &err), 0);
	assert_true(slice_is(info.common_name, "system:node:n"));
	assert_int_equal(info.n_organizations, 2);
	assert_true(slice_is(info.organizations[0], "system:nodes"));
	assert_int_equal(info.n_dns * 1000 + info.n_ips * 100 + info.n_emails * 10 + info.n_uris, 1111);
}

static void what_is_signed_is_the_subject_for_the_usages_and_never_a_ca(void **state)
{
	struct pki_info info;
	struct slice usages[] = {SLICE("client auth"), SLICE("digital signature")};
	char *pem = NULL;
	CLEANUP(cleanup_free)
	char *csr =
	        request("/O=devs/CN=jane", "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign");
	assert_int_equal(pki_request_sign(&ca, slice_of(csr), usages, 2, 3600, &pem, &err), 0);
	assert_int_equal(pki_info(pem, &info, &err), 0);
	assert_string_equal(info.common_name, "jane");
	assert_int_equal(info.uses, PKI_USE_CLIENT);
	assert_false(info.is_ca);
	assert_int_equal(info.not_after_s - info.not_before_s, 3600 + 300);
	assert_int_equal(pki_verify(pem, ca.certificate_pem, &err), 0);
	free(pem);
	assert_int_not_equal(pki_request_sign(&ca, slice_of(csr), &SLICE("flying"), 1, 3600, &pem, &err), 0);
}

static void a_certificate_does_not_outlive_its_ca(void **state)
{
	struct pki_info info, of_ca;
	char *pem;
	CLEANUP(cleanup_free) char *csr = request("/CN=jane", "");
	assert_int_equal(
	        pki_request_sign(&ca, slice_of(csr), &SLICE("client auth"), 1, 20ll * 365 * 86400, &pem, &err), 0);
	assert_int_equal(pki_info(pem, &info, &err), 0);
	assert_int_equal(pki_info(ca.certificate_pem, &of_ca, &err), 0);
	assert_int_equal(info.not_after_s, of_ca.not_after_s);
	free(pem);
}

static void what_is_no_request_is_refused(void **state)
{
	struct pki_request_info info;
	CLEANUP(cleanup_free) char *twice = request("/CN=a/CN=b", "");
	CLEANUP(cleanup_free) char *good = request("/CN=a", "");
	assert_int_equal(pki_request_read(&a, slice_of(twice), &info, &err), ERR_INVAL);
	assert_int_equal(
	        pki_request_read(&a, SLICE("-----BEGIN CERTIFICATE REQUEST-----\nAA==\n"), &info, &err), ERR_INVAL);
	assert_int_equal(pki_request_read(&a, SLICE_NULL, &info, &err), ERR_INVAL);
	char *middle = good + strlen(good) - 60; /* in the signature */
	*middle = *middle == 'A' ? 'B' : 'A';
	assert_int_equal(pki_request_read(&a, slice_of(good), &info, &err), ERR_INVAL);
}

static int begin(void **state)
{
	return pki_ca_new("ca", &ca, &err);
}

static int end(void **state)
{
	arena_release(&a);
	pki_pair_release(&ca);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(subject_and_names_are_read),
	        cmocka_unit_test(what_is_signed_is_the_subject_for_the_usages_and_never_a_ca),
	        cmocka_unit_test(a_certificate_does_not_outlive_its_ca),
	        cmocka_unit_test(what_is_no_request_is_refused),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
