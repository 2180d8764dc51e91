/* What is told of a table's removals, on a kernel of our own. */
#include "tests/unit/unit.h"

#include "net/nft_watch.h"

#include <sched.h>

static struct loop loop;
static struct nft_watch *watch;
static unsigned told, told_unknown;
static bool closed, is_over;

static void removed(void *arg, uint32_t who)
{
	told++;
	told_unknown += who == 0;
}

static void is_closed(void *arg)
{
	closed = true;
}

static void nft(const char *command)
{
	char line[512];
	snprintf(line, sizeof line, "nft '%s'", command);
	assert_int_equal(system(line), 0);
}

static int setup(void **state)
{
	struct err err = ERR_INIT;
	loop_init(&loop, "test");
	loop_own(&loop);
	nft("flush ruleset; add table ip k3x-test; add chain ip k3x-test c; add rule ip k3x-test c counter; "
	    "add set ip k3x-test s { type inet_service; elements = { 1, 2 }; }; add table ip other; add chain ip other "
	    "c");
	watch = nft_watch_new(
	        &(struct nft_watch_options){.loop = &loop, .table = "ip k3x-test", .removed = removed}, &err);
	assert_non_null(watch);
	told = told_unknown = 0;
	closed = false;
	return 0;
}

static int teardown(void **state)
{
	nft_watch_close(watch, is_closed, NULL);
	while (!closed)
		loop_turn(&loop);
	loop_stop(&loop);
	loop_run(&loop);
	loop_release(&loop);
	return 0;
}

static void over(uv_timer_t *t)
{
	is_over = true;
}

/* Hears all that the kernel has told up to now: it tells before the command ends. */
static void hear(void)
{
	uv_timer_t limit;
	uv_update_time(loop_uv(&loop)); /* the command took its time */
	uv_timer_init(loop_uv(&loop), &limit);
	uv_timer_start(&limit, over, 1, 0);
	is_over = false;
	while (!is_over)
		loop_turn(&loop);
	uv_close((uv_handle_t *)&limit, NULL);
	loop_turn(&loop);
}

static void removals_are_told(void **state)
{
	static const char *const commands[] = {"flush chain ip k3x-test c", "delete element ip k3x-test s { 1 }",
	        "flush set ip k3x-test s", "delete set ip k3x-test s", "delete chain ip k3x-test c",
	        "delete table ip k3x-test"};
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		told = 0;
		nft(commands[i]);
		hear();
		assert_true(told > 0);
	}
	assert_int_equal(told_unknown, 0);
}

static void a_flushed_ruleset_is_told(void **state)
{
	nft("flush ruleset");
	hear();
	assert_true(told > 0);
}

static void additions_and_others_tables_are_not(void **state)
{
	nft("add rule ip k3x-test c accept; add element ip k3x-test s { 9 }");
	nft("delete chain ip other c; delete table ip other; add table ip6 k3x-test; delete table ip6 k3x-test; "
	    "add table ip k3x-test2; delete table ip k3x-test2");
	hear();
	assert_int_equal(told, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(removals_are_told),
	        T(a_flushed_ruleset_is_told),
	        T(additions_and_others_tables_are_not),
	};
	if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) {
		print_message("SKIP not root: nftables cannot be tried\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
