/* What extenders say of nodes is put together: who is left, what spoke against the others, and points. */
#include "tests/unit/unit.h"

#include "api/scheduler/extenders/extender_opinions.h"

static struct arena arena;
static struct opinions nodes;
static const struct scheduler_extender by = {.url_prefix = "http://h", .weight = 3};

static int setup(void **state)
{
	opinions_init(&nodes, &arena, 4);
	opinions_add(&nodes, SLICE("a"), true, false);
	opinions_add(&nodes, SLICE("b"), true, false);
	opinions_add(&nodes, SLICE("c"), true, false);
	opinions_add(&nodes, SLICE("full"), false, true);
	return 0;
}

static int teardown(void **state)
{
	opinions_release(&nodes);
	arena_release(&arena);
	return 0;
}

static int filter(const char *const *left, size_t n, struct extender_failed *failed, size_t n_failed, struct err *err)
{
	struct slice names[4];
	for (size_t i = 0; i < n; i++)
		names[i] = slice_of(left[i]);
	struct extender_filtered f = {names, n, failed, n_failed};
	return opinions_filter(&nodes, &by, &f, err);
}

static const struct opinion *of(const char *name)
{
	return opinions_find(&nodes, slice_of(name));
}

static void who_is_not_named_is_out(void **state)
{
	struct err err = ERR_INIT;
	const char *first[] = {"a", "c", "a"}, *second[] = {"c"};
	assert_int_equal(nodes.left, 3);
	assert_int_equal(filter(first, 3, NULL, 0, &err), 0);
	assert_int_equal(nodes.left, 2);
	assert_false(of("b")->is_left);
	assert_null(of("b")->why);
	assert_int_equal(filter(second, 1, NULL, 0, &err), 0);
	assert_int_equal(nodes.left, 1);
	assert_true(of("c")->is_left);
	assert_int_equal(filter(NULL, 0, NULL, 0, &err), 0);
	assert_int_equal(nodes.left, 0);
}

static void reasons_say_whether_preemption_may_help(void **state)
{
	struct err err = ERR_INIT;
	const char *left[] = {"c"};
	struct extender_failed failed[] = {{SLICE("a"), "busy", false}, {SLICE("b"), "busy", false},
	        {SLICE("b"), "broken", true}, {SLICE("full"), "not asked", true}, {SLICE("nobody"), "?", false}};
	assert_int_equal(filter(left, 1, failed, COUNT_OF(failed), &err), 0);
	assert_string_equal(of("a")->why, "busy");
	assert_true(of("a")->may_help);
	assert_string_equal(of("b")->why, "broken");
	assert_false(of("b")->may_help);
	assert_null(of("full")->why);
	assert_true(of("full")->may_help);
}

static void a_node_that_it_was_not_asked_about_is_an_error(void **state)
{
	struct err err = ERR_INIT;
	const char *unknown[] = {"a", "z"}, *unfit[] = {"full"};
	assert_int_equal(filter(unknown, 2, NULL, 0, &err), ERR_NOT_FOUND);
	assert_string_equal(err.msg,
	        "extender \"http://h\" claims a filtered node \"z\" which is not found in the input node list");
	assert_int_equal(filter(unfit, 1, NULL, 0, &err), ERR_NOT_FOUND);
	assert_int_equal(nodes.left, 3);
}

static void points_are_weighed_and_added(void **state)
{
	const struct extender_score first[] = {{SLICE("a"), 10}, {SLICE("b"), -2}, {SLICE("z"), 5}, {SLICE("full"), 5}},
	                            second[] = {{SLICE("a"), 1}, {SLICE("b"), INT64_MAX}, {SLICE("c"), INT64_MIN}};
	opinions_score(&nodes, &by, first, COUNT_OF(first));
	assert_int_equal(of("a")->points, 10 * 3 * 10);
	assert_int_equal(of("b")->points, -2 * 3 * 10);
	assert_int_equal(of("full")->points, 0);
	for (int i = 0; i < 100; i++)
		opinions_score(&nodes, &by, second, COUNT_OF(second));
	assert_int_equal(of("a")->points, 300 + 100 * 30);
	assert_true(of("b")->points > INT32_MAX && of("c")->points < INT32_MIN); /* and no overflow */
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(who_is_not_named_is_out),
	        TEST(reasons_say_whether_preemption_may_help),
	        TEST(a_node_that_it_was_not_asked_about_is_an_error),
	        TEST(points_are_weighed_and_added),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
