/* jepsen/check_watch: every event once, in order, whole, without gaps. */
#include "tests/unit/jepsen/histories.h"

#define PUT_AT(key_, value_, mod, version_, create) \
	((struct history_item){.f = HISTORY_PUT, \
	        .key = (key_), \
	        .value = (value_), \
	        .prev = HISTORY_NIL, \
	        .mod_revision = (mod), \
	        .version = (version_), \
	        .create_revision = (create)})
#define DELETE_AT(key_, mod) \
	((struct history_item){.f = HISTORY_DELETE, \
	        .key = (key_), \
	        .value = HISTORY_NIL, \
	        .prev = HISTORY_NIL, \
	        .mod_revision = (mod), \
	        .version = HISTORY_NIL, \
	        .create_revision = HISTORY_NIL})
#define EVENTS(process, ...) R(process, OK, WATCH_EVENT, ITEMS(__VA_ARGS__))
#define PROGRESS(process, revision_) R(process, OK, WATCH_EVENT, o.revision = (revision_))

static void put(int process, const char *key, int64_t value, int64_t revision)
{
	R(process, INVOKE, PUT, o.key = key, o.value = value);
	R(process, OK, PUT, o.revision = revision);
}

static void watch(int process, int64_t from)
{
	R(process, INVOKE, WATCH, o.key = "k/", o.revision = from);
	R(process, OK, WATCH, o.revision = from);
}

/* Two puts, a transaction of two puts, a delete; process 9 watches from revision 2. */
static void begin_watch(void)
{
	begin("watch");
	put(0, "k/a", 1, 2);
	put(0, "k/b", 2, 3);
	R(0, INVOKE, TXN, ITEMS(HISTORY_ITEM_INIT(HISTORY_PUT, "k/a", 3), HISTORY_ITEM_INIT(HISTORY_PUT, "k/c", 4)));
	R(0, OK, TXN, o.revision = 4);
	R(0, INVOKE, DELETE, o.key = "k/b");
	R(0, OK, DELETE, o.value = 1, o.revision = 5);
	put(0, "other", 1, 6);
	watch(9, 2);
}

static void all_events_in_order_over_a_reconnect_are_valid(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2), PUT_AT("k/b", 2, 3, 1, 3));
	watch(9, 4);
	EVENTS(9, PUT_AT("k/a", 3, 4, 2, 2), PUT_AT("k/c", 4, 4, 1, 4));
	EVENTS(9, DELETE_AT("k/b", 5));
	PROGRESS(9, 6);
	expect_valid("watch");
}

static void what_is_not_yet_covered_may_be_missing(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2));
	expect_valid("watch");
}

static void an_acknowledged_write_must_be_sent(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2));
	PROGRESS(9, 3);
	expect_invalid("watch", "missing event");
}

static void what_another_watcher_saw_must_be_sent(void **state)
{
	begin("watch");
	R(0, INVOKE, PUT, o.key = "k/a", o.value = 1);
	R(0, INFO, PUT);
	watch(8, 2);
	EVENTS(8, PUT_AT("k/a", 1, 2, 1, 2));
	watch(9, 2);
	PROGRESS(9, 2);
	expect_invalid("watch", "missing event");
}

static void an_event_twice_is_a_duplicate(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/a", 1, 2, HISTORY_NIL, HISTORY_NIL));
	EVENTS(9, PUT_AT("k/a", 1, 2, HISTORY_NIL, HISTORY_NIL));
	expect_invalid("watch", "duplicate event");
}

static void events_that_go_back_are_out_of_order(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/b", 2, 3, 1, 3));
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2));
	expect_invalid("watch", "events out of order");
}

static void an_event_behind_a_progress_notification_is_out_of_order(void **state)
{
	begin_watch();
	PROGRESS(9, 3);
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2));
	expect_invalid("watch", "events out of order");
}

static void a_transaction_in_two_responses_is_split(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2), PUT_AT("k/b", 2, 3, 1, 3), PUT_AT("k/a", 3, 4, 2, 2));
	EVENTS(9, PUT_AT("k/c", 4, 4, 1, 4));
	expect_invalid("watch", "revision split");
}

static void an_event_from_before_the_start_is_wrong(void **state)
{
	begin_watch();
	watch(8, 3);
	EVENTS(8, PUT_AT("k/a", 1, 2, 1, 2));
	expect_invalid("watch", "event before the start");
}

static void resuming_too_late_leaves_a_gap(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2));
	watch(9, 4);
	expect_invalid("watch", "gap over a reconnect");
}

static void a_compaction_excuses_the_gap(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2));
	R(9, OK, WATCH_CANCEL, o.revision = 4);
	watch(9, 5);
	EVENTS(9, DELETE_AT("k/b", 5));
	expect_valid("watch");
}

static void a_version_follows_from_the_one_before(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2), PUT_AT("k/b", 2, 3, 1, 3));
	EVENTS(9, PUT_AT("k/a", 3, 4, 3, 2), PUT_AT("k/c", 4, 4, 1, 4));
	expect_invalid("watch", "wrong version");
}

static void a_previous_value_is_that_of_the_event_before(void **state)
{
	begin_watch();
	EVENTS(9, PUT_AT("k/a", 1, 2, 1, 2), PUT_AT("k/b", 2, 3, 1, 3));
	struct history_item item = PUT_AT("k/a", 3, 4, 2, 2);
	item.prev = 7;
	EVENTS(9, item, PUT_AT("k/c", 4, 4, 1, 4));
	expect_invalid("watch", "wrong previous value");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(all_events_in_order_over_a_reconnect_are_valid),
	        cmocka_unit_test(what_is_not_yet_covered_may_be_missing),
	        cmocka_unit_test(an_acknowledged_write_must_be_sent),
	        cmocka_unit_test(what_another_watcher_saw_must_be_sent),
	        cmocka_unit_test(an_event_twice_is_a_duplicate),
	        cmocka_unit_test(events_that_go_back_are_out_of_order),
	        cmocka_unit_test(an_event_behind_a_progress_notification_is_out_of_order),
	        cmocka_unit_test(a_transaction_in_two_responses_is_split),
	        cmocka_unit_test(an_event_from_before_the_start_is_wrong),
	        cmocka_unit_test(resuming_too_late_leaves_a_gap),
	        cmocka_unit_test(a_compaction_excuses_the_gap),
	        cmocka_unit_test(a_version_follows_from_the_one_before),
	        cmocka_unit_test(a_previous_value_is_that_of_the_event_before),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
