/* JSON Web Tokens: taken apart without a look at the signature, then verified by a key that has signed none of them. */
#include "base/check.h"
#include "base/pki/pki.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pki_key *key(void)
{
	static struct pki_key *k;
	char *pem;
	struct err err = ERR_INIT;
	if (!k) {
		CHECK(pki_key_generate(&pem, &err) == 0 && pki_key_load(pem, &k, &err) == 0);
		free(pem);
	}
	return k;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice token = {(const char *)data, size};
	struct strbuf header = STRBUF_INIT, claims = STRBUF_INIT;
	struct pki_key *k = key();
	struct err err = ERR_INIT;
	bool is_token = jwt_parse(token, &header, &claims, &err) == 0;
	CHECK(is_token || err.code);
	err = ERR_INIT;
	CHECK(jwt_verify(token, &k, 1, &err) != 0 && err.code);
	strbuf_release(&header);
	strbuf_release(&claims);
	return 0;
}
