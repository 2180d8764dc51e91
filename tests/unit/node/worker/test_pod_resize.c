/* How a container takes other resources. */
#include "tests/unit/unit_json.h"

#include "base/check.h"
#include "node/worker/pod_resize_int.h"

#define POLICY(cpu, memory) \
	",\"resizePolicy\":[{\"resourceName\":\"cpu\",\"restartPolicy\":\"" cpu \
	"\"},{\"resourceName\":\"memory\",\"restartPolicy\":\"" memory "\"}]"
#define RESOURCES(cpu, memory) "{\"requests\":{\"cpu\":\"" cpu "\",\"memory\":\"" memory "\"}}"

static enum resize_way way(const char *policy, const char *resources, const char *told)
{
	return resize_way_of(
	        parse(arena_printf(&a, "{\"resources\":%s%s}", resources, policy)), told ? parse(told) : NULL);
}

static void what_is_the_same_is_nothing(void **state)
{
	assert_int_equal(way("", RESOURCES("1", "1Gi"), RESOURCES("1000m", "1024Mi")), RESIZE_NOTHING);
	assert_int_equal(way("", "{}", "{}"), RESIZE_NOTHING);
	assert_int_equal(way("", RESOURCES("1", "1Gi"), NULL), RESIZE_NOTHING); /* it does not run yet */
}

static void a_change_goes_by_the_policy_of_what_changed(void **state)
{
	static const char both[] = RESOURCES("1", "1Gi"), cpu[] = RESOURCES("2", "1Gi"),
	                  memory[] = RESOURCES("1", "2Gi");
	assert_int_equal(way("", both, cpu), RESIZE_IN_PLACE);
	assert_int_equal(way(POLICY("NotRequired", "RestartContainer"), both, cpu), RESIZE_IN_PLACE);
	assert_int_equal(way(POLICY("NotRequired", "RestartContainer"), both, memory), RESIZE_BY_RESTART);
	assert_int_equal(
	        way(POLICY("RestartContainer", "NotRequired"), both, RESOURCES("2", "2Gi")), RESIZE_BY_RESTART);
	assert_int_equal(
	        way("", "{\"limits\":{\"cpu\":\"1\"}}", "{}"), RESIZE_IN_PLACE); /* a limit where there was none */
}

#define T(name) cmocka_unit_test_teardown(name, release)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(what_is_the_same_is_nothing), T(a_change_goes_by_the_policy_of_what_changed)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
