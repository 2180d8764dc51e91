/* Where members are that are not where the configuration says: whose word counts, and which rows are used again. */
#include "raft/moved.h"
#include "tests/unit/unit.h"

static struct moved_table t;

static int set_up(void **state)
{
	t = (struct moved_table){0};
	return 0;
}

static const char *of(uint64_t id)
{
	return moved_address(&t, id, "https://configured");
}

static void who_did_not_move_is_where_the_configuration_says(void **state)
{
	assert_string_equal(of(1), "https://configured");
	assert_false(moved_has_said_so(&t, 1));
	moved_greet(&t, 1, "https://old1", SLICE("https://old1")); /* as it was known: nothing new */
	assert_string_equal(of(1), "https://configured");
}

static void what_it_says_itself_counts_until_a_newer_record(void **state)
{
	moved_greet(&t, 1, "https://old1", SLICE("https://new"));
	assert_string_equal(of(1), "https://new");
	assert_true(moved_has_said_so(&t, 1));
	moved_tell(&t, 1, "https://old1", false); /* the first record may be of before */
	assert_string_equal(of(1), "https://new");
	assert_true(moved_has_said_so(&t, 1));
	moved_tell(&t, 1, "https://new", false);
	assert_false(moved_has_said_so(&t, 1));
	moved_tell(&t, 1, "https://newer", false);
	assert_string_equal(of(1), "https://newer");
	moved_tell(&t, 1, "https://newer", false);
	assert_string_equal(of(2), "https://configured");
}

static void a_record_does_not_take_away_where_it_is_reached(void **state)
{
	moved_tell(&t, 1, "https://first", false);
	assert_string_equal(of(1), "https://first");
	moved_greet(&t, 1, "https://old1", SLICE("https://second"));
	moved_tell(&t, 1, "https://late", true);
	assert_string_equal(of(1), "https://second");
	assert_true(moved_has_said_so(&t, 1)); /* so that a record follows */
}

static void what_is_no_address_is_not_heard(void **state)
{
	char large[RAFT_ADDRESS_BYTES_MAX + 1];
	memset(large, 'x', sizeof large);
	moved_greet(&t, 1, "https://old1", SLICE(""));
	moved_greet(&t, 1, "https://old1", (struct slice){large, sizeof large - 1});
	moved_greet(&t, 1, "https://old1", (struct slice){"https://a\0b", 11});
	assert_string_equal(of(1), "https://configured");
}

static void rows_of_those_who_went_are_used_again(void **state)
{
	for (uint64_t id = 10; id < 10 + 3 * RAFT_MEMBERS_MAX; id++) {
		moved_members(&t, &id, 1);
		moved_greet(&t, id, "https://old", SLICE("https://new"));
		assert_string_equal(of(id), "https://new");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(who_did_not_move_is_where_the_configuration_says, set_up),
	        cmocka_unit_test_setup(what_it_says_itself_counts_until_a_newer_record, set_up),
	        cmocka_unit_test_setup(a_record_does_not_take_away_where_it_is_reached, set_up),
	        cmocka_unit_test_setup(what_is_no_address_is_not_heard, set_up),
	        cmocka_unit_test_setup(rows_of_those_who_went_are_used_again, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
