/* See proxy_args.h. */
#include "tools/k3x/arguments/proxy_args.h"

#include "base/check.h"
#include "tools/k3x/arguments/arguments.h"

#include <stddef.h>

static const int64_t COUNT_MAX = INT64_C(1) << 31, SECONDS_MAX = 366 * 24 * 3600;

/* "127.0.0.1:10249", "[::1]:10249"; "": none. */
static bool listen_at(struct arena *a, struct slice text, void *to)
{
	struct proxy_listen *ret = to;
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

static bool ranges(struct arena *a, struct slice text, void *to)
{
	struct proxy_arguments *ret = to;
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

static bool count(struct arena *a, struct slice value, void *to)
{
	return argument_int_within(value, 0, COUNT_MAX, to);
}

static bool seconds(struct arena *a, struct slice value, void *to)
{
	return argument_seconds_within(a, value, 0, SECONDS_MAX, to);
}

#define AT(member) offsetof(struct proxy_arguments, member)

static const struct argument rows[] = {
        {"healthz-bind-address", listen_at, AT(healthz),
                "an address like 0.0.0.0:10256 or [::]:10256, or empty for none"},
        {"metrics-bind-address", listen_at, AT(metrics),
                "an address like 127.0.0.1:10249 or [::1]:10249, or empty for none"},
        {"nodeport-addresses", ranges, 0, "\"primary\", or at most 16 ranges with commas between"},
        {"iptables-localhost-nodeports", argument_bool, AT(node_ports_on_localhost), "true or false"},
        {"conntrack-max-per-core", count, AT(conntrack_max_per_core),
                "a number of connections; 0: as the kernel has it"},
        {"conntrack-min", count, AT(conntrack_min), "a number of connections"},
        {"conntrack-tcp-timeout-established", seconds, AT(tcp_established_s),
                "a time like 24h; 0s: as the kernel has it"},
        {"conntrack-tcp-timeout-close-wait", seconds, AT(tcp_close_wait_s), "a time like 1h; 0s: as the kernel has it"},
        {"conntrack-udp-timeout", seconds, AT(udp_s), "a time like 30s; 0s: as the kernel has it"},
        {"conntrack-udp-timeout-stream", seconds, AT(udp_stream_s), "a time like 2m; 0s: as the kernel has it"},
        {"conntrack-tcp-be-liberal", argument_bool, AT(tcp_be_liberal), "true or false"},
};

static const struct argument_fixed fixed[] = {
        {"proxy-mode", "nftables", "there is one proxy, and it speaks nftables"},
        {"masquerade-all", "false", "pods are seen as who they are"},
        {"detect-local-mode", "ClusterCIDR", "pods are known by --cluster-cidr"},
        {"bind-address-hard-fail", "false", "a port that somebody has is told in the log"},
        {"cleanup", "false", "use k3x-killall.sh, or make down"},
        {"profiling", "false", "there is no profiler in it: use perf on the process"},
};

static const struct argument_elsewhere elsewhere[] = {
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

static const struct arguments table = {.flag = "--kube-proxy-arg",
        .documents = "docs/network.md",
        .rows = rows,
        .n_rows = COUNT_OF(rows),
        .fixed = fixed,
        .n_fixed = COUNT_OF(fixed),
        .elsewhere = elsewhere,
        .n_elsewhere = COUNT_OF(elsewhere)};

int proxy_args_load(const struct flag_list *given, struct arena *a, struct proxy_arguments *ret, struct err *err)
{
	*ret = PROXY_ARGUMENTS_DEFAULT;
	return arguments_load(&table, given, a, ret, err);
}
