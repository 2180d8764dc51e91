/* Which UDP flows are stale, and that the kernel forgets those and no others, in a network namespace of its own. */
#include "tests/unit/unit.h"

#include "net/proxy/udp_sweep.h"

#include <arpa/inet.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct proxy_endpoint two[] = {{"10.42.0.5", 53}, {"10.42.1.6", 53}};
static const char *addresses[] = {"10.43.0.10", "192.0.2.50"};

static struct conntrack_flow flow(const char *to, uint16_t port, const char *by, uint16_t by_port)
{
	struct conntrack_flow f = {.port = port, .by_port = by_port};
	assert_true(ip_parse(slice_of(to), &f.to) && ip_parse(slice_of(by), &f.by));
	return f;
}

static void flows_to_none_of_a_ports_endpoints_are_stale(void **state)
{
	static const struct {
		const char *to, *by;
		uint16_t port, by_port;
		bool is_stale;
	} rows[] = {{"10.43.0.10", "10.42.0.5", 53, 53, false}, {"10.43.0.10", "10.42.1.6", 53, 53, false},
	        {"10.43.0.10", "10.42.1.7", 53, 53, true}, {"10.43.0.10", "10.42.0.5", 53, 54, true},
	        {"10.43.0.10", "10.43.0.10", 53, 53, true} /* from before there were endpoints */,
	        {"10.43.0.10", "10.43.0.10", 54, 54, false}, {"192.0.2.50", "10.42.9.9", 53, 53, true},
	        {"192.0.2.7", "192.0.2.7", 30053, 30053, true}, {"192.0.2.7", "10.42.0.5", 30053, 53, false},
	        {"192.0.2.8", "192.0.2.8", 30053, 30053, false} /* that is not us */};
	struct ip local;
	struct proxy_port p = {.family = &proxy_families[IP_V4],
	        .protocol = "udp",
	        .port = 53,
	        .node_port = 30053,
	        .addresses = addresses,
	        .n_addresses = 2,
	        .internal = two,
	        .n_internal = 1,
	        .external = two + 1,
	        .n_external = 1};
	struct udp_view *v = udp_view_new(), *all = udp_view_new();
	struct proxy_port other = {.family = &proxy_families[IP_V4],
	        .protocol = "udp",
	        .port = 99,
	        .addresses = addresses,
	        .n_addresses = 1};
	assert_true(ip_parse(SLICE("192.0.2.7"), &local));
	udp_view_add(v, &p);
	udp_view_add(all, &other);
	udp_view_add_all(all, v);
	udp_view_add_local(all, &local);
	udp_view_seal(all);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct conntrack_flow f = flow(rows[i].to, rows[i].port, rows[i].by, rows[i].by_port);
		assert_int_equal(udp_view_is_stale(all, &f), rows[i].is_stale);
	}
	udp_view_free(v);
	udp_view_free(all);
}

static void flows_of_ipv6_are_told_apart_too(void **state)
{
	static const struct proxy_endpoint one = {"fd00:42::5", 53};
	static const char *v6[] = {"fd00:43::a"};
	struct proxy_port p = {.family = &proxy_families[IP_V6],
	        .protocol = "udp",
	        .port = 53,
	        .node_port = 30053,
	        .addresses = v6,
	        .n_addresses = 1,
	        .internal = &one,
	        .n_internal = 1};
	struct udp_view *v = udp_view_new();
	struct ip local;
	assert_true(ip_parse(SLICE("fd99::7"), &local));
	udp_view_add(v, &p);
	udp_view_add_local(v, &local);
	udp_view_seal(v);
	struct conntrack_flow good = flow("fd00:43::a", 53, "fd00:42::5", 53),
	                      gone = flow("fd00:43::a", 53, "fd00:42::6", 53),
	                      node = flow("fd99::7", 30053, "fd00:42::6", 53),
	                      other = flow("10.0.0.1", 30053, "10.0.0.1", 53);
	assert_false(udp_view_is_stale(v, &good));
	assert_true(udp_view_is_stale(v, &gone));
	assert_true(udp_view_is_stale(v, &node));
	assert_false(udp_view_is_stale(v, &other));
	udp_view_free(v);
}

static uint16_t seen[8];
static size_t n_seen;

static bool is_of_port_7(void *arg, const struct conntrack_flow *f)
{
	if (n_seen < sizeof seen / sizeof *seen)
		seen[n_seen++] = f->port;
	return f->port == 7;
}

static void send_to(uint16_t port)
{
	struct sockaddr_in to = {
	        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
	close(fd);
}

static void the_kernel_forgets_those_alone(void **state)
{
	struct err err = ERR_INIT;
	size_t n = 0;
	if (geteuid() != 0) {
		print_message("SKIP not root: no flows of one's own\n");
		skip();
	}
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	/* a rule that looks at flows makes the kernel track them */
	assert_int_equal(system("ip link set lo up && nft 'add table ip t; add chain ip t c { type filter hook output "
	                        "priority 0; }; add rule ip t c ct state new counter'"),
	        0);
	send_to(7);
	send_to(7);
	send_to(9);
	assert_int_equal(conntrack_forget_udp(is_of_port_7, NULL, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_int_equal(n_seen, 3);
	n_seen = 0;
	assert_int_equal(conntrack_forget_udp(is_of_port_7, NULL, &n, &err), 0);
	assert_int_equal(n, 0);
	assert_int_equal(n_seen, 1);
	assert_int_equal(seen[0], 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(flows_of_ipv6_are_told_apart_too),
	        cmocka_unit_test(flows_to_none_of_a_ports_endpoints_are_stale),
	        cmocka_unit_test(the_kernel_forgets_those_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
