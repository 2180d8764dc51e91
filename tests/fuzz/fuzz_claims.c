/* Claims of service account tokens: what was read is written so that it is read again, the same; and whatever the
 * library takes, base/json takes too, so that nobody reads a text that others refuse. */
#include "api/server/auth/identity/claims.h"
#include "base/check.h"
#include "base/json/json.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const struct claims_object *x, const struct claims_object *y)
{
	return x->is_named == y->is_named && slice_eq(x->name, y->name) && slice_eq(x->uid, y->uid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct slice text = {(const char *)data, size};
	struct claims c, again;
	struct err err = ERR_INIT;
	if (claims_parse(&a, text, &c, &err) != 0) {
		CHECK(err.code == ERR_INVAL && err.msg[0]);
	} else if (c.is_legacy) { /* these are never written by us */
		CHECK(slice_is(c.issuer, CLAIMS_LEGACY_ISSUER) && c.account.is_named && c.secret.is_named);
	} else {
		CLEANUP(cleanup_strbuf) struct strbuf out = STRBUF_INIT;
		CHECK(json_is(json_parse(&a, text, NULL, &err), JSON_OBJECT));
		claims_write(&c, &out);
		CHECK(claims_parse(&a, strbuf_slice(&out), &again, &err) == 0);
		CHECK(same(&c.account, &again.account) && same(&c.pod, &again.pod) && same(&c.secret, &again.secret));
		CHECK(slice_eq(c.issuer, again.issuer) && slice_eq(c.ns, again.ns));
		CHECK(c.expires_s == again.expires_s && c.not_before_s == again.not_before_s);
		CHECK(c.audience_count == again.audience_count);
	}
	arena_release(&a);
	return 0;
}
