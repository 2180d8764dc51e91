/* Label and field selectors: meaning, errors, and that matching a text and matching a tree are one. */
#include "tests/unit/unit_json.h"

#include "api/machinery/schema/selector.h"

static bool matches(const char *selector, const char *labels)
{
	struct label_selector s;
	struct err err = ERR_INIT;
	if (label_selector_parse(&a, slice_of(selector), &s, &err) != 0)
		fail_msg("%s: %s", selector, err.msg);
	bool by_text = label_selector_matches(&s, labels ? slice_of(labels) : SLICE_NULL);
	bool by_tree = label_selector_matches_tree(&s, labels ? parse(labels) : NULL);
	assert_int_equal(by_text, by_tree);
	return by_text;
}

static void each_operator_means_what_upstream_says(void **state)
{
	const char *labels = "{\"app\":\"web\",\"n\":\"5\",\"empty\":\"\",\"example.com/x\":\"y\"}";
	static const char *const yes[] = {"", "app=web", "app==web", " app = web ", "app!=db", "none!=x",
	        "app in (web)", "app in (db, web)", "app notin (db)", "none notin (x)", "app", "!none", "n>4", "n<6",
	        "empty=", "empty", "example.com/x=y", "app=web,n=5,!none", "empty in ()"};
	static const char *const no[] = {"app=db", "app!=web", "none=x", "none=", "app in (db)", "none in (x)",
	        "app notin (web,db)", "none", "!app", "n>5", "n<5", "app>1", "none>1", "app=web,none", "empty=x"};
	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
		if (!matches(yes[i], labels))
			fail_msg("\"%s\" does not match", yes[i]);
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		if (matches(no[i], labels))
			fail_msg("\"%s\" matches", no[i]);
	assert_true(matches("!x", NULL) && matches("x!=y", NULL) && !matches("x", NULL));
}

static void broken_selectors_name_what_is_wrong(void **state)
{
	static const char *const bad[] = {"a in b", "a in (b", "a in", "=a", "a=b=c", "a b", ",", "a,,b", "!", "!a=b",
	        "a notin", "-a", "a/b/c", "a=-", "a>x", "a=b,"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct label_selector s;
		struct err err = ERR_INIT;
		if (label_selector_parse(&a, slice_of(bad[i]), &s, &err) == 0)
			fail_msg("\"%s\" is taken", bad[i]);
		assert_int_equal(err.code, ERR_INVAL);
		assert_true(err.msg[0] != 0);
	}
}

static void a_selector_object_matches_like_its_text(void **state)
{
	struct label_selector s;
	bool nothing;
	struct json *v = json_parse(&a,
	        SLICE("{\"matchLabels\":{\"app\":\"web\"},\"matchExpressions\":[{\"key\":\"tier\",\"operator\":\"In\","
	              "\"values\":[\"a\",\"b\"]},"
	              "{\"key\":\"x\",\"operator\":\"DoesNotExist\"},{\"key\":\"y\",\"operator\":\"Exists\"},{\"key\":"
	              "\"z\",\"operator\":\"NotIn\",\"values\":[\"q\"]}]}"),
	        NULL, NULL);
	assert_int_equal(label_selector_from_json(&a, v, &s, &nothing, NULL), 0);
	assert_false(nothing);
	assert_true(label_selector_matches(&s, SLICE("{\"app\":\"web\",\"tier\":\"b\",\"y\":\"\"}")));
	assert_false(label_selector_matches(&s, SLICE("{\"app\":\"web\",\"tier\":\"b\",\"y\":\"\",\"x\":\"1\"}")));
	assert_false(label_selector_matches(&s, SLICE("{\"app\":\"web\",\"tier\":\"b\",\"y\":\"\",\"z\":\"q\"}")));
	assert_int_equal(label_selector_from_json(&a, NULL, &s, &nothing, NULL), 0);
	assert_true(nothing);
	assert_int_equal(label_selector_from_json(&a, json_new(&a, JSON_OBJECT), &s, &nothing, NULL), 0);
	assert_false(nothing);
	assert_true(label_selector_matches(&s, SLICE("{}")));
}

static void field_selectors_know_equality_and_escapes(void **state)
{
	struct field_selector s;
	assert_int_equal(
	        field_selector_parse(&a, SLICE("metadata.name=a\\,b\\=c,status.phase!=Running,x==y"), &s, NULL), 0);
	assert_int_equal(s.count, 3);
	assert_true(slice_is(s.requirements[0].value, "a,b=c") && !s.requirements[0].negated);
	assert_true(slice_is(s.requirements[1].field, "status.phase") && s.requirements[1].negated);
	assert_true(slice_is(s.requirements[2].value, "y"));
	assert_int_equal(field_selector_parse(&a, SLICE(""), &s, NULL), 0);
	assert_int_equal(s.count, 0);
	assert_int_not_equal(field_selector_parse(&a, SLICE("a"), &s, NULL), 0);
	assert_int_not_equal(field_selector_parse(&a, SLICE("a in (b)"), &s, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(each_operator_means_what_upstream_says, release),
	        cmocka_unit_test_teardown(broken_selectors_name_what_is_wrong, release),
	        cmocka_unit_test_teardown(a_selector_object_matches_like_its_text, release),
	        cmocka_unit_test_teardown(field_selectors_know_equality_and_escapes, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
