/* Join tokens: their two forms, and whom they let in as whom. */
#include "api/server/auth/identity/join_token.h"

#include "base/base64.h"
#include "base/pki/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
static struct err err;

static void all_forms_are_understood(void **state)
{
	struct join_token t;
	assert_int_equal(join_token_parse(SLICE("  secret:with:colons\n"), &t, &err), 0);
	assert_string_equal(t.ca_hash, "");
	assert_true(slice_is(t.secret, "secret:with:colons"));
	assert_int_equal(join_token_parse(SLICE("K10" HASH "::server:abcdef"), &t, &err), 0);
	assert_string_equal(t.ca_hash, HASH);
	assert_true(slice_is(t.user, "server") && slice_is(t.secret, "abcdef") && !t.is_bootstrap);
	assert_int_equal(join_token_parse(SLICE("K10" HASH "::abcdef.0123456789abcdef"), &t, &err), 0);
	assert_true(t.is_bootstrap && !t.user.len && slice_is(t.secret, "abcdef.0123456789abcdef"));
}

static void what_is_none_is_refused_without_being_repeated(void **state)
{
	static const char *const bad[] = {"", "abc", "with space", "K10", "K10" HASH,
	        "K10" HASH "::", "K10" HASH "::server:", "K10" HASH ":server:abcdef", "K10" HASH "::root:abcdef",
	        "K10x123456789abcdef" HASH "::server:abcdef", "K10" HASH "::abcdef.0123456789abcde"};
	struct join_token t;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		err = ERR_INIT;
		assert_int_not_equal(join_token_parse(slice_of(bad[i]), &t, &err), 0);
		assert_null(strstr(err.msg, "abcdef"));
	}
}

static int user_of(struct join_secrets *s, const char *credentials, struct user **u)
{
	struct arena a = ARENA_INIT;
	err = ERR_INIT;
	int rc = join_secrets_user(s, base64_encode(&a, slice_of(credentials)), u, &err);
	arena_release(&a);
	return rc;
}

static void the_servers_secret_is_good_for_both_and_the_agents_for_agents(void **state)
{
	char dir[] = "/tmp/k3x-token-XXXXXX";
	struct join_secrets *s;
	struct user *u;
	assert_non_null(mkdtemp(dir));
	CLEANUP(cleanup_free) char *server = xprintf("%s/token", dir), *agent = xprintf("%s/agent-token", dir);
	pki_file_write(server, SLICE("K10" HASH "::server:of-servers\n"), 0600, &err);
	pki_file_write(agent, SLICE("K10" HASH "::node:of-agents\n"), 0600, &err);
	assert_int_equal(join_secrets_load(server, agent, &s, &err), 0);
	assert_int_equal(user_of(s, "server:of-servers", &u), 0);
	assert_true(user_is_in(u, "k3x:server") && !user_is_in(u, "k3x:agent"));
	user_unref(u);
	assert_int_equal(user_of(s, "node:of-servers", &u), 0);
	assert_true(user_is_in(u, "k3x:agent") && !user_is_in(u, "k3x:server"));
	user_unref(u);
	assert_int_equal(user_of(s, "node:of-agents", &u), 0);
	user_unref(u);
	assert_int_equal(user_of(s, "server:of-agents", &u), ERR_UNAUTHENTICATED);
	assert_non_null(strstr(err.msg, "agents alone"));
	assert_int_equal(user_of(s, "server:of-serverS", &u), ERR_UNAUTHENTICATED);
	assert_int_equal(user_of(s, "server:", &u), ERR_UNAUTHENTICATED);
	assert_int_equal(user_of(s, "root:of-servers", &u), ERR_UNAUTHENTICATED);
	assert_int_equal(join_secrets_user(s, SLICE("***"), &u, &err), ERR_UNAUTHENTICATED);
	join_secrets_free(s);
	unlink(server);
	unlink(agent);
	rmdir(dir);
}

static void without_a_file_nobody_joins(void **state)
{
	struct join_secrets *s;
	struct user *u;
	assert_int_equal(join_secrets_load("/nonexistent", NULL, &s, &err), 0);
	assert_int_equal(user_of(s, "server:", &u), ERR_UNAUTHENTICATED);
	join_secrets_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(all_forms_are_understood),
	        cmocka_unit_test(what_is_none_is_refused_without_being_repeated),
	        cmocka_unit_test(the_servers_secret_is_good_for_both_and_the_agents_for_agents),
	        cmocka_unit_test(without_a_file_nobody_joins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
