/* What the cluster answers: the Kubernetes DNS specification, a table of objects and of questions. */
#include "tests/unit/unit.h"

#include "net/dns/zone/answer.h"

static struct zone *zone;
static struct arena arena;
static struct dns_name zones[3];
static struct answer_options options;
static struct dns_message reply;
static const uint8_t *target;

static struct dns_name name(const char *text)
{
	struct dns_name n;
	assert_int_equal(dns_name_parse(&n, slice_of(text), NULL), 0);
	return n;
}

static void put(enum zone_kind kind, const char *key, const char *json)
{
	static struct rcbuf *(*const packs[])(struct slice) = {[ZONE_SERVICE] = record_pack_service,
	        [ZONE_SLICE] = record_pack_slice,
	        [ZONE_NAMESPACE] = record_pack_namespace,
	        [ZONE_POD] = record_pack_pod};
	struct rcbuf *r = packs[kind](slice_of(json));
	zone_set(zone, kind, slice_of(key), r, 1700000000);
	rcbuf_unref(r);
}

static int setup(void **state)
{
	zone = zone_new();
	zones[0] = name("cluster.local");
	zones[1] = name("in-addr.arpa");
	zones[2] = name("ip6.arpa");
	options = (struct answer_options){.zones = zones, .n_zones = 3, .ttl_s = 5, .pods = ANSWER_PODS_INSECURE};
	put(ZONE_NAMESPACE, "default", "{}");
	put(ZONE_NAMESPACE, "bare", "{}");
	put(ZONE_SERVICE, "default/web",
	        "{\"spec\":{\"clusterIP\":\"10.43.0.7\",\"clusterIPs\":[\"10.43.0.7\",\"fd00::7\"],\"ports\":["
	        "{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"},{\"name\":\"dns\",\"port\":53,\"protocol\":"
	        "\"UDP\"}]}}");
	put(ZONE_SERVICE, "default/db", "{\"spec\":{\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"]}}");
	put(ZONE_SERVICE, "default/idle", "{\"spec\":{\"clusterIP\":\"None\"}}");
	put(ZONE_SERVICE, "default/ext", "{\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"Www.Example.org\"}}");
	put(ZONE_SERVICE, "default/extip", "{\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"1.2.3.4\"}}");
	put(ZONE_SLICE, "default/db-1",
	        "{\"metadata\":{\"labels\":{\"kubernetes.io/service-name\":\"db\"}},\"addressType\":\"IPv4\","
	        "\"ports\":[{\"name\":\"sql\",\"port\":5432,\"protocol\":\"TCP\"}],\"endpoints\":["
	        "{\"addresses\":[\"10.42.0.5\"],\"conditions\":{\"ready\":true},\"hostname\":\"db-0\"},"
	        "{\"addresses\":[\"10.42.0.6\"],\"targetRef\":{\"kind\":\"Pod\",\"name\":\"db-abc\"}},"
	        "{\"addresses\":[\"10.42.0.9\"],\"conditions\":{\"ready\":false},\"hostname\":\"db-9\"}]}");
	put(ZONE_SLICE, "default/db-2", /* one endpoint is in two slices for a moment, when it moves */
	        "{\"metadata\":{\"labels\":{\"kubernetes.io/service-name\":\"db\"}},\"addressType\":\"IPv4\","
	        "\"ports\":[{\"name\":\"sql\",\"port\":5432,\"protocol\":\"TCP\"}],\"endpoints\":["
	        "{\"addresses\":[\"10.42.0.5\"],\"hostname\":\"db-0\"}]}");
	return 0;
}

static int teardown(void **state)
{
	zone_free(zone);
	arena_release(&arena);
	return 0;
}

static enum answer_outcome ask(const char *text, uint16_t type)
{
	struct dns_name *n = arena_alloc(&arena, sizeof *n);
	*n = name(text);
	reply = (struct dns_message){.name = *n};
	target = NULL;
	return answer_cluster(zone, &options, &arena, n, type, &reply, &target);
}

static const struct dns_records *answers(void)
{
	return &reply.sections[DNS_ANSWER];
}

static void is_no_data(const char *text, uint16_t type)
{
	assert_int_equal(ask(text, type), ANSWER_DONE);
	assert_int_equal(reply.rcode, DNS_NOERROR);
	assert_int_equal(answers()->n, 0);
	assert_int_equal(reply.sections[DNS_AUTHORITY].n, 1);
	assert_int_equal(reply.sections[DNS_AUTHORITY].list[0].type, DNS_SOA);
	assert_int_equal(reply.sections[DNS_AUTHORITY].list[0].ttl, 5);
}

static void is_no_name(const char *text, uint16_t type)
{
	if (ask(text, type) != ANSWER_NXDOMAIN)
		fail_msg("%s exists", text);
	assert_int_equal(reply.rcode, DNS_NXDOMAIN);
	assert_int_equal(reply.sections[DNS_AUTHORITY].n, 1);
}

static void has_addresses(const char *text, uint16_t type, size_t n)
{
	assert_int_equal(ask(text, type), ANSWER_DONE);
	if (answers()->n != n)
		fail_msg("%s has %zu addresses", text, answers()->n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(answers()->list[i].type, type);
}

static void a_service_has_its_addresses(void **state)
{
	has_addresses("web.default.svc.cluster.local", DNS_A, 1);
	assert_memory_equal(answers()->list[0].data, "\12\53\0\7", 4);
	assert_int_equal(answers()->list[0].ttl, 5);
	assert_true(reply.flags & DNS_FLAG_AA);
	has_addresses("web.default.svc.cluster.local", DNS_AAAA, 1);
	has_addresses("_http._tcp.web.default.svc.cluster.local", DNS_A, 1);
	is_no_data("web.default.svc.cluster.local", DNS_MX);
}

static void what_exists_without_records_is_no_data(void **state)
{
	is_no_data("cluster.local", DNS_A);
	is_no_data("svc.cluster.local", DNS_A);
	is_no_data("pod.cluster.local", DNS_A);
	is_no_data("default.svc.cluster.local", DNS_A);
	is_no_data("bare.pod.cluster.local", DNS_A);
	is_no_data("db.default.svc.cluster.local", DNS_AAAA);
	is_no_data("dns-version.cluster.local", DNS_A);
}

static void what_does_not_exist_is_no_name(void **state)
{
	is_no_name("nope.default.svc.cluster.local", DNS_A);
	is_no_name("web.nope.svc.cluster.local", DNS_A);
	is_no_name("nope.svc.cluster.local", DNS_A);
	is_no_name("web.default.cluster.local", DNS_A);
	is_no_name("idle.default.svc.cluster.local", DNS_A); /* headless without ready endpoints */
	is_no_name("_nope._tcp.web.default.svc.cluster.local", DNS_SRV);
	is_no_name("_http._udp.web.default.svc.cluster.local", DNS_SRV);
	is_no_name("a.b.c.web.default.svc.cluster.local", DNS_A);
	is_no_name("extip.default.svc.cluster.local", DNS_A);
	is_no_name("9.9.9.9.in-addr.arpa", DNS_PTR);
}

static void other_names_are_not_ours(void **state)
{
	assert_int_equal(ask("example.org", DNS_A), ANSWER_NOT_MINE);
	assert_int_equal(reply.flags, 0);
}

static void a_headless_service_is_its_ready_endpoints_once_each(void **state)
{
	has_addresses("db.default.svc.cluster.local", DNS_A, 2);
	has_addresses("db-0.db.default.svc.cluster.local", DNS_A, 1);
	has_addresses("10-42-0-6.db.default.svc.cluster.local", DNS_A, 1);
	is_no_name("db-9.db.default.svc.cluster.local", DNS_A);
	is_no_name("10-42-0-5.db.default.svc.cluster.local", DNS_A); /* it has a hostname */
	is_no_name("db-abc.db.default.svc.cluster.local", DNS_A);
	options.endpoint_pod_names = true;
	has_addresses("db-abc.db.default.svc.cluster.local", DNS_A, 1);
}

static void ports_are_srv_records(void **state)
{
	assert_int_equal(ask("_sql._tcp.db.default.svc.cluster.local", DNS_SRV), ANSWER_DONE);
	assert_int_equal(answers()->n, 2);
	const uint8_t *d = answers()->list[0].data;
	struct dns_name to = name("db-0.db.default.svc.cluster.local");
	assert_int_equal(d[2] << 8 | d[3], 50); /* weights are parts of a hundred */
	assert_int_equal(d[4] << 8 | d[5], 5432);
	assert_true(dns_name_eq(d + 6, to.wire));
	assert_int_equal(reply.sections[DNS_ADDITIONAL].n, 2);
	assert_true(dns_name_eq(reply.sections[DNS_ADDITIONAL].list[0].owner, to.wire));
	assert_int_equal(ask("web.default.svc.cluster.local", DNS_SRV), ANSWER_DONE);
	assert_int_equal(answers()->n, 2); /* two ports; each address is told once */
	assert_int_equal(reply.sections[DNS_ADDITIONAL].n, 2);
}

static void an_external_name_is_an_alias(void **state)
{
	assert_int_equal(ask("ext.default.svc.cluster.local", DNS_A), ANSWER_ALIAS);
	assert_int_equal(answers()->list[0].type, DNS_CNAME);
	assert_true(dns_name_eq(target, name("www.example.org").wire));
	assert_int_equal(ask("ext.default.svc.cluster.local", DNS_CNAME), ANSWER_DONE);
	assert_int_equal(answers()->n, 1);
	is_no_name("_http._tcp.ext.default.svc.cluster.local", DNS_A);
}

static void addresses_have_names(void **state)
{
	assert_int_equal(ask("7.0.43.10.in-addr.arpa", DNS_PTR), ANSWER_DONE);
	assert_int_equal(answers()->n, 1);
	assert_true(dns_name_eq(answers()->list[0].data, name("web.default.svc.cluster.local").wire));
	assert_int_equal(ask("5.0.42.10.in-addr.arpa", DNS_PTR), ANSWER_DONE);
	assert_true(dns_name_eq(answers()->list[0].data, name("db-0.db.default.svc.cluster.local").wire));
	is_no_name("6.0.42.10.in-addr.arpa", DNS_PTR); /* no hostname */
	is_no_name("9.0.42.10.in-addr.arpa", DNS_PTR); /* not ready */
}

static void pods_are_answered_as_the_mode_says(void **state)
{
	has_addresses("10-42-0-77.default.pod.cluster.local", DNS_A, 1);
	has_addresses("fd00--1.default.pod.cluster.local", DNS_AAAA, 1);
	is_no_data("10-42-0-77.default.pod.cluster.local", DNS_AAAA);
	is_no_name("10-42-0-77.nope.pod.cluster.local", DNS_A);
	is_no_name("words.default.pod.cluster.local", DNS_A);
	options.pods = ANSWER_PODS_VERIFIED;
	is_no_name("10-42-0-77.default.pod.cluster.local", DNS_A);
	put(ZONE_POD, "default/p", "{\"status\":{\"phase\":\"Running\",\"podIPs\":[{\"ip\":\"10.42.0.77\"}]}}");
	has_addresses("10-42-0-77.default.pod.cluster.local", DNS_A, 1);
	is_no_name("10-42-0-77.bare.pod.cluster.local", DNS_A);
	put(ZONE_POD, "default/p", "{\"status\":{\"phase\":\"Failed\",\"podIPs\":[{\"ip\":\"10.42.0.77\"}]}}");
	is_no_name("10-42-0-77.default.pod.cluster.local", DNS_A);
	options.pods = ANSWER_PODS_DISABLED;
	is_no_name("10-42-0-77.default.pod.cluster.local", DNS_A);
}

static void the_zone_tells_of_itself(void **state)
{
	assert_int_equal(ask("cluster.local", DNS_SOA), ANSWER_DONE);
	assert_int_equal(answers()->list[0].type, DNS_SOA);
	put(ZONE_NAMESPACE, "kube-system", "{}");
	put(ZONE_SERVICE, "kube-system/kube-dns",
	        "{\"spec\":{\"clusterIP\":\"10.43.0.10\",\"ports\":[{\"port\":53}]}}");
	assert_int_equal(ask("cluster.local", DNS_NS), ANSWER_DONE);
	assert_int_equal(answers()->list[0].type, DNS_NS);
	assert_int_equal(reply.sections[DNS_ADDITIONAL].n, 1);
	has_addresses("ns.dns.cluster.local", DNS_A, 1);
	assert_int_equal(ask("dns-version.cluster.local", DNS_TXT), ANSWER_DONE);
	assert_memory_equal(answers()->list[0].data, "\0051.1.0", 6);
}

static void what_changes_is_seen_and_what_goes_is_gone(void **state)
{
	put(ZONE_SERVICE, "default/web", "{\"spec\":{\"clusterIP\":\"10.43.0.8\",\"ports\":[{\"port\":80}]}}");
	assert_int_equal(ask("8.0.43.10.in-addr.arpa", DNS_PTR), ANSWER_DONE);
	is_no_name("7.0.43.10.in-addr.arpa", DNS_PTR);
	zone_drop(zone, ZONE_SERVICE, SLICE("default/web"), 1700000001);
	is_no_name("web.default.svc.cluster.local", DNS_A);
	is_no_name("8.0.43.10.in-addr.arpa", DNS_PTR);
	zone_drop(zone, ZONE_SLICE, SLICE("default/db-1"), 1700000001);
	has_addresses("db.default.svc.cluster.local", DNS_A, 1);
	zone_drop(zone, ZONE_SLICE, SLICE("default/db-2"), 1700000001);
	is_no_name("db.default.svc.cluster.local", DNS_A);
	assert_null(zone_slices(zone, SLICE("default"), SLICE("db")));
}

static void options_leave_things_out(void **state)
{
	struct slice only[] = {SLICE("bare")};
	options.ignores_empty_services = true;
	is_no_name("web.default.svc.cluster.local", DNS_A);
	options.no_endpoints = true;
	is_no_name("db.default.svc.cluster.local", DNS_A);
	options.namespaces = only;
	options.n_namespaces = 1;
	is_no_name("default.svc.cluster.local", DNS_A);
	is_no_data("bare.svc.cluster.local", DNS_A);
}

static void objects_that_are_odd_make_no_records(void **state)
{
	put(ZONE_SERVICE, "default/odd",
	        "{\"spec\":{\"clusterIP\":7,\"clusterIPs\":{},\"ports\":[null,{\"port\":99999}]}}");
	is_no_name("odd.default.svc.cluster.local", DNS_A);
	put(ZONE_SERVICE, "default/odd", "no json");
	is_no_name("odd.default.svc.cluster.local", DNS_A);
	put(ZONE_SLICE, "default/odd", "{\"metadata\":{},\"endpoints\":[{\"addresses\":[\"x\"]}]}");
	put(ZONE_SLICE, "default/odd", "{\"addressType\":\"FQDN\",\"endpoints\":[{\"addresses\":[\"a.b\"]}]}");
	is_no_name("odd.default.svc.cluster.local", DNS_A);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(a_service_has_its_addresses),
	        TEST(what_exists_without_records_is_no_data),
	        TEST(what_does_not_exist_is_no_name),
	        TEST(other_names_are_not_ours),
	        TEST(a_headless_service_is_its_ready_endpoints_once_each),
	        TEST(ports_are_srv_records),
	        TEST(an_external_name_is_an_alias),
	        TEST(addresses_have_names),
	        TEST(pods_are_answered_as_the_mode_says),
	        TEST(the_zone_tells_of_itself),
	        TEST(what_changes_is_seen_and_what_goes_is_gone),
	        TEST(options_leave_things_out),
	        TEST(objects_that_are_odd_make_no_records),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
