/* jepsen/workload: the list, and the helpers that make requests. */
#include "tests/unit/unit.h"

#include "jepsen/workload.h"

static Etcdpb__KeyValue pair(const char *key, const char *value)
{
	Etcdpb__KeyValue kv = ETCDPB__KEY_VALUE__INIT;
	kv.key = client_bytes(key);
	kv.value = client_bytes(value);
	return kv;
}

static void values_are_numbers_or_wrong(void **state)
{
	Etcdpb__KeyValue good = pair("k", "42"), bad = pair("k", "4x"), empty = pair("k", "");
	assert_int_equal(workload_value(&good), 42);
	assert_int_equal(workload_value(&bad), -1);
	assert_int_equal(workload_value(&empty), -1);
	assert_true(workload_value(NULL) == HISTORY_NIL);
}

static void compares_and_operations_say_what_was_meant(void **state)
{
	struct arena a = ARENA_INIT;
	Etcdpb__Compare *mod = workload_compare_mod(&a, "k", 7), *value = workload_compare_value(&a, "k", "v");
	assert_int_equal(mod->target, 2);
	assert_int_equal(mod->result, 0);
	assert_int_equal(mod->mod_revision, 7);
	assert_int_equal(value->target, 3);
	assert_memory_equal(value->value.data, "v", 1);
	assert_int_equal(workload_op_put(&a, "k", "v", 9)->request_put->lease, 9);
	assert_memory_equal(workload_op_get(&a, "k")->request_range->key.data, "k", 1);
	assert_memory_equal(workload_op_delete(&a, "k")->request_delete_range->key.data, "k", 1);
	arena_release(&a);
}

static void workloads_are_whole(void **state)
{
	for (unsigned i = 0; i < workload_count; i++) {
		assert_non_null(workloads[i]->step);
		assert_non_null(workloads[i]->what);
		assert_true(workloads[i]->wants_kube == (strncmp(workloads[i]->name, "api-", 4) == 0));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(workloads[i]->name, workloads[j]->name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(values_are_numbers_or_wrong),
	        cmocka_unit_test(compares_and_operations_say_what_was_meant), cmocka_unit_test(workloads_are_whole)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
