/* Where server-side apply meets the annotation of client-side apply. */
#include "tests/unit/api/machinery/fields/unit_fields.h"

#include "api/machinery/fields/last_applied.h"

#define LIVE(applied, data) \
	"{'metadata':{'annotations':{'kubectl.kubernetes.io/last-applied-configuration':'" applied "'}},'data':{" data \
	"}}"
#define APPLIED "{\\'data\\':{\\'a\\':\\'1\\',\\'b\\':\\'2\\'}}"

static size_t left(const char *live, const char *first, const char *second)
{
	struct manager_conflict items[2] = {{NULL, first}, {NULL, second}};
	struct manager_conflicts c = {items, second ? 2 : 1, 2};
	bool all = last_applied_allows(&a, row("v1", "ConfigMap"), object_of(live), &c);
	assert_int_equal(all, c.count == 0);
	return c.count;
}

static void what_is_as_it_was_applied_is_no_conflict(void **state)
{
	assert_int_equal(left(LIVE(APPLIED, "'a':'1','b':'2'"), ".data.a", ".data.b"), 0);
	assert_int_equal(left(LIVE(APPLIED, "'a':'1','b':'9'"), ".data.a", ".data.b"), 1); /* changed since */
	assert_int_equal(left(LIVE(APPLIED, "'a':'1','b':'2','c':'3'"), ".data.c", NULL), 1);
}

static void an_annotation_that_cannot_be_read_allows_nothing(void **state)
{
	struct manager_conflict items[1] = {{NULL, ".data.a"}};
	struct manager_conflicts c = {items, 1, 1};
	static const char *const bad[] = {LIVE("", "'a':'1'"), LIVE("{", "'a':'1'"), LIVE("[]", "'a':'1'"),
	        LIVE("{\\'data\\':7}", "'a':'1'"), "{'data':{'a':'1'}}"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(last_applied_allows(&a, row("v1", "ConfigMap"), object_of(bad[i]), &c));
	assert_int_equal(c.count, 1);
}

static void the_annotation_follows_what_is_applied(void **state)
{
	struct json *object = object_of(LIVE(APPLIED, "'a':'1'"));
	last_applied_set(&a, object,
	        object_of("{'metadata':{'annotations':{'kubectl.kubernetes.io/"
	                  "last-applied-configuration':'x','k':'v'}},'data':{'a':'3'}}"));
	struct slice text = json_str(
	        json_path(object, "metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration", NULL));
	assert_true(slice_is(text, quoted("{'metadata':{'annotations':{'k':'v'}},'data':{'a':'3'}}\n")));
	object = object_of("{'metadata':{}}");
	last_applied_set(&a, object, object_of("{'data':{}}"));
	assert_null(json_path(object, "metadata", "annotations", NULL)); /* who never had it does not get it */
	assert_true(last_applied_is_for(SLICE("kubectl")));
	assert_false(last_applied_is_for(SLICE("kubectl-edit")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(what_is_as_it_was_applied_is_no_conflict, release),
	        cmocka_unit_test_teardown(an_annotation_that_cannot_be_read_allows_nothing, release),
	        cmocka_unit_test_teardown(the_annotation_follows_what_is_applied, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
