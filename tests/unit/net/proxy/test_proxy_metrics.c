/* The proxy's metrics bear kube-proxy's names. */
#include "tests/unit/unit.h"

#include "net/proxy/proxy_metrics.h"

static void has(const struct strbuf *b, const char *line)
{
	if (!strstr(strbuf_cstr((struct strbuf *)(uintptr_t)b), line))
		fail_msg("no \"%s\" in:\n%s", line, strbuf_cstr((struct strbuf *)(uintptr_t)b));
}

static void dashboards_find_what_they_look_for(void **state)
{
	struct proxy_metrics m;
	struct strbuf b = STRBUF_INIT;
	proxy_metrics_init(&m);
	histogram_observe(&m.sync, 3000000);
	histogram_observe(&m.programming, 1500000000);
	m.endpoint_changes = 7;
	m.service_pending = 2;
	m.applied_ms = 1234005;
	m.no_local_external = 1;
	m.probes[PROXY_HEALTHZ][1] = 4;
	proxy_metrics_write(&m, &b);
	has(&b, "# TYPE kubeproxy_sync_proxy_rules_duration_seconds histogram\n");
	has(&b, "kubeproxy_sync_proxy_rules_duration_seconds_bucket{le=\"0.004\"} 1\n");
	has(&b, "kubeproxy_network_programming_duration_seconds_bucket{le=\"1\"} 0\n");
	has(&b, "kubeproxy_network_programming_duration_seconds_bucket{le=\"2\"} 1\n");
	has(&b, "kubeproxy_network_programming_duration_seconds_bucket{le=\"300\"} 1\n");
	has(&b, "kubeproxy_sync_proxy_rules_endpoint_changes_total 7\n");
	has(&b, "kubeproxy_sync_proxy_rules_service_changes_pending 2\n");
	has(&b, "kubeproxy_sync_proxy_rules_last_timestamp_seconds 1234.005\n");
	has(&b, "kubeproxy_sync_proxy_rules_no_local_endpoints{traffic_policy=\"external\"} 1\n");
	has(&b, "kubeproxy_sync_proxy_rules_no_local_endpoints{traffic_policy=\"internal\"} 0\n");
	has(&b, "kubeproxy_proxy_healthz_total{code=\"200\"} 4\n");
	has(&b, "kubeproxy_sync_proxy_rules_nftables_sync_failures_total 0\n");
	strbuf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(dashboards_find_what_they_look_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
