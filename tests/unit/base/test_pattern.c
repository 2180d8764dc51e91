/* Regular expressions of schemas. */
#include "base/pattern.h"
#include "base/check.h"
#include "tests/unit/unit.h"

static struct arena arena;

static bool matches(const char *pattern, const char *text)
{
	struct err err = ERR_INIT;
	const struct pattern *p = pattern_compile(&arena, slice_of(pattern), &err);
	if (!p)
		fail_msg("%s: %s", pattern, err.msg);
	return pattern_matches(p, slice_of(text));
}

static void refused(const char *pattern, const char *words)
{
	struct err err = ERR_INIT;
	assert_null(pattern_compile(&arena, slice_of(pattern), &err));
	assert_int_equal(err.code, ERR_INVAL);
	if (!strstr(err.msg, words))
		fail_msg("%s: %s", pattern, err.msg);
}

static void patterns_match_as_in_re2(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} rows[] = {
	        {"", "", true},
	        {"b", "abc", true},
	        {"^b", "abc", false},
	        {"c$", "abc", true},
	        {"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "a-1", true},
	        {"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "a-", false},
	        {"^(\\d+|(\\*))(/\\d+)?(\\s+(\\d+|(\\*))(/\\d+)?){4}$", "* * * *", false},
	        {"^(\\d+|(\\*))(/\\d+)?(\\s+(\\d+|(\\*))(/\\d+)?){4}$", "* */5 1 2 3", true},
	        {"^(ab|cd){2,3}$", "abcdab", true},
	        {"^(ab|cd){2,3}$", "ab", false},
	        {"^a{0,2}$", "aaa", false},
	        {"^a{2,}$", "aaaa", true},
	        {"^(?i)abc$", "aBC", true},
	        {"^(?:a|b)+?$", "abab", true},
	        {"^(?P<n>x)y$", "xy", true},
	        {"^.$", "\xc3\xa9", true},
	        {"^[^a]$", "\xe2\x82\xac", true},
	        {"\\bfoo\\b", "a foo b", true},
	        {"\\bfoo\\b", "afoo b", false},
	        {"^[[:alpha:]_]+$", "ab_", true},
	        {"^[\\w.-]+$", "a.b-c", true},
	        {"^\\x41\\x{42}$", "AB", true},
	        {"a{,2}", "a{,2}", true},
	        {"^[]a]+$", "]a", true},
	        {"^$", "", true},
	        {"^(([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+)$", "1h30m", true},
	        {"(a*)*$", "aaab", true},
	        {"^(|a)b$", "b", true},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (matches(rows[i].pattern, rows[i].text) != rows[i].matches)
			fail_msg("\"%s\" on \"%s\"", rows[i].pattern, rows[i].text);
	arena_release(&arena);
}

static void what_is_no_pattern_is_told(void **state)
{
	refused("(a", "missing closing ): `(a`");
	refused("a)", "unexpected ): `a)`");
	refused("[a", "missing closing ]: `[a`");
	refused("[z-a]", "invalid character class range: `z-a`");
	refused("*a", "missing argument to repetition operator: `*`");
	refused("a**", "invalid nested repetition operator: `**`");
	refused("a{2000}", "invalid repeat count: `{2000}`");
	refused("\\q", "invalid escape sequence: `\\q`");
	refused("\\", "trailing backslash");
	refused("\\p{Greek}", "classes of Unicode are not known");
	refused("(?=a)", "invalid or unsupported Perl syntax: `(?=`");
	refused("((a{1000}){1000}){1000}", "too large");
	arena_release(&arena);
}

static void time_is_bounded_whoever_wrote_the_pattern(void **state)
{
	char text[4001];
	memset(text, 'a', 4000);
	text[4000] = 0;
	assert_false(matches("^(a|aa)+$b", text));
	assert_false(matches("^((a*)*)*b$", text));
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(patterns_match_as_in_re2),
	        cmocka_unit_test(what_is_no_pattern_is_told),
	        cmocka_unit_test(time_is_bounded_whoever_wrote_the_pattern),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
