/* Addresses of a node's network, and names of links. */
#include "tests/unit/unit.h"

#include "node/wasm/network.h"

static void the_range_leaves_out_network_gateway_and_broadcast(void **state)
{
	uint32_t first, last;
	struct err err = ERR_INIT;
	assert_int_equal(wasm_network_range("10.42.3.0/24", &first, &last, &err), 0);
	assert_int_equal(first, 0x0a2a0302);
	assert_int_equal(last, 0x0a2a03fe);
	assert_int_equal(wasm_network_range("10.42.16.0/20", &first, &last, &err), 0);
	assert_int_equal(last - first + 1, 4093);
	assert_int_equal(wasm_network_range("10.0.0.4/30", &first, &last, &err), 0);
	assert_int_equal(first, last);
}

static void what_is_no_network_is_refused(void **state)
{
	static const char *const bad[] = {"", "10.42.0.0", "10.42.0.0/", "10.42.0.0/31", "10.42.0.0/x", "fd00::/64",
	        "10.42.0.0.0.0.0.0.0.0.0/24", "10.42.0.0/4294967320"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		uint32_t first, last;
		struct err err = ERR_INIT;
		assert_int_equal(wasm_network_range(bad[i], &first, &last, &err), ERR_INVAL);
	}
}

static void a_links_name_fits_the_kernel_and_tells_boxes_apart(void **state)
{
	char one[16], other[16];
	wasm_network_link("wasm-1", one);
	wasm_network_link("wasm-2", other);
	assert_true(strlen(one) < 16 && strncmp(one, "kw", 2) == 0);
	assert_string_not_equal(one, other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_range_leaves_out_network_gateway_and_broadcast),
	        cmocka_unit_test(what_is_no_network_is_refused),
	        cmocka_unit_test(a_links_name_fits_the_kernel_and_tells_boxes_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
