/* jepsen/watcher: when it follows its stream at once, and when at the rate of requests. */
#include "tests/unit/unit.h"

#include "jepsen/watcher.h"

/* Held to the rate of requests, watchers of a busy cluster fell behind for good, and did not arrive in time. */
static void a_stream_is_followed_as_fast_as_it_comes(void **state)
{
	struct watcher v = {.stream = (struct client_stream *)&v};
	assert_true(watcher_goes_on(&v, false));
	assert_true(watcher_goes_on(&v, true));
}

static void a_slow_watcher_hurries_in_the_end(void **state)
{
	struct watcher v = {.stream = (struct client_stream *)&v, .is_slow = true};
	assert_false(watcher_goes_on(&v, false));
	assert_true(watcher_goes_on(&v, true));
}

static void streams_are_opened_at_the_rate_of_requests(void **state)
{
	struct watcher v = {.is_slow = false};
	assert_false(watcher_goes_on(&v, false));
	assert_false(watcher_goes_on(&v, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_stream_is_followed_as_fast_as_it_comes),
	        cmocka_unit_test(a_slow_watcher_hurries_in_the_end),
	        cmocka_unit_test(streams_are_opened_at_the_rate_of_requests)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
