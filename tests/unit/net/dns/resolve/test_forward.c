/* Which upstreams are asked, and in which order. */
#include "tests/unit/unit.h"

#include "base/limits.h"
#include "net/dns/resolve/forward.h"

static struct conf_forward conf;
static unsigned order[DNS_UPSTREAMS_MAX], fails[DNS_UPSTREAMS_MAX];

static size_t get(enum conf_policy policy, unsigned turn, uint32_t random)
{
	conf.n_upstreams = 3;
	conf.max_fails = 2;
	conf.policy = policy;
	return forward_order(&conf, fails, turn, random, order);
}

static void sequential_begins_with_the_first_that_is_up(void **state)
{
	assert_int_equal(get(CONF_SEQUENTIAL, 5, 9), 3);
	assert_true(order[0] == 0 && order[1] == 1 && order[2] == 2);
	fails[0] = 3; /* more than max_fails */
	assert_int_equal(get(CONF_SEQUENTIAL, 5, 9), 2);
	assert_true(order[0] == 1 && order[1] == 2);
	fails[0] = 2;
	assert_int_equal(get(CONF_SEQUENTIAL, 5, 9), 3);
	fails[0] = 0;
}

static void round_robin_takes_turns(void **state)
{
	for (unsigned turn = 0; turn < 6; turn++) {
		assert_int_equal(get(CONF_ROUND_ROBIN, turn, 0), 3);
		assert_int_equal(order[0], turn % 3);
	}
}

static void random_asks_each_first_about_as_often(void **state)
{
	unsigned first[3] = {0};
	for (uint32_t i = 0; i < 3000; i++) {
		assert_int_equal(get(CONF_RANDOM, 0, i * 2654435761u), 3);
		assert_int_equal(order[0] + order[1] + order[2], 3); /* each once */
		first[order[0]]++;
	}
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(first[i], 800, 1200);
}

static void when_all_are_down_one_is_tried_all_the_same(void **state)
{
	fails[0] = fails[1] = fails[2] = 9;
	assert_int_equal(get(CONF_SEQUENTIAL, 0, 4), 1);
	assert_int_equal(order[0], 1);
	conf.max_fails = 0; /* nobody is ever down */
	assert_int_equal(forward_order(&conf, fails, 0, 4, order), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(sequential_begins_with_the_first_that_is_up),
	        cmocka_unit_test(round_robin_takes_turns),
	        cmocka_unit_test(random_asks_each_first_about_as_often),
	        cmocka_unit_test(when_all_are_down_one_is_tried_all_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
