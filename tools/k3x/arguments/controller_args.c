/* See controller_args.h. */
#include "tools/k3x/arguments/controller_args.h"

#include "base/check.h"
#include "tools/k3x/arguments/arguments.h"

#include <stddef.h>
#include <stdlib.h>

static const int64_t COUNT_MAX = 1000000, SECONDS_MAX = 24 * 3600, PERIOD_S_MAX = 10 * INT64_C(8760) * 3600;
static const double RATE_MAX = 1000;

static bool seconds(struct arena *a, struct slice value, void *to)
{
	return argument_seconds_within(a, value, 1, SECONDS_MAX, to);
}

static bool period(struct arena *a, struct slice value, void *to)
{
	return argument_seconds_within(a, value, 1, PERIOD_S_MAX, to);
}

static bool count(struct arena *a, struct slice value, void *to)
{
	return argument_int_within(value, 0, COUNT_MAX, to);
}

static bool mask(struct arena *a, struct slice value, void *to)
{
	return argument_int_within(value, 16, 28, to);
}

static bool mask_v6(struct arena *a, struct slice value, void *to)
{
	return argument_int_within(value, 64, 120, to);
}

/* A number of plain digits and one dot: what strtod() takes beyond that is nobody's rate. */
static bool read_number(const char *text, double max, double *ret)
{
	char *end;
	if (!*text || strspn(text, "0123456789.") != strlen(text))
		return false;
	double v = strtod(text, &end);
	if (*end || v > max)
		return false;
	*ret = v;
	return true;
}

static bool rate(struct arena *a, struct slice value, void *to)
{
	return read_number(arena_memdup(a, value.ptr, value.len), RATE_MAX, to);
}

static bool share(struct arena *a, struct slice value, void *to)
{
	return read_number(arena_memdup(a, value.ptr, value.len), 1, to);
}

#define AT(member) offsetof(struct controllers_arguments, member)

static const struct argument rows[] = {
        {"node-monitor-grace-period", seconds, AT(node_grace_s), "a time of at least a second, like 50s"},
        {"terminated-pod-gc-threshold", count, AT(terminated_pods_max), "a number of pods; 0: none is collected"},
        {"legacy-service-account-token-clean-up-period", period, AT(token_period_s),
                "a time from a second to ten years, like 8760h"},
        {"node-eviction-rate", rate, AT(eviction_rate), "a number of nodes per second, like 0.1"},
        {"secondary-node-eviction-rate", rate, AT(secondary_eviction_rate), "a number of nodes per second, like 0.01"},
        {"unhealthy-zone-threshold", share, AT(unhealthy_zone_threshold), "a share between 0 and 1, like 0.55"},
        {"large-cluster-size-threshold", count, AT(large_zone_nodes), "a number of nodes"},
        {"horizontal-pod-autoscaler-sync-period", seconds, AT(hpa_period_s), "a time of at least a second, like 15s"},
        {"horizontal-pod-autoscaler-downscale-stabilization", seconds, AT(hpa_downscale_stabilization_s),
                "a time of at least a second, like 5m"},
        {"horizontal-pod-autoscaler-cpu-initialization-period", seconds, AT(hpa_cpu_initialization_s),
                "a time of at least a second, like 5m"},
        {"horizontal-pod-autoscaler-initial-readiness-delay", seconds, AT(hpa_initial_readiness_delay_s),
                "a time of at least a second, like 30s"},
        {"node-cidr-mask-size", mask, AT(node_mask_bits), "a number of bits from 16 to 28"},
        {"node-cidr-mask-size-ipv4", mask, AT(node_mask_bits), "a number of bits from 16 to 28"},
        {"node-cidr-mask-size-ipv6", mask_v6, AT(node_mask_bits_v6), "a number of bits from 64 to 120"},
        {"horizontal-pod-autoscaler-tolerance", share, AT(hpa_tolerance), "a share between 0 and 1, like 0.1"},
};

static const struct arguments table = {.flag = "--kube-controller-manager-arg",
        .documents = "docs/controllers.md",
        .rows = rows,
        .n_rows = COUNT_OF(rows)};

int controller_args_load(
        const struct flag_list *given, struct arena *a, struct controllers_arguments *ret, struct err *err)
{
	*ret = CONTROLLERS_ARGUMENTS_DEFAULT;
	return arguments_load(&table, given, a, ret, err);
}
