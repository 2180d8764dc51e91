/* The table of methods: every path once, each with a handler or a stream and a message. */
#include "store/etcd/serve/method.h"
#include "tests/unit/unit.h"

static void test_every_path_leads_to_its_method(void **state)
{
	size_t n;
	const struct etcd_method *m = etcd_methods(&n);
	for (size_t i = 0; i < n; i++) {
		assert_true(!m[i].handler != !m[i].open);
		assert_non_null(m[i].request);
		if (m[i].path[0])
			assert_ptr_equal(etcd_method_find(slice_of(m[i].path)), &m[i]);
		if (m[i].json_path)
			assert_ptr_equal(etcd_method_find_json(slice_of(m[i].json_path)), &m[i]);
	}
	assert_null(etcd_method_find(SLICE("")));
	assert_null(etcd_method_find_json(SLICE("/v3/kv/range/")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_path_leads_to_its_method)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
