/* See proxy_args.h. An argument that is accepted and does nothing would be believed: all others are refused, and those
 * of kube-proxy with a word on what to use. */
#include "tools/k3x/proxy_args.h"

#include "base/check.h"
#include "base/duration.h"

#include <stddef.h>
#include <stdio.h>

enum type { TYPE_LISTEN, TYPE_RANGES, TYPE_COUNT, TYPE_SECONDS, TYPE_BOOL };

static const struct row {
	const char *name;
	enum type type;
	size_t at;
	const char *want;
} rows[] = {
        {"healthz-bind-address", TYPE_LISTEN, offsetof(struct proxy_arguments, healthz),
                "an address like 0.0.0.0:10256 or [::]:10256, or empty for none"},
        {"metrics-bind-address", TYPE_LISTEN, offsetof(struct proxy_arguments, metrics),
                "an address like 127.0.0.1:10249 or [::1]:10249, or empty for none"},
        {"nodeport-addresses", TYPE_RANGES, 0, "\"primary\", or at most 16 ranges with commas between"},
        {"conntrack-max-per-core", TYPE_COUNT, offsetof(struct proxy_arguments, conntrack_max_per_core),
                "a number of connections; 0: as the kernel has it"},
        {"conntrack-min", TYPE_COUNT, offsetof(struct proxy_arguments, conntrack_min), "a number of connections"},
        {"conntrack-tcp-timeout-established", TYPE_SECONDS, offsetof(struct proxy_arguments, tcp_established_s),
                "a time like 24h; 0s: as the kernel has it"},
        {"conntrack-tcp-timeout-close-wait", TYPE_SECONDS, offsetof(struct proxy_arguments, tcp_close_wait_s),
                "a time like 1h; 0s: as the kernel has it"},
        {"conntrack-udp-timeout", TYPE_SECONDS, offsetof(struct proxy_arguments, udp_s),
                "a time like 30s; 0s: as the kernel has it"},
        {"conntrack-udp-timeout-stream", TYPE_SECONDS, offsetof(struct proxy_arguments, udp_stream_s),
                "a time like 2m; 0s: as the kernel has it"},
        {"conntrack-tcp-be-liberal", TYPE_BOOL, offsetof(struct proxy_arguments, tcp_be_liberal), "true or false"},
};

/* One value is what is so anyway. */
static const struct {
	const char *name, *value, *why;
} fixed[] = {
        {"proxy-mode", "nftables", "there is one proxy, and it speaks nftables"},
        {"masquerade-all", "false", "pods are seen as who they are"},
        {"detect-local-mode", "ClusterCIDR", "pods are known by --cluster-cidr"},
        {"bind-address-hard-fail", "false", "a port that somebody has is told in the log"},
        {"cleanup", "false", "use k3x-killall.sh, or make down"},
        {"profiling", "false", "there is no profiler in it: use perf on the process"},
};

static const struct {
	const char *name, *instead;
} elsewhere[] = {
        {"cluster-cidr", "use --cluster-cidr of servers"},
        {"bind-address", "use --node-ip for the node, healthz-bind-address and metrics-bind-address for the pages"},
        {"hostname-override", "use --node-name"},
        {"kubeconfig", "the proxy has the node's own: it is made and renewed by k3x"},
        {"master", "the proxy asks the servers that the node knows: use --server"},
        {"config", "give the settings one by one by --kube-proxy-arg"},
        {"v", "use --debug"},
        {"oom-score-adj", "the proxy is a part of k3x: use the service manager's setting"},
        {"feature-gates", "what is there is on"},
};

static const int64_t COUNT_MAX = INT64_C(1) << 31, SECONDS_MAX = 366 * 24 * 3600;

/* "127.0.0.1:10249", "[::1]:10249"; "": none. */
static bool take_listen(struct arena *a, struct slice text, struct proxy_listen *ret)
{
	struct ip ip;
	uint64_t port;
	char address[IP_TEXT_MAX];
	const char *colon = text.len ? memrchr(text.ptr, ':', text.len) : NULL;
	if (!text.len) {
		*ret = (struct proxy_listen){0};
		return true;
	}
	if (!colon)
		return false;
	struct slice host = {text.ptr, (size_t)(colon - text.ptr)}, number = {colon + 1, text.len - host.len - 1};
	bool is_v6 = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
	if (is_v6)
		host = (struct slice){host.ptr + 1, host.len - 2};
	if (!ip_parse(host, &ip) || (ip.family == IP_V6) != is_v6 || !slice_to_u64(number, &port) || port < 1 ||
	        port > 65535)
		return false;
	*ret = (struct proxy_listen){arena_strdup(a, ip_write(&ip, address)), (int)port};
	return true;
}

static bool take_ranges(struct slice text, struct proxy_arguments *ret)
{
	ret->n_node_port_ranges = 0;
	ret->node_ports_primary = slice_is(text, "primary");
	if (ret->node_ports_primary)
		return true;
	while (text.len) {
		struct slice one = slice_cut(&text, ',');
		if (ret->n_node_port_ranges == PROXY_RANGES_MAX ||
		        !ip_net_parse(one, &ret->node_port_ranges[ret->n_node_port_ranges++]))
			return false;
	}
	return true;
}

static bool take_seconds(struct slice value, int64_t *ret)
{
	char text[64];
	uint64_t ms;
	if (value.len >= sizeof text)
		return false;
	snprintf(text, sizeof text, "%.*s", SLICE_FMT(value));
	if (!duration_parse_ms(text, &ms) || ms % 1000 || ms / 1000 > (uint64_t)SECONDS_MAX)
		return false;
	*ret = (int64_t)(ms / 1000);
	return true;
}

static bool take(const struct row *row, struct arena *a, struct proxy_arguments *ret, struct slice value)
{
	void *to = (char *)ret + row->at;
	int64_t n;
	switch (row->type) {
	case TYPE_LISTEN:
		return take_listen(a, value, to);
	case TYPE_RANGES:
		return take_ranges(value, ret);
	case TYPE_COUNT:
		if (!slice_to_i64(value, &n) || n < 0 || n > COUNT_MAX)
			return false;
		*(int64_t *)to = n;
		return true;
	case TYPE_SECONDS:
		return take_seconds(value, to);
	case TYPE_BOOL:
		*(bool *)to = !value.ptr || slice_is(value, "true");
		return !value.ptr || slice_is(value, "true") || slice_is(value, "false");
	}
	return false;
}

static int refuse(struct slice name, struct slice value, struct err *err)
{
	for (size_t i = 0; i < COUNT_OF(fixed); i++)
		if (slice_is(name, fixed[i].name))
			return slice_is(value, fixed[i].value)
			               ? 0
			               : err_set(err, ERR_UNIMPLEMENTED, "--kube-proxy-arg: %s can only be %s here: %s",
			                         fixed[i].name, fixed[i].value, fixed[i].why);
	for (size_t i = 0; i < COUNT_OF(elsewhere); i++)
		if (slice_is(name, elsewhere[i].name))
			return err_set(err, ERR_UNIMPLEMENTED, "--kube-proxy-arg: %s is not heeded: %s",
			        elsewhere[i].name, elsewhere[i].instead);
	return err_set(err, ERR_UNIMPLEMENTED,
	        "--kube-proxy-arg: \"%.*s\" is not an argument that k3x has (docs/network.md lists them)",
	        SLICE_FMT(name));
}

static int set_one(const char *given, struct arena *a, struct proxy_arguments *ret, struct err *err)
{
	struct slice value, name = flag_argument_cut(given, &value);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (!slice_is(name, rows[i].name))
			continue;
		bool is_good = (value.ptr || rows[i].type == TYPE_BOOL) && take(&rows[i], a, ret, value);
		return is_good ? 0
		               : err_set(err, ERR_INVAL, "--kube-proxy-arg: %s: \"%.*s\" is not %s", rows[i].name,
		                         SLICE_FMT(value), rows[i].want);
	}
	return refuse(name, value, err);
}

int proxy_args_load(const struct flag_list *given, struct arena *a, struct proxy_arguments *ret, struct err *err)
{
	*ret = PROXY_ARGUMENTS_DEFAULT;
	for (size_t i = 0; i < given->count; i++)
		if (set_one(given->items[i], a, ret, err) != 0)
			return err->code;
	return 0;
}
