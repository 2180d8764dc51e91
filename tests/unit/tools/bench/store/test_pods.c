/* Tests of the Pods that loads write: JSON of a Pod's size, stable where real ones are and new where they are new. */
#include "tests/unit/unit.h"
#include "tools/bench/store/store.h"

#include "base/json_lib.h"

static void test_each_is_json_within_its_bound(void **state)
{
	for (unsigned object = 0; object < 3000; object += 7) {
		CLEANUP(cleanup_strbuf) struct strbuf pod = STRBUF_INIT;
		struct err err = ERR_INIT;
		load_pod(&pod, object, (uint64_t)object * 1000003);
		assert_in_range(pod.len, 4000, LOAD_POD_MAX);
		json_auto_t *v = json_lib_parse((struct slice){pod.data, pod.len}, &err);
		assert_non_null(v);
		assert_int_equal(
		        json_array_size(json_object_get(json_object_get(v, "status"), "containerStatuses")), 2);
		assert_non_null(json_object_get(v, "spec"));
	}
}

static void test_an_update_differs_in_its_status_alone(void **state)
{
	CLEANUP(cleanup_strbuf) struct strbuf a = STRBUF_INIT, b = STRBUF_INIT;
	load_pod(&a, 5, 1);
	load_pod(&b, 5, 2);
	size_t spec = (size_t)(strstr(a.data, ",\"status\":{\"phase\"") - a.data);
	assert_memory_equal(a.data, b.data, spec);
	assert_string_not_equal(a.data + spec, b.data + spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_each_is_json_within_its_bound),
	        cmocka_unit_test(test_an_update_differs_in_its_status_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
