/* Resizing a pod: what of a write counts, and what is refused in which words. */
#include "tests/unit/unit_json.h"

#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/pod/pod_parts_int.h"
#include "base/check.h"

#define CONTAINER(name, resources, more) "{\"name\":\"" name "\",\"image\":\"i\",\"resources\":" resources more "}"
#define RESOURCES(cpu, memory) \
	"{\"requests\":{\"cpu\":\"" cpu "\",\"memory\":\"" memory "\"},\"limits\":{\"cpu\":\"2\",\"memory\":\"2Gi\"}}"
#define POD(containers, more) \
	"{\"metadata\":{\"name\":\"p\",\"labels\":{\"a\":\"b\"}" more "},\"spec\":{\"restartPolicy\":\"Always\"," \
	"\"containers\":[" containers "]},\"status\":{\"phase\":\"Running\",\"qosClass\":\"Burstable\"}}"

static const char before[] = POD(CONTAINER("c", RESOURCES("1", "1Gi"), ""), "");

/* The first error in a line, "" when there is none. */
static const char *errors(const struct json *now, const struct json *old)
{
	struct field_errors e;
	field_errors_init(&e, &a);
	validate_pod_resize(&e, now, old);
	const char *colon = e.count ? strstr(e.items[0].message, ": ") : NULL;
	while (colon && strstr(colon + 2, ": ")) /* behind the reason and the value */
		colon = strstr(colon + 2, ": ");
	return e.count ? arena_printf(&a, "%s: %s", e.items[0].field, colon ? colon + 2 : e.items[0].message) : "";
}

static const char *resized(const char *from, const char *to)
{
	struct json *old = parse(from), *now = parse(to);
	pod_prepare_resize(&a, now, old);
	return errors(now, old);
}

static void only_resources_of_containers_count(void **state)
{
	struct json *old = parse(before),
	            *now = parse("{\"metadata\":{\"name\":\"p\",\"labels\":{\"x\":\"y\"}},\"spec\":{\"nodeName\":\"n\","
	                         "\"containers\":[" CONTAINER("c", RESOURCES("500m", "1Gi"),
	                                 ",\"tty\":true") "]},"
	                                                  "\"status\":{\"phase\":\"Running\"}}");
	pod_prepare_resize(&a, now, old);
	assert_true(slice_is(json_str(json_path(now, "metadata", "labels", "a", NULL)), "b"));
	assert_null(json_path(now, "spec", "nodeName", NULL));
	const struct json *c = json_path(now, "spec", "containers", NULL)->first;
	assert_null(json_get(c, "tty"));
	assert_true(slice_is(json_str(json_path(c, "resources", "requests", "cpu", NULL)), "500m"));
	assert_true(slice_is(json_str(json_path(now, "status", "resize", NULL)), "Proposed"));
	assert_string_equal(errors(now, old), "");
	now = parse(before);
	pod_prepare_resize(&a, now, old);
	assert_null(json_path(now, "status", "resize", NULL));
}

static void what_may_not_be_is_told(void **state)
{
	assert_string_equal(resized(before, POD(CONTAINER("c", RESOURCES("1", "2Gi"), ""), "")), "");
	assert_string_equal(resized(before, POD(CONTAINER("c", RESOURCES("2", "2Gi"), ""), "")),
	        "spec: Pod QOS Class may not change as a result of resizing");
	assert_string_equal(
	        resized(before,
	                POD(CONTAINER("c",
	                            "{\"limits\":{\"memory\":\"2Gi\"},\"requests\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}}",
	                            ""),
	                        "")),
	        "spec.containers[0].resources.limits: resource limits cannot be removed");
	assert_string_equal(
	        resized(before,
	                POD(CONTAINER("c",
	                            "{\"limits\":{\"cpu\":\"2\",\"memory\":\"2Gi\",\"x.y/z\":\"1\"},\"requests\":{"
	                            "\"cpu\":\"1\",\"memory\":\"1Gi\",\"x.y/z\":\"1\"}}",
	                            ""),
	                        "")),
	        "spec: only cpu and memory resources are mutable");
	assert_string_equal(resized(before, POD(CONTAINER("c", RESOURCES("1", "1Gi"),
	                                                ",\"resizePolicy\":[{\"resourceName\":\"cpu\","
	                                                "\"restartPolicy\":\"RestartContainer\"}]"),
	                                            "")),
	        "spec: only cpu and memory resources are mutable");
	static const char mirror[] = POD(
	        CONTAINER("c", RESOURCES("1", "1Gi"), ""), ",\"annotations\":{\"kubernetes.io/config.mirror\":\"x\"}");
	assert_string_equal(resized(mirror, POD(CONTAINER("c", RESOURCES("500m", "1Gi"), ""), "")),
	        ": static pods cannot be resized");
}

static void a_node_that_cannot_is_not_asked(void **state)
{
	struct json *old = parse(before), *now = parse(POD(CONTAINER("c", RESOURCES("500m", "1Gi"), ""), ""));
	json_set(&a, json_get(old, "status"), "containerStatuses",
	        parse("[{\"name\":\"c\",\"state\":{\"running\":{}}}]"));
	pod_prepare_resize(&a, now, old);
	assert_string_equal(errors(now, old), "spec: Pod running on node without support for resize");
	json_set(&a, json_path(old, "status", "containerStatuses", NULL)->first, "resources", parse("{}"));
	assert_string_equal(errors(now, old), "");
}

static const char *policy(const char *list, bool is_init, const char *restart_policy)
{
	struct field_errors e;
	field_errors_init(&e, &a);
	struct json *c = json_new(&a, JSON_OBJECT);
	json_set(&a, c, "resizePolicy", parse(list));
	validate_resize_policy(&e, "c", c, is_init, slice_of(restart_policy));
	return e.count ? e.items[0].field : "";
}

static void policies_are_of_cpu_and_memory(void **state)
{
#define ONE(name, policy) "{\"resourceName\":\"" name "\",\"restartPolicy\":\"" policy "\"}"
	assert_string_equal(
	        policy("[" ONE("cpu", "NotRequired") "," ONE("memory", "RestartContainer") "]", false, "Always"), "");
	assert_string_equal(policy("[" ONE("cpu", "NotRequired") "," ONE("cpu", "NotRequired") "]", false, "Always"),
	        "c.resizePolicy[1]");
	assert_string_equal(
	        policy("[" ONE("disk", "NotRequired") "]", false, "Always"), "c.resizePolicy[0].resourceName");
	assert_string_equal(policy("[" ONE("cpu", "Later") "]", false, "Always"), "c.resizePolicy[0].restartPolicy");
	assert_string_equal(
	        policy("[" ONE("cpu", "RestartContainer") "]", false, "Never"), "c.resizePolicy[0].restartPolicy");
	assert_string_equal(policy("[" ONE("cpu", "NotRequired") "]", true, "Always"), "c.resizePolicy");
}

#define T(name) cmocka_unit_test_teardown(name, release)

int main(void)
{
	const struct CMUnitTest tests[] = {T(only_resources_of_containers_count), T(what_may_not_be_is_told),
	        T(a_node_that_cannot_is_not_asked), T(policies_are_of_cpu_and_memory)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
