/* The Gateway API's pure parts: hostnames that meet, what a rule asks of a request, what filters do to headers and
 * URLs. */
#include "tests/unit/unit_json.h"

#include "net/ingress/route/filters.h"
#include "net/ingress/route/hostname.h"
#include "net/ingress/route/match.h"

static const char *meet(const char *x, const char *y)
{
	struct slice both, other;
	bool is = hostname_meet(slice_of(x), slice_of(y), &both),
	     same = hostname_meet(slice_of(y), slice_of(x), &other);
	assert_int_equal(is, same);
	assert_true(!is || slice_eq(both, other));
	return is ? arena_printf(&a, "%.*s", SLICE_FMT(both)) : "none";
}

static void hostnames_meet_in_the_nearer_one(void **state)
{
	static const char *const rows[][3] = {{"", "", ""}, {"", "a.test", "a.test"}, {"", "*.test", "*.test"},
	        {"a.test", "a.test", "a.test"}, {"*.test", "a.test", "a.test"}, {"*.test", "b.a.test", "b.a.test"},
	        {"*.test", "*.a.test", "*.a.test"}, {"*.test", "*.test", "*.test"}, {"a.test", "b.test", "none"},
	        {"*.test", "test", "none"}, {"*.a.test", "a.test", "none"}, {"*.a.test", "b.test", "none"},
	        {"*.test", "atest", "none"}, {"*.a.test", "*.b.test", "none"}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(meet(rows[i][0], rows[i][1]), rows[i][2]);
}

static struct slice header(void *arg, const char *name)
{
	return json_get_str(arg, name);
}

static bool holds(const char *match, const char *method, const char *query, const char *headers)
{
	struct request_match m;
	struct err err = ERR_INIT;
	struct match_asked asked = {slice_of(method), slice_of(query), header, parse(headers)};
	assert_int_equal(request_match_read(&a, parse(match), &m, &err), 0);
	return request_match_holds(&m, &asked);
}

static void all_that_a_match_asks_must_hold(void **state)
{
	assert_true(holds("{}", "GET", "", "{}"));
	assert_true(holds("{\"method\":\"PUT\"}", "PUT", "", "{}"));
	assert_false(holds("{\"method\":\"PUT\"}", "GET", "", "{}"));
	static const char both[] =
	        "{\"headers\":[{\"name\":\"X-A\",\"value\":\"1\"},{\"name\":\"x-b\",\"value\":\"2\"}]}";
	assert_true(holds(both, "GET", "", "{\"x-a\":\"1\",\"x-b\":\"2\"}"));
	assert_false(holds(both, "GET", "", "{\"x-a\":\"1\"}"));
	assert_false(holds(both, "GET", "", "{\"x-a\":\"1\",\"x-b\":\"22\"}"));
	/* the first of two of one name counts */
	static const char twice[] = "{\"headers\":[{\"name\":\"a\",\"value\":\"1\"},{\"name\":\"A\",\"value\":\"2\"}]}";
	assert_true(holds(twice, "GET", "", "{\"a\":\"1\"}"));
}

static void parameters_are_decoded_and_the_first_counts(void **state)
{
	static const char one[] = "{\"queryParams\":[{\"name\":\"a b\",\"value\":\"c&d\"}]}";
	assert_true(holds(one, "GET", "a+b=c%26d", "{}"));
	assert_true(holds(one, "GET", "x=1&a%20b=c%26d&a+b=other", "{}"));
	assert_false(holds(one, "GET", "a+b=other&a+b=c%26d", "{}"));
	assert_false(holds(one, "GET", "a+b=c%2", "{}"));
	assert_false(holds(one, "GET", "", "{}"));
	static const char empty[] = "{\"queryParams\":[{\"name\":\"a\",\"value\":\"\"}]}";
	assert_true(holds(empty, "GET", "a", "{}"));
	assert_true(holds(empty, "GET", "a=", "{}"));
	assert_false(holds(empty, "GET", "=", "{}"));
}

static void expressions_are_of_the_whole_value(void **state)
{
	static const char m[] = "{\"headers\":[{\"name\":\"v\",\"type\":\"RegularExpression\",\"value\":\"a+|b\"}]}";
	assert_true(holds(m, "GET", "", "{\"v\":\"aaa\"}"));
	assert_true(holds(m, "GET", "", "{\"v\":\"b\"}"));
	assert_false(holds(m, "GET", "", "{\"v\":\"ab\"}"));
	struct request_match r;
	struct err err = ERR_INIT;
	assert_int_not_equal(
	        request_match_read(&a,
	                parse("{\"headers\":[{\"name\":\"v\",\"type\":\"RegularExpression\",\"value\":\"(\"}]}"), &r,
	                &err),
	        0);
	assert_int_not_equal(
	        request_match_read(&a,
	                parse("{\"headers\":[{\"name\":\"v\",\"type\":\"RegularExpression\",\"value\":\"a{999}\"}]}"),
	                &r, &err),
	        0);
	assert_int_not_equal(
	        request_match_read(
	                &a, parse("{\"headers\":[{\"name\":\"v\",\"type\":\"Soon\",\"value\":\"a\"}]}"), &r, &err),
	        0);
}

static const char *changed(const char *prefix, const char *modifier, const char *path)
{
	struct route_filters f;
	struct err err = ERR_INIT;
	struct path_rule rule = {.match = PATH_PREFIX, .path = slice_of(prefix)};
	assert_int_equal(path_rule_compile(&a, &rule, &err), 0);
	assert_int_equal(
	        route_filters_read(&a,
	                parse(arena_printf(&a, "[{\"type\":\"URLRewrite\",\"urlRewrite\":{\"path\":%s}}]", modifier)),
	                &f, &err),
	        0);
	struct slice s = url_change_path(&a, f.rewrite, &rule, slice_of(path));
	return arena_printf(&a, "%.*s", SLICE_FMT(s));
}

/* The table of the API's own definition of ReplacePrefixMatch. */
static void prefixes_are_replaced_as_the_api_says(void **state)
{
	static const char *const rows[][4] = {{"/foo/bar", "/foo", "/xyz", "/xyz/bar"},
	        {"/foo/bar", "/foo", "/xyz/", "/xyz/bar"}, {"/foo/bar", "/foo/", "/xyz", "/xyz/bar"},
	        {"/foo/bar", "/foo/", "/xyz/", "/xyz/bar"}, {"/foo", "/foo", "/xyz", "/xyz"},
	        {"/foo/", "/foo", "/xyz", "/xyz/"}, {"/foo/bar", "/foo", "", "/bar"}, {"/foo/", "/foo", "", "/"},
	        {"/foo", "/foo", "", "/"}, {"/foo/", "/foo", "/", "/"}, {"/foo", "/foo", "/", "/"},
	        {"/any", "/", "/x", "/x/any"}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(
		        changed(rows[i][1],
		                arena_printf(&a, "{\"type\":\"ReplacePrefixMatch\",\"replacePrefixMatch\":\"%s\"}",
		                        rows[i][2]),
		                rows[i][0]),
		        rows[i][3]);
	assert_string_equal(
	        changed("/foo", "{\"type\":\"ReplaceFullPath\",\"replaceFullPath\":\"/all\"}", "/foo/x"), "/all");
}

static void filters_that_are_not_served_are_named(void **state)
{
	struct route_filters f;
	struct err err = ERR_INIT;
	assert_int_not_equal(route_filters_read(&a, parse("[{\"type\":\"RequestMirror\"}]"), &f, &err), 0);
	assert_non_null(strstr(err.msg, "RequestMirror"));
	assert_int_equal(
	        route_filters_read(&a,
	                parse("[{\"type\":\"RequestHeaderModifier\",\"requestHeaderModifier\":{\"set\":[{\"name\":"
	                      "\"X-A\",\"value\":\"1\"}],\"remove\":[\"X-B\"]}},{\"type\":\"ResponseHeaderModifier\","
	                      "\"responseHeaderModifier\":{\"add\":[{\"name\":\"c\",\"value\":\"2\"}]}}]"),
	                &f, &err),
	        0);
	assert_int_equal(f.request.count, 2);
	assert_string_equal(f.request.items[0].name, "x-a");
	assert_int_equal(f.request.items[1].op, HEADER_REMOVE);
	assert_int_equal(f.response.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(hostnames_meet_in_the_nearer_one, release),
	        cmocka_unit_test_teardown(all_that_a_match_asks_must_hold, release),
	        cmocka_unit_test_teardown(parameters_are_decoded_and_the_first_counts, release),
	        cmocka_unit_test_teardown(expressions_are_of_the_whole_value, release),
	        cmocka_unit_test_teardown(prefixes_are_replaced_as_the_api_says, release),
	        cmocka_unit_test_teardown(filters_that_are_not_served_are_named, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
