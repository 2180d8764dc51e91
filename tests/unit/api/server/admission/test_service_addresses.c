/* Which keys of the store a service has a claim to, and which ranges are none. */
#include "tests/unit/unit.h"

#include "api/server/admission/plugins/service_addresses.h"

static void add(void *arg, struct slice key)
{
	struct strbuf *b = arg;
	strbuf_addf(b, "%.*s ", SLICE_FMT(key));
}

static void expect(const char *spec, const char *want)
{
	struct err err = ERR_INIT;
	struct service_allocator *a = service_allocator_new("10.43.0.0/16,fd00:43::/112", 30000, 32767, &err);
	struct arena arena = ARENA_INIT;
	struct strbuf got = STRBUF_INIT;
	assert_non_null(a);
	service_each_claim(a, &arena, json_parse(&arena, slice_of(spec), NULL, NULL), add, &got);
	assert_string_equal(strbuf_cstr(&got), want);
	strbuf_release(&got);
	arena_release(&arena);
	service_allocator_free(a);
}

#define IP SERVICE_IPS_PREFIX
#define PORT NODE_PORTS_PREFIX

static void a_service_claims_its_address_and_ports(void **state)
{
	expect("{\"clusterIP\":\"10.43.0.7\",\"ports\":[{\"nodePort\":30080},{\"port\":1}]}",
	        IP "10.43.0.7 " PORT "30080 ");
	expect("{\"clusterIP\":\"10.43.255.254\",\"healthCheckNodePort\":32000}", IP "10.43.255.254 " PORT "32000 ");
}

static void one_of_two_families_claims_an_address_of_each(void **state)
{
	expect("{\"clusterIP\":\"10.43.0.7\",\"clusterIPs\":[\"10.43.0.7\",\"FD00:43:0::7\"]}",
	        IP "10.43.0.7 " IP "fd00:43::7 ");
	expect("{\"clusterIP\":\"fd00:43::ffff\",\"clusterIPs\":[\"fd00:43::ffff\"]}", IP "fd00:43::ffff ");
}

static void a_port_of_two_protocols_is_claimed_once(void **state)
{
	expect("{\"ports\":[{\"nodePort\":30053,\"protocol\":\"UDP\"},{\"nodePort\":30053,\"protocol\":\"TCP\"}]}",
	        PORT "30053 ");
}

static void what_lies_outside_of_the_ranges_is_no_claim(void **state)
{
	expect("{\"clusterIP\":\"None\",\"ports\":[{\"nodePort\":80}]}", "");
	expect("{\"clusterIP\":\"10.44.0.1\"}", "");
	expect("{\"clusterIP\":\"fd00:43::1:0\"}", "");
	expect("{\"type\":\"ExternalName\"}", "");
	expect("null", "");
}

static void ranges_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = {"", "10.43.0.0", "10.43.0.0/7", "10.43.0.0/29", "fd00::/64", "fd00::/125",
	        "10.43.0/16", "10.43.0.0/16,10.44.0.0/16"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err err = ERR_INIT;
		assert_null(service_allocator_new(bad[i], 30000, 32767, &err));
		assert_int_equal(err.code, ERR_INVAL);
	}
	struct err err = ERR_INIT;
	assert_null(service_allocator_new("10.43.0.0/16", 5, 4, &err));
	assert_int_equal(err.code, ERR_INVAL);
}

static void the_first_address_is_the_clusters_own(void **state)
{
	struct err err = ERR_INIT;
	struct arena arena = ARENA_INIT;
	struct service_allocator *a = service_allocator_new("10.96.0.0/12", 30000, 32767, &err);
	assert_true(slice_is(service_first_ip(a, &arena), "10.96.0.1"));
	service_allocator_free(a);
	a = service_allocator_new("fd00:43::/112,10.96.0.0/12", 30000, 32767, &err);
	assert_true(slice_is(service_first_ip(a, &arena), "fd00:43::1"));
	arena_release(&arena);
	service_allocator_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_service_claims_its_address_and_ports),
	        cmocka_unit_test(one_of_two_families_claims_an_address_of_each),
	        cmocka_unit_test(a_port_of_two_protocols_is_claimed_once),
	        cmocka_unit_test(what_lies_outside_of_the_ranges_is_no_claim),
	        cmocka_unit_test(ranges_that_are_none_are_refused),
	        cmocka_unit_test(the_first_address_is_the_clusters_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
