/* Checks that many kinds share: choices, amounts, conditions, and what Go would print. */
#include "tests/unit/unit_json.h"

#include "api/machinery/rules/checks_value.h"
#include "base/check.h"

static struct field_errors *errors(void)
{
	struct field_errors *e = ARENA_NEW(&a, struct field_errors);
	field_errors_init(e, &a);
	return e;
}

static const char *first(const struct field_errors *e)
{
	return e->count ? e->items[0].message : "";
}

static void nothing_is_no_choice(void **state)
{
	struct field_errors *e = errors();
	check_supported(e, "f", SLICE("A"), "A,B");
	assert_int_equal(e->count, 0);
	check_supported(e, "f", SLICE_NULL, "A,B");
	assert_string_equal(first(e), "Unsupported value: \"\": supported values: \"A\", \"B\"");
}

static void lists_and_texts_end(void **state)
{
	struct field_errors *e = errors();
	check_not_too_many(e, "f", parse("[1,2]"), 2);
	check_not_too_long(e, "f", parse("\"ab\""), 2);
	check_not_too_many(e, "f", NULL, 0);
	assert_int_equal(e->count, 0);
	check_not_too_many(e, "f", parse("[1,2,3]"), 2);
	check_not_too_long(e, "f", parse("\"abc\""), 2);
	assert_string_equal(e->items[0].message, "Too many: 3: must have at most 2 items");
	assert_string_equal(e->items[1].message, "Too long: may not be more than 2 bytes");
}

static void an_amount_is_a_count_or_a_percentage(void **state)
{
	static const struct {
		const char *text;
		int64_t n;
		bool is_count, is_part;
	} cases[] = {{"1", 1, true, true}, {"\"50%\"", 50, true, true}, {"\"101%\"", 101, true, false},
	        {"\"x%\"", 0, false, false}, {"\"%\"", 0, false, false}, {"\"5\"", 0, false, false},
	        {"-1", -1, false, false}};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct field_errors *e = errors();
		struct json *v = parse(cases[i].text);
		assert_int_equal(count_or_percent(v), cases[i].n);
		check_count_or_percent(e, "f", v);
		assert_int_equal(e->count == 0, cases[i].is_count);
		e->count = 0;
		check_count_or_part(e, "f", v);
		assert_int_equal(e->count == 0, cases[i].is_part);
	}
}

#define CONDITION(type, reason) \
	"{\"type\":\"" type \
	"\",\"status\":\"True\",\"lastTransitionTime\":\"2026-01-02T03:04:05Z\",\"reason\":\"" reason "\"}"

static void conditions_are_whole_and_each_there_once(void **state)
{
	struct field_errors *e = errors();
	check_meta_conditions(e, "c", parse("[" CONDITION("A", "Re_a,s:0n") "," CONDITION("B", "R") "]"));
	assert_int_equal(e->count, 0);
	check_meta_conditions(e, "c", parse("[" CONDITION("A", "R:") "," CONDITION("A", "R") ",{\"type\":\"C\"}]"));
	assert_int_equal(e->count, 5);
	assert_string_equal(e->items[0].field, "c[0].reason");
	assert_string_equal(e->items[1].field, "c[1].type");
	assert_string_equal(e->items[1].message, "Duplicate value: \"A\"");
	assert_string_equal(
	        e->items[2].message, "Unsupported value: \"\": supported values: \"False\", \"True\", \"Unknown\"");
	assert_string_equal(e->items[3].field, "c[2].lastTransitionTime");
	assert_string_equal(e->items[4].message, "Required value: must be set");
}

static void selectors_look_as_in_go(void **state)
{
	assert_string_equal(go_map_text(&a, NULL), "map[string]string(nil)");
	assert_string_equal(
	        go_map_text(&a, parse("{\"b\":\"1\",\"a\":\"2\"}")), "map[string]string{\"a\":\"2\", \"b\":\"1\"}");
	assert_string_equal(go_selector_text(&a, NULL), "\"null\"");
	assert_string_equal(
	        go_selector_text(&a, parse("{\"matchExpressions\":[{\"key\":\"k\",\"operator\":\"Exists\"}]}")),
	        "v1.LabelSelector{MatchLabels:map[string]string(nil), MatchExpressions:[]v1.LabelSelectorRequirement{"
	        "v1.LabelSelectorRequirement{Key:\"k\", Operator:\"Exists\", Values:[]string(nil)}}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(nothing_is_no_choice, release),
	        cmocka_unit_test_teardown(lists_and_texts_end, release),
	        cmocka_unit_test_teardown(an_amount_is_a_count_or_a_percentage, release),
	        cmocka_unit_test_teardown(conditions_are_whole_and_each_there_once, release),
	        cmocka_unit_test_teardown(selectors_look_as_in_go, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
