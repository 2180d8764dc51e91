/* Sets of fields: order, operations, paths. */
#include "tests/unit/api/machinery/fields/unit_fields.h"

#include "base/clock.h"

#define A "{'f:a':{},'f:b':{'.':{},'f:c':{},'f:d':{}}}"
#define B "{'f:b':{'f:c':{},'f:e':{}},'f:z':{}}"

static void operations_go_path_by_path(void **state)
{
	struct field_set *x = set_of(A), *y = set_of(B);
	assert_set(field_set_union(&a, x, y), "{'f:a':{},'f:b':{'.':{},'f:c':{},'f:d':{},'f:e':{}},'f:z':{}}");
	assert_set(field_set_intersection(&a, x, y), "{'f:b':{'f:c':{}}}");
	assert_set(field_set_difference(&a, x, y), "{'f:a':{},'f:b':{'.':{},'f:d':{}}}");
	assert_set(field_set_difference(&a, y, x), "{'f:b':{'f:e':{}},'f:z':{}}");
	assert_set(x, A);
	assert_set(y, B);
	assert_true(field_set_is_empty(field_set_difference(&a, x, x)));
	assert_true(field_set_equal(field_set_union(&a, x, NULL), x));
	assert_true(field_set_is_empty(field_set_intersection(&a, NULL, x)));
}

/* What is taken away is a path; what lies below it is other paths. */
static void a_member_goes_without_what_lies_below_it(void **state)
{
	assert_set(field_set_difference(&a, set_of("{'f:b':{'.':{},'f:c':{}}}"), set_of("{'f:b':{}}")),
	        "{'f:b':{'f:c':{}}}");
	assert_false(field_set_equal(set_of("{'f:b':{'.':{},'f:c':{}}}"), set_of("{'f:b':{'f:c':{}}}")));
}

static void children_are_found_and_dropped(void **state)
{
	struct field_set *x = set_of(A);
	assert_non_null(field_set_child(x, 'f', SLICE("a")));
	assert_null(field_set_child(x, 'k', SLICE("a")));
	assert_null(field_set_child(NULL, 'f', SLICE("a")));
	field_set_drop(x, 'f', SLICE("b"));
	field_set_drop(x, 'f', SLICE("none"));
	assert_set(x, "{'f:a':{}}");
}

static void note(void *arg, const char *path)
{
	strbuf_addf(arg, "%s ", path);
}

static void paths_are_spelled_as_upstream_does(void **state)
{
	struct strbuf out = STRBUF_INIT;
	field_set_each(set_of("{'f:ports':{'k:{\\'containerPort\\':80,\\'protocol\\':\\'TCP\\'}':{'.':{},'f:name':{}}},"
	                      "'f:set':{'v:\\'x\\'':{}},'f:place':{'i:3':{}}}"),
	        note, &out);
	assert_string_equal(strbuf_cstr(&out), ".place[3] .ports[containerPort=80,protocol=\"TCP\"] "
	                                       ".ports[containerPort=80,protocol=\"TCP\"].name .set[=\"x\"] ");
	strbuf_release(&out);
}

/* A map of 100,000 members: sorted and looked up without a walk for each. */
static void large_sets_take_no_quadratic_time(void **state)
{
	enum { N = 100000 };
	struct field_set set = {0};
	struct field_index index;
	uint64_t started = clock_mono_ms();
	for (unsigned i = 0; i < N; i++) {
		struct field_set child = {.kind = 'f', .is_member = true};
		child.name = slice_of(arena_printf(&a, "%u", i * 7919 % N));
		field_set_push(&a, &set, &child);
	}
	assert_true(field_set_sort(&set));
	field_index_init(&index, &set);
	for (unsigned i = 0; i < N; i++)
		assert_non_null(field_index_get(&index, 'f', slice_of(arena_printf(&a, "%u", i))));
	assert_null(field_index_get(&index, 'f', SLICE("x")));
	assert_null(field_index_get(&index, 'k', SLICE("1")));
	field_index_release(&index);
	assert_true(field_set_equal(field_set_union(&a, &set, &set), &set));
	assert_true(clock_mono_ms() - started < 5000);
}

static void two_of_a_name_are_told(void **state)
{
	struct field_set set = {0}, child = {.kind = 'f', .name = SLICE("x"), .is_member = true};
	field_set_push(&a, &set, &child);
	field_set_push(&a, &set, &(struct field_set){0}); /* empty: not there */
	assert_true(field_set_sort(&set));
	field_set_push(&a, &set, &child);
	assert_false(field_set_sort(&set));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(operations_go_path_by_path, release),
	        cmocka_unit_test_teardown(a_member_goes_without_what_lies_below_it, release),
	        cmocka_unit_test_teardown(children_are_found_and_dropped, release),
	        cmocka_unit_test_teardown(paths_are_spelled_as_upstream_does, release),
	        cmocka_unit_test_teardown(large_sets_take_no_quadratic_time, release),
	        cmocka_unit_test_teardown(two_of_a_name_are_told, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
