/* jepsen/nemesis: which nemeses a run gets, and that the seed decides. */
#include "tests/unit/unit.h"

#include "base/check.h"
#include "jepsen/nemesis.h"
#include "jepsen/workload.h"

static const struct jepsen_options plain = {0}, overlapping = {.lanes = 3};

static struct run *make(const char *target, unsigned nodes, uint64_t seed)
{
	struct run *r = xcalloc(1, sizeof *r);
	r->cluster.target = target_find(target);
	r->cluster.count = nodes;
	r->cluster.can_change_members = nodes > 1;
	r->options = &plain;
	r->workload = &workload_set;
	r->seed = seed;
	return r;
}

static bool has(const struct nemesis_schedule *s, const char *name)
{
	for (unsigned i = 0; i < s->choice_count; i++)
		if (strcmp(s->choices[i]->name, name) == 0)
			return true;
	return false;
}

static void mixed_takes_what_fits(void **state)
{
	struct nemesis_schedule s;
	struct err err = ERR_INIT;
	struct run *etcd = make("etcd", 3, 1), *alone = make("k3x", 1, 1);
	assert_int_equal(nemesis_schedule_init(&s, etcd, "mixed", &err), 0);
	assert_true(has(&s, "partition-ring") && has(&s, "member-churn") && has(&s, "kill"));
	assert_false(has(&s, "power-cut") || has(&s, "clock-jump"));
	assert_int_equal(nemesis_schedule_init(&s, alone, "mixed", &err), 0);
	assert_true(has(&s, "power-cut") && has(&s, "clock-jump") && has(&s, "kill"));
	assert_false(has(&s, "partition-ring") || has(&s, "leader-transfer") || has(&s, "bit-flip"));
	free(etcd);
	free(alone);
}

static void names_are_checked(void **state)
{
	struct nemesis_schedule s;
	struct err err = ERR_INIT;
	struct run *r = make("etcd", 3, 1);
	assert_int_equal(nemesis_schedule_init(&s, r, "kill,pause", &err), 0);
	assert_int_equal(s.choice_count, 2);
	assert_int_equal(s.lane_count, 1);
	r->options = &overlapping;
	assert_int_equal(nemesis_schedule_init(&s, r, "kill,delay", &err), 0);
	assert_int_equal(s.lane_count, 3);
	assert_int_equal(nemesis_schedule_init(&s, r, "none", &err), 0);
	assert_int_equal(s.choice_count, 0);
	assert_int_equal(nemesis_schedule_init(&s, r, "kill,earthquake", &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "earthquake"));
	assert_int_equal(nemesis_schedule_init(&s, r, "power-cut", &err), ERR_INVAL);
	free(r);
}

static void what_speaks_no_etcd_is_not_asked_in_its_words(void **state)
{
	static const char *const names[] = {
	        "member-churn", "leader-transfer", "compaction", "snapshot", "defragment", "bit-flip"};
	struct nemesis_schedule s;
	struct run *r = make("k3x-server", 3, 1);
	struct err err = ERR_INIT;
	r->cluster.can_change_members = false;
	assert_int_equal(nemesis_schedule_init(&s, r, "mixed", &err), 0);
	assert_true(has(&s, "kill-leader") && has(&s, "power-cut-all") && has(&s, "clock-jump"));
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		assert_false(has(&s, names[i]));
		err = ERR_INIT;
		struct nemesis_schedule one;
		assert_int_equal(nemesis_schedule_init(&one, r, names[i], &err), ERR_INVAL);
		assert_non_null(strstr(err.msg, names[i]));
		assert_non_null(strstr(err.msg, "etcd's API"));
	}
	free(r);
}

static void the_seed_and_the_workload_decide(void **state)
{
	struct nemesis_schedule a, b;
	struct err err = ERR_INIT;
	struct run *x = make("etcd", 3, 5), *y = make("etcd", 3, 5), *z = make("etcd", 3, 6);
	assert_int_equal(nemesis_schedule_init(&a, x, "mixed", &err), 0);
	assert_int_equal(nemesis_schedule_init(&b, y, "mixed", &err), 0);
	assert_true(rng_next(&a.rng) == rng_next(&b.rng));
	assert_int_equal(nemesis_schedule_init(&b, z, "mixed", &err), 0);
	assert_true(rng_next(&a.rng) != rng_next(&b.rng));
	y->workload = &workload_bank;
	assert_int_equal(nemesis_schedule_init(&a, x, "mixed", &err), 0);
	assert_int_equal(nemesis_schedule_init(&b, y, "mixed", &err), 0);
	assert_true(rng_next(&a.rng) != rng_next(&b.rng));
	free(x);
	free(y);
	free(z);
}

static void names_are_used_once(void **state)
{
	for (unsigned i = 0; i < nemesis_count; i++) {
		assert_ptr_equal(nemesis_find(nemeses[i]->name), nemeses[i]);
		assert_true(nemeses[i]->is_moment == !nemeses[i]->end);
	}
	assert_null(nemesis_find("nothing"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(mixed_takes_what_fits), cmocka_unit_test(names_are_checked),
	        cmocka_unit_test(what_speaks_no_etcd_is_not_asked_in_its_words),
	        cmocka_unit_test(the_seed_and_the_workload_decide), cmocka_unit_test(names_are_used_once)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
