/* The arithmetic of rollouts. */
#include "tests/unit/unit.h"

#include "api/controllers/rollout.h"
#include "base/mem/arena.h"

static struct json *parsed(struct arena *a, const char *text)
{
	struct err err = ERR_INIT;
	struct json *v = json_parse(a, slice_of(text), NULL, &err);
	assert_non_null(v);
	return v;
}

static void fenceposts_round_surge_up_and_unavailable_down(void **state)
{
	struct arena a = ARENA_INIT;
	int64_t surge, unavailable;
	struct json *s = parsed(
	        &a, "{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":\"25%\",\"maxUnavailable\":\"25%\"}}");
	rollout_fenceposts(s, 10, &surge, &unavailable);
	assert_int_equal(surge, 3);
	assert_int_equal(unavailable, 2);
	rollout_fenceposts(s, 1, &surge, &unavailable);
	assert_int_equal(surge, 1);
	assert_int_equal(unavailable, 0);
	s = parsed(&a, "{\"rollingUpdate\":{\"maxSurge\":0,\"maxUnavailable\":\"1%\"}}");
	rollout_fenceposts(s, 10, &surge, &unavailable);
	assert_int_equal(surge, 0);
	assert_int_equal(unavailable, 1); /* both zero would never move */
	arena_release(&a);
}

static void the_new_set_grows_into_the_surge(void **state)
{
	assert_int_equal(rollout_new_replicas(10, 3, 10, 0, false), 3);
	assert_int_equal(rollout_new_replicas(10, 3, 13, 3, false), 3);  /* no room */
	assert_int_equal(rollout_new_replicas(10, 3, 11, 9, false), 10); /* never past what is wanted */
	assert_int_equal(rollout_new_replicas(10, 3, 0, 12, false), 10); /* and down to it */
	assert_int_equal(rollout_new_replicas(10, 0, 10, 0, true), 10);  /* Recreate */
}

static void old_sets_keep_the_minimum_available(void **state)
{
	struct rollout_set old[1] = {{.replicas = 10, .available = 10, .created_s = 1}},
	                   fresh = {.replicas = 0, .available = 0};
	assert_true(rollout_shrink_old(old, 1, &fresh, 10, 2));
	assert_int_equal(old[0].want, 8);
	fresh = (struct rollout_set){.replicas = 3, .available = 0}; /* not available yet: no more may go */
	old[0] = (struct rollout_set){.replicas = 8, .available = 8};
	assert_false(rollout_shrink_old(old, 1, &fresh, 10, 2));
	fresh.available = 3;
	assert_true(rollout_shrink_old(old, 1, &fresh, 10, 2));
	assert_int_equal(old[0].want, 5);
}

static void broken_old_pods_go_first(void **state)
{
	struct rollout_set old[2] = {{.replicas = 4, .available = 4, .created_s = 1, .name = SLICE("a")},
	        {.replicas = 6, .available = 1, .created_s = 2, .name = SLICE("b")}};
	struct rollout_set fresh = {.replicas = 3, .available = 3};
	assert_true(rollout_shrink_old(old, 2, &fresh, 10, 2));
	assert_int_equal(old[0].want, 4); /* 8 available are the minimum, and 8 there are */
	assert_int_equal(old[1].want, 1);
}

static void scaling_is_spread_in_proportion(void **state)
{
	/* Upstream's example: 10 replicas as 8 and 5 under maxSurge 3, scaled to 15. */
	struct rollout_set sets[2] = {{.replicas = 8, .max_before = 13, .name = SLICE("old"), .created_s = 1},
	        {.replicas = 5, .max_before = 13, .name = SLICE("new"), .created_s = 2}};
	rollout_scale(sets, 2, 15, 3, 13);
	assert_int_equal(sets[0].want + sets[1].want, 18);
	assert_int_equal(sets[0].want, 11);
	assert_int_equal(sets[1].want, 7);
	struct rollout_set down[2] = {{.replicas = 8, .max_before = 13, .name = SLICE("old"), .created_s = 1},
	        {.replicas = 5, .max_before = 13, .name = SLICE("new"), .created_s = 2}};
	rollout_scale(down, 2, 0, 3, 13);
	assert_int_equal(down[0].want, 0);
	assert_int_equal(down[1].want, 0);
}

static void the_hash_does_not_depend_on_member_order(void **state)
{
	struct arena a = ARENA_INIT;
	char x[ROLLOUT_HASH_MAX], y[ROLLOUT_HASH_MAX], z[ROLLOUT_HASH_MAX], w[ROLLOUT_HASH_MAX];
	rollout_template_hash(parsed(&a, "{\"metadata\":{\"labels\":{\"a\":\"1\",\"b\":\"2\"}},\"spec\":{}}"), 0, x);
	rollout_template_hash(parsed(&a, "{\"spec\":{},\"metadata\":{\"labels\":{\"b\":\"2\",\"a\":\"1\"}}}"), 0, y);
	rollout_template_hash(parsed(&a, "{\"metadata\":{\"labels\":{\"a\":\"1\",\"b\":\"3\"}},\"spec\":{}}"), 0, z);
	rollout_template_hash(parsed(&a, "{\"metadata\":{\"labels\":{\"a\":\"1\",\"b\":\"2\"}},\"spec\":{}}"), 1, w);
	assert_string_equal(x, y);
	assert_string_not_equal(x, z);
	assert_string_not_equal(x, w); /* a collision gives another */
	assert_int_equal(strspn(x, "bcdfghjklmnpqrstvwxz2456789"), strlen(x));
	arena_release(&a);
}

static void templates_are_equal_but_for_the_hash(void **state)
{
	struct arena a = ARENA_INIT;
	struct json *x = parsed(&a, "{\"metadata\":{\"labels\":{\"a\":\"1\"}},\"spec\":{\"x\":1}}");
	struct json *y =
	        parsed(&a, "{\"metadata\":{\"labels\":{\"a\":\"1\",\"pod-template-hash\":\"q\"}},\"spec\":{\"x\":1}}");
	struct json *z = parsed(&a, "{\"metadata\":{\"labels\":{\"a\":\"1\"}},\"spec\":{\"x\":2}}");
	assert_true(rollout_same_template(&a, x, y));
	assert_false(rollout_same_template(&a, x, z));
	assert_false(rollout_same_template(&a, x, NULL));
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(fenceposts_round_surge_up_and_unavailable_down),
	        cmocka_unit_test(the_new_set_grows_into_the_surge),
	        cmocka_unit_test(old_sets_keep_the_minimum_available),
	        cmocka_unit_test(broken_old_pods_go_first),
	        cmocka_unit_test(scaling_is_spread_in_proportion),
	        cmocka_unit_test(the_hash_does_not_depend_on_member_order),
	        cmocka_unit_test(templates_are_equal_but_for_the_hash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
