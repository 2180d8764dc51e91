/* What containers were given, and what is remembered of it over a start. */
#include "tests/unit/unit_json.h"

#include "base/check.h"
#include "node/allocation/allocation_ledger_int.h"

static struct allocation_ledger l;

static int end(void **state)
{
	allocation_ledger_release(&l);
	return release(state);
}

static void the_last_that_was_given_counts(void **state)
{
	struct allocation *g = allocation_ledger_give(&l, "u", SLICE("c"), parse("{\"requests\":{\"cpu\":\"1\"}}"));
	assert_null(g->told);
	allocation_tell(g, parse("{\"requests\":{\"cpu\":\"1\"}}"));
	g = allocation_ledger_give(&l, "u", SLICE("c"), parse("{\"requests\":{\"cpu\":\"2\"}}"));
	assert_int_equal(l.count, 1);
	assert_string_equal(g->given, "{\"requests\":{\"cpu\":\"2\"}}");
	assert_string_equal(g->told, "{\"requests\":{\"cpu\":\"1\"}}");
	assert_null(allocation_ledger_of(&l, "u", SLICE("d")));
	assert_string_equal(allocation_ledger_give(&l, "u", SLICE("d"), NULL)->given, "{}");
	assert_true(allocation_ledger_give_back(&l, "u"));
	assert_false(allocation_ledger_give_back(&l, "u"));
}

static void it_is_read_again(void **state)
{
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	allocation_tell(allocation_ledger_give(&l, "u", SLICE("c"), parse("{\"limits\":{\"cpu\":\"1\"}}")), NULL);
	allocation_ledger_give(&l, "v", SLICE("c"), NULL);
	allocation_ledger_write(&l, &b);
	allocation_ledger_release(&l);
	assert_int_equal(allocation_ledger_read(&l, strbuf_slice(&b), &err), 0);
	assert_string_equal(allocation_ledger_of(&l, "u", SLICE("c"))->given, "{\"limits\":{\"cpu\":\"1\"}}");
	assert_string_equal(allocation_ledger_of(&l, "u", SLICE("c"))->told, "{}");
	assert_null(allocation_ledger_of(&l, "v", SLICE("c"))->told);
	strbuf_release(&b);
}

static void what_is_not_ours_is_told(void **state)
{
	static const char *const broken[] = {"", "{}", "{\"pods\":[]}", "{\"pods\":{\"u\":{\"c\":1}}}",
	        "{\"pods\":{\"u\":{\"c\":{\"given\":{},\"told\":1}}}}"};
	for (size_t i = 0; i < COUNT_OF(broken); i++) {
		struct err err = ERR_INIT;
		assert_int_not_equal(allocation_ledger_read(&l, slice_of(broken[i]), &err), 0);
		assert_int_equal(l.count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(the_last_that_was_given_counts, end),
	        cmocka_unit_test_teardown(it_is_read_again, end),
	        cmocka_unit_test_teardown(what_is_not_ours_is_told, end)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
