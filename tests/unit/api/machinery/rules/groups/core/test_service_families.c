/* Families of a service: what is filled in, what is refused, and what an update may change. Upstream:
 * pkg/registry/core/service/storage/rest_test.go, storage_test.go. */
#include "tests/unit/unit.h"

#include "api/machinery/rules/groups/core/service_families.h"

static struct arena a;
static struct field_errors errors;
static const struct service_families v4 = {{IP_V4}, 1}, v6 = {{IP_V6}, 1}, dual = {{IP_V4, IP_V6}, 2},
                                     dual6 = {{IP_V6, IP_V4}, 2};

static struct json *spec_of(const char *text)
{
	struct json *v = json_parse(&a, slice_of(text), NULL, NULL);
	assert_non_null(v);
	return v;
}

static const char *list_of(const struct json *spec, const char *name)
{
	struct strbuf b = STRBUF_INIT;
	JSON_FOREACH (it, json_get(spec, name))
		strbuf_addf(&b, "%s%.*s", b.len ? "," : "", SLICE_FMT(json_str(it)));
	const char *text = arena_strdup(&a, strbuf_cstr(&b));
	strbuf_release(&b);
	return text;
}

/* want: "POLICY FAMILIES", or the beginning of an error. */
static void becomes(const struct service_families *cluster, const char *text, const char *old, const char *want)
{
	struct json *spec = spec_of(text), *before = old ? spec_of(old) : NULL;
	field_errors_init(&errors, &a);
	if (before)
		service_families_carry(&a, spec, before);
	bool is_good = service_families_init(&a, &errors, spec, before, cluster);
	const char *got = is_good ? arena_printf(&a, "%.*s %s", SLICE_FMT(json_get_str(spec, "ipFamilyPolicy")),
	                                    list_of(spec, "ipFamilies"))
	                          : arena_printf(&a, "%s: %s", errors.items[0].field, errors.items[0].message);
	if (strncmp(got, want, strlen(want)) != 0)
		fail_msg("%s (before: %s): \"%s\" instead of \"%s\"", text, old ? old : "-", got, want);
}

static int reset(void **state)
{
	arena_release(&a);
	return 0;
}

static void what_is_left_out_is_of_the_clusters_first_family(void **state)
{
	becomes(&v4, "{}", NULL, "SingleStack IPv4");
	becomes(&v6, "{}", NULL, "SingleStack IPv6");
	becomes(&dual, "{}", NULL, "SingleStack IPv4");
	becomes(&dual6, "{}", NULL, "SingleStack IPv6");
	becomes(&dual, "{\"ipFamilies\":[\"IPv6\"]}", NULL, "SingleStack IPv6");
	becomes(&dual, "{\"type\":\"ExternalName\"}", NULL, " ");
}

static void two_families_come_by_policy_where_the_cluster_has_them(void **state)
{
	becomes(&v4, "{\"ipFamilyPolicy\":\"PreferDualStack\"}", NULL, "PreferDualStack IPv4");
	becomes(&dual, "{\"ipFamilyPolicy\":\"PreferDualStack\"}", NULL, "PreferDualStack IPv4,IPv6");
	becomes(&dual6, "{\"ipFamilyPolicy\":\"RequireDualStack\"}", NULL, "RequireDualStack IPv6,IPv4");
	becomes(&dual, "{\"ipFamilyPolicy\":\"RequireDualStack\",\"ipFamilies\":[\"IPv6\"]}", NULL,
	        "RequireDualStack IPv6,IPv4");
	becomes(&v4, "{\"ipFamilyPolicy\":\"RequireDualStack\"}", NULL,
	        "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for "
	        "dual-stack");
	becomes(&v4, "{\"ipFamilies\":[\"IPv6\"]}", NULL,
	        "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster");
}

static void addresses_say_the_families(void **state)
{
	becomes(&dual, "{\"clusterIP\":\"fd00::5\"}", NULL, "SingleStack IPv6");
	becomes(&dual,
	        "{\"clusterIP\":\"fd00::5\",\"clusterIPs\":[\"fd00::5\",\"10.0.0.5\"],\"ipFamilyPolicy\":"
	        "\"PreferDualStack\"}",
	        NULL, "PreferDualStack IPv6,IPv4");
	becomes(&dual, "{\"clusterIP\":\"fd00::5\",\"clusterIPs\":[\"fd00::5\",\"10.0.0.5\"]}", NULL,
	        "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' "
	        "when "
	        "multiple cluster IPs are specified");
	becomes(&dual, "{\"ipFamilies\":[\"IPv4\",\"IPv6\"]}", NULL,
	        "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' "
	        "when "
	        "multiple IP families are specified");
	becomes(&v4, "{\"clusterIP\":\"fd00::5\"}", NULL,
	        "spec.clusterIPs[0]: Invalid value: []string{\"fd00::5\"}: IPv6 is not configured on this cluster");
}

static void headless_ones_without_a_selector_may_have_any(void **state)
{
	becomes(&v4, "{\"clusterIP\":\"None\"}", NULL, "RequireDualStack IPv4,IPv6");
	becomes(&v6, "{\"clusterIP\":\"None\",\"ipFamilyPolicy\":\"SingleStack\"}", NULL, "SingleStack IPv6");
	becomes(&v4, "{\"clusterIP\":\"None\",\"selector\":{\"a\":\"b\"}}", NULL, "SingleStack IPv4");
	becomes(&dual, "{\"clusterIP\":\"None\",\"selector\":{\"a\":\"b\"},\"ipFamilyPolicy\":\"PreferDualStack\"}",
	        NULL, "PreferDualStack IPv4,IPv6");
}

#define ONE \
	"{\"clusterIP\":\"10.0.0.5\",\"clusterIPs\":[\"10.0.0.5\"],\"ipFamilies\":[\"IPv4\"],\"ipFamilyPolicy\":" \
	"\"SingleStack\"}"
#define TWO \
	"{\"clusterIP\":\"10.0.0.5\",\"clusterIPs\":[\"10.0.0.5\",\"fd00::5\"],\"ipFamilies\":[\"IPv4\",\"IPv6\"]," \
	"\"ipFamilyPolicy\":\"RequireDualStack\"}"

static void a_policy_upgrades_and_downgrades(void **state)
{
	becomes(&dual,
	        "{\"clusterIP\":\"10.0.0.5\",\"clusterIPs\":[\"10.0.0.5\"],\"ipFamilies\":[\"IPv4\"],"
	        "\"ipFamilyPolicy\":"
	        "\"PreferDualStack\"}",
	        ONE, "PreferDualStack IPv4,IPv6");
	becomes(&dual,
	        "{\"clusterIP\":\"10.0.0.5\",\"clusterIPs\":[\"10.0.0.5\",\"fd00::5\"],\"ipFamilies\":[\"IPv4\","
	        "\"IPv6\"],"
	        "\"ipFamilyPolicy\":\"SingleStack\"}",
	        TWO, "SingleStack IPv4");
	becomes(&dual, "{}", ONE, "SingleStack IPv4");
	becomes(&dual, "{\"clusterIP\":\"10.0.0.5\",\"ipFamilies\":[\"IPv4\"]}", TWO,
	        "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": must be 'SingleStack' to release the "
	        "secondary IP "
	        "family");
	becomes(&dual, "{\"clusterIP\":\"10.0.0.5\",\"clusterIPs\":[\"10.0.0.5\"],\"ipFamilies\":[\"IPv4\",\"IPv6\"]}",
	        TWO,
	        "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": must be 'SingleStack' to release the "
	        "secondary "
	        "cluster IP");
}

static void a_cluster_that_got_another_family_changes_nobody(void **state)
{
	static const char preferring[] = "{\"clusterIP\":\"10.0.0.5\",\"clusterIPs\":[\"10.0.0.5\"],\"ipFamilies\":["
	                                 "\"IPv4\"],\"ipFamilyPolicy\":\"PreferDualStack\"}";
	becomes(&dual, preferring, preferring, "PreferDualStack IPv4");
}

static void an_update_keeps_the_addresses_it_leaves_out(void **state)
{
	struct json *spec = spec_of("{\"type\":\"ClusterIP\"}"), *old = spec_of(TWO);
	service_families_carry(&a, spec, old);
	assert_string_equal(list_of(spec, "clusterIPs"), "10.0.0.5,fd00::5");
	assert_true(slice_is(json_get_str(spec, "clusterIP"), "10.0.0.5"));
	spec = spec_of("{\"clusterIP\":\"10.0.0.9\",\"clusterIPs\":[\"10.0.0.5\",\"fd00::5\"]}");
	service_families_carry(&a, spec, old);
	assert_string_equal(list_of(spec, "clusterIPs"), "10.0.0.9");
}

static void is_refused(const char *text, const char *field, const char *part)
{
	field_errors_init(&errors, &a);
	service_families_check(&errors, spec_of(text));
	if (!errors.count || strcmp(errors.items[0].field, field) != 0 || !strstr(errors.items[0].message, part))
		fail_msg("%s: %s: %s", text, errors.count ? errors.items[0].field : "-",
		        errors.count ? errors.items[0].message : "no error");
}

static void what_does_not_fit_together_is_refused(void **state)
{
	is_refused("{\"clusterIP\":\"10.0.0.5\"}", "spec.clusterIPs", "Required value");
	is_refused("{\"clusterIPs\":[\"10.0.0.5\"]}", "spec.clusterIPs",
	        "must be empty when `clusterIP` is not specified");
	is_refused("{\"clusterIP\":\"10.0.0.5\",\"clusterIPs\":[\"10.0.0.6\"]}", "spec.clusterIPs",
	        "first value must match `clusterIP`");
	is_refused("{\"clusterIP\":\"x\",\"clusterIPs\":[\"x\"]}", "spec.clusterIPs[0]", "must be a valid IP address");
	is_refused("{\"clusterIP\":\"None\",\"clusterIPs\":[\"None\",\"10.0.0.5\"]}", "spec.clusterIPs",
	        "'None' must be the first and only value");
	is_refused("{\"clusterIP\":\"10.0.0.5\",\"clusterIPs\":[\"10.0.0.5\",\"10.0.0.6\"]}", "spec.clusterIPs",
	        "may specify no more than one IP for each IP family");
	is_refused("{\"clusterIP\":\"10.0.0.5\",\"clusterIPs\":[\"10.0.0.5\",\"fd00::5\",\"fd00::6\"]}",
	        "spec.clusterIPs", "may only hold up to 2 values");
	is_refused("{\"clusterIP\":\"10.0.0.5\",\"clusterIPs\":[\"10.0.0.5\"],\"ipFamilies\":[\"IPv6\"]}",
	        "spec.clusterIPs[0]", "expected an IPv6 value as indicated by `ipFamilies[0]`");
	is_refused("{\"ipFamilies\":[\"IPv5\"]}", "spec.ipFamilies[0]",
	        "Unsupported value: \"IPv5\": supported values: \"IPv4\", \"IPv6\"");
	is_refused("{\"ipFamilies\":[\"IPv4\",\"IPv4\"]}", "spec.ipFamilies[1]", "Duplicate value: \"IPv4\"");
	is_refused("{\"ipFamilyPolicy\":\"Dual\"}", "spec.ipFamilyPolicy",
	        "supported values: \"PreferDualStack\", \"RequireDualStack\", \"SingleStack\"");
}

static const char *change(const char *from, const char *to)
{
	field_errors_init(&errors, &a);
	service_families_check_change(&errors, spec_of(to), spec_of(from));
	return errors.count ? arena_printf(&a, "%s: %s", errors.items[0].field, errors.items[0].message) : "";
}

static void the_primary_address_stays(void **state)
{
	assert_string_equal(change(ONE, TWO), "");
	assert_string_equal(change(TWO, ONE), "");
	assert_string_equal(change(ONE, "{\"clusterIPs\":[\"10.0.0.9\"],\"ipFamilies\":[\"IPv4\"]}"),
	        "spec.clusterIPs[0]: Invalid value: []string{\"10.0.0.9\"}: may not change once set");
	assert_string_equal(change(ONE, "{\"clusterIPs\":[\"10.0.0.5\"],\"ipFamilies\":[\"IPv6\"]}"),
	        "spec.ipFamilies[0]: Invalid value: []core.IPFamily{\"IPv6\"}: may not change once set");
	assert_non_null(strstr(change(TWO, "{\"clusterIPs\":[\"10.0.0.5\"],\"ipFamilies\":[\"IPv4\",\"IPv6\"]}"),
	        "must be set to 'SingleStack' when releasing the secondary clusterIP"));
	assert_string_equal(change("{\"clusterIPs\":[\"None\"],\"ipFamilies\":[\"IPv4\"]}",
	                            "{\"clusterIPs\":[\"None\"],\"ipFamilies\":[\"IPv6\"]}"),
	        "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(what_is_left_out_is_of_the_clusters_first_family, reset),
	        cmocka_unit_test_teardown(two_families_come_by_policy_where_the_cluster_has_them, reset),
	        cmocka_unit_test_teardown(addresses_say_the_families, reset),
	        cmocka_unit_test_teardown(headless_ones_without_a_selector_may_have_any, reset),
	        cmocka_unit_test_teardown(a_policy_upgrades_and_downgrades, reset),
	        cmocka_unit_test_teardown(a_cluster_that_got_another_family_changes_nobody, reset),
	        cmocka_unit_test_teardown(an_update_keeps_the_addresses_it_leaves_out, reset),
	        cmocka_unit_test_teardown(what_does_not_fit_together_is_refused, reset),
	        cmocka_unit_test_teardown(the_primary_address_stays, reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
