/* When the node is at another address from now on, and when it only looks like it. */
#include "tools/k3x/address_follow.h"

#include "tests/unit/unit.h"

static void what_is_a_move(void **state)
{
	static const struct {
		const char *what;
		struct address_sight sight;
		bool want;
	} rows[] = {
	        {"it is there", {.is_held = true, .link = 2, .has_next = true, .next_link = 2, .is_routed = true},
	                false},
	        {"renumbered", {.link = 2, .has_next = true, .next_link = 2, .is_routed = true}, true},
	        {"renumbered, no router", {.link = 2, .has_next = true, .next_link = 2}, true},
	        {"on another link, with the router", {.link = 2, .has_next = true, .next_link = 5, .is_routed = true},
	                true},
	        {"what is left is another network's", {.link = 2, .has_next = true, .next_link = 5}, false},
	        {"nothing is left", {.link = 2}, false},
	        {"the first one, on a link", {.link = 1, .has_next = true, .next_link = 2}, false},
	        {"the first one, with the router", {.link = 1, .has_next = true, .next_link = 2, .is_routed = true},
	                true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (address_has_moved(&rows[i].sight) != rows[i].want)
			fail_msg("%s", rows[i].what);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_a_move)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
