/* net/policy/policy_metrics: what Prometheus reads. */
#include "tests/unit/unit.h"

#include "net/policy/policy_metrics.h"

static void what_was_counted_is_told(void **state)
{
	struct policy_metrics m;
	struct strbuf out = STRBUF_INIT;
	policy_metrics_init(&m);
	histogram_observe(&m.sync, 150000);
	m.chains = 7;
	m.isolated_out = 3;
	policy_metrics_write(&m, &out);
	assert_non_null(strstr(out.data, "kube_router_controller_policy_chains_sync_time_count 1\n"));
	assert_non_null(strstr(out.data, "kube_router_controller_policy_chains 7\n"));
	assert_non_null(strstr(out.data, "k3x_network_policy_isolated_pods{direction=\"egress\"} 3\n"));
	assert_non_null(strstr(out.data, "k3x_network_policy_applied_seconds_count 0\n"));
	strbuf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_was_counted_is_told)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
