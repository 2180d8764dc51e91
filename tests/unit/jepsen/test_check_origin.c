/* jepsen/check_origin: changes that nobody asked for, that surely failed, or that happened twice. */
#include "tests/unit/jepsen/histories.h"

static struct history_item event(enum history_f f, const char *key, int64_t value, int64_t mod)
{
	struct history_item item = HISTORY_ITEM_INIT(f, key, value);
	item.mod_revision = mod;
	return item;
}

static void put(int64_t value, enum history_type type, int64_t revision)
{
	R(0, INVOKE, PUT, o.key = "a", o.value = value);
	R(0, INVOKE, PUT, o.type = (uint8_t)type, o.revision = revision);
}

static void see(int64_t value, int64_t mod)
{
	R(9, OK, WATCH_EVENT, ITEMS(event(HISTORY_PUT, "a", value, mod)));
}

static void what_was_asked_for_is_valid(void **state)
{
	begin("watch");
	put(1, HISTORY_OK, 2);
	put(2, HISTORY_FAIL, HISTORY_NIL);
	put(2, HISTORY_OK, 3);
	R(0, INVOKE, DELETE, o.key = "a");
	R(0, OK, DELETE, o.revision = 4, o.value = 1);
	put(3, HISTORY_INFO, HISTORY_NIL);
	see(1, 2);
	see(2, 3);
	R(9, OK, WATCH_EVENT, ITEMS(event(HISTORY_DELETE, "a", HISTORY_NIL, 4)));
	see(3, 9);
	expect_valid("origin");
}

static void one_change_told_in_two_ways_is_invalid(void **state)
{
	begin("watch");
	put(1, HISTORY_OK, 2);
	put(2, HISTORY_OK, 3);
	see(2, 2);
	expect_invalid("origin", "told in two ways");
}

static void a_change_that_nobody_asked_for_is_invalid(void **state)
{
	begin("watch");
	put(1, HISTORY_OK, 2);
	see(7, 3);
	expect_invalid("origin", "change from nowhere");
}

static void a_delete_that_nobody_asked_for_is_invalid(void **state)
{
	begin("watch");
	put(1, HISTORY_OK, 2);
	R(9, OK, WATCH_EVENT, ITEMS(event(HISTORY_DELETE, "a", HISTORY_NIL, 4)));
	expect_invalid("origin", "change from nowhere");
}

static void a_failed_write_must_not_be_seen(void **state)
{
	begin("watch");
	put(1, HISTORY_FAIL, HISTORY_NIL);
	see(1, 2);
	expect_invalid("origin", "failed write was seen");
}

static void a_write_applied_twice_is_invalid(void **state)
{
	begin("watch");
	put(1, HISTORY_OK, 2);
	see(1, 3);
	expect_invalid("origin", "happened too often");
}

static void a_register_written_twice_by_one_request_is_invalid(void **state)
{
	begin("register");
	R(0, INVOKE, WRITE, o.key = "x", o.value = 5);
	R(0, OK, WRITE, o.revision = 2);
	R(1, INVOKE, READ, o.key = "x");
	R(1, OK, READ, o.value = 5, o.mod_revision = 3, o.revision = 3);
	expect_invalid("origin", "happened too often");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_was_asked_for_is_valid),
	        cmocka_unit_test(one_change_told_in_two_ways_is_invalid),
	        cmocka_unit_test(a_change_that_nobody_asked_for_is_invalid),
	        cmocka_unit_test(a_delete_that_nobody_asked_for_is_invalid),
	        cmocka_unit_test(a_failed_write_must_not_be_seen),
	        cmocka_unit_test(a_write_applied_twice_is_invalid),
	        cmocka_unit_test(a_register_written_twice_by_one_request_is_invalid),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
