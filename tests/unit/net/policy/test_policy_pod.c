/* net/policy/policy_pod: what is kept of a pod. */
#include "tests/unit/unit.h"

#include "net/policy/policy_pod_int.h"

static struct arena a;
static struct rcbuf *packed;
static struct policy_pod p;

static void read_pod(const char *text)
{
	packed = policy_pod_pack(slice_of(text));
	policy_pod_read(&a, packed, &p);
}

static int release(void **state)
{
	rcbuf_unref(packed);
	arena_release(&a);
	return 0;
}

static void what_policies_need_is_kept(void **state)
{
	read_pod("{\"metadata\":{\"creationTimestamp\":\"2026-01-02T03:04:05Z\",\"labels\":{\"a\":\"b\"}},\"spec\":{"
	         "\"nodeName\":\"n\",\"containers\":[{\"name\":\"c\",\"ports\":[{\"name\":\"web\",\"containerPort\":80}"
	         ",{"
	         "\"containerPort\":81},{\"name\":\"dns\",\"containerPort\":53,\"protocol\":\"UDP\"}]}]},\"status\":{"
	         "\"phase\":\"Running\",\"podIP\":\"10.42.0.5\",\"podIPs\":[{\"ip\":\"10.42.0.5\"},{\"ip\":\"fd00::5\"}"
	         "]}}");
	assert_true(slice_is(p.node, "n"));
	assert_true(slice_is(p.created, "2026-01-02T03:04:05Z"));
	assert_true(slice_is(p.labels, "{\"a\":\"b\"}"));
	assert_int_equal(p.addresses_count, 2);
	assert_true(p.addresses[1].is_v6);
	assert_int_equal(p.ports_count, 2);
	assert_true(slice_is(p.ports[1].name, "dns"));
	assert_int_equal(p.ports[1].protocol, POLICY_UDP);
	assert_int_equal(p.ports[1].number, 53);
}

static void one_address_alone_is_enough(void **state)
{
	read_pod("{\"status\":{\"podIP\":\"10.42.0.5\"}}");
	assert_int_equal(p.addresses_count, 1);
}

static void a_sidecars_ports_count_and_an_init_containers_do_not(void **state)
{
	read_pod("{\"spec\":{\"initContainers\":[{\"ports\":[{\"name\":\"a\",\"containerPort\":1}]},{\"restartPolicy\":"
	         "\"Always\",\"ports\":[{\"name\":\"b\",\"containerPort\":2}]}]}}");
	assert_int_equal(p.ports_count, 1);
	assert_true(slice_is(p.ports[0].name, "b"));
}

static void without_an_address_of_its_own(void **state)
{
	static const char *const texts[] = {"{}", "{\"status\":{\"phase\":\"Succeeded\",\"podIP\":\"10.42.0.5\"}}",
	        "{\"status\":{\"phase\":\"Failed\",\"podIP\":\"10.42.0.5\"}}",
	        "{\"spec\":{\"hostNetwork\":true},\"status\":{\"podIP\":\"10.0.0.5\"}}",
	        "{\"status\":{\"podIP\":\"10.42.0.5 ; flush ruleset\"}}", "{\"status\":{\"podIP\":\"10.42.0.0/24\"}}",
	        "[]"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		read_pod(texts[i]);
		assert_int_equal(p.addresses_count, 0);
		assert_int_equal(p.labels.len, 0);
		rcbuf_unref(packed);
	}
	packed = NULL;
}

static void odd_ports_are_left_out(void **state)
{
	read_pod("{\"spec\":{\"containers\":[{\"ports\":[{\"name\":\"a\",\"containerPort\":0},{\"name\":\"b\","
	         "\"containerPort\":65536},{\"name\":\"c\",\"containerPort\":1,\"protocol\":\"GRE\"}]}]}}");
	assert_int_equal(p.ports_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(what_policies_need_is_kept, release),
	        cmocka_unit_test_teardown(one_address_alone_is_enough, release),
	        cmocka_unit_test_teardown(a_sidecars_ports_count_and_an_init_containers_do_not, release),
	        cmocka_unit_test_teardown(without_an_address_of_its_own, release),
	        cmocka_unit_test_teardown(odd_ports_are_left_out, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
