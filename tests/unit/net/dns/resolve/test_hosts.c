/* Hosts files as tables. */
#include "tests/unit/unit.h"

#include "net/dns/resolve/hosts.h"

static struct arena arena;
static struct dns_name root = DNS_ROOT;
static struct conf_hosts conf = {.ttl_s = 60, .zones = {&root, 1}};
static struct dns_message reply;

static size_t ask(struct hosts *h, const char *text, uint16_t type, enum hosts_outcome outcome)
{
	struct dns_name *n = arena_alloc(&arena, sizeof *n);
	assert_int_equal(dns_name_parse(n, slice_of(text), NULL), 0);
	reply = (struct dns_message){0};
	assert_int_equal(hosts_answer(h, &conf, &arena, n, type, &reply), outcome);
	return reply.sections[DNS_ANSWER].n;
}

static void names_and_addresses_are_found(void **state)
{
	struct hosts *h = hosts_new();
	hosts_add(h,
	        SLICE("# a comment\n10.0.0.1\tNode1  node1.lan # another\r\n\nfd00::1 node1\n10.0.0.2 node1\n10.0.0.2 "
	              "node1\n"
	              "nonsense node3\n10.0.0.4 bad..name good"),
	        false);
	assert_int_equal(ask(h, "node1", DNS_A, HOSTS_DONE), 2);
	assert_int_equal(reply.sections[DNS_ANSWER].list[0].ttl, 60);
	assert_int_equal(ask(h, "node1", DNS_AAAA, HOSTS_DONE), 1);
	assert_int_equal(ask(h, "node1", DNS_MX, HOSTS_DONE), 0);
	assert_int_equal(ask(h, "node1.lan", DNS_AAAA, HOSTS_DONE), 0);
	assert_int_equal(ask(h, "1.0.0.10.in-addr.arpa", DNS_PTR, HOSTS_DONE), 2);
	assert_int_equal(ask(h, "good", DNS_A, HOSTS_DONE), 1);
	ask(h, "node3", DNS_A, HOSTS_NOT_MINE);
	ask(h, "9.0.0.10.in-addr.arpa", DNS_PTR, HOSTS_NOT_MINE);
	hosts_free(h);
}

static void addresses_need_not_be_found(void **state)
{
	struct hosts *h = hosts_new();
	hosts_add(h, SLICE("10.0.0.1 a\n"), true);
	ask(h, "1.0.0.10.in-addr.arpa", DNS_PTR, HOSTS_NOT_MINE);
	assert_int_equal(ask(h, "a", DNS_A, HOSTS_DONE), 1);
	hosts_free(h);
}

static int teardown(void **state)
{
	arena_release(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(names_and_addresses_are_found),
	        cmocka_unit_test(addresses_need_not_be_found),
	};
	return cmocka_run_group_tests(tests, NULL, teardown);
}
