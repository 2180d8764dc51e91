/* net/policy/policy_read: what a NetworkPolicy says. */
#include "tests/unit/unit.h"

#include "net/policy/policy_read_int.h"

static struct arena a;

static struct policy read_spec(const char *spec)
{
	struct err err = ERR_INIT;
	struct policy p;
	char *text = arena_printf(&a, "{\"spec\":%s}", spec);
	struct json *v = json_parse(&a, slice_of(text), NULL, &err);
	assert_non_null(v);
	policy_read(&a, SLICE("ns"), v, &p);
	return p;
}

static int release(void **state)
{
	arena_release(&a);
	return 0;
}

static struct policy_network network(const char *text)
{
	struct policy_network n;
	assert_true(policy_network_parse(slice_of(text), &n));
	return n;
}

static void networks_are_read(void **state)
{
	static const struct {
		const char *text, *is; /* NULL: none */
	} rows[] = {
	        {"10.0.0.0/8", "10.0.0.0/8"},
	        {"10.1.2.3/8", "10.0.0.0/8"},
	        {"10.1.2.3", "10.1.2.3"},
	        {"10.1.2.3/32", "10.1.2.3"},
	        {"0.0.0.0/0", "0.0.0.0/0"},
	        {"2001:db8::1/33", "2001:db8::/33"},
	        {"::1", "::1"},
	        {"::/0", "::/0"},
	        {"10.0.0.0/33", NULL},
	        {"10.0.0.0/", NULL},
	        {"10.0.0/8", NULL},
	        {"::1/129", NULL},
	        {"", NULL},
	        {"/8", NULL},
	        {"x; flush ruleset", NULL},
	        {"10.0.0.0/8 ", NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct policy_network n;
		struct strbuf out = STRBUF_INIT;
		bool is_one = policy_network_parse(slice_of(rows[i].text), &n);
		if (is_one)
			policy_network_write(&out, &n);
		assert_int_equal(is_one, rows[i].is != NULL);
		assert_string_equal(strbuf_cstr(&out), rows[i].is ? rows[i].is : "");
		strbuf_release(&out);
	}
}

static void a_network_contains_what_lies_in_it(void **state)
{
	struct policy_network ten = network("10.0.0.0/8"), part = network("10.200.0.0/13"), all = network("0.0.0.0/0"),
	                      v6 = network("::/0");
	assert_true(policy_network_contains(&ten, &part));
	assert_true(policy_network_contains(&all, &ten));
	assert_true(policy_network_contains(&ten, &ten));
	assert_false(policy_network_contains(&part, &ten));
	assert_false(policy_network_contains(&v6, &ten));
}

static void types_have_defaults(void **state)
{
	struct policy p = read_spec("{\"podSelector\":{}}");
	assert_true(p.isolates[POLICY_INGRESS]);
	assert_false(p.isolates[POLICY_EGRESS]);
	p = read_spec("{\"podSelector\":{},\"egress\":[{}]}");
	assert_true(p.isolates[POLICY_INGRESS]);
	assert_true(p.isolates[POLICY_EGRESS]);
	p = read_spec("{\"podSelector\":{},\"egress\":[]}");
	assert_false(p.isolates[POLICY_EGRESS]);
	p = read_spec("{\"podSelector\":{},\"policyTypes\":[\"Egress\"],\"ingress\":[{}]}");
	assert_false(p.isolates[POLICY_INGRESS]);
	assert_int_equal(p.rules_count[POLICY_INGRESS], 0);
	assert_true(p.isolates[POLICY_EGRESS]);
}

static void absent_and_empty_lists_of_peers_are_everybody(void **state)
{
	static const char *const specs[] = {"{\"ingress\":[{}]}", "{\"ingress\":[{\"from\":[]}]}"};
	for (size_t i = 0; i < 2; i++) {
		struct policy p = read_spec(specs[i]);
		assert_int_equal(p.rules_count[POLICY_INGRESS], 1);
		assert_true(p.rules[POLICY_INGRESS][0].from_all);
		assert_true(p.rules[POLICY_INGRESS][0].any_port);
	}
	assert_int_equal(read_spec("{\"ingress\":[]}").rules_count[POLICY_INGRESS], 0);
}

static void peers_become_texts_of_their_sets(void **state)
{
	struct policy p = read_spec("{\"ingress\":[{\"from\":["
	                            "{\"podSelector\":{\"matchLabels\":{\"a\":\"b\"}}},"
	                            "{\"namespaceSelector\":{}},"
	                            "{\"namespaceSelector\":{\"matchLabels\":{\"x\":\"y\"}},\"podSelector\":{}}]}]}");
	struct policy_rule *r = p.rules[POLICY_INGRESS];
	assert_false(r->from_all);
	assert_int_equal(r->peers_count, 3);
	assert_true(slice_is(r->peers[0].pods, "ns\n{\"matchLabels\":{\"a\":\"b\"}}"));
	assert_true(slice_is(r->peers[1].pods, "\n{}\n{}"));
	assert_true(slice_is(r->peers[2].pods, "\n{\"matchLabels\":{\"x\":\"y\"}}\n{}"));
}

static void exceptions_within_others_are_left_out(void **state)
{
	struct policy p = read_spec("{\"ingress\":[{\"from\":[{\"ipBlock\":{\"cidr\":\"10.0.0.0/8\",\"except\":"
	                            "[\"10.1.2.0/24\",\"10.1.0.0/16\",\"10.9.0.0/16\",\"10.1.0.0/16\"]}}]}]}");
	struct policy_peer *peer = p.rules[POLICY_INGRESS][0].peers;
	assert_true(peer->is_network);
	assert_int_equal(peer->except_count, 2);
}

/* It would be wider without. */
static void a_block_with_an_exception_that_is_none_lets_nobody_in(void **state)
{
	struct policy p =
	        read_spec("{\"ingress\":[{\"from\":[{\"ipBlock\":{\"cidr\":\"10.0.0.0/8\",\"except\":[\"odd\"]}}]}]}");
	assert_false(p.rules[POLICY_INGRESS][0].from_all);
	assert_int_equal(p.rules[POLICY_INGRESS][0].peers_count, 0);
}

static void a_peer_of_an_unknown_kind_lets_nobody_in(void **state)
{
	struct policy p = read_spec("{\"ingress\":[{\"from\":[{\"clusterSelector\":{}}]}]}");
	assert_false(p.rules[POLICY_INGRESS][0].from_all);
	assert_int_equal(p.rules[POLICY_INGRESS][0].peers_count, 0);
}

static void ports_are_merged_by_protocol(void **state)
{
	struct policy p = read_spec("{\"ingress\":[{\"ports\":[{\"port\":80},{\"port\":81,\"protocol\":\"TCP\"},"
	                            "{\"port\":75,\"endPort\":90},{\"port\":443},{\"port\":53,\"protocol\":\"UDP\"},"
	                            "{\"protocol\":\"SCTP\"},{\"port\":\"web\"}]}]}");
	struct policy_rule *r = p.rules[POLICY_INGRESS];
	assert_false(r->any_port);
	assert_int_equal(r->ports[POLICY_TCP].ranges_count, 2);
	assert_int_equal(r->ports[POLICY_TCP].ranges[0].first, 75);
	assert_int_equal(r->ports[POLICY_TCP].ranges[0].last, 90);
	assert_int_equal(r->ports[POLICY_TCP].ranges[1].first, 443);
	assert_int_equal(r->ports[POLICY_TCP].names_count, 1);
	assert_true(slice_is(r->ports[POLICY_TCP].names[0], "web"));
	assert_int_equal(r->ports[POLICY_UDP].ranges_count, 1);
	assert_true(r->ports[POLICY_SCTP].is_all);
}

static void odd_ports_let_nothing_through(void **state)
{
	struct policy p =
	        read_spec("{\"ingress\":[{\"ports\":[{\"port\":0},{\"port\":70000},{\"port\":9,\"endPort\":8},"
	                  "{\"port\":80,\"protocol\":\"GRE\"}]}]}");
	struct policy_rule *r = p.rules[POLICY_INGRESS];
	assert_false(r->any_port);
	for (size_t i = 0; i < POLICY_PROTOCOLS; i++) {
		assert_false(r->ports[i].is_all);
		assert_int_equal(r->ports[i].ranges_count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(networks_are_read),
	        cmocka_unit_test(a_network_contains_what_lies_in_it),
	        cmocka_unit_test_teardown(types_have_defaults, release),
	        cmocka_unit_test_teardown(absent_and_empty_lists_of_peers_are_everybody, release),
	        cmocka_unit_test_teardown(peers_become_texts_of_their_sets, release),
	        cmocka_unit_test_teardown(exceptions_within_others_are_left_out, release),
	        cmocka_unit_test_teardown(a_block_with_an_exception_that_is_none_lets_nobody_in, release),
	        cmocka_unit_test_teardown(a_peer_of_an_unknown_kind_lets_nobody_in, release),
	        cmocka_unit_test_teardown(ports_are_merged_by_protocol, release),
	        cmocka_unit_test_teardown(odd_ports_let_nothing_through, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
