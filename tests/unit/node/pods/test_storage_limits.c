/* Who holds more than he may, and in which words. */
#include "tests/unit/unit_json.h"

#include "base/check.h"
#include "node/pods/storage_limits_int.h"

#define MI (1 << 20)
#define LIMIT(amount) "\"resources\":{\"limits\":{\"ephemeral-storage\":\"" amount "\"}}"

static const char *excess(const char *spec, int64_t volume, int64_t c, int64_t d)
{
	struct storage_use uses[] = {{true, "v", volume}, {false, "c", c}, {false, "d", d}};
	const char *why = storage_excess(&a, parse(spec), uses, COUNT_OF(uses));
	return why ? why : "";
}

static void a_volume_has_a_size(void **state)
{
	const char *spec = "{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{\"sizeLimit\":\"10Mi\"}}],\"containers\":[{"
	                   "\"name\":\"c\"}]}";
	assert_true(storage_has_limits(parse(spec)));
	assert_string_equal(excess(spec, 10 * MI, 0, 0), "");
	assert_string_equal(
	        excess(spec, 10 * MI + 1, 0, 0), "Usage of EmptyDir volume \"v\" exceeds the limit \"10Mi\". ");
	const char *memory =
	        "{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{\"medium\":\"Memory\",\"sizeLimit\":\"1\"}}]}";
	assert_false(storage_has_limits(parse(memory)));
}

static void a_container_has_its_layer_and_logs(void **state)
{
	const char *spec = "{\"containers\":[{\"name\":\"c\"," LIMIT("10Mi") "},{\"name\":\"d\"}]}";
	assert_true(storage_has_limits(parse(spec)));
	assert_string_equal(
	        excess(spec, 100 * MI, 10 * MI, 100 * MI), ""); /* the other has no limit, so the pod has none */
	assert_string_equal(
	        excess(spec, 0, 11 * MI, 0), "Container c exceeded its local ephemeral storage limit \"10Mi\". ");
}

static void a_pod_has_its_containers_limits_together(void **state)
{
	const char *spec = "{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}],\"containers\":[{\"name\":\"c\"," LIMIT(
	        "10Mi") "},{\"name\":\"d\"," LIMIT("5Mi") "}]}";
	assert_string_equal(excess(spec, 5 * MI, 5 * MI, 5 * MI), "");
	assert_string_equal(excess(spec, 6 * MI, 5 * MI, 5 * MI),
	        "Pod ephemeral local storage usage exceeds the total limit of containers 15Mi. ");
	assert_false(storage_has_limits(parse("{\"containers\":[{\"name\":\"c\"}]}")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_volume_has_a_size, release),
	        cmocka_unit_test_teardown(a_container_has_its_layer_and_logs, release),
	        cmocka_unit_test_teardown(a_pod_has_its_containers_limits_together, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
