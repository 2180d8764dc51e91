/* Any bytes as a certificate request: what is signed says what the signer wanted, or as it was read, and is the CA's.
 */
#include "base/pki/pki_request.h"

#include "base/check.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_it_is(const struct pki_pair *ca, struct slice text)
{
	struct arena a = ARENA_INIT;
	struct pki_request_info said;
	struct pki_info info;
	struct err err = ERR_INIT;
	char *crt = NULL;
	if (pki_request_read(&a, text, &said, &err) == 0 &&
	        pki_request_sign(ca, text, &SLICE("client auth"), 1, 3600, &crt, &err) == 0)
		CHECK(pki_info(crt, &info, &err) == 0 && !info.is_ca && info.uses == PKI_USE_CLIENT);
	free(crt);
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pki_pair ca;
	struct pki_request r = {.common_name = "system:node:one", .is_client = true};
	struct pki_info info;
	struct err err = ERR_INIT;
	char *crt = NULL;
	if (!ca.key_pem)
		CHECK(pki_ca_new("ca", &ca, &err) == 0);
	as_it_is(&ca, (struct slice){(const char *)data, size});
	if (pki_issue_csr(&ca, (struct slice){(const char *)data, size}, &r, &crt, &err) == 0) {
		CHECK(pki_info(crt, &info, &err) == 0 && strcmp(info.common_name, "system:node:one") == 0 &&
		        !info.is_ca);
		CHECK(pki_verify(crt, ca.certificate_pem, &err) == 0);
	} else {
		CHECK(err.msg[0] != 0 && !crt);
	}
	free(crt);
	return 0;
}
