/* Controller revisions: what they hold, which is the present one, which are too many. */
#include "tests/unit/unit.h"

#include "api/controllers/revisions.h"
#include "base/mem/arena.h"

static struct json *parsed(struct arena *a, const char *text)
{
	struct json *v = json_parse(a, slice_of(text), NULL, NULL);
	assert_non_null(v);
	return v;
}

static void data_bring_the_template_back(void **state)
{
	struct arena a = ARENA_INIT;
	struct json *template = parsed(&a, "{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"x\":1}}");
	struct json *data = revisions_data(&a, template);
	assert_true(json_equal(data,
	        parsed(&a, "{\"spec\":{\"template\":{\"$patch\":\"replace\",\"metadata\":{\"labels\":{\"a\":\"b\"}},"
	                   "\"spec\":{\"x\":1}}}}")));
	assert_true(json_equal(revisions_template(&a, data), template));
	assert_null(revisions_template(&a, parsed(&a, "{}")));
	assert_null(json_get(template, "$patch")); /* what came in is left alone */
	arena_release(&a);
}

static void the_newest_equal_revision_is_found(void **state)
{
	struct arena a = ARENA_INIT;
	struct json *x = parsed(&a, "{\"v\":1}"), *y = parsed(&a, "{\"v\":2}");
	struct revision list[] = {{.meta.name = SLICE("c"), .number = 3, .data = x},
	        {.meta.name = SLICE("a"), .number = 1, .data = x}, {.meta.name = SLICE("b"), .number = 2, .data = y}};
	revisions_sort(list, 3);
	assert_int_equal(list[0].number, 1);
	assert_int_equal(revisions_find(list, 3, parsed(&a, "{\"v\":1}"))->number, 3);
	assert_int_equal(revisions_find(list, 3, y)->number, 2);
	assert_null(revisions_find(list, 3, parsed(&a, "{\"v\":9}")));
	assert_int_equal(revisions_next(list, 3), 4);
	assert_int_equal(revisions_next(NULL, 0), 1);
	arena_release(&a);
}

static void the_oldest_that_nothing_names_go(void **state)
{
	struct revision list[] = {
	        {.number = 1, .is_live = true}, {.number = 2}, {.number = 3}, {.number = 4}, {.number = 5}};
	assert_int_equal(revisions_excess(list, 5, &list[4], 1), 2);
	assert_false(list[0].is_doomed); /* pods name it */
	assert_true(list[1].is_doomed);
	assert_true(list[2].is_doomed);
	assert_false(list[3].is_doomed);
	assert_false(list[4].is_doomed);
	assert_int_equal(revisions_excess(list, 5, &list[4], 10), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(data_bring_the_template_back),
	        cmocka_unit_test(the_newest_equal_revision_is_found),
	        cmocka_unit_test(the_oldest_that_nothing_names_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
