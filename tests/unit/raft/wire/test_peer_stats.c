/* Peers in numbers: places in the table, and probes that are out one at a time. */
#include "tests/unit/unit.h"

#include "raft/adapter/message.h"
#include "raft/wire/peer_stats.h"

#define S UINT64_C(1000000000)

static struct peer_table table;

static int clear(void **state)
{
	memset(&table, 0, sizeof table);
	return 0;
}

static void a_place_is_kept(void **state)
{
	struct peer_stats *a = peer_stats_of(&table, 7), *b = peer_stats_of(&table, 8);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(peer_stats_of(&table, 7), a);
	for (uint64_t id = 100; id < 100 + 2 * PEER_STATS_MAX; id++)
		assert_non_null(peer_stats_of(&table, id));
	assert_ptr_equal(peer_stats_of(&table, 100 + PEER_STATS_MAX), &table.others);
	assert_ptr_equal(peer_stats_of(&table, 8), b);
	assert_int_equal(peer_stats_probe(&table, &table.others, S), 0);
}

static void an_answer_is_measured_once(void **state)
{
	struct peer_stats *p = peer_stats_of(&table, 7);
	uint64_t round = peer_stats_probe(&table, p, S);
	assert_int_not_equal(round, 0);
	assert_false(peer_stats_is_active(p, S));
	assert_true(peer_stats_echo(&table, 7, round, S + 300000));
	assert_true(peer_stats_echo(&table, 7, round, S + 400000));
	assert_int_equal(histogram_count(&p->round_trips), 1);
	assert_int_equal(p->round_trips.sum_ns, 300000);
	assert_true(peer_stats_is_active(p, 2 * S));
	assert_false(peer_stats_is_active(p, 5 * S));
}

static void a_round_of_a_read_is_none_of_these(void **state)
{
	struct peer_stats *p = peer_stats_of(&table, 7);
	peer_stats_probe(&table, p, S);
	assert_false(peer_stats_echo(&table, 7, 1, S));
	assert_int_equal(histogram_count(&p->round_trips), 0);
}

static void the_round_is_found_in_an_answer_and_nowhere_else(void **state)
{
	struct strbuf b = STRBUF_INIT;
	message_encode_read(&b, 7, "http://a:1", MESSAGE_READ_ANSWER, 3, UINT64_C(0x8000000000000001), true);
	assert_true(message_answered_round(strbuf_slice(&b)) == UINT64_C(0x8000000000000001));
	assert_int_equal(message_answered_round((struct slice){b.data, 16}), 0);
	strbuf_reset(&b);
	message_encode_read(&b, 7, "http://a:1", MESSAGE_READ_PROBE, 3, 5, false);
	assert_int_equal(message_answered_round(strbuf_slice(&b)), 0);
	strbuf_release(&b);
}

static void the_next_probe_waits_for_the_answer_but_not_for_ever(void **state)
{
	struct peer_stats *p = peer_stats_of(&table, 7);
	uint64_t first = peer_stats_probe(&table, p, S);
	assert_int_equal(peer_stats_probe(&table, p, 4 * S), 0);
	assert_true(peer_stats_echo(&table, 7, first, 4 * S));
	assert_int_equal(p->round_trips.sum_ns, 3 * S);
	uint64_t second = peer_stats_probe(&table, p, 4 * S);
	assert_int_not_equal(second, 0);
	uint64_t third = peer_stats_probe(&table, p, 9 * S);
	assert_int_not_equal(third, 0);
	assert_true(peer_stats_echo(&table, 7, second, 9 * S)); /* given up: it would say too much */
	assert_int_equal(histogram_count(&p->round_trips), 1);
}

static void one_that_was_not_sent_is_tried_again_soon(void **state)
{
	struct peer_stats *p = peer_stats_of(&table, 7);
	assert_int_not_equal(peer_stats_probe(&table, p, S), 0);
	peer_stats_forget(p);
	assert_int_equal(peer_stats_probe(&table, p, S + S / 2), 0);
	assert_int_not_equal(peer_stats_probe(&table, p, 2 * S), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(a_place_is_kept, clear),
	        cmocka_unit_test_setup(an_answer_is_measured_once, clear),
	        cmocka_unit_test_setup(a_round_of_a_read_is_none_of_these, clear),
	        cmocka_unit_test(the_round_is_found_in_an_answer_and_nowhere_else),
	        cmocka_unit_test_setup(the_next_probe_waits_for_the_answer_but_not_for_ever, clear),
	        cmocka_unit_test_setup(one_that_was_not_sent_is_tried_again_soon, clear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
