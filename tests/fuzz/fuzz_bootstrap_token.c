/* Bootstrap tokens: a line that is shown, and behind it the Secret that it is held against. Whoever is let in is in the
 * groups of tokens alone. */
#include "api/server/auth/identity/bootstrap_token.h"
#include "base/check.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = {(const char *)data, size}, line = slice_cut(&rest, '\n');
	struct bootstrap_token t;
	struct err err = ERR_INIT;
	struct user *u = NULL;
	if (!bootstrap_token_parse(line, &t))
		return 0;
	CHECK(t.id.len == BOOTSTRAP_TOKEN_ID_BYTES && t.secret.len == BOOTSTRAP_TOKEN_SECRET_BYTES);
	if (bootstrap_token_judge(&t, rest, 1800000000, &u, &err) != 0) {
		CHECK(!u && err.msg[0]);
		return 0;
	}
	CHECK(slice_starts(u->name, "system:bootstrap:"));
	for (size_t i = 0; i < u->n_groups; i++)
		CHECK(slice_is(u->groups[i], BOOTSTRAP_TOKEN_GROUP) || slice_is(u->groups[i], "system:authenticated") ||
		        bootstrap_token_is_group(u->groups[i]));
	user_unref(u);
	return 0;
}
