/* The kubeconfig that an operator's command speaks by. */
#include "tools/operate/admin.h"

#include "tests/unit/unit.h"

static struct err err;

#define CLUSTER "clusters: [{name: c, cluster: {server: 'https://a:6443', certificate-authority-data: Q0E=}}]\n"
#define CONTEXT "contexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n"

static int read_config(struct admin *m, const char *text)
{
	*m = (struct admin){0};
	err = ERR_INIT;
	return admin_read(m, slice_of(text), "/nonexistent", &err);
}

static void the_current_context_counts(void **state)
{
	struct admin m;
	assert_int_equal(read_config(&m, CLUSTER CONTEXT
	                         "users: [{name: u, user: {client-certificate-data: Q1JU, client-key-data: S0VZ}}]\n"),
	        0);
	assert_string_equal(m.url, "https://a:6443");
	assert_string_equal(m.ca_pem, "CA");
	assert_string_equal(m.certificate_pem, "CRT");
	assert_string_equal(m.key_pem, "KEY");
	assert_null(m.bearer);
	admin_release(&m);
	assert_int_equal(read_config(&m, CLUSTER CONTEXT "users: [{name: u, user: {token: t}}]\n"), 0);
	assert_string_equal(m.bearer, "t");
	admin_release(&m);
}

static void what_is_missing_is_told(void **state)
{
	static const struct {
		const char *text, *told;
	} bad[] = {{"[", "line"}, {"a: b", "not a kubeconfig"}, {CLUSTER CONTEXT, "not a kubeconfig"},
	        {CLUSTER CONTEXT "users: [{name: v, user: {token: t}}]\n", "not a kubeconfig"},
	        {CLUSTER CONTEXT "users: [{name: u, user: {}}]\n", "neither a client certificate"},
	        {CLUSTER CONTEXT "users: [{name: u, user: {client-certificate-data: '!', client-key-data: S0VZ}}]\n",
	                "not base64"},
	        {CLUSTER CONTEXT "users: [{name: u, user: {client-certificate: x.crt, client-key-data: S0VZ}}]\n",
	                "/nonexistent/x.crt"},
	        {"clusters: [{name: c, cluster: {server: 'https://a:6443'}}]\n" CONTEXT
	         "users: [{name: u, user: {token: t}}]\n",
	                "nobody vouches"}};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct admin m;
		assert_int_not_equal(read_config(&m, bad[i].text), 0);
		if (!strstr(err.msg, bad[i].told))
			fail_msg("%s: %s", bad[i].text, err.msg);
		admin_release(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_current_context_counts),
	        cmocka_unit_test(what_is_missing_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
