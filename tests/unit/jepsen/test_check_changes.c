/* jepsen/check_changes: every change once, whoever tells it. */
#include "tests/unit/jepsen/histories.h"

#include "jepsen/check_changes.h"

static void collect(struct arena *a, struct history_ops *ops, struct changes *changes)
{
	struct err err = ERR_INIT;
	assert_int_equal(history_pair(&h, a, ops, &err), 0);
	struct check_context c = {.history = &h, .ops = ops, .arena = a};
	changes_collect(&c, a, changes);
}

static struct history_item event(const char *key, int64_t value, int64_t mod)
{
	struct history_item item = HISTORY_ITEM_INIT(HISTORY_PUT, key, value);
	item.mod_revision = mod;
	return item;
}

static void changes_are_merged_sorted_and_found(void **state)
{
	struct arena a = ARENA_INIT;
	struct history_ops ops;
	struct changes s;
	begin("watch");
	R(9, OK, WATCH_EVENT, ITEMS(event("b", 1, 7)));
	R(0, INVOKE, PUT, o.key = "a", o.value = 5);
	size_t ack = R(0, OK, PUT, o.revision = 4);
	R(9, OK, WATCH_EVENT, ITEMS(event("a", 5, 4)));
	size_t lie = R(8, OK, WATCH_EVENT, ITEMS(event("a", 6, 4)));
	R(0, INVOKE, DELETE, o.key = "a");
	R(0, OK, DELETE, o.revision = 9, o.value = 1);
	R(0, INVOKE, DELETE, o.key = "a");
	R(0, OK, DELETE, o.revision = 9, o.value = 0);
	R(1, INVOKE, DELETE, o.key = "b");
	R(1, INFO, DELETE);
	collect(&a, &ops, &s);
	assert_int_equal(s.count, 3);
	assert_int_equal(s.by_revision[0].record, ack);
	assert_true(s.by_revision[0].is_acknowledged);
	assert_int_equal(s.by_revision[0].other_record, lie);
	assert_int_equal(changes_seek(&s, 5), 1);
	uint32_t key = h.records[1].key_id;
	assert_null(changes_newest(&s, key, 3));
	assert_int_equal(changes_newest(&s, key, 8)->value, 5);
	assert_int_equal(changes_newest(&s, key, 9)->value, HISTORY_NIL);
	assert_int_equal(s.unknown_delete[key], HISTORY_NONE);
	assert_int_equal(s.unknown_delete[h.records[9].key_id], 9);
	arena_release(&a);
	history_release(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(changes_are_merged_sorted_and_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
