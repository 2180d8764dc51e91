/* See controller_args.h. An argument that is accepted and does nothing would be believed: all others are refused. */
#include "tools/k3x/controller_args.h"

#include "base/check.h"
#include "base/duration.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum type { TYPE_SECONDS, TYPE_PERIOD, TYPE_COUNT, TYPE_RATE, TYPE_SHARE, TYPE_MASK, TYPE_MASK_V6 };

static const struct row {
	const char *name;
	enum type type;
	size_t at; /* of int64_t or double */
	const char *want;
} rows[] = {
        {"node-monitor-grace-period", TYPE_SECONDS, offsetof(struct controllers_arguments, node_grace_s),
                "a time of at least a second, like 50s"},
        {"terminated-pod-gc-threshold", TYPE_COUNT, offsetof(struct controllers_arguments, terminated_pods_max),
                "a number of pods; 0: none is collected"},
        {"legacy-service-account-token-clean-up-period", TYPE_PERIOD,
                offsetof(struct controllers_arguments, token_period_s),
                "a time from a second to ten years, like 8760h"},
        {"node-eviction-rate", TYPE_RATE, offsetof(struct controllers_arguments, eviction_rate),
                "a number of nodes per second, like 0.1"},
        {"secondary-node-eviction-rate", TYPE_RATE, offsetof(struct controllers_arguments, secondary_eviction_rate),
                "a number of nodes per second, like 0.01"},
        {"unhealthy-zone-threshold", TYPE_SHARE, offsetof(struct controllers_arguments, unhealthy_zone_threshold),
                "a share between 0 and 1, like 0.55"},
        {"large-cluster-size-threshold", TYPE_COUNT, offsetof(struct controllers_arguments, large_zone_nodes),
                "a number of nodes"},
        {"horizontal-pod-autoscaler-sync-period", TYPE_SECONDS, offsetof(struct controllers_arguments, hpa_period_s),
                "a time of at least a second, like 15s"},
        {"horizontal-pod-autoscaler-downscale-stabilization", TYPE_SECONDS,
                offsetof(struct controllers_arguments, hpa_downscale_stabilization_s),
                "a time of at least a second, like 5m"},
        {"horizontal-pod-autoscaler-cpu-initialization-period", TYPE_SECONDS,
                offsetof(struct controllers_arguments, hpa_cpu_initialization_s),
                "a time of at least a second, like 5m"},
        {"horizontal-pod-autoscaler-initial-readiness-delay", TYPE_SECONDS,
                offsetof(struct controllers_arguments, hpa_initial_readiness_delay_s),
                "a time of at least a second, like 30s"},
        {"node-cidr-mask-size", TYPE_MASK, offsetof(struct controllers_arguments, node_mask_bits),
                "a number of bits from 16 to 28"},
        {"node-cidr-mask-size-ipv4", TYPE_MASK, offsetof(struct controllers_arguments, node_mask_bits),
                "a number of bits from 16 to 28"},
        {"node-cidr-mask-size-ipv6", TYPE_MASK_V6, offsetof(struct controllers_arguments, node_mask_bits_v6),
                "a number of bits from 64 to 120"},
        {"horizontal-pod-autoscaler-tolerance", TYPE_SHARE, offsetof(struct controllers_arguments, hpa_tolerance),
                "a share between 0 and 1, like 0.1"},
};

static const int64_t COUNT_MAX = 1000000, GRACE_S_MAX = 24 * 3600, PERIOD_S_MAX = 10 * 8760 * 3600;
static const double RATE_MAX = 1000;

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

static bool take(const struct row *row, void *to, struct slice value)
{
	char text[64];
	uint64_t ms;
	int64_t n;
	if (!value.len || value.len >= sizeof text)
		return false;
	snprintf(text, sizeof text, "%.*s", SLICE_FMT(value));
	switch (row->type) {
	case TYPE_SECONDS:
	case TYPE_PERIOD:
		if (!duration_parse_ms(text, &ms) || ms < 1000 ||
		        ms / 1000 > (uint64_t)(row->type == TYPE_PERIOD ? PERIOD_S_MAX : GRACE_S_MAX))
			return false;
		*(int64_t *)to = (int64_t)(ms / 1000);
		return true;
	case TYPE_COUNT:
		if (!slice_to_i64(value, &n) || n < 0 || n > COUNT_MAX)
			return false;
		*(int64_t *)to = n;
		return true;
	case TYPE_MASK:
	case TYPE_MASK_V6:
		if (!slice_to_i64(value, &n) || n < (row->type == TYPE_MASK ? 16 : 64) ||
		        n > (row->type == TYPE_MASK ? 28 : 120))
			return false;
		*(int64_t *)to = n;
		return true;
	case TYPE_RATE:
		return read_number(text, RATE_MAX, to);
	case TYPE_SHARE:
		return read_number(text, 1, to);
	}
	return false;
}

static int set_one(const char *given, struct controllers_arguments *ret, struct err *err)
{
	struct slice value, name = flag_argument_cut(given, &value);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (!slice_is(name, rows[i].name))
			continue;
		return take(&rows[i], (char *)ret + rows[i].at, value)
		               ? 0
		               : err_set(err, ERR_INVAL, "--kube-controller-manager-arg: %s: \"%.*s\" is not %s",
		                         rows[i].name, SLICE_FMT(value), rows[i].want);
	}
	return err_set(err, ERR_UNIMPLEMENTED,
	        "--kube-controller-manager-arg: \"%.*s\" is not an argument that k3x has (docs/controllers.md lists "
	        "them)",
	        SLICE_FMT(name));
}

int controller_args_load(const struct flag_list *given, struct controllers_arguments *ret, struct err *err)
{
	*ret = CONTROLLERS_ARGUMENTS_DEFAULT;
	for (size_t i = 0; i < given->count; i++)
		if (set_one(given->items[i], ret, err) != 0)
			return err->code;
	return 0;
}
