/* A table made of parts, on a kernel of our own: one bad part keeps no other out. */
#include "tests/unit/unit.h"

#include "base/mem/arena.h"
#include "net/nft_table.h"

#include <sched.h>
#include <unistd.h>

static struct loop loop;
static struct nft_table *table;
static unsigned applied_count, refused_count;
static char refused_key[64], refused_why[512];
static bool closed;

static void frame(void *arg, struct strbuf *out)
{
	strbuf_adds(out, "add table ip k3x-test\ndelete table ip k3x-test\ntable ip k3x-test {\n"
	                 "	map m { type inet_service : verdict; }\n}\n");
}

static void refused(void *arg, struct slice key, const struct err *err)
{
	refused_count++;
	snprintf(refused_key, sizeof refused_key, "%.*s", SLICE_FMT(key));
	snprintf(refused_why, sizeof refused_why, "%s", err->msg);
}

static void applied(void *arg)
{
	applied_count++;
}

static void is_closed(void *arg)
{
	closed = true;
}

static void give_up(uv_timer_t *t)
{
	fail_msg("nothing was applied in time");
}

/* Runs the loop until the kernel holds what is wanted, once more. */
static void settle(void)
{
	unsigned before = applied_count;
	uv_timer_t limit;
	uv_timer_init(loop_uv(&loop), &limit);
	uv_timer_start(&limit, give_up, 20000, 0);
	while (applied_count == before)
		loop_turn(&loop);
	uv_close((uv_handle_t *)&limit, NULL);
	loop_turn(&loop);
}

static const struct nft_set_kind sets[] = {{"m", "p", "v"}};
static char nft_link[] = "/tmp/test-nft-table-XXXXXX"; /* nft, until it is taken away */

static void take_nft_away(void)
{
	assert_int_equal(unlink(nft_link), 0);
}

static int setup_with(const char *nft_path)
{
	loop_init(&loop, "test");
	loop_own(&loop);
	struct nft_table_options o = {.loop = &loop,
	        .name = "ip k3x-test",
	        .nft_path = nft_path,
	        .sets = sets,
	        .n_sets = 1,
	        .frame = frame,
	        .refused = refused,
	        .applied = applied};
	table = nft_table_new(&o);
	applied_count = refused_count = 0;
	closed = false;
	return 0;
}

static int setup(void **state)
{
	return setup_with(NULL);
}

static int setup_link(void **state)
{
	memcpy(nft_link + sizeof nft_link - 7, "XXXXXX", 6);
	close(mkstemp(nft_link));
	unlink(nft_link);
	assert_int_equal(symlink(access("/usr/sbin/nft", X_OK) == 0 ? "/usr/sbin/nft" : "/sbin/nft", nft_link), 0);
	return setup_with(nft_link);
}

static int teardown(void **state)
{
	nft_table_close(table, is_closed, NULL);
	while (!closed)
		loop_turn(&loop);
	loop_stop(&loop);
	loop_run(&loop);
	loop_release(&loop);
	return 0;
}

/* A chain of its own and an element that leads to it. */
static void put(const char *key, const char *rank, int port, const char *comment)
{
	char *add = xprintf("add chain ip k3x-test c-%s { comment \"%s\"; }\n"
	                    "add element ip k3x-test m { %d : goto c-%s }\n",
	        key, comment, port, key);
	char *remove = xprintf("delete element ip k3x-test m { %d }\ndelete chain ip k3x-test c-%s\n", port, key);
	nft_table_put(table, slice_of(key), slice_of(rank), slice_of(add), slice_of(remove));
	free(add);
	free(remove);
}

static bool has(const char *text)
{
	char rules[262144];
	FILE *f = popen("nft list table ip k3x-test 2>&1", "r");
	size_t n = fread(rules, 1, sizeof rules - 1, f);
	rules[n] = 0;
	pclose(f);
	return strstr(rules, text);
}

static bool leads(int port, const char *key)
{
	char *text = xprintf("%d : goto c-%s", port, key);
	bool yes = has(text);
	free(text);
	return yes;
}

static void parts_come_change_and_go(void **state)
{
	put("a", "1", 1, "x");
	put("b", "2", 2, "x");
	nft_table_start(table);
	settle();
	assert_true(leads(1, "a") && leads(2, "b"));
	put("a", "1", 3, "x");
	nft_table_drop(table, SLICE("b"));
	put("c", "3", 2, "x"); /* takes what b had, in the same turn */
	settle();
	assert_true(leads(3, "a") && leads(2, "c"));
	assert_false(has("c-b"));
	assert_int_equal(refused_count, 0);
}

static void the_older_of_two_that_collide_wins(void **state)
{
	put("young", "2026-02", 7, "x");
	put("old", "2026-01", 7, "x");
	put("innocent", "2026-03", 8, "x");
	nft_table_start(table);
	settle();
	assert_true(leads(7, "old") && leads(8, "innocent"));
	assert_int_equal(refused_count, 1);
	assert_string_equal(refused_key, "young");
	put("young", "2026-02", 9, "x");
	settle();
	assert_true(leads(9, "young"));
	assert_int_equal(refused_count, 1);
}

static void a_bad_part_among_many_is_found(void **state)
{
	char comment[200];
	memset(comment, 'c', sizeof comment);
	comment[sizeof comment - 1] = 0;
	for (int i = 0; i < 100; i++) {
		char key[16];
		snprintf(key, sizeof key, "k%02d", i);
		put(key, key, 100 + i, i == 37 ? comment : "x");
	}
	nft_table_start(table);
	settle();
	assert_int_equal(refused_count, 1);
	assert_string_equal(refused_key, "k37");
	assert_true(*refused_why);
	for (int i = 0; i < 100; i += 3) {
		char key[16];
		snprintf(key, sizeof key, "k%02d", i);
		assert_true(leads(100 + i, key) == (i != 37));
	}
	put("later", "z", 300, comment); /* and while it runs */
	put("fine", "z", 301, "x");
	settle();
	assert_int_equal(refused_count, 2);
	assert_true(leads(301, "fine"));
	assert_false(has("c-later"));
}

static void a_table_that_somebody_flushed_is_rebuilt(void **state)
{
	put("a", "1", 1, "x");
	nft_table_start(table);
	settle();
	assert_int_equal(system("nft delete table ip k3x-test"), 0);
	put("a", "1", 2, "x");
	settle();
	assert_true(leads(2, "a"));
	assert_int_equal(refused_count, 0);
}

static void what_somebody_removed_is_put_back(void **state)
{
	static const char *const ways[] = {
	        "nft flush ruleset", "nft flush table ip k3x-test", "nft 'delete element ip k3x-test m { 1 }'"};
	put("a", "1", 1, "x");
	nft_table_start(table);
	settle();
	assert_int_equal(system("nft 'add chain ip k3x-test c-a; add rule ip k3x-test c-a counter'"), 0);
	assert_int_equal(system(ways[*(int *)*state]), 0);
	settle(); /* nobody has put anything */
	assert_true(leads(1, "a"));
	assert_false(has("counter"));
}

/* Else it would never end. */
static void what_we_remove_ourselves_is_not_put_back(void **state)
{
	for (int i = 1; i <= 5; i++) {
		put("a", "1", i, "x");
		if (i == 1)
			nft_table_start(table);
		settle();
	}
	assert_int_equal(
	        system("nft 'add table ip other; delete table ip other; add table ip6 k3x-test; delete table ip6 "
	               "k3x-test'"),
	        0);
	put("b", "1", 100, "x");
	settle();
	assert_int_equal(applied_count, 6);
}

/* A part that is an element alone. */
static void put_element(const char *key, const char *rank, int port, const char *chain)
{
	char *add = xprintf("add element ip k3x-test m { %d : goto c-%s }\n", port, chain),
	     *remove = xprintf("delete element ip k3x-test m { %d }\n", port);
	nft_table_put(table, slice_of(key), slice_of(rank), slice_of(add), slice_of(remove));
	free(add);
	free(remove);
}

static void elements_alone_need_no_nft(void **state)
{
	put("a", "1", 1, "x");
	put("b", "1", 2, "x");
	nft_table_start(table);
	settle();
	take_nft_away();
	for (int i = 0; i < 5; i++) {
		put_element("e", "2", 10 + i, i % 2 ? "a" : "b");
		settle();
		assert_true(leads(10 + i, i % 2 ? "a" : "b"));
		assert_false(i && leads(9 + i, i % 2 ? "b" : "a"));
	}
	nft_table_drop(table, SLICE("e"));
	settle();
	assert_false(leads(14, "b"));
	assert_int_equal(applied_count, 7); /* what we remove ourselves is not put back */
	assert_int_equal(refused_count, 0);
}

static void an_element_that_is_refused_is_told(void **state)
{
	put("a", "1", 1, "x");
	nft_table_start(table);
	settle();
	put_element("old", "1", 7, "a");
	settle();
	put_element("young", "2", 7, "nowhere");
	put_element("innocent", "3", 8, "a");
	settle();
	assert_true(leads(7, "a") && leads(8, "a"));
	assert_int_equal(refused_count, 1);
	assert_string_equal(refused_key, "young");
	assert_true(*refused_why);
}

/* While elements are written. */
static void it_may_be_closed_among_elements(void **state)
{
	put("a", "1", 1, "x");
	nft_table_start(table);
	settle();
	put_element("e", "2", 9, "a");
	for (int i = 0; i < *(int *)*state && applied_count == 1; i++)
		loop_turn(&loop);
}

static void it_may_be_closed_at_any_time(void **state)
{
	put("a", "1", 1, "x");
	nft_table_start(table);
	for (int i = 0; i < *(int *)*state && !applied_count; i++)
		loop_turn(&loop);
}

static int setup_ways(void **state)
{
	static int ways[3] = {0, 1, 2}, next;
	*state = &ways[next++];
	return setup(state);
}

static int setup_turns(void **state)
{
	static int turns;
	turns = (turns + 1) % 6;
	*state = &turns;
	return setup(state);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define PUT_BACK cmocka_unit_test_setup_teardown(what_somebody_removed_is_put_back, setup_ways, teardown)
#define CLOSED_AMONG cmocka_unit_test_setup_teardown(it_may_be_closed_among_elements, setup_turns, teardown)
#define CLOSED cmocka_unit_test_setup_teardown(it_may_be_closed_at_any_time, setup_turns, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(parts_come_change_and_go),
	        T(the_older_of_two_that_collide_wins),
	        T(a_bad_part_among_many_is_found),
	        T(a_table_that_somebody_flushed_is_rebuilt),
	        PUT_BACK,
	        PUT_BACK,
	        PUT_BACK,
	        T(what_we_remove_ourselves_is_not_put_back),
	        cmocka_unit_test_setup_teardown(elements_alone_need_no_nft, setup_link, teardown),
	        T(an_element_that_is_refused_is_told),
	        CLOSED_AMONG,
	        CLOSED_AMONG,
	        CLOSED_AMONG,
	        CLOSED,
	        CLOSED,
	        CLOSED,
	        CLOSED,
	};
	if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) {
		print_message("SKIP not root: nftables cannot be tried\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
