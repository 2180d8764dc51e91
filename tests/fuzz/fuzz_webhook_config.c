/* Kubeconfigs of webhooks: what is taken has a URL, a key with its certificate, and texts without line ends where they
 * become headers. */
#include "api/server/outgoing/kubeconfig.h"
#include "base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct outgoing_target t = {0};
	struct err err = ERR_INIT;
	if (kubeconfig_read(&a, (struct slice){(const char *)data, size}, "/nonexistent", &t, &err) != 0) {
		CHECK(err.msg[0]);
	} else {
		CHECK(t.url && *t.url && !t.certificate_pem == !t.key_pem);
		CHECK(!t.bearer || !strpbrk(t.bearer, "\r\n "));
	}
	arena_release(&a);
	return 0;
}
