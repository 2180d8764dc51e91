/* Where patterns match, and what they take there. */
#include "base/pattern.h"

#include "base/check.h"
#include "tests/unit/unit.h"

static void the_first_place_and_what_is_wanted_most(void **state)
{
	static const struct {
		const char *pattern, *text;
		size_t from;
		int at; /* -1: nowhere */
		size_t len;
	} rows[] = {
	        {"b", "abcb", 0, 1, 1},
	        {"b", "abcb", 2, 3, 1},
	        {"z", "abc", 0, -1, 0},
	        {"a*", "baa", 0, 0, 0},
	        {"a+", "baa", 0, 1, 2},
	        {"a+?", "baa", 0, 1, 1},
	        {"a{1,2}?", "aa", 0, 0, 1},
	        {"foo|foobar", "foobar", 0, 0, 3},
	        {"foobar|foo", "foobar", 0, 0, 6},
	        {"(a|ab)(c|bcd)", "abcd", 0, 0, 4},
	        {"^b", "ab", 1, -1, 0},
	        {"(?m)^b", "a\nb", 1, 2, 1},
	        {"$", "ab", 0, 2, 0},
	        {"\\bb", "ab b", 1, 3, 1},
	        {".", "\u00e9x", 0, 0, 2},
	        {"x*", "", 0, 0, 0},
	        {"(?i)B", "ab", 0, 1, 1},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct arena a = ARENA_INIT;
		struct slice text = slice_of(rows[i].text), found;
		size_t looked;
		const struct pattern *p = pattern_compile(&a, slice_of(rows[i].pattern), NULL);
		bool is_found = pattern_find(p, text, rows[i].from, &found, &looked);
		if (is_found != (rows[i].at >= 0) ||
		        (is_found && (found.ptr - text.ptr != rows[i].at || found.len != rows[i].len)))
			fail_msg("%s in %s", rows[i].pattern, rows[i].text);
		assert_true(looked <= text.len - rows[i].from);
		arena_release(&a);
	}
}

static void a_pattern_says_how_large_it_is(void **state)
{
	struct arena a = ARENA_INIT;
	assert_true(pattern_steps(pattern_compile(&a, SLICE("(a{100}){50}"), NULL)) > 5000);
	assert_true(pattern_steps(pattern_compile(&a, SLICE("abc"), NULL)) < 10);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_first_place_and_what_is_wanted_most),
	        cmocka_unit_test(a_pattern_says_how_large_it_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
