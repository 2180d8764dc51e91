/* Certificates, signatures, tokens. */
#include "base/mem/arena.h"
#include "base/pki/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct err err;

static void a_ca_issues_certificates_that_verify(void **state)
{
	struct pki_pair ca = PKI_PAIR_INIT, leaf = PKI_PAIR_INIT, other = PKI_PAIR_INIT;
	const char *orgs[] = {"system:masters", "devs"};
	const char *names[] = {"localhost", "127.0.0.1", "::1"};
	struct pki_request r = {.common_name = "admin",
	        .organizations = orgs,
	        .organizations_count = 2,
	        .names = names,
	        .names_count = 3,
	        .is_server = true,
	        .is_client = true};
	struct pki_info info;
	(void)state;
	assert_int_equal(pki_ca_new("k3x-ca", &ca, &err), 0);
	assert_int_equal(pki_ca_new("other", &other, &err), 0);
	assert_int_equal(pki_issue(&ca, &r, &leaf, &err), 0);
	assert_int_equal(pki_verify(leaf.certificate_pem, ca.certificate_pem, &err), 0);
	assert_int_equal(pki_verify(leaf.certificate_pem, other.certificate_pem, &err), ERR_UNAUTHENTICATED);
	assert_int_equal(pki_info(leaf.certificate_pem, &info, &err), 0);
	assert_string_equal(info.common_name, "admin");
	assert_false(info.is_ca);
	int64_t now = time(NULL);
	assert_false(pki_needs_renewal(&info, now));
	assert_false(pki_needs_renewal(&info, info.not_after_s - 91 * 86400));
	assert_true(pki_needs_renewal(&info, info.not_after_s - 89 * 86400));
	assert_int_equal(pki_info(ca.certificate_pem, &info, &err), 0);
	assert_true(info.is_ca);
	assert_true(info.not_after_s - now > 3649LL * 86400);
	pki_pair_release(&ca);
	pki_pair_release(&leaf);
	pki_pair_release(&other);
}

static void files_are_private_and_load_again(void **state)
{
	char dir[] = "/tmp/k3x-pki-XXXXXX";
	struct pki_pair ca = PKI_PAIR_INIT, back = PKI_PAIR_INIT;
	struct stat st;
	(void)state;
	assert_non_null(mkdtemp(dir));
	CLEANUP(cleanup_free) char *crt = xprintf("%s/ca.crt", dir), *key = xprintf("%s/ca.key", dir);
	assert_int_equal(pki_ca_new("ca", &ca, &err), 0);
	assert_int_equal(pki_pair_save(&ca, crt, key, &err), 0);
	assert_int_equal(stat(key, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(pki_pair_load(crt, key, &back, &err), 0);
	assert_string_equal(back.key_pem, ca.key_pem);
	assert_int_equal(pki_pair_load("/nonexistent/x", key, &back, &err), ERR_NOT_FOUND);
	pki_pair_release(&ca);
	pki_pair_release(&back);
	unlink(crt);
	unlink(key);
	rmdir(dir);
}

static void tokens_verify_with_their_key_only(void **state)
{
	char *pem = NULL, *pem2 = NULL, *public_pem = NULL;
	struct pki_key *key, *key2, *public_key;
	CLEANUP(cleanup_strbuf) struct strbuf token = STRBUF_INIT, header = STRBUF_INIT, claims = STRBUF_INIT;
	(void)state;
	assert_int_equal(pki_key_generate(&pem, &err), 0);
	assert_int_equal(pki_key_generate(&pem2, &err), 0);
	assert_int_equal(pki_key_load(pem, &key, &err), 0);
	assert_int_equal(pki_key_load(pem2, &key2, &err), 0);
	assert_int_equal(pki_key_public_pem(key, &public_pem, &err), 0);
	assert_int_equal(pki_key_load(public_pem, &public_key, &err), 0);
	assert_int_equal(jwt_sign(key, SLICE("{\"sub\":\"me\"}"), &token, &err), 0);
	assert_int_equal(jwt_sign(public_key, SLICE("{}"), &header, &err), ERR_INVAL);
	assert_int_equal(jwt_verify(strbuf_slice(&token), &public_key, 1, &err), 0);
	assert_int_equal(jwt_verify(strbuf_slice(&token), &key2, 1, &err), ERR_UNAUTHENTICATED);
	assert_int_equal(jwt_parse(strbuf_slice(&token), &header, &claims, &err), 0);
	assert_string_equal(claims.data, "{\"sub\":\"me\"}");
	token.data[token.len / 2] ^= 1;
	assert_int_equal(jwt_verify(strbuf_slice(&token), &public_key, 1, &err), ERR_UNAUTHENTICATED);
	assert_int_equal(jwt_verify(SLICE("a.b"), &public_key, 1, &err), ERR_UNAUTHENTICATED);
	assert_int_equal(jwt_verify(SLICE("a.b.c.d"), &public_key, 1, &err), ERR_UNAUTHENTICATED);
	strbuf_reset(&claims);
	assert_int_equal(pki_key_jwk(public_key, &claims, &err), 0);
	assert_non_null(strstr(claims.data, "\"crv\":\"P-256\",\"x\":\""));
	pki_key_free(key);
	pki_key_free(key2);
	pki_key_free(public_key);
	free(pem);
	free(pem2);
	free(public_pem);
}

static void helpers(void **state)
{
	char hex[65];
	(void)state;
	pki_sha256_hex("abc", 3, hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_true(pki_equal(SLICE("abc"), SLICE("abc")));
	assert_false(pki_equal(SLICE("abc"), SLICE("abd")));
	assert_false(pki_equal(SLICE("abc"), SLICE("ab")));
}

/* Over the end of a thread's stock, too. */
static void names_are_never_given_twice(void **state)
{
	enum { NAMES = 1000 };
	unsigned char names[NAMES][16];
	for (size_t i = 0; i < NAMES; i++) {
		unsigned char odd[5];
		pki_random_name(names[i], sizeof names[i]);
		pki_random_name(odd, sizeof odd);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(names[i], names[k], sizeof names[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(names_are_never_given_twice),
	        cmocka_unit_test(a_ca_issues_certificates_that_verify),
	        cmocka_unit_test(files_are_private_and_load_again),
	        cmocka_unit_test(tokens_verify_with_their_key_only),
	        cmocka_unit_test(helpers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
