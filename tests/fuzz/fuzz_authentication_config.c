/* AuthenticationConfigurations: what is taken makes users of claims without a fault; what is refused says why. */
#include "api/server/auth/identity/authentication_config.h"
#include "base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct jwt_rules *r)
{
	static const char claims[] =
	        "{\"iss\":\"https://"
	        "i\",\"aud\":\"a\",\"exp\":2000,\"sub\":\"s\",\"groups\":[\"g\",1],\"m\":{\"x\":[1]}}";
	struct user *u = NULL;
	struct err err = ERR_INIT;
	int64_t expires_s;
	int rc = jwt_rules_user(r, slice_of(claims), 1000, &u, &expires_s, &err);
	CHECK(rc == err.code && (rc == 0) == (u != NULL) && (rc == 0 || err.msg[0]));
	CHECK(!u || (u->name.len && user_is_in(u, "system:authenticated")));
	user_unref(u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct flag_list none;
	struct authentication_config *c = NULL;
	struct err err = ERR_INIT;
	int rc = authentication_config_parse((struct slice){(const char *)data, size}, &none, &c, &err);
	CHECK(rc == err.code && (rc == 0) == (c != NULL) && (rc == 0 || err.msg[0]));
	for (size_t i = 0; c && i < c->count; i++)
		judge(c->issuers[i]);
	authentication_config_free(c);
	return 0;
}
