/* What is left for pods of what the node has. */
#include "tests/unit/unit_json.h"

#include "node/status/capacity_int.h"

static const struct capacity_facts facts = {.cpus = 4,
        .memory_bytes = INT64_C(8) << 30,
        .disk_bytes = INT64_C(100) << 30,
        .pods_max = 110,
        .hugepages = SLICE("hugepages-1Gi 0\nhugepages-2Mi 4194304\n")};

static const char *text(const struct json *v)
{
	struct strbuf b = STRBUF_INIT;
	json_write(&b, v);
	const char *copy = arena_strdup(&a, strbuf_cstr(&b));
	strbuf_release(&b);
	return copy;
}

static void the_capacity_is_what_there_is(void **state)
{
	assert_string_equal(text(node_capacity(&a, &facts)),
	        "{\"cpu\":\"4\",\"memory\":\"8Gi\",\"pods\":\"110\",\"ephemeral-storage\":\"100Gi\",\"hugepages-1Gi\":"
	        "\"0\",\"hugepages-2Mi\":\"4Mi\"}");
}

static void what_is_reserved_is_not_for_pods(void **state)
{
	const char *config =
	        "{\"systemReserved\":{\"cpu\":\"500m\",\"memory\":\"1Gi\"},\"kubeReserved\":{\"cpu\":\"1\","
	        "\"ephemeral-storage\":\"10Gi\"},\"evictionHard\":{\"memory.available\":\"100Mi\","
	        "\"nodefs.available\":\"10%\"}}";
	assert_string_equal(text(node_allocatable(&a, &facts, parse(config))),
	        "{\"cpu\":\"2500m\",\"memory\":\"7064Mi\",\"pods\":\"110\",\"ephemeral-storage\":\"80Gi\",\"hugepages-"
	        "1Gi\":"
	        "\"0\",\"hugepages-2Mi\":\"4Mi\"}");
	assert_int_equal(node_pods_memory_bytes(&facts, parse(config)), (INT64_C(7) << 30) - (4 << 20));
}

static void named_cpus_take_the_place_of_amounts(void **state)
{
	const struct json *o = node_allocatable(
	        &a, &facts, parse("{\"systemReserved\":{\"cpu\":\"500m\"},\"reservedSystemCPUs\":\"0,2-3\"}"));
	assert_true(slice_is(json_get_str(o, "cpu"), "1"));
	o = node_allocatable(&a, &facts, parse("{\"systemReserved\":{\"cpu\":\"40\",\"memory\":\"1Ti\"}}"));
	assert_true(slice_is(json_get_str(o, "cpu"), "0"));
	assert_true(slice_is(json_get_str(o, "memory"), "0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(the_capacity_is_what_there_is, release),
	        cmocka_unit_test_teardown(what_is_reserved_is_not_for_pods, release),
	        cmocka_unit_test_teardown(named_cpus_take_the_place_of_amounts, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
