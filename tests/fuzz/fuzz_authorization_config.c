/* AuthorizationConfigurations: what is taken can be asked; what is refused says why. */
#include "api/server/auth/rights/authorization_config.h"
#include "base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct authorization_config *c = NULL;
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct user *u = user_new(SLICE("u"), SLICE_NULL);
	struct attributes z = {.user = u, .is_resource = true, .verb = SLICE("get"), .resource = SLICE("pods")};
	int rc = authorization_config_parse((struct slice){(const char *)data, size}, &c, &err);
	CHECK(rc == err.code && (rc == 0) == (c != NULL) && (rc == 0 || err.msg[0]));
	for (size_t i = 0; c && i < c->count; i++) {
		const char *why = NULL;
		CHECK(c->items[i].type != AUTHORIZER_WEBHOOK || (c->items[i].kubeconfig && c->items[i].timeout_ms));
		if (authorizer_matches(&c->items[i], &a, &z, &why) == AUTHORIZER_HAS_FAILED)
			CHECK(why && *why);
	}
	authorization_config_free(c);
	user_unref(u);
	arena_release(&a);
	return 0;
}
