/* Whom a critical pod takes the place of: classes, distances, ties. */
#include "tests/unit/unit_json.h"

#include "node/worker/pod_preempt_int.h"

static struct admit_other others[8];
static size_t count;

static int setup(void **state)
{
	count = 0;
	return 0;
}

static void add(const char *requests, const char *limits)
{
	others[count++] = (struct admit_other){
	        .spec = parse(arena_printf(&a, "{\"containers\":[{\"resources\":{\"requests\":{%s},\"limits\":{%s}}}]}",
	                requests, limits))};
}

#define ASKS(cpu, memory) "\"cpu\":\"" cpu "\",\"memory\":\"" memory "\""
#define BURSTABLE(cpu, memory) add(ASKS(cpu, memory), "")
#define GUARANTEED(cpu, memory) add(ASKS(cpu, memory), ASKS(cpu, memory))
#define BEST_EFFORT() add("", "")

static const char *chosen(int64_t cpu, int64_t memory, int64_t pods)
{
	struct shortage list[3];
	size_t n = 0, victims_count;
	const size_t *victims;
	const char *text = "", *missing;
	if (cpu)
		list[n++] = (struct shortage){SLICE("cpu"), cpu};
	if (memory)
		list[n++] = (struct shortage){SLICE("memory"), memory};
	if (pods)
		list[n++] = (struct shortage){SLICE("pods"), pods};
	if (!pod_preempt_choose(&a, parse("{\"priority\":2000000000,\"containers\":[{}]}"), false, others, count, list,
	            n, &victims, &victims_count, &missing))
		return missing;
	for (size_t i = 0; i < victims_count; i++)
		text = arena_printf(&a, "%s%s%zu", text, i ? " " : "", victims[i]);
	return text;
}

static void lower_classes_go_first(void **state)
{
	GUARANTEED("1", "100");
	BURSTABLE("1", "100");
	BEST_EFFORT();
	assert_string_equal(chosen(1000, 0, 0), "1");
	assert_string_equal(chosen(0, 0, 1), "2");
	assert_string_equal(chosen(2000, 0, 0), "1 0");
	assert_string_equal(chosen(2000, 0, 3), "2 1 0");
	assert_string_equal(
	        chosen(2001, 0, 0), "no set of running pods found to reclaim resources: [(res: cpu, q: 1)]");
}

static void as_few_as_can_be(void **state)
{
	BURSTABLE("200m", "100");
	BURSTABLE("900m", "100");
	BURSTABLE("500m", "100");
	assert_string_equal(chosen(100, 0, 0), "0"); /* all are enough: the one that asks for the least */
	assert_string_equal(chosen(800, 0, 0), "1");
	assert_string_equal(chosen(1000, 0, 0), "0 1"); /* the nearest, then the smallest that fills the rest */
}

static void each_resource_weighs_the_same(void **state)
{
	BURSTABLE("1", "1");
	BURSTABLE("1m", "1000");
	BURSTABLE("900m", "900");
	assert_string_equal(chosen(900, 900, 0), "2");
	assert_string_equal(chosen(1000, 1000, 0), "0 1 2"); /* 2 comes nearest, and leaves some of both */
}

static void of_equal_ones_the_smaller(void **state)
{
	BURSTABLE("1", "300");
	BURSTABLE("1", "200");
	BURSTABLE("2", "200");
	assert_string_equal(chosen(500, 0, 0), "1");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, release)

int main(void)
{
	const struct CMUnitTest tests[] = {T(lower_classes_go_first), T(as_few_as_can_be),
	        T(each_resource_weighs_the_same), T(of_equal_ones_the_smaller)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
