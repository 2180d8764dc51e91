/* See proxy_metrics.h. Buckets are fewer than upstream's (16 instead of 80 for the longest), between the same ends. */
#include "net/proxy/proxy_metrics.h"

#include <inttypes.h>

enum { SYNC_BOUNDS = 15 };
static const uint64_t SECOND_NS = 1000000000, SYNC_FIRST_NS = 1000000; /* 1 ms; the last is 16.4 s */

void proxy_metrics_init(struct proxy_metrics *m)
{
	static const uint64_t quarters[] = {1, 2, 4, 8, 12, 16, 20, 40, 60, 80, 120, 240, 480, 720, 960, 1200};
	uint64_t bounds[HISTOGRAM_BOUNDS_MAX];
	for (size_t i = 0; i < HISTOGRAM_BOUNDS_MAX; i++)
		bounds[i] = quarters[i] * (SECOND_NS / 4);
	*m = (struct proxy_metrics){0};
	histogram_init_doubling(&m->sync, SYNC_FIRST_NS, SYNC_BOUNDS);
	histogram_init(&m->programming, bounds, HISTOGRAM_BOUNDS_MAX);
}

static void head(struct strbuf *out, const char *name, const char *type, const char *help)
{
	strbuf_addf(out, "# HELP kubeproxy_%s %s\n# TYPE kubeproxy_%s %s\n", name, help, name, type);
}

static void one(struct strbuf *out, const char *name, const char *type, const char *help, uint64_t value)
{
	head(out, name, type, help);
	strbuf_addf(out, "kubeproxy_%s %" PRIu64 "\n", name, value);
}

static void moment(struct strbuf *out, const char *name, const char *help, uint64_t ms)
{
	head(out, name, "gauge", help);
	strbuf_addf(out, "kubeproxy_%s %" PRIu64 ".%03" PRIu64 "\n", name, ms / 1000, ms % 1000);
}

static void write_changes(const struct proxy_metrics *m, struct strbuf *out)
{
	one(out, "sync_proxy_rules_endpoint_changes_pending", "gauge", "Pending proxy rules Endpoint changes",
	        m->endpoint_pending);
	one(out, "sync_proxy_rules_endpoint_changes_total", "counter", "Cumulative proxy rules Endpoint changes",
	        m->endpoint_changes);
	one(out, "sync_proxy_rules_service_changes_pending", "gauge", "Pending proxy rules Service changes",
	        m->service_pending);
	one(out, "sync_proxy_rules_service_changes_total", "counter", "Cumulative proxy rules Service changes",
	        m->service_changes);
	moment(out, "sync_proxy_rules_last_queued_timestamp_seconds", "The last time a sync of proxy rules was queued",
	        m->queued_ms);
	moment(out, "sync_proxy_rules_last_timestamp_seconds", "The last time proxy rules were successfully synced",
	        m->applied_ms);
}

static void write_probes(const struct proxy_metrics *m, struct strbuf *out)
{
	static const char *const names[] = {"proxy_healthz_total", "proxy_livez_total"};
	for (int i = 0; i < PROXY_PROBES; i++) {
		head(out, names[i], "counter", "Cumulative answers of the proxy's health server");
		strbuf_addf(out, "kubeproxy_%s{code=\"200\"} %" PRIu64 "\nkubeproxy_%s{code=\"503\"} %" PRIu64 "\n",
		        names[i], m->probes[i][1], names[i], m->probes[i][0]);
	}
}

void proxy_metrics_write(const struct proxy_metrics *m, struct strbuf *out)
{
	static const char no_local[] = "sync_proxy_rules_no_local_endpoints";
	head(out, "sync_proxy_rules_duration_seconds", "histogram", "SyncProxyRules latency in seconds");
	histogram_write(&m->sync, out, "kubeproxy_sync_proxy_rules_duration_seconds", "");
	head(out, "network_programming_duration_seconds", "histogram",
	        "In Cluster Network Programming Latency in seconds");
	histogram_write(&m->programming, out, "kubeproxy_network_programming_duration_seconds", "");
	write_changes(m, out);
	head(out, no_local, "gauge", "Number of services with a Local traffic policy and no endpoints");
	strbuf_addf(out,
	        "kubeproxy_%s{traffic_policy=\"internal\"} %" PRIu64
	        "\nkubeproxy_%s{traffic_policy=\"external\"} %" PRIu64 "\n",
	        no_local, m->no_local_internal, no_local, m->no_local_external);
	one(out, "sync_proxy_rules_nftables_sync_failures_total", "counter",
	        "Cumulative parts of the nftables rules that the kernel did not take", m->refused);
	write_probes(m, out);
}
