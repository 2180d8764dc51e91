/* Encryption configurations: a line that is a stored value, and behind it the file. What is taken writes what it reads;
 * a stored text of a stranger is opened or refused. */
#include "api/server/sealing/config.h"
#include "base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_key(const struct sealing_key *k, struct slice stored)
{
	struct strbuf sealed = STRBUF_INIT, opened = STRBUF_INIT;
	struct err err = ERR_INIT;
	CHECK(k->is_identity == !k->prefix.len);
	if (k->is_identity)
		return;
	CHECK(pki_cipher_takes(k->cipher, k->secret.len));
	pki_cipher_seal(k->cipher, k->secret, SLICE("key"), stored, &sealed);
	CHECK(pki_cipher_open(k->cipher, k->secret, SLICE("key"), strbuf_slice(&sealed), &opened, &err) == 0);
	CHECK(slice_eq(strbuf_slice(&opened), stored));
	strbuf_reset(&opened);
	if (pki_cipher_open(k->cipher, k->secret, SLICE("key"), stored, &opened, &err) != 0)
		CHECK(err.code == ERR_CORRUPT);
	strbuf_release(&sealed);
	strbuf_release(&opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = {(const char *)data, size}, stored = slice_cut(&rest, '\n');
	struct sealing_config *c = NULL;
	struct err err = ERR_INIT;
	if (sealing_config_parse(rest, &c, &err) != 0) {
		CHECK(!c && err.msg[0]);
		return 0;
	}
	for (size_t i = 0; i < c->n_rules; i++)
		for (size_t k = 0; k < c->rules[i].n_keys; k++)
			try_key(&c->rules[i].keys[k], stored);
	sealing_config_find(c, "apps", "deployments");
	sealing_config_free(c);
	return 0;
}
