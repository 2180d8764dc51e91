/* Families, ranges and addresses of servers and agents: what is filled in, and what is refused, by its flag. */
#include "tests/unit/unit.h"

#include "tools/k3x/server_addresses.h"

static struct server_settings s;
static struct err err;

static void begin(bool is_agent)
{
	arena_release(&s.arena);
	s = (struct server_settings){.is_agent = is_agent,
	        .cluster_cidr = "10.42.0.0/16",
	        .service_cidr = "10.43.0.0/16",
	        .controllers = CONTROLLERS_ARGUMENTS_DEFAULT};
	err = ERR_INIT;
}

static struct flag_list list_of(const char *text)
{
	struct flag_list l = {.items = ARENA_ARRAY(&s.arena, const char *, 4)};
	struct slice rest = slice_of(text);
	while (rest.ptr) {
		struct slice one = slice_cut(&rest, ',');
		l.items[l.count++] = arena_printf(&s.arena, "%.*s", SLICE_FMT(one));
	}
	return l;
}

/* NULL: not given. */
static int complete(const char *pods, const char *services, const char *dns, const char *node, const char *host)
{
	struct ip_list all = {0};
	begin(false);
	if (pods)
		s.cluster_cidrs = list_of(pods);
	if (services)
		s.service_cidrs = list_of(services);
	if (dns)
		s.cluster_dns_given = list_of(dns);
	if (node)
		s.node_ips = list_of(node);
	if (*host)
		assert_int_equal(ip_list_parse(host, &all, &err), 0);
	return server_addresses_complete(&s, &all, &err);
}

static void is_refused(
        const char *pods, const char *services, const char *dns, const char *node, const char *host, const char *why)
{
	assert_int_equal(complete(pods, services, dns, node, host), ERR_INVAL);
	if (!strstr(err.msg, why))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, why);
}

#define BOTH_PODS "10.42.0.0/16,fd00:42::/56"
#define BOTH_SERVICES "10.43.0.0/16,fd00:43::/112"
#define HOST "10.0.0.1,fd99::1"

static void without_flags_it_is_ipv4(void **state)
{
	assert_int_equal(complete(NULL, NULL, NULL, NULL, HOST), 0);
	assert_string_equal(s.cluster_dns, "10.43.0.10");
	assert_string_equal(s.node_ip, "10.0.0.1");
	assert_null(s.node_ip_other);
	assert_string_equal(s.node_addresses, "10.0.0.1");
	assert_string_equal(s.bind_address, "0.0.0.0");
	assert_string_equal(s.advertise_address, "10.0.0.1");
	assert_int_equal(complete(NULL, NULL, NULL, NULL, ""), 0);
	assert_string_equal(s.node_ip, "127.0.0.1");
}

static void two_ranges_make_two_families_in_their_order(void **state)
{
	assert_int_equal(complete(BOTH_PODS, BOTH_SERVICES, NULL, NULL, "fd99::1,10.0.0.1"), 0);
	assert_string_equal(s.cluster_dns, "10.43.0.10,fd00:43::a");
	assert_string_equal(s.node_addresses, "10.0.0.1,fd99::1");
	assert_string_equal(s.node_ip_other, "fd99::1");
	assert_string_equal(s.bind_address, "::");
	assert_int_equal(
	        complete("fd00:42::/56,10.42.0.0/16", "fd00:43::/112,10.43.0.0/16", NULL, "10.0.0.5,fd99::5", HOST), 0);
	assert_string_equal(s.node_ip, "fd99::5");
	assert_string_equal(s.node_ip_other, "10.0.0.5");
	assert_string_equal(s.advertise_address, "fd99::5");
	assert_string_equal(s.cluster_dns, "fd00:43::a,10.43.0.10");
}

static void ipv6_may_be_alone(void **state)
{
	assert_int_equal(complete("fd00:42::/56", "fd00:43::/112", NULL, NULL, HOST), 0);
	assert_string_equal(s.node_addresses, "fd99::1");
	assert_null(s.node_ip_other);
	assert_string_equal(s.cluster_dns, "fd00:43::a");
	assert_int_equal(complete("fd00:42::/56", "fd00:43::/112", "fd00:43::35", NULL, HOST), 0);
	assert_string_equal(s.cluster_dns, "fd00:43::35");
}

static void what_does_not_fit_is_refused_by_its_flag(void **state)
{
	is_refused("10.42.0.0", NULL, NULL, NULL, HOST, "--cluster-cidr: \"10.42.0.0\"");
	is_refused("10.42.0.0/7", NULL, NULL, NULL, HOST, "--cluster-cidr: \"10.42.0.0/7\"");
	is_refused("10.0.0.0/7", NULL, NULL, NULL, HOST, "--cluster-cidr: 10.0.0.0/7: must have 8 to 24 bits");
	is_refused("fd00:42::/40", "fd00:43::/112", NULL, NULL, HOST, "must have 48 to 64 bits (each node takes 64");
	is_refused(
	        "fd00:42::/56", "fd00:43::/64", NULL, NULL, HOST, "--service-cidr: fd00:43::/64: must have 108 to 124");
	is_refused("10.42.0.0/16,10.44.0.0/16", NULL, NULL, NULL, HOST, "both are IPv4");
	is_refused(BOTH_PODS, NULL, NULL, NULL, HOST, "both must name the same families");
	is_refused(BOTH_PODS, "fd00:43::/112,10.43.0.0/16", NULL, NULL, HOST, "the primary one first");
	is_refused("10.42.0.0/16", "10.42.128.0/20", NULL, NULL, HOST, "overlaps with --cluster-cidr");
	is_refused("10.42.0.0/16,fd00:42::/56", "10.43.0.0/16,fd00:42::/112", NULL, NULL, HOST, "overlaps");
	is_refused(NULL, NULL, "10.44.0.10", NULL, HOST, "--cluster-dns: 10.44.0.10 does not lie in");
	is_refused(NULL, NULL, "fd00:43::a", NULL, HOST, "--cluster-dns");
	is_refused(BOTH_PODS, BOTH_SERVICES, NULL, "10.0.0.1", HOST, "--node-ip: \"10.0.0.1\" has no IPv6 address");
	is_refused(BOTH_PODS, BOTH_SERVICES, NULL, NULL, "10.0.0.1", "no link of this machine has an IPv6 address");
	is_refused(NULL, NULL, NULL, "10.0.0.1,10.0.0.2", HOST, "--node-ip: \"10.0.0.1,10.0.0.2\": both are IPv4");
	is_refused(NULL, NULL, NULL, "host", HOST, "--node-ip: \"host\"");
}

static void a_server_is_known_by_an_address_of_the_first_family(void **state)
{
	struct ip_list host;
	assert_int_equal(ip_list_parse(HOST, &host, &err), 0);
	begin(false);
	s.advertise_address = "fd99::1";
	assert_int_equal(server_addresses_complete(&s, &host, &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "--advertise-address: fd99::1 is not IPv4, the first family"));
	begin(false);
	s.bind_address = "here";
	assert_int_equal(server_addresses_complete(&s, &host, &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "--bind-address"));
}

static void an_agent_takes_the_families_of_its_cluster(void **state)
{
	struct ip_list host;
	assert_int_equal(ip_list_parse(HOST, &host, &err), 0);
	begin(true);
	s.cluster_cidr = "fd00:42::/56,10.42.0.0/16";
	s.node_external_ips = list_of("192.0.2.1,2001:db8::1");
	assert_int_equal(agent_addresses_check(&s, &err), 0);
	assert_int_equal(agent_addresses_complete(&s, &host, &err), 0);
	assert_string_equal(s.node_addresses, "fd99::1,10.0.0.1");
	assert_string_equal(s.node_external_ip, "192.0.2.1,2001:db8::1");
	begin(true);
	s.node_external_ips = list_of("x");
	assert_int_equal(agent_addresses_check(&s, &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "--node-external-ip"));
	arena_release(&s.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(without_flags_it_is_ipv4),
	        cmocka_unit_test(two_ranges_make_two_families_in_their_order),
	        cmocka_unit_test(ipv6_may_be_alone),
	        cmocka_unit_test(what_does_not_fit_is_refused_by_its_flag),
	        cmocka_unit_test(a_server_is_known_by_an_address_of_the_first_family),
	        cmocka_unit_test(an_agent_takes_the_families_of_its_cluster),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
