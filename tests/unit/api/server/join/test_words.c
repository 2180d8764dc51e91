/* What servers say to each other when one joins, and what must fit. */
#include "api/server/join/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct err err;
static const struct join_settings settings = {"10.42.0.0/16", "10.43.0.0/16", "10.43.0.10", "cluster.local",
        "30000-32767", "vxlan", "false", "true", "registry.test:5000", "true", "true"};

static void an_offer_arrives_as_it_was_made(void **state)
{
	struct arena a = ARENA_INIT;
	struct strbuf text = STRBUF_INIT;
	struct join_offer got, o = {.cluster_id = 7,
	                               .protocol = JOIN_PROTOCOL,
	                               .kubernetes = "v1.32.4",
	                               .settings = settings,
	                               .members = {"https://10.0.0.1:2380", "https://10.0.0.2:2380"},
	                               .n_members = 2,
	                               .keys = SLICE("\1\2\3")};
	join_offer_write(&o, &text);
	assert_int_equal(join_offer_parse(&a, strbuf_slice(&text), &got, &err), 0);
	assert_int_equal(got.cluster_id, 7);
	assert_int_equal(got.n_members, 2);
	assert_string_equal(got.members[1], "https://10.0.0.2:2380");
	assert_true(slice_is(got.keys, "\1\2\3"));
	assert_int_equal(join_check_settings(&settings, &got.settings, &err), 0);
	strbuf_release(&text);
	arena_release(&a);
}

static void what_is_missing_is_named(void **state)
{
	static const struct {
		const char *text, *name;
	} rows[] = {
	        {"{\"member\":\"12\",\"name\":\"a\",\"address\":\"b\",\"kubernetes\":\"c\"}", "member"},
	        {"{\"member\":\"0123456789abcdeg\",\"name\":\"a\",\"address\":\"b\",\"kubernetes\":\"c\"}", "member"},
	        {"{\"member\":\"0123456789abcdef\",\"address\":\"b\",\"kubernetes\":\"c\"}", "name"},
	        {"{\"member\":\"0123456789abcdef\",\"name\":\"a\",\"address\":7,\"kubernetes\":\"c\"}", "address"},
	        {"{\"member\":\"0123456789abcdef\",\"name\":\"a\",\"address\":\"b\",\"kubernetes\":\"\"}",
	                "kubernetes"},
	        {"[]", "member"},
	};
	struct arena a = ARENA_INIT;
	struct join_ask ask;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		err = ERR_INIT;
		assert_int_equal(join_ask_parse(&a, slice_of(rows[i].text), &ask, &err), ERR_INVAL);
		assert_non_null(strstr(err.msg, rows[i].name));
	}
	arena_release(&a);
}

static void settings_arrive_as_they_were_made(void **state)
{
	struct arena a = ARENA_INIT;
	struct strbuf text = STRBUF_INIT;
	struct join_config got;
	join_settings_write(&settings, &text);
	assert_int_equal(join_config_parse(&a, strbuf_slice(&text), &got, &err), 0);
	assert_int_equal(join_check_settings(&settings, &got.settings, &err), 0);
	assert_int_equal(join_check_versions(K3X_KUBE_VERSION, got.protocol, got.kubernetes, &err), 0);
	err = ERR_INIT;
	assert_int_equal(join_config_parse(&a, SLICE("{\"kubernetes\":\"v1.32.4\",\"clusterCIDR\":\"x\"}"), &got, &err),
	        ERR_INVAL);
	assert_non_null(strstr(err.msg, "serviceCIDR"));
	strbuf_release(&text);
	arena_release(&a);
}

static void one_that_knows_no_network_policies_has_them_on(void **state)
{
	struct arena a = ARENA_INIT;
	struct join_config got;
	assert_int_equal(
	        join_config_parse(&a,
	                SLICE("{\"protocol\":1,\"kubernetes\":\"v1.32.4\",\"clusterCIDR\":\"10.42.0.0/16\","
	                      "\"serviceCIDR\":\"10.43.0.0/16\",\"clusterDNS\":\"10.43.0.10\","
	                      "\"clusterDomain\":\"c.l\",\"nodePortRange\":\"1-2\",\"flannelBackend\":\"none\"}"),
	                &got, &err),
	        0);
	assert_string_equal(got.settings.no_network_policy, "false");
	arena_release(&a);
}

static void versions_may_be_one_minor_apart(void **state)
{
	assert_int_equal(join_check_versions("v1.32.4", JOIN_PROTOCOL, "v1.33.0", &err), 0);
	assert_int_equal(join_check_versions("v1.32.4", JOIN_PROTOCOL, "v1.31.9", &err), 0);
	assert_int_equal(join_check_versions("v1.32.4", JOIN_PROTOCOL, "v1.34.0", &err), ERR_CONFLICT);
	assert_int_equal(join_check_versions("v1.32.4", JOIN_PROTOCOL, "v2.32.4", &err), ERR_CONFLICT);
	assert_int_equal(join_check_versions("v1.32.4", JOIN_PROTOCOL, "x", &err), ERR_CONFLICT);
	assert_int_equal(join_check_versions("v1.32.4", JOIN_PROTOCOL + 1, "v1.32.4", &err), ERR_CONFLICT);
}

static void a_setting_that_differs_is_named_by_its_flag(void **state)
{
	struct join_settings other = settings;
	other.service_cidr = "10.99.0.0/16";
	assert_int_equal(join_check_settings(&other, &settings, &err), ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "--service-cidr is 10.99.0.0/16 here"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(an_offer_arrives_as_it_was_made),
	        cmocka_unit_test(settings_arrive_as_they_were_made),
	        cmocka_unit_test(what_is_missing_is_named),
	        cmocka_unit_test(one_that_knows_no_network_policies_has_them_on),
	        cmocka_unit_test(versions_may_be_one_minor_apart),
	        cmocka_unit_test(a_setting_that_differs_is_named_by_its_flag),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
