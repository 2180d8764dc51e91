/* What stays behind when a cluster moves, and k3s's passwords. */
#include "tools/moving/k3s_rules.h"

#include "tests/unit/unit.h"

static void what_servers_make_anew_stays_behind(void **state)
{
	assert_string_equal(k3s_why_left(SLICE("/registry/events/default/x")), "events run out");
	assert_string_equal(k3s_why_left(SLICE("/registry/masterleases/10.0.0.1")), "made anew");
	assert_string_equal(k3s_why_left(SLICE("/registry/k3x/service-ips/10.43.0.1")), "k3x's own");
	assert_string_equal(k3s_why_left(SLICE("/bootstrap/0123")), "k3s's own");
	assert_string_equal(k3s_why_left(SLICE("compact_rev_key")), "k3s's own");
	assert_null(k3s_why_left(SLICE("/registry/services/endpoints/default/web")));
	assert_null(k3s_why_left(SLICE("/registry/leases/default/x")));
	assert_null(k3s_why_left(SLICE("/registry/apiregistration.k8s.io/apiservices/v1beta1.metrics.k8s.io")));
}

static bool packaged(const char *text)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct json *object = json_parse(&a, slice_of(text), NULL, &err);
	assert_non_null(object);
	bool is = k3s_is_packaged(object);
	arena_release(&a);
	return is;
}

static void add_ons_stay_behind(void **state)
{
	assert_true(packaged("{\"kind\":\"Addon\",\"metadata\":{\"name\":\"coredns\"}}"));
	assert_true(packaged("{\"kind\":\"Deployment\",\"metadata\":{\"name\":\"x\",\"annotations\":"
	                     "{\"objectset.rio.cattle.io/owner-name\":\"metrics-server\"}}}"));
	assert_false(packaged("{\"kind\":\"Addon\",\"metadata\":{\"name\":\"mine\"}}"));
	assert_false(packaged("{\"kind\":\"Deployment\",\"metadata\":{\"name\":\"coredns\"}}"));
	assert_false(packaged("[]"));
}

static void k3s_knows_its_token_by_its_passwords(void **state)
{
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct slice full =
	        SLICE("K10aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa::server:secret\n");
	assert_int_equal(k3s_passwd(&b, full, SLICE_NULL, &err), 0);
	assert_string_equal(strbuf_cstr(&b), "secret,node,node,k3s:agent\nsecret,server,server,k3s:server\n");
	strbuf_reset(&b);
	assert_int_equal(k3s_passwd(&b, SLICE("se,c\"ret"), SLICE("other"), &err), 0);
	assert_string_equal(strbuf_cstr(&b), "other,node,node,k3s:agent\n\"se,c\"\"ret\",server,server,k3s:server\n");
	assert_int_equal(k3s_passwd(&b, SLICE("K10short::server:secret"), SLICE_NULL, &err), ERR_INVAL);
	strbuf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_servers_make_anew_stays_behind),
	        cmocka_unit_test(add_ons_stay_behind),
	        cmocka_unit_test(k3s_knows_its_token_by_its_passwords),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
