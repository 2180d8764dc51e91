/* Tokens: simple ones live as long as they are used and end with what they were made for; JWTs as they say. */
#include "base/pki/pki.h"
#include "tests/unit/store/etcd/auth/auth_state.h"

#include <unistd.h>

static struct etcd_auth_state *make(const char *secret, const char *revision, uint64_t password_revision)
{
	struct auth_maker m = {0};
	auth_add(&m, "auth/enabled", SLICE("1"));
	auth_add(&m, "auth/revision", slice_of(revision));
	auth_add(&m, "auth/secret", slice_of(secret));
	if (password_revision)
		auth_add_user(&m, "al.ice", password_revision, NULL);
	return auth_make(&m);
}

static enum etcd_auth_error check(
        struct etcd_tokens *t, const struct etcd_auth_state *s, struct slice token, int64_t now_s)
{
	struct arena a = ARENA_INIT;
	struct etcd_identity who;
	enum etcd_auth_error error = etcd_tokens_check(t, s, token, now_s, &a, &who);
	if (!error)
		assert_true(slice_is(who.name, "al.ice"));
	arena_release(&a);
	return error;
}

static struct etcd_tokens *open_tokens(const char *spec, unsigned ttl_s)
{
	struct etcd_tokens *t = NULL;
	struct err err = ERR_INIT;
	if (etcd_tokens_new(spec, ttl_s, &t, &err) != 0)
		fail_msg("%s", err.msg);
	return t;
}

static void test_simple_tokens_live_while_they_are_used(void **state)
{
	struct etcd_tokens *t = open_tokens(NULL, 10), *other = open_tokens("simple", 10);
	struct etcd_auth_state *s = make("secret", "5", 3);
	struct strbuf token = STRBUF_INIT;
	assert_int_equal(etcd_tokens_make(t, s, etcd_auth_user(s, SLICE("al.ice")), 100, &token), ETCD_AUTH_OK);
	assert_int_equal(check(t, s, strbuf_slice(&token), 109), ETCD_AUTH_OK);
	assert_int_equal(check(other, s, strbuf_slice(&token), 110), ETCD_AUTH_OK); /* on another member too */
	assert_int_equal(check(t, s, strbuf_slice(&token), 119), ETCD_AUTH_OK);
	assert_int_equal(check(t, s, strbuf_slice(&token), 130), ETCD_AUTH_BAD_TOKEN);
	assert_int_equal(check(other, s, strbuf_slice(&token), 121), ETCD_AUTH_BAD_TOKEN);
	strbuf_release(&token);
	etcd_auth_state_free(s);
	etcd_tokens_free(t);
	etcd_tokens_free(other);
}

static void test_simple_tokens_end_with_what_they_were_made_for(void **state)
{
	struct etcd_tokens *t = open_tokens("simple", 10);
	struct etcd_auth_state *s = make("secret", "5", 3), *new_password = make("secret", "6", 6),
	                       *no_user = make("secret", "6", 0), *new_secret = make("Secret", "5", 3);
	struct strbuf token = STRBUF_INIT;
	etcd_tokens_make(t, s, etcd_auth_user(s, SLICE("al.ice")), 100, &token);
	assert_int_equal(check(t, s, strbuf_slice(&token), 101), ETCD_AUTH_OK);
	assert_int_equal(check(t, new_password, strbuf_slice(&token), 101), ETCD_AUTH_BAD_TOKEN);
	assert_int_equal(check(t, no_user, strbuf_slice(&token), 101), ETCD_AUTH_BAD_TOKEN);
	assert_int_equal(check(t, new_secret, strbuf_slice(&token), 101), ETCD_AUTH_BAD_TOKEN);
	for (size_t i = 0; i < token.len; i++) { /* no byte of it may differ */
		token.data[i] ^= 1;
		assert_int_equal(check(t, s, strbuf_slice(&token), 101), ETCD_AUTH_BAD_TOKEN);
		token.data[i] ^= 1;
	}
	assert_int_equal(check(t, s, SLICE("x.1"), 101), ETCD_AUTH_BAD_TOKEN);
	assert_int_equal(check(t, s, SLICE(""), 101), ETCD_AUTH_BAD_TOKEN);
	strbuf_release(&token);
	etcd_auth_state_free(s);
	etcd_auth_state_free(new_password);
	etcd_auth_state_free(no_user);
	etcd_auth_state_free(new_secret);
	etcd_tokens_free(t);
}

static void write_key(char path[64])
{
	char *pem = NULL;
	struct err err = ERR_INIT;
	snprintf(path, 64, "/tmp/k3x-key-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(pki_key_generate(&pem, &err), 0);
	assert_int_equal(write(fd, pem, strlen(pem)), strlen(pem));
	close(fd);
	free(pem);
}

static void test_jwts_say_who_and_until_when(void **state)
{
	char key[64], other_key[64], spec[256];
	struct err err = ERR_INIT;
	struct etcd_tokens *bad = NULL;
	struct strbuf token = STRBUF_INIT;
	struct arena a = ARENA_INIT;
	struct etcd_identity who;
	write_key(key);
	write_key(other_key);
	snprintf(spec, sizeof spec, "jwt,priv-key=%s,sign-method=ES256,ttl=1m10s", key);
	struct etcd_tokens *t = open_tokens(spec, 0);
	snprintf(spec, sizeof spec, "jwt,priv-key=%s,sign-method=ES256", other_key);
	struct etcd_tokens *other = open_tokens(spec, 0);
	struct etcd_auth_state *s = make("secret", "5", 3);
	assert_int_equal(etcd_tokens_make(t, s, etcd_auth_user(s, SLICE("al.ice")), 100, &token), ETCD_AUTH_OK);
	assert_int_equal(check(t, s, strbuf_slice(&token), 169), ETCD_AUTH_OK);
	assert_int_equal(check(t, s, strbuf_slice(&token), 170), ETCD_AUTH_BAD_TOKEN);
	assert_int_equal(check(other, s, strbuf_slice(&token), 101), ETCD_AUTH_BAD_TOKEN);
	assert_int_equal(etcd_tokens_check(t, s, strbuf_slice(&token), 101, &a, &who), ETCD_AUTH_OK);
	assert_int_equal(who.revision, 5);
	snprintf(spec, sizeof spec, "jwt,priv-key=%s,sign-method=RS256", key);
	assert_int_equal(etcd_tokens_new(spec, 0, &bad, &err), ERR_INVAL);
	assert_int_equal(etcd_tokens_new("jwt,sign-method=ES256", 0, &bad, &err), ERR_INVAL);
	assert_int_equal(etcd_tokens_new("jwt,ttl=5x", 0, &bad, &err), ERR_INVAL);
	assert_int_equal(etcd_tokens_new("kerberos", 0, &bad, &err), ERR_INVAL);
	arena_release(&a);
	strbuf_release(&token);
	etcd_auth_state_free(s);
	etcd_tokens_free(t);
	etcd_tokens_free(other);
	unlink(key);
	unlink(other_key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_simple_tokens_live_while_they_are_used),
	        cmocka_unit_test(test_simple_tokens_end_with_what_they_were_made_for),
	        cmocka_unit_test(test_jwts_say_who_and_until_when),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
