/* The servers that a balancer knows: addresses, which is next, how answers change their health, the list as a file. */
#include "net/balancer/upstreams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct err err;
static struct upstreams l;
static struct upstream *gone[BALANCER_SERVERS_MAX + 1];
static size_t n_gone;

static bool set(const char *const *addresses, size_t n)
{
	bool changed = upstreams_set(&l, addresses, n, gone, &n_gone);
	for (size_t i = 0; i < n_gone; i++)
		upstream_unref(gone[i]);
	return changed;
}

static struct upstream *at(const char *address)
{
	for (size_t i = 0; i < l.n; i++)
		if (strcmp(l.items[i]->address, address) == 0)
			return l.items[i];
	return NULL;
}

static void addresses_are_checked(void **state)
{
	static const char *const good[] = {"10.0.0.1:6443", "a.example:1", "[fd00::1]:65535"};
	static const char *const bad[] = {
	        "", "10.0.0.1", ":6443", "a:0", "a:65536", "a:x", "fd00::1:6443", "[fd00::1:1", "[]:1"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_int_equal(upstream_check(good[i], &err), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(upstream_check(bad[i], &err), ERR_INVAL);
	upstreams_init(&l, "[fd00::1]:6443");
	assert_string_equal(l.items[0]->host, "fd00::1");
	assert_int_equal(l.items[0]->port, 6443);
	upstreams_release(&l);
}

static void the_list_follows_the_cluster_and_keeps_the_last_resort(void **state)
{
	const char *three[] = {"10.0.0.1:6443", "10.0.0.2:6443", "10.0.0.3:6443", "10.0.0.3:6443", "nonsense"};
	const char *two[] = {"10.0.0.2:6443", "10.0.0.3:6443"};
	upstreams_init(&l, "10.0.0.1:6443");
	assert_true(set(three, 5));
	assert_int_equal(l.n, 3);
	assert_false(set(three, 5));
	assert_false(set(NULL, 0)); /* nobody believes that there is none */
	assert_int_equal(l.n, 3);
	assert_true(set(two, 2));
	assert_int_equal(n_gone, 0);
	assert_false(at("10.0.0.1:6443")->is_listed); /* the last resort stays */
	assert_true(set(two + 1, 1));
	assert_int_equal(n_gone, 1);
	assert_int_equal(l.n, 2);
	upstreams_release(&l);
}

static void no_more_than_the_limit(void **state)
{
	char text[64][24];
	const char *many[64];
	for (int i = 0; i < 64; i++) {
		snprintf(text[i], sizeof text[i], "10.0.1.%d:6443", i);
		many[i] = text[i];
	}
	upstreams_init(&l, "api.example:6443");
	assert_true(set(many, 64));
	assert_int_equal(l.n, BALANCER_SERVERS_MAX + 1);
	upstreams_release(&l);
}

static void the_best_is_chosen_and_each_but_once(void **state)
{
	const char *three[] = {"10.0.0.1:6443", "10.0.0.2:6443", "10.0.0.3:6443"};
	unsigned chosen[4] = {0};
	upstreams_init(&l, "api.example:6443");
	set(three, 3);
	for (size_t i = 0; i < l.n; i++)
		upstream_answered(l.items[i], UPSTREAM_READY);
	for (uint32_t lot = 0; lot < 400; lot++)
		chosen[upstreams_choose(&l, 0, lot)]++;
	assert_int_equal(chosen[0], 0); /* the last resort is never first */
	assert_true(chosen[1] > 50 && chosen[2] > 50 && chosen[3] > 50);
	at("10.0.0.1:6443")->connections = 2;
	at("10.0.0.2:6443")->connections = 1;
	at("10.0.0.3:6443")->connections = 2;
	for (uint32_t lot = 0; lot < 20; lot++)
		assert_string_equal(l.items[upstreams_choose(&l, 0, lot)]->address, "10.0.0.2:6443");
	upstream_answered(at("10.0.0.2:6443"), UPSTREAM_REFUSED);
	upstream_answered(at("10.0.0.1:6443"), UPSTREAM_NOT_READY);
	const char *order[] = {"10.0.0.3:6443", "api.example:6443", "10.0.0.1:6443", "10.0.0.2:6443"};
	uint64_t tried = 0;
	for (int i = 0; i < 4; i++) {
		int k = upstreams_choose(&l, tried, 7);
		assert_string_equal(l.items[k]->address, order[i]);
		tried |= UINT64_C(1) << k;
	}
	assert_int_equal(upstreams_choose(&l, tried, 7), -1);
	upstreams_release(&l);
}

static void one_silence_is_forgiven(void **state)
{
	upstreams_init(&l, "10.0.0.1:6443");
	struct upstream *u = l.items[0];
	unsigned fine = upstream_answered(u, UPSTREAM_READY);
	assert_true(upstream_answered(u, UPSTREAM_SILENT) < fine); /* asked again soon */
	assert_int_equal(u->health, UPSTREAM_LIVE);
	assert_true(upstreams_have_live(&l));
	upstream_answered(u, UPSTREAM_SILENT);
	assert_int_equal(u->health, UPSTREAM_DOWN);
	assert_true(upstream_is_bad(u) && !upstreams_have_live(&l));
	upstream_answered(u, UPSTREAM_READY);
	assert_false(upstream_is_bad(u));
	upstream_answered(u, UPSTREAM_NOT_READY); /* an election: not worth leaving it for */
	assert_false(upstream_is_bad(u));
	upstream_answered(u, UPSTREAM_NOT_READY);
	assert_true(upstream_is_bad(u));
	upstream_answered(u, UPSTREAM_READY);
	upstream_answered(u, UPSTREAM_REFUSED);
	assert_true(upstream_is_bad(u));
	upstreams_release(&l);
}

static void what_is_written_is_read(void **state)
{
	const char *two[] = {"10.0.0.1:6443", "[fd00::1]:6443"};
	char *back[4];
	size_t n;
	struct strbuf text = STRBUF_INIT;
	upstreams_init(&l, "api.example:6443");
	set(two, 2);
	upstreams_write(&l, &text);
	assert_int_equal(upstreams_read(strbuf_slice(&text), back, 4, &n, &err), 0);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(back[i], two[i]);
		free(back[i]);
	}
	strbuf_release(&text);
	upstreams_release(&l);
	assert_int_equal(upstreams_read(SLICE(""), back, 4, &n, &err), ERR_INVAL);
	assert_int_equal(upstreams_read(SLICE("{\"servers\":3}"), back, 4, &n, &err), ERR_INVAL);
	assert_int_equal(upstreams_read(SLICE("{\"servers\":[3,null,\"\"]}"), back, 4, &n, &err), 0);
	assert_int_equal(n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(addresses_are_checked),
	        cmocka_unit_test(the_list_follows_the_cluster_and_keeps_the_last_resort),
	        cmocka_unit_test(no_more_than_the_limit),
	        cmocka_unit_test(the_best_is_chosen_and_each_but_once),
	        cmocka_unit_test(one_silence_is_forgiven),
	        cmocka_unit_test(what_is_written_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
