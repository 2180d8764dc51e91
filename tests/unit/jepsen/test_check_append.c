/* jepsen/check_append: every anomaly by name, and none where there is none. */
#include "tests/unit/jepsen/histories.h"

#define A(key, value) HISTORY_ITEM_INIT(HISTORY_APPEND, key, value)
#define L(key_, ...) \
	((struct history_item){.f = HISTORY_READ, \
	        .key = (key_), \
	        .value = HISTORY_NIL, \
	        .prev = HISTORY_NIL, \
	        .mod_revision = HISTORY_NIL, \
	        .create_revision = HISTORY_NIL, \
	        .version = HISTORY_NIL, \
	        .values = (int64_t[]){0, ##__VA_ARGS__} + 1, \
	        .value_count = sizeof((int64_t[]){0, ##__VA_ARGS__}) / sizeof(int64_t) - 1})
#define IN(process, ...) R(process, INVOKE, TXN, ITEMS(__VA_ARGS__))
#define OUT(process, ...) R(process, OK, TXN, ITEMS(__VA_ARGS__))
#define TXN(process, ...) IN(process, __VA_ARGS__), OUT(process, __VA_ARGS__)

static void a_serial_history_is_valid(void **state)
{
	begin("append");
	TXN(0, A("x", 1), L("y"));
	TXN(1, L("x", 1), A("x", 2), L("x", 1, 2));
	TXN(0, L("x", 1, 2), A("y", 1));
	TXN(0, A("x", 3));
	TXN(2, L("x", 1, 2, 3), L("y", 1));
	expect_valid("append");
}

static void each_before_the_other_is_g2(void **state)
{
	begin("append");
	IN(0, A("x", 1));
	IN(1, A("x", 2), L("y"));
	IN(2, L("x"), A("y", 1));
	OUT(1, A("x", 2), L("y"));
	OUT(0, A("x", 1));
	OUT(2, L("x"), A("y", 1));
	TXN(0, L("x", 2, 1), L("y", 1));
	R(3, INVOKE, TXN, ITEMS(A("x", 9)));
	R(3, INFO, TXN);
	TXN(0, L("x", 2, 1), L("y", 1));
	TXN(0, L("x", 2, 1, 9), L("y", 1));
	/* 2 read x without 2, and 1 read y without 1: each before the other. */
	expect_invalid("append", "G2");
}

static void write_cycles_are_g0(void **state)
{
	begin("append");
	IN(0, A("x", 1), A("y", 1));
	IN(1, A("x", 2), A("y", 2));
	OUT(0, A("x", 1), A("y", 1));
	OUT(1, A("x", 2), A("y", 2));
	TXN(2, L("x", 1, 2), L("y", 2, 1));
	expect_invalid("append", "G0");
}

static void reading_a_failed_append_is_g1a(void **state)
{
	begin("append");
	IN(0, A("x", 1));
	R(0, FAIL, TXN);
	TXN(1, L("x", 1));
	expect_invalid("append", "G1a");
}

static void reading_half_a_transaction_is_g1b(void **state)
{
	begin("append");
	IN(0, A("x", 1), A("x", 2));
	TXN(1, L("x", 1));
	OUT(0, A("x", 1), A("x", 2));
	expect_invalid("append", "G1b");
}

static void reading_each_others_writes_is_g1c(void **state)
{
	begin("append");
	IN(0, A("x", 1), L("y", 1));
	IN(1, A("y", 1), L("x", 1));
	OUT(0, A("x", 1), L("y", 1));
	OUT(1, A("y", 1), L("x", 1));
	expect_invalid("append", "G1c");
}

static void read_skew_is_g_single(void **state)
{
	begin("append");
	IN(0, A("x", 1), A("y", 1));
	IN(1, L("x"), L("y", 1));
	OUT(0, A("x", 1), A("y", 1));
	OUT(1, L("x"), L("y", 1));
	TXN(2, L("x", 1));
	expect_invalid("append", "G-single");
}

static void write_skew_is_g2(void **state)
{
	begin("append");
	IN(0, L("x"), A("y", 1));
	IN(1, L("y"), A("x", 1));
	OUT(0, L("x"), A("y", 1));
	OUT(1, L("y"), A("x", 1));
	TXN(2, L("x", 1), L("y", 1));
	expect_invalid("append", "G2");
}

static void a_stale_read_is_g_single_realtime(void **state)
{
	begin("append");
	TXN(0, A("x", 1));
	TXN(1, L("x"));
	TXN(2, L("x", 1));
	expect_invalid("append", "G-single-realtime");
}

static void a_process_that_forgets_is_g_single_process(void **state)
{
	begin("append");
	TXN(0, A("x", 1));
	TXN(0, L("x"));
	TXN(2, L("x", 1));
	expect_invalid("append", "G-single-process");
}

static void an_acknowledged_append_in_no_list_is_found(void **state)
{
	begin("append");
	TXN(0, A("x", 1));
	TXN(1, A("x", 2));
	TXN(2, L("x", 1));
	expect_invalid("append", "G-single-realtime");
}

static void versions_against_time_are_g0_realtime(void **state)
{
	begin("append");
	TXN(0, A("x", 1));
	TXN(1, A("x", 2));
	TXN(2, L("x", 2, 1));
	expect_invalid("append", "G0-realtime");
}

static void a_write_read_before_it_began_is_g1c_realtime(void **state)
{
	begin("append");
	TXN(1, L("x", 1));
	TXN(0, A("x", 1));
	expect_invalid("append", "G1c-realtime");
}

static void two_skews_against_time_are_g2_realtime(void **state)
{
	begin("append");
	IN(2, A("x", 1), L("y"));
	IN(3, A("y", 1));
	OUT(3, A("y", 1));
	TXN(1, L("x"));
	OUT(2, A("x", 1), L("y"));
	TXN(4, L("x", 1), L("y", 1));
	expect_invalid("append", "G2-realtime");
}

static void a_read_beside_a_write_may_miss_it(void **state)
{
	begin("append");
	IN(0, L("x"), A("z", 1));
	IN(4, L("y"));
	OUT(0, L("x"), A("z", 1));
	TXN(1, A("y", 1));
	OUT(4, L("y"));
	TXN(5, A("x", 1));
	TXN(2, L("x", 1), L("y", 1), L("z", 1));
	expect_valid("append");
}

static void orders_that_differ_are_incompatible(void **state)
{
	begin("append");
	IN(0, A("x", 1));
	IN(1, A("x", 2));
	OUT(0, A("x", 1));
	OUT(1, A("x", 2));
	TXN(2, L("x", 1, 2));
	TXN(3, L("x", 2, 1));
	expect_invalid("append", "incompatible order");
}

static void a_value_twice_is_a_duplicate(void **state)
{
	begin("append");
	TXN(0, A("x", 1));
	TXN(2, L("x", 1, 1));
	expect_invalid("append", "duplicate element");
}

static void a_value_that_nobody_appended_is_from_nowhere(void **state)
{
	begin("append");
	TXN(2, L("x", 7));
	expect_invalid("append", "value from nowhere");
}

static void a_transaction_sees_its_own_writes(void **state)
{
	begin("append");
	TXN(0, A("x", 1), L("x"));
	expect_invalid("append", "internal");
}

static void a_value_appended_by_two_decides_nothing(void **state)
{
	begin("append");
	TXN(0, A("x", 1));
	TXN(1, A("x", 1));
	expect_verdict("append", CHECK_UNKNOWN, NULL);
}

/* ---- generated: transactions at one moment each, over lists held in memory ---- */

enum { KEYS = 10, LIST_MAX = 30000 };
static int64_t lists[KEYS][LIST_MAX];
static uint32_t lengths[KEYS];
static uint64_t seed;

static unsigned roll(unsigned n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % n;
}

static void run(struct history_item items[4], uint32_t count)
{
	static const char *const names[KEYS] = {"k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9"};
	for (uint32_t i = 0; i < count; i++) {
		unsigned k = roll(KEYS);
		while (i && k <= (unsigned)(items[i - 1].key[1] - '0') && k != 9)
			k++;
		if (roll(2) && lengths[k] < LIST_MAX) {
			items[i] = HISTORY_ITEM_INIT(HISTORY_APPEND, names[k], lengths[k] + 1);
			lists[k][lengths[k]] = lengths[k] + 1;
			lengths[k]++;
		} else {
			items[i] = HISTORY_ITEM_INIT(HISTORY_READ, names[k], HISTORY_NIL);
			items[i].values = lists[k];
			items[i].value_count = lengths[k];
		}
	}
}

static void simulate(size_t txns)
{
	struct client {
		bool is_open;
		struct history_item items[4];
		uint32_t count;
	} c[8] = {{0}};
	memset(lengths, 0, sizeof lengths);
	for (size_t n = 0; n < txns;) {
		unsigned i = roll(8);
		struct history_record r = HISTORY_RECORD_INIT;
		r.time_ns = ++now_s;
		r.process = (int32_t)i;
		r.f = HISTORY_TXN;
		if (!c[i].is_open) {
			/* It takes effect at once; the lists read are copied now, their lengths are of now. */
			c[i].count = 1 + roll(3);
			run(c[i].items, c[i].count);
			n++;
		}
		r.type = c[i].is_open ? HISTORY_OK : HISTORY_INVOKE;
		r.items = c[i].items;
		r.item_count = c[i].count;
		history_append(&h, &r);
		c[i].is_open = !c[i].is_open;
	}
}

static void accepts_generated_histories(void **state)
{
	for (seed = 1; seed < 20;) {
		uint64_t next = seed + 1;
		begin("append");
		simulate(300);
		expect_valid("append");
		seed = next;
	}
}

/* A read that forgets the end of what it saw, or a longer list than there was: none may pass when other reads and real
 * time contradict it. */
static void a_forgetful_read_never_passes(void **state)
{
	int mutated = 0;
	for (uint64_t s = 1; s < 200; s++) {
		seed = s * 31;
		begin("append");
		simulate(400);
		for (size_t i = h.count / 2 + roll(100); i < h.count; i++) {
			struct history_item *it = (struct history_item *)h.records[i].items;
			/* Enough forgotten that some of it was appended by those that ended long before. */
			if (h.records[i].type == HISTORY_OK && it[0].f == HISTORY_READ && it[0].value_count > 24) {
				it[0].value_count -= 20;
				mutated++;
				break;
			}
		}
		expect_verdict("append", CHECK_INVALID, NULL);
	}
	assert_int_equal(mutated, 199);
}

static void decides_eight_thousand_transactions(void **state)
{
	seed = 99;
	begin("append");
	simulate(8000);
	expect_valid("append");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_serial_history_is_valid),
	        cmocka_unit_test(each_before_the_other_is_g2),
	        cmocka_unit_test(write_cycles_are_g0),
	        cmocka_unit_test(reading_a_failed_append_is_g1a),
	        cmocka_unit_test(reading_half_a_transaction_is_g1b),
	        cmocka_unit_test(reading_each_others_writes_is_g1c),
	        cmocka_unit_test(read_skew_is_g_single),
	        cmocka_unit_test(write_skew_is_g2),
	        cmocka_unit_test(a_stale_read_is_g_single_realtime),
	        cmocka_unit_test(a_process_that_forgets_is_g_single_process),
	        cmocka_unit_test(an_acknowledged_append_in_no_list_is_found),
	        cmocka_unit_test(versions_against_time_are_g0_realtime),
	        cmocka_unit_test(a_write_read_before_it_began_is_g1c_realtime),
	        cmocka_unit_test(two_skews_against_time_are_g2_realtime),
	        cmocka_unit_test(a_read_beside_a_write_may_miss_it),
	        cmocka_unit_test(orders_that_differ_are_incompatible),
	        cmocka_unit_test(a_value_twice_is_a_duplicate),
	        cmocka_unit_test(a_value_that_nobody_appended_is_from_nowhere),
	        cmocka_unit_test(a_transaction_sees_its_own_writes),
	        cmocka_unit_test(a_value_appended_by_two_decides_nothing),
	        cmocka_unit_test(accepts_generated_histories),
	        cmocka_unit_test(a_forgetful_read_never_passes),
	        cmocka_unit_test(decides_eight_thousand_transactions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
