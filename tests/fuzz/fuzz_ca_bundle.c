/* New CAs, as an operator sends them: certificates and a key behind a line of their own. Nothing is believed that could
 * not sign, and merging never loses what is trusted. */
#include "base/check.h"
#include "base/mem/arena.h"
#include "base/pki/pki.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pki_pair old;
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	if (!old.key_pem)
		CHECK(pki_ca_new("old", &old, &err) == 0);
	char *text = arena_memdup(&a, data, size), *key = strstr(text, "\n\n");
	if (key)
		*key++ = 0;
	struct pki_pair ca = {text, key ? key : text};
	struct strbuf out = STRBUF_INIT;
	if (pki_bundle_check(&ca, &err) != 0)
		CHECK(err.msg[0]);
	err = ERR_INIT;
	CHECK(pki_bundle_continues(&ca, old.certificate_pem, &err) != 0); /* nobody has the old key */
	pki_bundle_merge(&out, text, old.certificate_pem, 1800000000);
	CHECK(strstr(strbuf_cstr(&out), old.certificate_pem));
	strbuf_reset(&out);
	pki_bundle_chain(&out, text);
	strbuf_release(&out);
	arena_release(&a);
	return 0;
}
