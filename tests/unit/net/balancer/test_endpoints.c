/* What is read of the EndpointSlices of the `kubernetes` Service. */
#include "net/balancer/endpoints.h"

#include "base/json/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena a;
static const char *list[8];
static size_t n;

static void read_slice(const char *text, size_t max)
{
	n = 0;
	endpoints_of_slice(&a, json_parse(&a, slice_of(text), NULL, NULL), list, max, &n);
}

static void ready_ones_are_taken(void **state)
{
	read_slice("{\"addressType\":\"IPv4\",\"ports\":[{\"name\":\"https\",\"port\":6443}],\"endpoints\":["
	           "{\"addresses\":[\"10.0.0.1\"],\"conditions\":{\"ready\":true}},"
	           "{\"addresses\":[\"10.0.0.2\"],\"conditions\":{\"ready\":false}},"
	           "{\"addresses\":[\"10.0.0.3\",\"10.0.0.4\"]}]}",
	        8);
	assert_int_equal(n, 3);
	assert_string_equal(list[0], "10.0.0.1:6443");
	assert_string_equal(list[1], "10.0.0.3:6443");
	assert_string_equal(list[2], "10.0.0.4:6443");
}

static void ipv6_is_put_in_brackets(void **state)
{
	read_slice(
	        "{\"addressType\":\"IPv6\",\"ports\":[{\"port\":1}],\"endpoints\":[{\"addresses\":[\"fd00::1\"]}]}", 8);
	assert_int_equal(n, 1);
	assert_string_equal(list[0], "[fd00::1]:1");
}

static void what_is_none_is_passed_over(void **state)
{
	static const char *const texts[] = {"{}", "null", "[]", "{\"endpoints\":[{\"addresses\":[\"10.0.0.1\"]}]}",
	        "{\"ports\":[{\"port\":65536}],\"endpoints\":[{\"addresses\":[\"10.0.0.1\"]}]}",
	        "{\"ports\":[{\"port\":1}],\"endpoints\":[{\"addresses\":[3,null,\"\"]},4,{\"addresses\":{}}]}",
	        "{\"ports\":{},\"endpoints\":{}}"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		read_slice(texts[i], 8);
		assert_int_equal(n, 0);
	}
}

static void no_more_than_there_is_room_for(void **state)
{
	read_slice("{\"ports\":[{\"port\":1}],\"endpoints\":[{\"addresses\":[\"a\",\"b\",\"c\"]}]}", 2);
	assert_int_equal(n, 2);
}

static int teardown(void **state)
{
	arena_release(&a);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(ready_ones_are_taken),
	        cmocka_unit_test(ipv6_is_put_in_brackets),
	        cmocka_unit_test(what_is_none_is_passed_over),
	        cmocka_unit_test(no_more_than_there_is_room_for),
	};
	return cmocka_run_group_tests(tests, NULL, teardown);
}
