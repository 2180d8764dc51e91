/* Any text as a token, and as a password's hash. */
#include "base/pki/pki.h"
#include "store/etcd/auth/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct etcd_tokens *tokens;
	struct slice text = {(const char *)data, size};
	struct store_system_entry entries[] = {{.key = SLICE("auth/enabled"), .value = SLICE("1")},
	        {.key = SLICE("auth/secret"), .value = SLICE("secret")}};
	struct etcd_identity who;
	struct arena a = ARENA_INIT;
	if (!tokens && etcd_tokens_new("simple", 0, &tokens, NULL) != 0)
		return 0;
	struct etcd_auth_state *s = etcd_auth_state_new(entries, 2);
	etcd_tokens_check(tokens, s, text, 1000, &a, &who);
	if (!slice_starts(text, "scrypt$1")) /* those that would take long */
		pki_password_check(SLICE("x"), text);
	etcd_auth_state_free(s);
	arena_release(&a);
	return 0;
}
