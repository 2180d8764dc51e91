/* Any bytes as the keys that a cluster's store holds: what is taken goes to places below server/ alone, and the CA is
 * the last. */
#include "tools/k3x/keys/server_keys.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct server_key keys[SERVER_KEYS_MAX];
	struct err err = ERR_INIT;
	size_t n = 0;
	if (server_keys_parse(&a, (struct slice){(const char *)data, size}, keys, &n, &err) == 0) {
		CHECK(n > 0 && strcmp(keys[n - 1].place, "server/tls/server-ca.crt") == 0);
		for (size_t i = 0; i < n; i++)
			CHECK(strncmp(keys[i].place, "server/", 7) == 0 && !strstr(keys[i].place, ".."));
	} else {
		CHECK(err.msg[0] != 0);
	}
	arena_release(&a);
	return 0;
}
