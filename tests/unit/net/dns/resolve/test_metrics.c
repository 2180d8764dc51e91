/* What is counted is told under CoreDNS's names. */
#include "tests/unit/unit.h"

#include "net/dns/message/message.h"
#include "net/dns/resolve/metrics.h"

static void counts_have_upstreams_names_and_labels(void **state)
{
	struct metrics *m = metrics_new();
	struct strbuf out = STRBUF_INIT;
	struct metrics_server *s = metrics_server(m, "dns://:53", "cluster.local.");
	assert_ptr_equal(metrics_server(m, "dns://:53", "cluster.local."), s);
	assert_true(metrics_server(m, "dns://:53", ".") != s);
	metrics_request(s, false, false, DNS_A, 40);
	metrics_request(s, false, false, DNS_A, 40);
	metrics_request(s, true, true, 9999, 40);
	metrics_response(s, DNS_NXDOMAIN, 100, metrics_now_ns());
	metrics_response(s, 4000, 100, metrics_now_ns());
	metrics_upstream(m, "10.0.0.1:53", DNS_NOERROR, metrics_now_ns());
	metrics_upstream(m, "10.0.0.1:53", -1, metrics_now_ns());
	metrics_upstream_failed(m, "10.0.0.1:53");
	metrics_write(m, &out);
	static const char *const lines[] = {
	        "coredns_dns_requests_total{family=\"1\",proto=\"udp\",server=\"dns://"
	        ":53\",type=\"A\",view=\"\",zone=\"cluster.local.\"} 2\n",
	        "coredns_dns_requests_total{family=\"2\",proto=\"tcp\",server=\"dns://"
	        ":53\",type=\"other\",view=\"\",zone=\"cluster.local.\"} 1\n",
	        "coredns_dns_responses_total{rcode=\"NXDOMAIN\",server=\"dns://"
	        ":53\",view=\"\",zone=\"cluster.local.\"} 1\n",
	        "coredns_dns_responses_total{rcode=\"other\",server=\"dns://:53\",view=\"\",zone=\"cluster.local.\"} "
	        "1\n",
	        "coredns_dns_request_duration_seconds_count{server=\"dns://:53\",view=\"\",zone=\"cluster.local.\"} "
	        "2\n",
	        "coredns_dns_request_size_bytes_total{server=\"dns://:53\",zone=\"cluster.local.\"} 120\n",
	        "coredns_proxy_request_duration_seconds_count{proxy_name=\"forward\",rcode=\"NOERROR\",to=\"10.0.0.1:"
	        "53\"} 1\n",
	        "coredns_proxy_healthcheck_failures_total{proxy_name=\"forward\",to=\"10.0.0.1:53\"} 1\n",
	        "k3x_dns_upstream_failures_total{to=\"10.0.0.1:53\"} 1\n",
	        "process_resident_memory_bytes ",
	};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		if (!strstr(strbuf_cstr(&out), lines[i]))
			fail_msg("not there: %s", lines[i]);
	strbuf_release(&out);
	metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(counts_have_upstreams_names_and_labels)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
