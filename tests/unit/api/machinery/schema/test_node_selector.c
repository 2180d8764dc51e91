/* What a pod's spec says of nodes: terms, selectors, tolerations. */
#include "tests/unit/unit.h"

#include "api/machinery/schema/node_selector.h"
#include "base/mem/arena.h"

#define LABELS SLICE("{\"disk\":\"ssd\",\"cores\":\"8\"}")

static bool term(const char *text)
{
	struct arena a = ARENA_INIT;
	struct json *v = json_parse(&a, slice_of(text), NULL, NULL);
	assert_non_null(v);
	bool matches = node_selector_term_matches(v, SLICE("n1"), LABELS);
	arena_release(&a);
	return matches;
}

static void expressions_must_all_match(void **state)
{
	assert_true(term("{\"matchExpressions\":[{\"key\":\"disk\",\"operator\":\"In\",\"values\":[\"hdd\",\"ssd\"]},"
	                 "{\"key\":\"cores\",\"operator\":\"Gt\",\"values\":[\"7\"]}]}"));
	assert_false(term("{\"matchExpressions\":[{\"key\":\"disk\",\"operator\":\"Exists\"},"
	                  "{\"key\":\"cores\",\"operator\":\"Lt\",\"values\":[\"8\"]}]}"));
	assert_true(term("{\"matchExpressions\":[{\"key\":\"gpu\",\"operator\":\"NotIn\",\"values\":[\"x\"]},"
	                 "{\"key\":\"gpu\",\"operator\":\"DoesNotExist\"}]}"));
	assert_false(term("{\"matchExpressions\":[{\"key\":\"gpu\",\"operator\":\"Gt\",\"values\":[\"1\"]}]}"));
	assert_false(term("{\"matchExpressions\":[{\"key\":\"disk\",\"operator\":\"Gt\",\"values\":[\"1\"]}]}"));
}

static void fields_know_the_name_only(void **state)
{
	assert_true(term("{\"matchFields\":[{\"key\":\"metadata.name\",\"operator\":\"In\",\"values\":[\"n1\"]}]}"));
	assert_false(term("{\"matchFields\":[{\"key\":\"metadata.name\",\"operator\":\"In\",\"values\":[\"n2\"]}]}"));
	assert_false(term("{\"matchFields\":[{\"key\":\"spec.x\",\"operator\":\"In\",\"values\":[\"n1\"]}]}"));
}

static void an_empty_term_matches_nothing(void **state)
{
	assert_false(term("{}"));
	assert_false(term("{\"matchExpressions\":[],\"matchFields\":[]}"));
	assert_false(node_selector_terms_match(NULL, SLICE("n1"), LABELS));
}

static void a_key_longer_than_any_label_is_absent(void **state)
{
	struct arena a = ARENA_INIT;
	char key[600];
	memset(key, 'k', sizeof key - 1);
	key[sizeof key - 1] = 0;
	assert_false(term(arena_printf(&a, "{\"matchExpressions\":[{\"key\":\"%s\",\"operator\":\"Exists\"}]}", key)));
	assert_true(
	        term(arena_printf(&a, "{\"matchExpressions\":[{\"key\":\"%s\",\"operator\":\"DoesNotExist\"}]}", key)));
	arena_release(&a);
}

static void selectors_want_every_label(void **state)
{
	struct arena a = ARENA_INIT;
	struct json *one = json_parse(&a, SLICE("{\"disk\":\"ssd\"}"), NULL, NULL);
	struct json *two = json_parse(&a, SLICE("{\"disk\":\"ssd\",\"gpu\":\"\"}"), NULL, NULL);
	assert_true(node_selector_labels_match(NULL, LABELS));
	assert_true(node_selector_labels_match(one, LABELS));
	assert_false(node_selector_labels_match(two, LABELS));
	assert_false(node_selector_labels_match(one, SLICE_NULL));
	arena_release(&a);
}

static bool covers(const char *toleration)
{
	struct arena a = ARENA_INIT;
	struct json *t = json_parse(&a, slice_of(toleration), NULL, NULL);
	bool v = toleration_covers(t, SLICE("k"), SLICE("v"), SLICE("NoExecute"));
	arena_release(&a);
	return v;
}

static void tolerations_cover_what_they_name(void **state)
{
	assert_true(covers("{\"operator\":\"Exists\"}"));
	assert_true(covers("{\"key\":\"k\",\"operator\":\"Exists\",\"effect\":\"NoExecute\"}"));
	assert_true(covers("{\"key\":\"k\",\"value\":\"v\"}"));
	assert_false(covers("{\"key\":\"k\",\"value\":\"w\"}"));
	assert_false(covers("{\"key\":\"x\",\"operator\":\"Exists\"}"));
	assert_false(covers("{\"key\":\"k\",\"operator\":\"Exists\",\"effect\":\"NoSchedule\"}"));
	assert_false(covers("{\"key\":\"k\",\"operator\":\"Near\",\"value\":\"v\"}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(expressions_must_all_match),
	        cmocka_unit_test(fields_know_the_name_only),
	        cmocka_unit_test(an_empty_term_matches_nothing),
	        cmocka_unit_test(a_key_longer_than_any_label_is_absent),
	        cmocka_unit_test(selectors_want_every_label),
	        cmocka_unit_test(tolerations_cover_what_they_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
