/* Paths of requests: made plain, matched, rewritten. */
#include "tests/unit/unit.h"

#include "net/ingress/route/path.h"

static struct arena a;

static const char *clean(const char *path)
{
	struct slice out;
	return path_clean(&a, slice_of(path), &out) ? arena_memdup(&a, out.ptr, out.len) : NULL;
}

static void a_path_is_made_plain(void **state)
{
	static const char *const rows[][2] = {{"/", "/"}, {"/a/b", "/a/b"}, {"/a/b/", "/a/b/"}, {"//a///b", "/a/b"},
	        {"/a/./b", "/a/b"}, {"/a/.", "/a/"}, {"/a/b/..", "/a/"}, {"/a/../b", "/b"}, {"/a/%2e%2E/b", "/b"},
	        {"/a/.%2e/b", "/b"}, {"/%2e/a", "/a"}, {"/...", "/..."}, {"/a/..b", "/a/..b"},
	        {"/.well-known/x", "/.well-known/x"}, {"/a%2Fb", "/a%2Fb"}, {"/a//", "/a/"}, {"/%61dmin", "/admin"},
	        {"/%41%2D%2e%5f%7E", "/A-._~"}, {"/a%2fb%3b", "/a%2fb%3b"}, {"/%25%36%31", "/%2561"}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(clean(rows[i][0]), rows[i][1]);
}

static void what_leaves_the_root_is_none(void **state)
{
	static const char *const rows[] = {
	        "/..", "/../a", "/a/../../b", "/%2e%2e/a", "a", "", "*", "/%", "/%2", "/%zz", "/a%00b"};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_null(clean(rows[i]));
}

static struct path_rule rule(enum path_match match, const char *path)
{
	struct path_rule r = {.match = match, .path = slice_of(path)};
	struct err err = ERR_INIT;
	assert_int_equal(path_rule_compile(&a, &r, &err), 0);
	return r;
}

static bool matches(enum path_match match, const char *path, const char *request)
{
	struct path_rule r = rule(match, path);
	return path_rule_matches(&r, slice_of(request));
}

/* The table of the API's documentation. */
static void prefixes_end_at_slashes(void **state)
{
	static const struct {
		const char *path, *request;
		bool does;
	} rows[] = {{"/", "/any/path", true}, {"/foo", "/foo", true}, {"/foo", "/foo/", true}, {"/foo/", "/foo", true},
	        {"/foo/", "/foo/", true}, {"/aaa/bb", "/aaa/bbb", false}, {"/aaa/bbb", "/aaa/bbb", true},
	        {"/aaa/bbb/", "/aaa/bbb", true}, {"/aaa/bbb", "/aaa/bbb/ccc", true},
	        {"/aaa/bbb", "/aaa/bbbxyz", false}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(matches(PATH_PREFIX, rows[i].path, rows[i].request), rows[i].does);
	assert_true(matches(PATH_EXACT, "/foo", "/foo"));
	assert_false(matches(PATH_EXACT, "/foo", "/foo/"));
	assert_true(matches(PATH_TEXT, "/aaa/bb", "/aaa/bbb"));
}

static void expressions_match_from_the_start(void **state)
{
	assert_true(matches(PATH_REGEX, "/a[0-9]+", "/A12/x"));
	assert_false(matches(PATH_REGEX, "/a[0-9]+", "/b/a1"));
	struct path_rule r = {.match = PATH_REGEX, .path = SLICE("/(a)\\1")};
	struct err err = ERR_INIT;
	assert_int_equal(path_rule_compile(&a, &r, &err), ERR_INVAL);
	r = (struct path_rule){.match = PATH_REGEX, .path = SLICE("/(a{1,200}){1,200}")};
	assert_int_equal(path_rule_compile(&a, &r, &err), ERR_INVAL);
	r = (struct path_rule){.match = PATH_REGEX, .path = SLICE("/(a")};
	assert_int_equal(path_rule_compile(&a, &r, &err), ERR_INVAL);
}

static void groups_are_filled_in(void **state)
{
	struct path_rule r = rule(PATH_REGEX, "/api(/|$)(.*)"), prefix = rule(PATH_PREFIX, "/api");
	assert_true(slice_is(path_rewrite(&a, &r, SLICE("/api/x/y"), "/$2"), "/x/y"));
	assert_true(slice_is(path_rewrite(&a, &r, SLICE("/api"), "/$2"), "/"));
	assert_true(slice_is(path_rewrite(&a, &r, SLICE("/api/x"), "$2"), "/x"));
	assert_true(slice_is(path_rewrite(&a, &r, SLICE("/api/x"), "/v1$9/$2$"), "/v1/x$"));
	assert_true(slice_is(path_rewrite(&a, &prefix, SLICE("/api/x"), "/new"), "/new"));
}

static int end(void **state)
{
	arena_release(&a);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_path_is_made_plain),
	        cmocka_unit_test(what_leaves_the_root_is_none),
	        cmocka_unit_test(prefixes_end_at_slashes),
	        cmocka_unit_test(expressions_match_from_the_start),
	        cmocka_unit_test(groups_are_filled_in),
	};
	return cmocka_run_group_tests(tests, NULL, end);
}
