/* Seats and queues, by counts: who runs, who waits, who is turned away, and that a flood leaves others their share. */
#include "api/server/fairness/levels.h"

#include "tests/unit/unit.h"

static struct levels levels;

static struct level_spec queued(unsigned shares, unsigned lendable)
{
	return (struct level_spec){.has_queues = true,
	        .queues = 64,
	        .hand = 4,
	        .queue_length = 50,
	        .shares = shares,
	        .lendable_percent = lendable,
	        .borrowing_percent = LEVEL_NO_LIMIT};
}

static struct level *put(const char *name, struct level_spec spec)
{
	struct level *l = levels_put(&levels, slice_of(name), SLICE("uid"), &spec);
	levels_share(&levels);
	return l;
}

static int setup(void **state)
{
	levels_init(&levels, 100);
	return 0;
}

static int teardown(void **state)
{
	levels_release(&levels);
	return 0;
}

static enum level_answer enter(struct level *level, struct seat *s, uint64_t flow, unsigned width)
{
	*s = (struct seat){.width = width, .hash = flow * 0x9e3779b97f4a7c15};
	return level_enter(level, s);
}

/* As many as enter, of `n`. */
static unsigned enter_all(struct level *level, struct seat *seats, unsigned n, uint64_t flow, enum level_answer want)
{
	unsigned count = 0;
	for (unsigned i = 0; i < n; i++)
		count += enter(level, &seats[i], flow, 1) == want;
	return count;
}

static void leave_all(struct seat *seats, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (seats[i].state != SEAT_NONE)
			level_leave(&seats[i]);
}

static void seats_are_shared_by_shares(void **state)
{
	struct level *a = put("a", queued(30, 50)), *b = put("b", queued(10, 0));
	assert_int_equal(a->nominal, 75);
	assert_int_equal(a->lower, 37); /* half of 75, rounded up, is lent */
	assert_int_equal(b->nominal, 25);
	assert_int_equal(b->lower, 25);
	assert_int_equal(a->upper, 100);
}

static void a_level_borrows_what_is_idle_and_no_more(void **state)
{
	struct level *a = put("a", queued(50, 100)), *b = put("b", queued(50, 40));
	static struct seat seats[200];
	/* a may have its own 50 and the 20 that b lends */
	assert_int_equal(enter_all(a, seats, 120, 1, LEVEL_RUN), 70);
	assert_int_equal(a->waiting, 50);
	/* b's own 30 are there at once, the rest comes back as a's requests end */
	assert_int_equal(enter_all(b, seats + 120, 60, 2, LEVEL_RUN), 30);
	leave_all(seats, 10);
	unsigned for_b = 0;
	for (struct seat *s; (s = levels_next(&levels));)
		for_b += s->level == b;
	assert_int_equal(for_b, 10); /* who has less than his own comes first */
	leave_all(seats, 200);
}

static void borrowing_has_a_limit(void **state)
{
	struct level_spec spec = queued(10, 0);
	spec.borrowing_percent = 50;
	struct level *a = put("a", spec), *b = put("b", queued(90, 100));
	static struct seat seats[40];
	assert_int_equal(a->nominal, 10);
	assert_int_equal(enter_all(a, seats, 40, 1, LEVEL_RUN), 15);
	assert_int_equal(b->seats_used, 0);
	leave_all(seats, 40);
}

static void an_exempt_level_is_only_counted(void **state)
{
	struct level *exempt =
	        put("exempt", (struct level_spec){.is_exempt = true, .borrowing_percent = LEVEL_NO_LIMIT});
	struct level *a = put("a", queued(10, 0));
	static struct seat seats[600];
	assert_int_equal(enter_all(exempt, seats, 500, 1, LEVEL_RUN), 500);
	assert_int_equal(exempt->executing, 500);
	assert_int_equal(enter_all(a, seats + 500, 100, 1, LEVEL_RUN), 100);
	leave_all(seats, 600);
}

static void without_queues_who_comes_too_many_is_turned_away(void **state)
{
	struct level *a = put("a", (struct level_spec){.shares = 10, .borrowing_percent = 0});
	struct level *b = put("b", queued(90, 0));
	static struct seat seats[20];
	assert_int_equal(enter_all(a, seats, 20, 1, LEVEL_RUN), 10);
	assert_int_equal(enter(a, &seats[19], 1, 1), LEVEL_BUSY);
	assert_int_equal(b->waiting, 0);
	leave_all(seats, 20);
}

static void a_full_queue_turns_away_and_the_patient_wait(void **state)
{
	struct level *a = put("a", queued(10, 0));
	static struct seat seats[400];
	assert_int_equal(enter_all(a, seats, 100, 1, LEVEL_RUN), 100);
	assert_int_equal(enter_all(a, seats + 100, 300, 1, LEVEL_WAIT), 200); /* 4 queues of 50 */
	assert_int_equal(enter(a, &seats[399], 1, 1), LEVEL_FULL);
	struct seat patient = {.width = 1, .hash = 0x9e3779b97f4a7c15, .is_patient = true};
	assert_int_equal(level_enter(a, &patient), LEVEL_WAIT);
	level_leave(&patient);
	leave_all(seats, 400);
}

/* One user floods, another sends now and then: the second waits for no more than his turn. */
static void a_flood_leaves_others_their_share(void **state)
{
	struct level *a = put("a", queued(10, 0));
	static struct seat flood[300], other[50];
	enter_all(a, flood, 300, 1, LEVEL_WAIT);
	assert_int_equal(a->executing, 100);
	assert_true(a->waiting > 100);
	assert_int_equal(enter_all(a, other, 50, 2, LEVEL_WAIT), 50);
	/* 80 seats become free one after the other: the flood has four queues, the other four */
	unsigned of_flood = 0, of_other = 0;
	for (unsigned i = 0; i < 80; i++) {
		level_leave(&flood[i]);
		struct seat *s = levels_next(&levels);
		assert_non_null(s);
		*(s >= other && s < other + 50 ? &of_other : &of_flood) += 1;
		assert_null(levels_next(&levels));
	}
	assert_true(of_other >= 35 && of_flood >= 35);
	leave_all(flood, 300);
	leave_all(other, 50);
}

/* Who was away does not come back with the turns that he has not used. */
static void turns_are_not_saved_up(void **state)
{
	struct level *a = put("a", queued(10, 0));
	static struct seat busy[300], late[40];
	enter_all(a, busy, 300, 1, LEVEL_RUN);
	for (unsigned i = 0; i < 60; i++) {
		level_leave(&busy[i]);
		assert_non_null(levels_next(&levels));
	}
	enter_all(a, late, 40, 2, LEVEL_WAIT);
	unsigned of_late = 0;
	for (unsigned i = 60; i < 80; i++) {
		level_leave(&busy[i]);
		struct seat *s = levels_next(&levels);
		of_late += s >= late && s < late + 40;
	}
	assert_true(of_late >= 8 && of_late <= 14);
	leave_all(busy, 300);
	leave_all(late, 40);
}

static void the_wide_take_more_turns(void **state)
{
	struct level *a = put("a", queued(10, 0));
	static struct seat first[100], wide[40], narrow[50];
	enter_all(a, first, 100, 9, LEVEL_RUN);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(enter(a, &wide[i], 1, 5), LEVEL_WAIT);
	enter_all(a, narrow, 50, 2, LEVEL_WAIT);
	unsigned seats_wide = 0, seats_narrow = 0;
	leave_all(first, 60);
	for (struct seat *s; (s = levels_next(&levels));)
		*(s >= narrow && s < narrow + 50 ? &seats_narrow : &seats_wide) += s->width;
	assert_true(seats_wide + seats_narrow >= 56 && seats_wide + seats_narrow <= 60);
	assert_in_range(seats_narrow, 20, 40);
	leave_all(first, 100);
	leave_all(wide, 40);
	leave_all(narrow, 50);
}

static void one_runs_however_wide(void **state)
{
	struct level *a = put("a", queued(1, 0)), *b = put("b", queued(99, 0));
	struct seat s, t;
	assert_int_equal(a->nominal, 1);
	assert_int_equal(enter(a, &s, 1, 10), LEVEL_RUN);
	assert_int_equal(s.width, 1);
	assert_int_equal(enter(a, &t, 1, 1), LEVEL_WAIT);
	level_leave(&s);
	assert_ptr_equal(levels_next(&levels), &t);
	assert_int_equal(b->waiting, 0);
	level_leave(&t);
}

static void who_waited_too_long_is_found(void **state)
{
	struct level *a = put("a", queued(10, 0));
	static struct seat seats[103];
	enter_all(a, seats, 100, 1, LEVEL_RUN);
	for (unsigned i = 100; i < 103; i++) {
		seats[i] = (struct seat){.width = 1, .hash = i, .since_ms = i, .is_patient = i == 100};
		assert_int_equal(level_enter(a, &seats[i]), LEVEL_WAIT);
	}
	assert_ptr_equal(levels_overdue(&levels, 102), &seats[101]);
	assert_null(levels_overdue(&levels, 102));
	assert_int_equal(a->waiting, 2);
	leave_all(seats, 103);
}

static void a_change_of_queues_loses_nobody(void **state)
{
	struct level *a = put("a", queued(10, 0));
	struct level_spec spec = queued(10, 0);
	static struct seat seats[180];
	enter_all(a, seats, 180, 1, LEVEL_WAIT);
	spec.queues = 16;
	put("a", spec);
	assert_int_equal(a->waiting, 80);
	put("a", (struct level_spec){.shares = 10, .borrowing_percent = LEVEL_NO_LIMIT});
	assert_int_equal(a->waiting, 80);
	put("a", queued(10, 0));
	assert_int_equal(a->waiting, 80);
	leave_all(seats, 100);
	unsigned n = 0;
	while (levels_next(&levels))
		n++;
	assert_int_equal(n, 80);
	leave_all(seats, 180);
}

static void a_level_that_is_gone_lets_its_last_through(void **state)
{
	struct level *a = put("a", queued(10, 0));
	static struct seat seats[120];
	put("b", queued(10, 0));
	enter_all(a, seats, 120, 1, LEVEL_RUN);
	unsigned waiting = a->waiting;
	assert_true(waiting > 0);
	levels_drop(a);
	levels_share(&levels);
	assert_null(levels_find(&levels, SLICE("a")));
	leave_all(seats, 120 - waiting);
	unsigned n = 0;
	for (struct seat *s; (s = levels_next(&levels)); n++)
		level_leave(s);
	assert_int_equal(n, waiting);
	assert_int_equal(levels.waiting, 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {T(seats_are_shared_by_shares), T(a_level_borrows_what_is_idle_and_no_more),
	        T(borrowing_has_a_limit), T(an_exempt_level_is_only_counted),
	        T(without_queues_who_comes_too_many_is_turned_away), T(a_full_queue_turns_away_and_the_patient_wait),
	        T(a_flood_leaves_others_their_share), T(turns_are_not_saved_up), T(the_wide_take_more_turns),
	        T(one_runs_however_wide), T(who_waited_too_long_is_found), T(a_change_of_queues_loses_nobody),
	        T(a_level_that_is_gone_lets_its_last_through)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
