/* Kubeconfigs of webhooks. */
#include "api/server/outgoing/kubeconfig.h"

#include "base/check.h"
#include "tests/unit/unit.h"

static struct arena a;
static struct outgoing_target t;
static struct err err;

static int read_it(const char *text)
{
	err = ERR_INIT;
	t = (struct outgoing_target){0};
	return kubeconfig_read(&a, slice_of(text), "/nonexistent", &t, &err);
}

#define CLUSTER "clusters: [{name: c, cluster: {server: 'https://hook.example/authn', certificate-authority-data: Q0E="
#define CONTEXT "contexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n"

static void the_current_context_counts(void **state)
{
	assert_int_equal(
	        read_it(CLUSTER ", tls-server-name: sni}}, {name: d, cluster: {server: 'https://no'}}]\n" CONTEXT
	                        "users: [{name: v, user: {token: no}}, {name: u, user: {token: mine}}]\n"),
	        0);
	assert_string_equal(t.url, "https://hook.example/authn");
	assert_string_equal(t.ca_pem, "CA");
	assert_string_equal(t.server_name, "sni");
	assert_string_equal(t.bearer, "mine");
}

static void one_cluster_and_no_user_need_no_context(void **state)
{
	assert_int_equal(read_it(CLUSTER "}}]\n"), 0);
	assert_null(t.bearer);
	assert_null(t.certificate_pem);
	assert_int_equal(read_it(CLUSTER "}}]\nusers: [{name: u, user: {username: me, password: p}}]\n"), 0);
	assert_string_equal(t.username, "me");
	assert_string_equal(t.password, "p");
}

static void files_are_relative_to_the_folder(void **state)
{
	assert_int_equal(read_it(CLUSTER "}}]\n" CONTEXT "users: [{name: u, user: {tokenFile: tok}}]\n"), 0);
	assert_string_equal(t.bearer_file, "/nonexistent/tok");
	assert_int_not_equal(read_it(CLUSTER "}}]\n" CONTEXT
	                                     "users: [{name: u, user: {client-certificate: c.crt, client-key: k}}]\n"),
	        0);
	assert_non_null(strstr(err.msg, "/nonexistent/c.crt"));
}

static void what_is_not_built_or_missing_is_told(void **state)
{
	static const struct {
		const char *text, *told;
	} bad[] = {
	        {"[", "line"},
	        {"a: b", "not a kubeconfig"},
	        {CLUSTER "}}]\ncurrent-context: z\n", "not a kubeconfig"},
	        {CLUSTER "}}]\n" CONTEXT, "not a kubeconfig"},
	        {CLUSTER "}}]\nusers: [{name: u, user: {exec: {command: x}}}]\n", "\"exec\" is not built"},
	        {CLUSTER "}}]\nusers: [{name: u, user: {as: root}}]\n", "\"as\" is not built"},
	        {CLUSTER "}}]\nusers: [{name: u, user: {token: 123456}}]\n", "put it in quotes"},
	        {CLUSTER ", proxy-url: 'http://p'}}]\n", "proxy-url"},
	        {CLUSTER "}}]\nusers: [{name: u, user: {client-key-data: S0VZ}}]\n", "no client-certificate"},
	        {CLUSTER "}}]\nusers: [{name: u, user: {client-certificate-data: '!'}}]\n", "not base64"},
	        {CLUSTER "}}]\nusers: [{name: u, user: {token: \"a\\r\\nb\"}}]\n", "spaces"},
	        {CLUSTER "}}]\nusers: [{name: u, user: {token: \"a\\0b\"}}]\n", "zero byte"},
	};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_not_equal(read_it(bad[i].text), 0);
		if (!strstr(err.msg, bad[i].told))
			fail_msg("%s: %s", bad[i].text, err.msg);
	}
}

static void a_file_that_is_not_there_is_named(void **state)
{
	err = ERR_INIT;
	assert_int_not_equal(kubeconfig_load(&a, "/nonexistent/hook.yaml", &t, &err), 0);
	assert_non_null(strstr(err.msg, "/nonexistent/hook.yaml"));
}

static int release(void **state)
{
	arena_release(&a);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_current_context_counts),
	        cmocka_unit_test(one_cluster_and_no_user_need_no_context),
	        cmocka_unit_test(files_are_relative_to_the_folder),
	        cmocka_unit_test(what_is_not_built_or_missing_is_told),
	        cmocka_unit_test(a_file_that_is_not_there_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, release);
}
