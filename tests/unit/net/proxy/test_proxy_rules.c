/* net/proxy_rules: the nftables text of service ports, and that the kernel takes it, in a network namespace of its own.
 */
#include "tests/unit/unit.h"

#include "net/proxy/node_ports.h"
#include "net/proxy/proxy_rules_int.h"

#include <sys/wait.h>
#include <unistd.h>

static const struct proxy_endpoint two[] = {{"10.42.0.5", 8080}, {"10.42.1.6", 8080}};
static const char *addresses[] = {"10.43.0.9", "192.0.2.50"};

static struct proxy_port port(size_t endpoints)
{
	return (struct proxy_port){.family = &proxy_families[IP_V4],
	        .chain = "00000000000000aa",
	        .comment = "default/web:http",
	        .protocol = "tcp",
	        .port = 80,
	        .node_port = 30080,
	        .addresses = addresses,
	        .n_addresses = 2,
	        .n_cluster_addresses = 1,
	        .internal = two,
	        .n_internal = endpoints,
	        .external = two,
	        .n_external = endpoints};
}

/* Feeds the script to nft inside a fresh network namespace; returns its exit status and, in `rules`, what the table
 * holds afterwards. */
static int load(const struct strbuf *script, char *rules, size_t size)
{
	char name[] = "/tmp/k3x-nft-XXXXXX", command[256];
	int fd = mkstemp(name);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, script->data, script->len), (ssize_t)script->len);
	close(fd);
	snprintf(command, sizeof command, "unshare -n sh -c 'nft -f %s && nft list ruleset' 2>&1", name);
	FILE *f = popen(command, "r");
	size_t n = fread(rules, 1, size - 1, f);
	rules[n] = 0;
	int status = pclose(f);
	unlink(name);
	return WEXITSTATUS(status);
}

static void check_loads(const struct strbuf *script, char *rules, size_t size)
{
	if (geteuid() != 0) {
		print_message("SKIP not root: nftables cannot be tried\n");
		skip();
	}
	int rc = load(script, rules, size);
	if (rc != 0)
		print_message("%s\n%s\n", script->data, rules);
	assert_int_equal(rc, 0);
}

/* A port as the table gets it: its chooser is there first. */
static void add_port(struct strbuf *s, const struct proxy_port *p, const char *cluster_cidr)
{
	if (proxy_rules_spread(p))
		proxy_chooser_add(s, p);
	proxy_rules_add(s, p, cluster_cidr);
	proxy_endpoints_add(s, p);
}

static void delete_port(struct strbuf *s, const struct proxy_port *p)
{
	proxy_endpoints_delete(s, p);
	proxy_rules_delete(s, p);
}

static void the_kernel_takes_what_is_added(void **state)
{
	char rules[16384];
	struct strbuf s = STRBUF_INIT;
	for (size_t n = 0; n < 3; n++) {
		struct proxy_port p = port(n);
		strbuf_reset(&s);
		proxy_rules_frame(&s, &proxy_families[IP_V4], "10.42.0.0/16", "", false);
		add_port(&s, &p, "10.42.0.0/16");
		check_loads(&s, rules, sizeof rules);
		if (n == 2) {
			assert_non_null(strstr(rules, "10.43.0.9 . tcp . 80 : goto tcp-of-2"));
			assert_non_null(strstr(rules, "tcp . 30080 : goto ext-00000000000000aa"));
			/* Who is no pod gets an address of this node, so that the answer comes back here. */
			const char *mark =
			        strstr(rules, "ip saddr != 10.42.0.0/16 ip daddr @cluster-ips meta mark set");
			assert_non_null(mark);
			assert_true(mark < strstr(rules, "vmap @services"));
			assert_non_null(strstr(rules, "10.42.0.5 . 10.42.0.5"));
			assert_non_null(strstr(rules, "10.42.1.6 . 10.42.1.6"));
		}
		if (n == 0) {
			assert_non_null(strstr(rules, "10.43.0.9 . tcp . 80"));
			const char *refused = strstr(rules, "set refused-ports {");
			assert_non_null(refused);
			assert_non_null(strstr(refused, "elements = { tcp . 30080 }"));
		}
	}
	strbuf_release(&s);
}

static const struct proxy_endpoint two_v6[] = {{"fd00:42::5", 8080}, {"fd00:42:0:1::6", 8080}};
static const char *addresses_v6[] = {"fd00:43::9", "2001:db8::50"};

static struct proxy_port port_v6(size_t endpoints)
{
	struct proxy_port p = port(endpoints);
	p.family = &proxy_families[IP_V6];
	p.addresses = addresses_v6;
	p.internal = p.external = p.cluster = two_v6;
	p.n_cluster = endpoints;
	return p;
}

static void both_families_stand_side_by_side(void **state)
{
	char rules[32768];
	struct strbuf s = STRBUF_INIT;
	struct proxy_port v4 = port(2), v6 = port_v6(2), one = port_v6(1);
	proxy_rules_frame(&s, &proxy_families[IP_V4], "10.42.0.0/16", "", false);
	proxy_rules_frame(&s, &proxy_families[IP_V6], "fd00:42::/56", "", false);
	add_port(&s, &v4, "10.42.0.0/16");
	add_port(&s, &v6, "fd00:42::/56");
	check_loads(&s, rules, sizeof rules);
	assert_non_null(strstr(rules, "10.43.0.9 . tcp . 80 : goto tcp-of-2"));
	assert_non_null(strstr(rules, "fd00:43::9 . tcp . 80 : goto tcp-of-2"));
	assert_non_null(strstr(rules, "dnat ip6 to ip6 daddr . tcp dport . numgen random mod 2 map "
	                              "@tcp-endpoints"));
	/* who falls between two look-ups goes to the first */
	assert_non_null(strstr(rules, "dnat ip to ip daddr . tcp dport . numgen random mod 1 map @tcp-endpoints"));
	assert_non_null(strstr(rules, "fd00:43::9 . 80 . 0 : fd00:42::5 . 8080"));
	assert_non_null(strstr(rules, "10.43.0.9 . 80 . 0 : 10.42.0.5 . 8080"));
	delete_port(&s, &v6);
	add_port(&s, &one, "fd00:42::/56");
	check_loads(&s, rules, sizeof rules);
	assert_non_null(strstr(rules, "dnat to [fd00:42::5]:8080"));
	strbuf_release(&s);
}

static void node_ports_are_where_they_are_told(void **state)
{
	char ranges[PROXY_NODE_PORTS_BYTES_MAX], rules[16384];
	struct proxy_arguments a = PROXY_ARGUMENTS_DEFAULT;
	struct strbuf s = STRBUF_INIT;
	struct ip_net n;
	const struct proxy_family *v4 = &proxy_families[IP_V4], *v6 = &proxy_families[IP_V6];
	node_ports_ranges(&a, "10.0.0.1", "fd99::1", v4, ranges);
	assert_string_equal(ranges, "");
	a.node_ports_primary = true;
	node_ports_ranges(&a, "10.0.0.1", "fd99::1", v6, ranges);
	assert_string_equal(ranges, "fd99::1");
	a.node_ports_primary = false;
	assert_true(ip_net_parse(SLICE("10.0.0.0/8"), &n));
	a.node_port_ranges[a.n_node_port_ranges++] = n;
	assert_true(ip_net_parse(SLICE("192.0.2.0/24"), &n));
	a.node_port_ranges[a.n_node_port_ranges++] = n;
	node_ports_ranges(&a, "10.0.0.1", NULL, v6, ranges);
	assert_string_equal(ranges, ""); /* nothing is said of IPv6 */
	node_ports_ranges(&a, "10.0.0.1", NULL, v4, ranges);
	assert_string_equal(ranges, "10.0.0.0/8, 192.0.2.0/24");
	proxy_rules_frame(&s, v4, "10.42.0.0/16", ranges, false);
	check_loads(&s, rules, sizeof rules);
	assert_non_null(strstr(rules, "ip daddr { 10.0.0.0/8, 192.0.2.0/24 } fib daddr type local"));
	strbuf_release(&s);
}

static struct arena arena;

static void add_with_memories(struct strbuf *s, const struct proxy_port *p)
{
	struct proxy_memory *m;
	size_t n = proxy_memories(&arena, p, &m);
	for (size_t i = 0; i < n; i++)
		proxy_memory_add(s, &m[i]);
	add_port(s, p, "10.42.0.0/16");
}

static void delete_with_memories(struct strbuf *s, const struct proxy_port *p)
{
	struct proxy_memory *m;
	size_t n = proxy_memories(&arena, p, &m);
	delete_port(s, p);
	for (size_t i = 0; i < n; i++)
		proxy_memory_delete(s, &m[i]);
}

static void what_was_added_can_be_taken_away(void **state)
{
	char rules[16384];
	struct strbuf s = STRBUF_INIT;
	for (int affinity = 0; affinity < 2; affinity++)
		for (size_t n = 0; n < 3; n++) {
			struct proxy_port p = port(n);
			p.affinity_s = affinity ? 60 : 0;
			strbuf_reset(&s);
			proxy_rules_frame(&s, &proxy_families[IP_V4], "10.42.0.0/16", "", false);
			add_with_memories(&s, &p);
			delete_with_memories(&s, &p);
			check_loads(&s, rules, sizeof rules);
			assert_null(strstr(rules, "aa"));
			assert_null(strstr(rules, "10.43.0.9 ."));
		}
	strbuf_release(&s);
}

static void what_was_added_of_ipv6_can_be_taken_away(void **state)
{
	static const char *sources[] = {"2001:db8::/32"};
	char rules[16384];
	struct strbuf s = STRBUF_INIT;
	for (size_t n = 0; n < 3; n++) {
		struct proxy_port p = port_v6(n);
		struct proxy_memory *m;
		p.affinity_s = 60;
		p.external_local = true;
		p.n_external = n ? n - 1 : 0;
		p.n_open_addresses = 1;
		p.sources = sources;
		p.n_sources = 1;
		strbuf_reset(&s);
		proxy_rules_frame(&s, &proxy_families[IP_V6], "fd00:42::/56", "", false);
		size_t memories = proxy_memories(&arena, &p, &m);
		for (size_t i = 0; i < memories; i++)
			proxy_memory_add(&s, &m[i]);
		add_port(&s, &p, "fd00:42::/56");
		check_loads(&s, rules, sizeof rules);
		assert_non_null(strstr(rules, "fd00:43::9 . tcp . 80"));
		delete_with_memories(&s, &p);
		check_loads(&s, rules, sizeof rules);
		assert_null(strstr(rules, "aa"));
		assert_null(strstr(rules, "fd00:43::9 ."));
	}
	strbuf_release(&s);
	arena_release(&arena);
}

static void a_balancers_address_is_guarded(void **state)
{
	static const char *sources[] = {"10.0.0.0/8", "10.1.0.0/16"}; /* they may overlap */
	char rules[16384];
	struct strbuf s = STRBUF_INIT;
	struct proxy_port p = port(2);
	p.n_open_addresses = 1;
	p.sources = sources;
	p.n_sources = 2;
	proxy_rules_frame(&s, &proxy_families[IP_V4], "10.42.0.0/16", "", false);
	add_port(&s, &p, "10.42.0.0/16");
	check_loads(&s, rules, sizeof rules);
	assert_non_null(strstr(rules, "192.0.2.50 . tcp . 80 : goto lb-00000000000000aa"));
	assert_non_null(strstr(rules, "10.43.0.9 . tcp . 80 : goto tcp-of-2"));
	assert_non_null(strstr(rules, "ip saddr 10.0.0.0/8 goto ext-00000000000000aa"));
	delete_port(&s, &p);
	check_loads(&s, rules, sizeof rules);
	assert_null(strstr(rules, "aa"));
	strbuf_release(&s);
}

static void loading_the_frame_again_replaces_the_table(void **state)
{
	char rules[16384];
	struct strbuf s = STRBUF_INIT;
	struct proxy_port p = port(2);
	proxy_rules_frame(&s, &proxy_families[IP_V4], "10.42.0.0/16", "", false);
	add_port(&s, &p, "10.42.0.0/16");
	proxy_rules_frame(&s, &proxy_families[IP_V4], "10.42.0.0/16", "", false);
	check_loads(&s, rules, sizeof rules);
	assert_null(strstr(rules, "goto svc-"));
	strbuf_release(&s);
}

static void clients_with_affinity_are_remembered_apart(void **state)
{
	char rules[16384];
	struct strbuf s = STRBUF_INIT;
	struct proxy_memory *m;
	struct proxy_port p = port(2), fewer = port(1);
	p.affinity_s = fewer.affinity_s = 60;
	assert_int_equal(proxy_memories(&arena, &p, &m), 2);
	const char *name = m[0].name;
	assert_int_equal(proxy_memories(&arena, &fewer, &m), 1);
	assert_string_equal(m[0].name, name); /* what is left of it is the same set */
	proxy_rules_frame(&s, &proxy_families[IP_V4], "10.42.0.0/16", "", false);
	add_with_memories(&s, &p);
	strbuf_addf(&s, "add element ip k3x-proxy was-%s { 10.42.7.7 }\n", name);
	delete_port(&s, &p);
	add_port(&s, &fewer, "10.42.0.0/16");
	check_loads(&s, rules, sizeof rules);
	assert_non_null(strstr(rules, "10.42.7.7"));
	fewer.affinity_s = 61;
	proxy_memories(&arena, &fewer, &m);
	assert_string_not_equal(m[0].name, name); /* a set keeps its timeout */
	strbuf_release(&s);
	arena_release(&arena);
}

static void the_policy_local_keeps_the_others_out(void **state)
{
	char rules[16384];
	struct strbuf s = STRBUF_INIT;
	for (int affinity = 0; affinity < 2; affinity++)
		for (size_t local = 0; local < 3; local++) {
			struct proxy_port p = port(2);
			p.external_local = true;
			p.n_external = local;
			p.cluster = two;
			p.n_cluster = 2;
			p.affinity_s = affinity ? 60 : 0;
			strbuf_reset(&s);
			proxy_rules_frame(&s, &proxy_families[IP_V4], "10.42.0.0/16", "", false);
			add_with_memories(&s, &p);
			check_loads(&s, rules, sizeof rules);
			assert_non_null(strstr(rules, "ip saddr 10.42.0.0/16 goto all-00000000000000aa"));
			assert_non_null(strstr(rules, "tcp . 30080 : goto ext-00000000000000aa"));
			assert_int_equal(
			        strstr(rules, "drop\n\t}\n\n\tchain") != NULL || strstr(rules, "\t\tdrop") != NULL,
			        local == 0);
			delete_with_memories(&s, &p);
			check_loads(&s, rules, sizeof rules);
			assert_null(strstr(rules, "aa"));
		}
	strbuf_release(&s);
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_kernel_takes_what_is_added),
	        cmocka_unit_test(what_was_added_can_be_taken_away),
	        cmocka_unit_test(node_ports_are_where_they_are_told),
	        cmocka_unit_test(both_families_stand_side_by_side),
	        cmocka_unit_test(what_was_added_of_ipv6_can_be_taken_away),
	        cmocka_unit_test(a_balancers_address_is_guarded),
	        cmocka_unit_test(loading_the_frame_again_replaces_the_table),
	        cmocka_unit_test(clients_with_affinity_are_remembered_apart),
	        cmocka_unit_test(the_policy_local_keeps_the_others_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
