/* Key sets and claims of issuers, and what webhooks answer: what is taken has keys, or a user with a name. */
#include "api/server/auth/identity/jwks.h"
#include "api/server/auth/identity/jwt_rules.h"
#include "api/server/auth/review_json.h"
#include "base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *arg, struct slice audience)
{
}

static void try_claims(struct arena *a, struct slice text)
{
	static const char *const required[] = {"hd=x"};
	struct api_oidc_arguments o = {.issuer_url = "https://i",
	        .client_id = "c",
	        .username_claim = "sub",
	        .groups_claim = "groups",
	        .required_claims = {(const char **)required, text.len % 2}};
	const struct jwt_rules *rules;
	struct user *u = NULL;
	struct err err = ERR_INIT;
	int64_t expires_s;
	CHECK(jwt_rules_of_arguments(a, &o, &rules, &err) == 0);
	if (jwt_rules_user(rules, text, 1000, &u, &expires_s, &err) == 0)
		CHECK(u->name.len && expires_s > 1000);
	else
		CHECK(!u && err.code == ERR_UNAUTHENTICATED && err.msg[0]);
	user_unref(u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	struct arena a = ARENA_INIT;
	struct jwks *s;
	struct jws_header h;
	struct user *u = NULL;
	struct err err = ERR_INIT;
	if (jwks_parse(text, &s, &err) == 0) {
		struct jws_header any = {SLICE("RS256"), SLICE_NULL};
		CHECK(jwks_count(s) > 0 && jwks_count(s) <= JWKS_KEYS_MAX);
		CHECK(jwks_verify(s, SLICE("e30.e30.AA"), &any, NULL) != 0);
		jwks_free(s);
	} else {
		CHECK(err.code == ERR_INVAL && err.msg[0]);
	}
	jws_header_parse(&a, text, &h, &err);
	try_claims(&a, text);
	if (token_review_read(text, ignore, NULL, &u, &err) == 0)
		CHECK(u->name.len);
	user_unref(u);
	arena_release(&a);
	return 0;
}
