/* See policy_metrics.h. */
#include "net/policy/policy_metrics.h"

#include "base/check.h"

#include <inttypes.h>

enum { BOUNDS = 16 };
static const uint64_t FIRST_NS = 100 * 1000; /* 0.1 ms; the last is 3.3 s */

void policy_metrics_init(struct policy_metrics *m)
{
	*m = (struct policy_metrics){0};
	histogram_init_doubling(&m->sync, FIRST_NS, BOUNDS);
	histogram_init_doubling(&m->applied, FIRST_NS, BOUNDS);
}

static void head(struct strbuf *out, const char *name, const char *type, const char *help)
{
	strbuf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(struct strbuf *out, const char *name, const char *help, uint64_t value)
{
	head(out, name, "gauge", help);
	strbuf_addf(out, "%s %" PRIu64 "\n", name, value);
}

void policy_metrics_write(const struct policy_metrics *m, struct strbuf *out)
{
	static const char sync[] = "kube_router_controller_policy_chains_sync_time",
	                  applied[] = "k3x_network_policy_applied_seconds",
	                  isolated[] = "k3x_network_policy_isolated_pods";
	CHECK(m->sync.n_bounds == BOUNDS);
	head(out, sync, "histogram", "Seconds to compute what a change is in rules.");
	histogram_write(&m->sync, out, sync, "");
	head(out, applied, "histogram", "Seconds from there until the kernel has it.");
	histogram_write(&m->applied, out, applied, "");
	gauge(out, "kube_router_controller_policy_chains", "Chains of policies that select pods of this node.",
	        m->chains);
	gauge(out, "kube_router_controller_policy_ipsets", "Sets of pods and of their ports.", m->sets);
	gauge(out, "k3x_network_policy_policies", "NetworkPolicies of the cluster.", m->policies);
	gauge(out, "k3x_network_policy_pods", "Pods of the cluster that have addresses of their own.", m->pods);
	gauge(out, "k3x_network_policy_groups", "Combinations of policies that pods of this node are under.",
	        m->groups);
	head(out, isolated, "gauge", "Pods of this node that policies select.");
	strbuf_addf(out, "%s{direction=\"ingress\"} %" PRIu64 "\n%s{direction=\"egress\"} %" PRIu64 "\n", isolated,
	        m->isolated_in, isolated, m->isolated_out);
}
