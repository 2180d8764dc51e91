/* Reading resolv.conf. */
#include "tests/unit/unit.h"

#include "node/worker/resolv_conf_int.h"

static struct arena arena;

static int teardown(void **state)
{
	arena_release(&arena);
	return 0;
}

static struct resolv_conf parse(const char *text)
{
	return resolv_conf_parse(&arena, slice_of(text));
}

static void words_are_parted_by_blanks_and_tabs(void **state)
{
	struct resolv_conf c = parse("nameserver\t10.0.0.1\nnameserver 10.0.0.2\r\n\tnameserver  10.0.0.3 # one\n"
	                             "search \ta.test\tb.test  c.test\noptions ndots:2\trotate\n");
	assert_int_equal(c.n_servers, 3);
	assert_string_equal(c.servers[0], "10.0.0.1");
	assert_string_equal(c.servers[1], "10.0.0.2");
	assert_string_equal(c.servers[2], "10.0.0.3");
	assert_int_equal(c.n_searches, 3);
	assert_string_equal(c.searches[1], "b.test");
	assert_int_equal(c.n_options, 2);
	assert_string_equal(c.options[1], "rotate");
}

static void the_last_search_counts(void **state)
{
	struct resolv_conf c = parse("search a b\ndomain c d\n");
	assert_int_equal(c.n_searches, 1);
	assert_string_equal(c.searches[0], "c");
}

static void what_is_not_understood_is_passed_over(void **state)
{
	struct resolv_conf c =
	        parse("# nameserver 1.1.1.1\n;nameserver 1.1.1.1\nnameservers 1.1.1.1\nnameserver\nsortlist x");
	assert_int_equal(c.n_servers + c.n_searches + c.n_options, 0);
	assert_int_equal(parse("").n_servers, 0);
}

static void there_are_as_many_as_the_resolver_uses(void **state)
{
	struct strbuf b = STRBUF_INIT;
	for (int i = 0; i < 100; i++)
		strbuf_addf(&b, "nameserver 10.0.0.%d\n", i);
	strbuf_adds(&b, "search");
	for (int i = 0; i < 100; i++)
		strbuf_addf(&b, " s%d", i);
	struct resolv_conf c = parse(strbuf_cstr(&b));
	assert_int_equal(c.n_servers, RESOLV_SERVERS_MAX);
	assert_int_equal(c.n_searches, RESOLV_SEARCHES_MAX);
	strbuf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(words_are_parted_by_blanks_and_tabs, teardown),
	        cmocka_unit_test_teardown(the_last_search_counts, teardown),
	        cmocka_unit_test_teardown(what_is_not_understood_is_passed_over, teardown),
	        cmocka_unit_test_teardown(there_are_as_many_as_the_resolver_uses, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
