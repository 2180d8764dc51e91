/* When a request for a certificate is over. */
#include "api/controllers/csr.h"

#include "tests/unit/unit.h"

static struct arena a;

enum { T = 1767225600 }; /* 2026-01-01T00:00:00Z */
#define MADE "{\"metadata\":{\"creationTimestamp\":\"2026-01-01T00:00:00Z\"},\"status\":{"
#define AT_ONE "\"status\":\"True\",\"lastUpdateTime\":\"2026-01-01T01:00:00Z\"}"

static int64_t end_of(const char *text)
{
	struct err err = ERR_INIT;
	struct json *v = json_parse(&a, slice_of(text), NULL, &err);
	assert_non_null(v);
	return csr_ends_at(&a, v) - T;
}

static void undecided_ones_stay_a_day_and_decided_ones_an_hour(void **state)
{
	assert_int_equal(end_of(MADE "}}"), 86400);
	assert_int_equal(end_of(MADE "\"conditions\":[{\"type\":\"Denied\"," AT_ONE "]}}"), 7200);
	assert_int_equal(end_of(MADE "\"conditions\":[{\"type\":\"Failed\"," AT_ONE "]}}"), 7200);
	assert_int_equal(end_of(MADE "\"conditions\":[{\"type\":\"Approved\"," AT_ONE "]}}"), 86400);
	assert_int_equal(
	        end_of(MADE "\"certificate\":\"AA==\",\"conditions\":[{\"type\":\"Approved\"," AT_ONE "]}}"), 7200);
	arena_release(&a);
}

static void what_is_said_has_its_times(void **state)
{
	struct json *o = json_new(&a, JSON_OBJECT);
	csr_say(&a, o, "Failed", "R", "m");
	assert_true(csr_has(o, "Failed"));
	assert_false(csr_has(o, "Approved"));
	struct json *c = json_path(o, "status", "conditions", NULL)->first;
	assert_true(json_get_str(c, "lastUpdateTime").len > 0 && json_get_str(c, "lastTransitionTime").len > 0);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(undecided_ones_stay_a_day_and_decided_ones_an_hour),
	        cmocka_unit_test(what_is_said_has_its_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
