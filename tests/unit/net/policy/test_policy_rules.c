/* net/policy/policy_rules: the nftables text of policies, and that the kernel takes it, in a network namespace of its
 * own. */
#include "tests/unit/unit.h"

#include "net/policy/policy_rules_int.h"

#include <sys/wait.h>

static struct arena a;
static struct strbuf script;
static char rules[65536];

static int setup(void **state)
{
	if (geteuid() != 0) {
		print_message("SKIP not root: nftables cannot be tried\n");
		skip();
	}
	strbuf_reset(&script);
	policy_rules_frame(&script);
	return 0;
}

static int release(void **state)
{
	arena_release(&a);
	strbuf_release(&script);
	return 0;
}

/* Feeds the script to nft in a fresh network namespace; `rules` is what the table holds afterwards. */
static void load(void)
{
	char name[] = "/tmp/k3x-nft-XXXXXX", command[256];
	int fd = mkstemp(name);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, script.data, script.len), (ssize_t)script.len);
	close(fd);
	snprintf(command, sizeof command, "unshare -n sh -c 'nft -f %s && nft list table " POLICY_TABLE "' 2>&1", name);
	FILE *f = popen(command, "r");
	size_t n = fread(rules, 1, sizeof rules - 1, f);
	rules[n] = 0;
	int status = pclose(f);
	unlink(name);
	if (status != 0)
		fprintf(stderr, "%s\n%s\n", script.data, rules);
	assert_int_equal(WEXITSTATUS(status), 0);
}

static struct policy_network ip(const char *text)
{
	struct policy_network n;
	assert_true(policy_network_parse(slice_of(text), &n));
	return n;
}

static uint64_t pods(void *arg, struct slice selector)
{
	return 9;
}

static uint64_t ports(void *arg, enum policy_protocol protocol, struct slice name)
{
	return 3;
}

static const struct policy_sets sets = {.pods = pods, .ports = ports};

/* The body of a policy's ingress. */
static struct slice body(const char *spec)
{
	struct err err = ERR_INIT;
	struct strbuf out = STRBUF_INIT;
	struct policy p;
	struct json *v = json_parse(&a, slice_of(arena_printf(&a, "{\"spec\":%s}", spec)), NULL, &err);
	assert_non_null(v);
	policy_read(&a, SLICE("ns"), v, &p);
	policy_rules_body(&out, POLICY_INGRESS, p.rules[POLICY_INGRESS], p.rules_count[POLICY_INGRESS], &sets);
	struct slice text = {arena_memdup(&a, out.data ? out.data : "", out.len), out.len};
	strbuf_release(&out);
	return text;
}

static void add_everything(void)
{
	struct policy_network four = ip("10.42.0.5"), six = ip("fd00::5"), here = ip("10.42.0.0/24");
	uint64_t chain = 3;
	policy_rules_add_pods(&script, 9);
	policy_rules_add_ports(&script, 3);
	policy_rules_add_chain(&script, POLICY_INGRESS, 3, SLICE("ns/policy"),
	        body("{\"ingress\":[{},{\"from\":[{\"podSelector\":{}}]},{\"from\":[{\"podSelector\":{}},{\"ipBlock\":{"
	             "\"cidr\":\"10.0.0.0/8\",\"except\":[\"10.1.0.0/16\",\"10.2.0.0/16\"]}},{\"ipBlock\":{\"cidr\":"
	             "\"::/"
	             "0\"}}],\"ports\":[{\"port\":80},{\"port\":90,\"endPort\":99},{\"port\":\"web\"},{\"protocol\":"
	             "\"UDP\"},{\"port\":7,\"protocol\":\"SCTP\"}]}]}"));
	policy_rules_add_group(&script, POLICY_INGRESS, 7, &chain, 1);
	policy_rules_known(&script, "add", &four);
	policy_rules_known(&script, "add", &six);
	policy_rules_self(&script, "add", &four);
	policy_rules_self(&script, "add", &six);
	policy_rules_isolate(&script, "add", POLICY_INGRESS, &four, 7);
	policy_rules_isolate(&script, "add", POLICY_INGRESS, &six, 7);
	policy_rules_member(&script, "add", 9, &four);
	policy_rules_member(&script, "add", 9, &six);
	policy_rules_port(&script, "add", 3, &four, 80);
	policy_rules_port(&script, "add", 3, &six, 80);
	policy_rules_here(&script, "add", &here);
	policy_rules_add_hold(&script);
}

static void the_kernel_takes_all_of_it(void **state)
{
	add_everything();
	load();
	assert_non_null(strstr(rules, "10.42.0.5 : jump in-group-7"));
	assert_non_null(strstr(rules, "fd00::5 : jump in-group-7"));
	assert_non_null(strstr(rules, "ip daddr @here4 ip daddr != @known4 counter"));
}

static void what_was_added_can_be_taken_away(void **state)
{
	struct policy_network four = ip("10.42.0.5"), six = ip("fd00::5"), here = ip("10.42.0.0/24");
	add_everything();
	policy_rules_remove_hold(&script);
	policy_rules_here(&script, "delete", &here);
	policy_rules_port(&script, "delete", 3, &four, 80);
	policy_rules_port(&script, "delete", 3, &six, 80);
	policy_rules_member(&script, "delete", 9, &four);
	policy_rules_member(&script, "delete", 9, &six);
	policy_rules_isolate(&script, "delete", POLICY_INGRESS, &four, 7);
	policy_rules_isolate(&script, "delete", POLICY_INGRESS, &six, 7);
	policy_rules_self(&script, "delete", &four);
	policy_rules_self(&script, "delete", &six);
	policy_rules_known(&script, "delete", &four);
	policy_rules_known(&script, "delete", &six);
	policy_rules_remove_group(&script, POLICY_INGRESS, 7);
	policy_rules_remove_chain(&script, POLICY_INGRESS, 3);
	policy_rules_remove_ports(&script, 3);
	policy_rules_remove_pods(&script, 9);
	load();
	assert_null(strstr(rules, "elements"));
	assert_null(strstr(rules, "-7"));
	assert_null(strstr(rules, "-9"));
	assert_null(strstr(rules, "counter"));
}

static void a_rule_without_peers_and_ports_accepts_all(void **state)
{
	assert_true(slice_is(body("{\"ingress\":[{}]}"), "accept\n"));
}

static void no_rules_accept_nothing(void **state)
{
	assert_true(slice_is(body("{\"ingress\":[]}"), ""));
}

static void peers_are_looked_up_by_who_sends(void **state)
{
	assert_true(slice_is(body("{\"ingress\":[{\"from\":[{\"podSelector\":{}}]}]}"),
	        "ip saddr @pods-9-4 accept\nip6 saddr @pods-9-6 accept\n"));
}

static void a_block_is_without_its_exceptions(void **state)
{
	assert_true(
	        slice_is(body("{\"ingress\":[{\"from\":[{\"ipBlock\":{\"cidr\":\"10.0.0.0/8\",\"except\":[\"10.1.0.0/"
	                      "16\"]}}],\"ports\":[{\"port\":80}]}]}"),
	                "ip saddr 10.0.0.0/8 ip saddr != { 10.1.0.0/16 } tcp dport { 80 } accept\n"));
}

/* Of the block's family alone. */
static void a_port_by_name_is_the_receivers(void **state)
{
	assert_true(slice_is(body("{\"ingress\":[{\"from\":[{\"ipBlock\":{\"cidr\":\"::/0\"}}],\"ports\":[{\"port\":"
	                          "\"web\"}]}]}"),
	        "meta nfproto ipv6 ip6 daddr . tcp dport @ports-3-6 accept\n"));
}

static void a_long_name_is_no_hindrance(void **state)
{
	char name[320];
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = 0;
	policy_rules_add_chain(&script, POLICY_EGRESS, 1, slice_of(name), SLICE("accept\n"));
	load();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(the_kernel_takes_all_of_it, setup, release),
	        cmocka_unit_test_setup_teardown(what_was_added_can_be_taken_away, setup, release),
	        cmocka_unit_test_teardown(a_rule_without_peers_and_ports_accepts_all, release),
	        cmocka_unit_test_teardown(no_rules_accept_nothing, release),
	        cmocka_unit_test_teardown(peers_are_looked_up_by_who_sends, release),
	        cmocka_unit_test_teardown(a_block_is_without_its_exceptions, release),
	        cmocka_unit_test_teardown(a_port_by_name_is_the_receivers, release),
	        cmocka_unit_test_setup_teardown(a_long_name_is_no_hindrance, setup, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
