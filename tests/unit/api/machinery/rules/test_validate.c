/* Validation: the field that is wrong is the field that is named. */
#include "tests/unit/unit.h"

#include "api/machinery/rules/defaults.h"
#include "api/machinery/rules/validate.h"

static struct arena a;

static int release(void **state)
{
	arena_release(&a);
	return 0;
}

/* The first error's field, NULL when there is none. */
static const char *first_field(const char *group, const char *version, const char *plural, const char *text)
{
	const struct resource *r = resource_find(slice_of(group), slice_of(version), slice_of(plural));
	struct err err = ERR_INIT;
	struct json *v = json_parse(&a, slice_of(text), NULL, &err);
	struct field_errors *errors = ARENA_NEW(&a, struct field_errors);
	if (!v)
		fail_msg("%s: %s", text, err.msg);
	defaults_apply(&a, r, v);
	field_errors_init(errors, &a);
	validate_object(errors, r, v, NULL, "");
	for (size_t i = 0; i < errors->count; i++)
		assert_true(errors->items[i].message[0] && errors->items[i].reason[0]);
	return errors->count ? errors->items[0].field : NULL;
}

static void assert_field(const char *got, const char *want, const char *text)
{
	if (!got || strcmp(got, want) != 0)
		fail_msg("%s: field %s, want %s", text, got ? got : "(no error)", want);
}

static void names_and_labels_follow_their_rules(void **state)
{
	static const char *const cases[][2] = {
	        {"{\"metadata\":{\"namespace\":\"d\"}}", "metadata.name"},
	        {"{\"metadata\":{\"name\":\"A\",\"namespace\":\"d\"}}", "metadata.name"},
	        {"{\"metadata\":{\"name\":\"a_b\",\"namespace\":\"d\"}}", "metadata.name"},
	        {"{\"metadata\":{\"name\":\"-a\",\"namespace\":\"d\"}}", "metadata.name"},
	        {"{\"metadata\":{\"name\":\"a\",\"namespace\":\"d\",\"labels\":{\"a b\":\"x\"}}}", "metadata.labels"},
	        {"{\"metadata\":{\"name\":\"a\",\"namespace\":\"d\",\"labels\":{\"a\":\"-x\"}}}", "metadata.labels"},
	        {"{\"metadata\":{\"name\":\"a\",\"namespace\":\"d\",\"annotations\":{\"a b\":\"x\"}}}",
	                "metadata.annotations"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_field(first_field("", "v1", "configmaps", cases[i][0]), cases[i][1], cases[i][0]);
	assert_null(first_field("", "v1", "configmaps",
	        "{\"metadata\":{\"name\":\"a.b-c\",\"namespace\":\"d\",\"labels\":{\"x.y/z_1\":\"A.b\"}}}"));
	assert_null(validate_dns1123_label(SLICE("a-1")));
	assert_non_null(validate_dns1123_label(SLICE("a.b")));
	assert_null(validate_dns1123_subdomain(SLICE("a.b")));
	assert_non_null(validate_dns1123_subdomain(SLICE("a..b")));
}

#define POD(spec) "{\"metadata\":{\"name\":\"p\",\"namespace\":\"d\"},\"spec\":{" spec "}}"

static void pods_name_the_field_that_is_wrong(void **state)
{
	static const char *const cases[][2] = {
	        {POD("\"containers\":[]"), "spec.containers"},
	        {POD("\"containers\":[{\"image\":\"i\"}]"), "spec.containers[0].name"},
	        {POD("\"containers\":[{\"name\":\"c\"}]"), "spec.containers[0].image"},
	        {POD("\"containers\":[{\"name\":\"C\",\"image\":\"i\"}]"), "spec.containers[0].name"},
	        {POD("\"restartPolicy\":\"No\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]"),
	                "spec.restartPolicy"},
	        {POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"ports\":[{\"containerPort\":70000}]}]"),
	                "spec.containers[0].ports[0].containerPort"},
	        {POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":"
	             "\"/x\"}]}]"),
	                "spec.containers[0].volumeMounts[0].name"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_field(first_field("", "v1", "pods", cases[i][0]), cases[i][1], cases[i][0]);
	assert_null(first_field("", "v1", "pods", POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]")));
}

static void a_selector_must_match_its_template(void **state)
{
	static const char text[] = "{\"metadata\":{\"name\":\"d\",\"namespace\":\"d\"},\"spec\":{\"selector\":{"
	                           "\"matchLabels\":{\"a\":\"b\"}},"
	                           "\"template\":{\"metadata\":{\"labels\":{\"a\":\"c\"}},\"spec\":{\"containers\":[{"
	                           "\"name\":\"c\",\"image\":\"i\"}]}}}}";
	assert_field(first_field("apps", "v1", "deployments", text), "spec.template.metadata.labels", text);
}

static void errors_beyond_the_limit_are_counted_only(void **state)
{
	struct field_errors *errors = ARENA_NEW(&a, struct field_errors);
	field_errors_init(errors, &a);
	for (int i = 0; i < FIELD_ERRORS_MAX + 5; i++)
		field_error_add(errors, "FieldValueInvalid", "f", "Invalid value: %d", i);
	assert_int_equal(errors->count, FIELD_ERRORS_MAX);
	assert_int_equal(errors->dropped, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(names_and_labels_follow_their_rules, release),
	        cmocka_unit_test_teardown(pods_name_the_field_that_is_wrong, release),
	        cmocka_unit_test_teardown(a_selector_must_match_its_template, release),
	        cmocka_unit_test_teardown(errors_beyond_the_limit_are_counted_only, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
