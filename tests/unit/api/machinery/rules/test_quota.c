/* What objects count in quotas, in fractions and suffixes of all kinds, and what must be said. */
#include "api/machinery/rules/quota.h"

#include "tests/unit/unit.h"

static struct arena a;

static int setup(void **state)
{
	a = ARENA_INIT;
	return 0;
}

static int teardown(void **state)
{
	arena_release(&a);
	return 0;
}

static struct json *parse(const char *text)
{
	struct json *v = json_parse(&a, slice_of(text), NULL, NULL);
	assert_non_null(v);
	return v;
}

static struct resource_list usage(const char *plural, const char *object)
{
	return quota_usage(&a, resource_find_preferred(SLICE(""), slice_of(plural)), parse(object), 0);
}

static const char *amount(const struct resource_list *u, const char *name)
{
	char *text = ARENA_ARRAY(&a, char, QUANTITY_TEXT_MAX);
	const struct quantity *q = resource_list_get(u, slice_of(name));
	if (!q)
		return "none";
	quantity_format(q, text);
	return text;
}

#define CONTAINER(name, requests, limits) \
	"{\"name\":\"" name "\",\"resources\":{\"requests\":{" requests "},\"limits\":{" limits "}}}"
#define POD(containers) "{\"spec\":{\"containers\":[" containers "]}}"

static void containers_add_up_whatever_their_suffixes_are(void **state)
{
	struct resource_list u = usage("pods",
	        POD(CONTAINER("a", "\"cpu\":\"0.5\",\"memory\":\"1.5Gi\"", "\"memory\":\"1.5Gi\"") "," CONTAINER(
	                "b", "\"cpu\":\"1500m\",\"memory\":\"512Mi\"", "\"memory\":\"2G\"")));
	assert_string_equal(amount(&u, "requests.cpu"), "2");
	assert_string_equal(amount(&u, "cpu"), "2");
	assert_string_equal(amount(&u, "requests.memory"), "2Gi");
	assert_string_equal(amount(&u, "limits.memory"), "3525989Ki");
	assert_string_equal(amount(&u, "limits.cpu"), "none");
	assert_string_equal(amount(&u, "pods"), "1");
}

/* A tenth has no end in binary: a thousand of them are a hundred, and not a nano more or less. */
static void sums_of_fractions_do_not_drift(void **state)
{
	struct resource_list sum = {.arena = &a};
	for (int i = 0; i < 1000; i++) {
		struct resource_list u = usage("pods", POD(CONTAINER("a", "\"cpu\":\"0.1\",\"memory\":\"0.1Gi\"", "")));
		resource_list_add(&sum, &u);
	}
	assert_string_equal(amount(&sum, "requests.cpu"), "100");
	assert_string_equal(amount(&sum, "requests.memory"), "100Gi"); /* 107374182.4 bytes each */
	struct resource_list hard =
	        resource_list_read(&a, parse("{\"requests.cpu\":\"100\",\"cpu\":\"99.999999999\"}"));
	assert_int_equal(quantity_cmp(resource_list_get(&sum, SLICE("requests.cpu")),
	                         resource_list_get(&hard, SLICE("requests.cpu"))),
	        0);
	assert_true(quantity_cmp(resource_list_get(&sum, SLICE("cpu")), resource_list_get(&hard, SLICE("cpu"))) > 0);
}

static void claims_count_whole_bytes_and_what_they_have_taken(void **state)
{
	static const char class[] = "fast.storageclass.storage.k8s.io/requests.storage";
	struct resource_list u =
	        usage("persistentvolumeclaims", "{\"spec\":{\"storageClassName\":\"fast\",\"resources\":{\"requests\":{"
	                                        "\"storage\":\"1000000000m\"}}}}");
	assert_string_equal(amount(&u, class), "1M");
	u = usage("persistentvolumeclaims",
	        "{\"spec\":{\"storageClassName\":\"fast\",\"resources\":{\"requests\":{\"storage\":\"1.5\"}}}}");
	assert_string_equal(amount(&u, class), "2");
	assert_string_equal(amount(&u, "requests.storage"), "2");
	u = usage("persistentvolumeclaims", "{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"1Gi\"}}},"
	                                    "\"status\":{\"allocatedResources\":{\"storage\":\"2Gi\"}}}");
	assert_string_equal(amount(&u, "requests.storage"), "2Gi");
	u = usage("persistentvolumeclaims", "{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"4Gi\"}}},"
	                                    "\"status\":{\"allocatedResources\":{\"storage\":\"2Gi\"}}}");
	assert_string_equal(amount(&u, "requests.storage"), "4Gi");
}

static void containers_that_say_nothing_are_named_in_order(void **state)
{
	struct resource_list hard =
	        resource_list_read(&a, parse("{\"requests.cpu\":1,\"limits.memory\":1,\"pods\":1}"));
	struct json *pod = parse("{\"spec\":{\"containers\":[" CONTAINER("z", "\"cpu\":1", "") "," CONTAINER(
	        "b", "", "") "],\"initContainers\":[" CONTAINER("a", "", "\"memory\":1") "]}}");
	assert_string_equal(
	        quota_missing(&a, &hard, pod), "must specify limits.memory for: b,z; requests.cpu for: a,b");
	hard = resource_list_read(&a, parse("{\"pods\":1,\"requests.storage\":1}"));
	assert_null(quota_missing(&a, &hard, pod));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(containers_add_up_whatever_their_suffixes_are, setup, teardown),
	        cmocka_unit_test_setup_teardown(sums_of_fractions_do_not_drift, setup, teardown),
	        cmocka_unit_test_setup_teardown(claims_count_whole_bytes_and_what_they_have_taken, setup, teardown),
	        cmocka_unit_test_setup_teardown(containers_that_say_nothing_are_named_in_order, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
