/* Who ends when, and in how much time. */
#include "tests/unit/unit_json.h"

#include "base/check.h"
#include "node/shutdown/plan_int.h"

static struct shutdown_plan plan;

static void plan_of(const char *tree)
{
	struct err err = ERR_INIT;
	if (shutdown_plan_read(parse(tree), &plan, &err) != 0)
		fail_msg("%s", err.msg);
}

static void nothing_is_asked_for(void **state)
{
	plan_of("{\"shutdownGracePeriod\":\"0s\",\"shutdownGracePeriodCriticalPods\":\"0s\"}");
	assert_int_equal(plan.count, 0);
}

static void critical_pods_have_the_last_part(void **state)
{
	plan_of("{\"shutdownGracePeriod\":\"30s\",\"shutdownGracePeriodCriticalPods\":\"10s\"}");
	assert_int_equal(plan.count, 2);
	assert_int_equal(shutdown_plan_total_s(&plan), 30);
	assert_int_equal(plan.groups[0].grace_s, 20);
	assert_int_equal(plan.groups[1].grace_s, 10);
	assert_int_equal(shutdown_plan_group(&plan, 0), 0);
	assert_int_equal(shutdown_plan_group(&plan, -5), 0);
	assert_int_equal(shutdown_plan_group(&plan, 1999999999), 0);
	assert_int_equal(shutdown_plan_group(&plan, 2000000000), 1);
	assert_int_equal(shutdown_plan_group(&plan, 2000001000), 1);
}

static void groups_are_by_priority(void **state)
{
	plan_of("{\"shutdownGracePeriodByPodPriority\":[{\"priority\":1000,\"shutdownGracePeriodSeconds\":5},"
	        "{\"priority\":-10,\"shutdownGracePeriodSeconds\":50}]}");
	assert_int_equal(plan.groups[0].priority, -10);
	assert_int_equal(shutdown_plan_group(&plan, 999), 0);
	assert_int_equal(shutdown_plan_group(&plan, -11), 0);
	assert_int_equal(shutdown_plan_group(&plan, 1000), 1);
	assert_int_equal(shutdown_plan_total_s(&plan), 55);
}

static void a_pod_has_no_more_than_it_asks_for(void **state)
{
	struct shutdown_group g = {0, 20}, none = {0, 0};
	assert_int_equal(shutdown_plan_grace_s(&g, parse("{}")), 20);
	assert_int_equal(shutdown_plan_grace_s(&g, parse("{\"terminationGracePeriodSeconds\":3}")), 3);
	assert_int_equal(shutdown_plan_grace_s(&g, parse("{\"terminationGracePeriodSeconds\":0}")), 1);
	assert_int_equal(shutdown_plan_grace_s(&none, parse("{}")), 1);
}

static void nonsense_is_told(void **state)
{
	static const char *const broken[] = {"[{\"priority\":1}]", "[{\"shutdownGracePeriodSeconds\":1}]",
	        "[{\"priority\":1,\"shutdownGracePeriodSeconds\":-1}]",
	        "[{\"priority\":1,\"shutdownGracePeriodSeconds\":1},{\"priority\":1,\"shutdownGracePeriodSeconds\":2}"
	        "]"};
	for (size_t i = 0; i < COUNT_OF(broken); i++) {
		struct err err = ERR_INIT;
		struct json *tree = json_new(&a, JSON_OBJECT);
		json_set(&a, tree, "shutdownGracePeriodByPodPriority", parse(broken[i]));
		assert_int_equal(shutdown_plan_read(tree, &plan, &err), ERR_INVAL);
		assert_non_null(strstr(err.msg, "shutdownGracePeriodByPodPriority"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(nothing_is_asked_for, release),
	        cmocka_unit_test_teardown(critical_pods_have_the_last_part, release),
	        cmocka_unit_test_teardown(groups_are_by_priority, release),
	        cmocka_unit_test_teardown(a_pod_has_no_more_than_it_asks_for, release),
	        cmocka_unit_test_teardown(nonsense_is_told, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
