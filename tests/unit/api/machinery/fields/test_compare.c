/* What differs between two objects, and what fields one has. */
#include "tests/unit/api/machinery/fields/unit_fields.h"

#include "api/machinery/fields/compare.h"

static void differs(const char *old, const char *now, const char *added, const char *modified, const char *removed)
{
	struct comparison c;
	compare_objects(&a, row("v1", "Pod")->type, object_of(old), object_of(now), &c);
	assert_set(&c.added, added);
	assert_set(&c.modified, modified);
	assert_set(&c.removed, removed);
	assert_int_equal(
	        comparison_is_empty(&c), !strcmp(added, "{}") && !strcmp(modified, "{}") && !strcmp(removed, "{}"));
}

#define SPEC(x) "{'spec':{" x "}}"
#define F_SPEC(x) "{'f:spec':{" x "}}"
#define KEY "'k:{\\\"name\\\":\\\"a\\\"}'"

static void leaves_are_added_modified_and_removed(void **state)
{
	differs(SPEC("'nodeName':'x'"), SPEC("'nodeName':'x'"), "{}", "{}", "{}");
	differs(SPEC("'nodeName':'x'"), SPEC("'nodeName':'y'"), "{}", F_SPEC("'f:nodeName':{}"), "{}");
	differs(SPEC("'hostname':'x'"), SPEC("'nodeName':'y'"), F_SPEC("'f:nodeName':{}"), "{}",
	        F_SPEC("'f:hostname':{}"));
	differs(SPEC("'priority':1"), SPEC("'priority':1.0"), "{}", "{}", "{}");
	differs(SPEC("'nodeSelector':{'a':'1'}"), SPEC("'nodeSelector':{'a':'1','b':'2'}"), "{}",
	        F_SPEC("'f:nodeSelector':{}"), "{}"); /* atomic */
}

/* With all below it, as upstream's Update entries show; a null was there. */
static void a_container_that_appears_is_named_itself(void **state)
{
	differs("{'metadata':{}}", "{'metadata':{'labels':{'a':'1'}}}", "{'f:metadata':{'f:labels':{'.':{},'f:a':{}}}}",
	        "{}", "{}");
	differs("{'metadata':{'labels':{'a':'1'}}}", "{'metadata':{}}", "{}", "{}",
	        "{'f:metadata':{'f:labels':{'.':{},'f:a':{}}}}");
	differs("{'metadata':{'labels':{'a':'1'}}}", "{'metadata':{'labels':{'b':'1'}}}",
	        "{'f:metadata':{'f:labels':{'f:b':{}}}}", "{}", "{'f:metadata':{'f:labels':{'f:a':{}}}}");
	differs(SPEC("'containers':null"), SPEC("'containers':[{'name':'a'}]"),
	        F_SPEC("'f:containers':{" KEY ":{'.':{},'f:name':{}}}"), "{}", "{}");
	differs(SPEC(""), SPEC("'securityContext':{}"), F_SPEC("'f:securityContext':{}"), "{}", "{}");
}

static void elements_are_met_by_their_keys(void **state)
{
	differs(SPEC("'containers':[{'name':'b'},{'name':'a','image':'1'}]"),
	        SPEC("'containers':[{'name':'a','image':'2'},{'name':'b'}]"), "{}",
	        F_SPEC("'f:containers':{" KEY ":{'f:image':{}}}"), "{}");
	differs("{'metadata':{'finalizers':['a','b']}}", "{'metadata':{'finalizers':['b','c']}}",
	        "{'f:metadata':{'f:finalizers':{'v:\\\"c\\\"':{}}}}", "{}",
	        "{'f:metadata':{'f:finalizers':{'v:\\\"a\\\"':{}}}}");
}

/* Two elements of one name are one value. */
static void repeated_elements_are_compared_together(void **state)
{
	static const char once[] = SPEC("'containers':[{'name':'a','image':'1'}]"),
	                  twice[] = SPEC("'containers':[{'name':'a','image':'1'},{'name':'a','image':'2'}]"),
	                  other[] = SPEC("'containers':[{'name':'a','image':'1'},{'name':'a','image':'3'}]");
	differs(twice, twice, "{}", "{}", "{}");
	differs(twice, other, "{}", F_SPEC("'f:containers':{" KEY ":{}}"), "{}");
	differs(once, twice, F_SPEC("'f:containers':{" KEY ":{}}"), "{}",
	        F_SPEC("'f:containers':{" KEY ":{'.':{},'f:image':{},'f:name':{}}}"));
	differs(twice, once, F_SPEC("'f:containers':{" KEY ":{'.':{},'f:image':{},'f:name':{}}}"), "{}",
	        F_SPEC("'f:containers':{" KEY ":{}}"));
	differs(twice, SPEC("'containers':null"), "{}", "{}", F_SPEC("'f:containers':{" KEY ":{}}"));
	differs(SPEC("'containers':[{'image':'1'}]"), SPEC("'containers':[{'image':'2'}]"), "{}",
	        F_SPEC("'f:containers':{'i:0':{'f:image':{}}}"), "{}"); /* without a name: by its place */
}

static void an_object_has_its_leaves_members_and_elements(void **state)
{
	struct field_set set;
	struct err err = ERR_INIT;
	assert_int_equal(fields_of_object(&a, row("v1", "Pod")->type,
	                         object_of("{'metadata':{'labels':{'x':'1'},'annotations':{}},'spec':{'nodeName':null,"
	                                   "'containers':[{'name':'a','args':['1']}],'tolerations':[],'volumes':[]}}"),
	                         &set, &err),
	        0);
	assert_set(&set, "{'f:metadata':{'f:annotations':{},'f:labels':{'f:x':{}}},'f:spec':{'f:containers':{" KEY
	                 ":{'.':{},'f:args':{},'f:name':{}}},'f:nodeName':{},'f:tolerations':{}}}");
	assert_int_equal(fields_of_object(&a, NULL, object_of("{'a':{'b':1,'c':[1]}}"), &set, &err), 0);
	assert_set(&set, "{'f:a':{'.':{},'f:b':{},'f:c':{}}}");
}

static void what_has_no_name_or_one_twice_is_refused(void **state)
{
	static const char *const cases[][2] = {
	        {SPEC("'containers':[{'name':'a'},{'name':'a'}]"),
	                ".spec.containers: duplicate entries for key [name=\"a\"]"},
	        {SPEC("'containers':[{'image':'a'}]"), ".spec.containers: element 0: associative list with keys has an "
	                                               "element that omits key field \"name\" (and doesn't have "
	                                               "default value)"},
	        {"{'metadata':{'finalizers':['a','a']}}", ".metadata.finalizers: duplicate entries for key [=\"a\"]"},
	        {SPEC("'containers':{}"), ".spec.containers: expected list, got object"},
	        {SPEC("'containers':[{'name':'a','ports':7}]"),
	                ".spec.containers[name=\"a\"].ports: expected list, got number"},
	        {"{'spec':[]}", ".spec: expected map, got array"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct field_set set;
		struct err err = ERR_INIT;
		int rc = fields_of_object(&a, row("v1", "Pod")->type, object_of(cases[i][0]), &set, &err);
		assert_int_equal(rc, ERR_INVAL);
		assert_string_equal(err.msg, cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(leaves_are_added_modified_and_removed, release),
	        cmocka_unit_test_teardown(a_container_that_appears_is_named_itself, release),
	        cmocka_unit_test_teardown(elements_are_met_by_their_keys, release),
	        cmocka_unit_test_teardown(repeated_elements_are_compared_together, release),
	        cmocka_unit_test_teardown(an_object_has_its_leaves_members_and_elements, release),
	        cmocka_unit_test_teardown(what_has_no_name_or_one_twice_is_refused, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
