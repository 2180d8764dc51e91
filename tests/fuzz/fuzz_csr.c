/* Any bytes as a certificate request: what is signed says what the signer wanted, and is the CA's. */
#include "base/pki.h"

#include "base/check.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pki_pair ca;
	struct pki_request r = {.common_name = "system:node:one", .is_client = true};
	struct pki_info info;
	struct err err = ERR_INIT;
	char *crt = NULL;
	if (!ca.key_pem)
		CHECK(pki_ca_new("ca", &ca, &err) == 0);
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
