/* Any bytes as a join token: what is understood has a secret of the right length and a hash of 64 digits or none; an
 * error never repeats the text. */
#include "api/server/auth/identity/join_token.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct join_token t;
	struct err err = ERR_INIT;
	if (join_token_parse((struct slice){(const char *)data, size}, &t, &err) == 0) {
		CHECK(t.secret.len >= JOIN_SECRET_BYTES_MIN && t.secret.len <= JOIN_SECRET_BYTES_MAX);
		CHECK(strlen(t.ca_hash) == (t.user.len || t.is_bootstrap ? 64 : 0));
	} else {
		CHECK(err.msg[0] != 0);
	}
	return 0;
}
