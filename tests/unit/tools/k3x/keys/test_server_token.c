/* The files of tokens: made at the first start, compared at later ones. */
#include "tools/k3x/keys/server_token.h"

#include "base/pki/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define CA "-----BEGIN CERTIFICATE-----\nmade up\n-----END CERTIFICATE-----\n"
static char folder[64];
static struct server_settings s;
static struct err err;

static int set_up(void **state)
{
	char server[128];
	snprintf(folder, sizeof folder, "/tmp/k3x-token-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(server, sizeof server, "%s/server", folder);
	mkdir(server, 0700);
	s = (struct server_settings){.data_dir = folder};
	err = ERR_INIT;
	return 0;
}

static int tear_down(void **state)
{
	char command[128];
	snprintf(command, sizeof command, "rm -r %s", folder);
	arena_release(&s.arena);
	return system(command);
}

static const char *file(const char *name)
{
	char *text;
	size_t len;
	assert_int_equal(pki_file_read(server_file(&s, "server/%s", name), &text, &len, &err), 0);
	const char *kept = arena_strdup(&s.arena, text);
	free(text);
	return kept;
}

static void a_secret_is_made_and_stays(void **state)
{
	struct slice secret;
	char hash[65];
	pki_sha256_hex(CA, strlen(CA), hash);
	assert_int_equal(server_token_prepare(&s, CA, &err), 0);
	const char *made = file("token");
	assert_string_equal(made, file("node-token"));
	assert_int_equal(server_token_secret(&s, &secret, &err), 0);
	assert_int_equal(secret.len, 32);
	assert_string_equal(made, arena_printf(&s.arena, "K10%s::server:%.*s\n", hash, SLICE_FMT(secret)));
	assert_int_equal(server_token_prepare(&s, CA, &err), 0);
	assert_string_equal(made, file("token"));
	s.token = made; /* its whole text, as people copy it */
	assert_int_equal(server_token_prepare(&s, CA, &err), 0);
}

static void a_secret_that_is_given_is_taken_and_must_stay_the_same(void **state)
{
	s.token = "of-my-own-choice";
	assert_int_equal(server_token_prepare(&s, CA, &err), 0);
	assert_non_null(strstr(file("token"), "::server:of-my-own-choice\n"));
	s.token = "of-another-choice";
	assert_int_equal(server_token_prepare(&s, CA, &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "--token is not the one in"));
}

static void a_whole_token_of_another_cluster_is_told(void **state)
{
	s.token = "K10"
	          "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	          "::server:secret";
	assert_int_equal(server_token_prepare(&s, CA, &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "give the secret alone"));
	const char *theirs = s.token;
	s.token = NULL;
	assert_int_equal(server_token_prepare(&s, CA, &err), 0);
	s.token = theirs;
	assert_int_equal(server_token_prepare(&s, CA, &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "of another cluster"));
}

static void agents_may_have_a_token_of_their_own(void **state)
{
	s.agent_token = "of-the-agents-alone";
	assert_int_equal(server_token_prepare(&s, CA, &err), 0);
	assert_non_null(strstr(file("agent-token"), "::node:of-the-agents-alone\n"));
	assert_string_equal(file("agent-token"), file("node-token"));
	assert_null(strstr(file("token"), "of-the-agents-alone"));
	s.agent_token = NULL;
	assert_int_equal(server_token_prepare(&s, CA, &err), 0);
	assert_string_equal(file("agent-token"), file("node-token"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(a_secret_is_made_and_stays, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(
	                a_secret_that_is_given_is_taken_and_must_stay_the_same, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(a_whole_token_of_another_cluster_is_told, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(agents_may_have_a_token_of_their_own, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
