/* See resource_metrics_int.h. A sample has the time at which it was measured, as upstream's have: who makes rates of
 * them needs it. A pod is the sum of its containers (upstream: its cgroup, with the sandbox's few bytes). Upstream:
 * pkg/kubelet/metrics/collectors/resource_metrics.go. */
#include "node/server/resource_metrics_int.h"

#include "node/ground/machine.h"

#include <inttypes.h>

/* ---- the node ---- */

static bool read_number(struct slice *rest, uint64_t *ret)
{
	while (rest->len && *rest->ptr == ' ')
		rest->ptr++, rest->len--;
	return slice_to_u64(slice_cut(rest, ' '), ret);
}

/* "cpu  user nice system idle iowait irq softirq steal guest guest_nice": guests are within user and nice. */
static bool read_cpu(struct slice stat, long ticks_per_s, uint64_t *ret_ns)
{
	struct slice line = slice_cut(&stat, '\n');
	uint64_t ticks = 0, v;
	if (!slice_starts(line, "cpu ") || ticks_per_s <= 0)
		return false;
	line.ptr += 4, line.len -= 4;
	for (int i = 0; i < 8; i++) {
		if (!read_number(&line, &v))
			return i > 3; /* old kernels say less */
		if (i != 3 && i != 4)
			ticks += v;
		*ret_ns = ticks * (1000000000u / (uint64_t)ticks_per_s);
	}
	return true;
}

static bool read_memory(struct slice meminfo, struct resource_usage *ret)
{
	struct machine_memory m;
	machine_memory_parse(meminfo, &m);
	if (m.total < 0 || m.unused < 0 || m.inactive_file < 0)
		return false;
	ret->memory_bytes = m.total > m.unused + m.inactive_file ? (uint64_t)(m.total - m.unused - m.inactive_file) : 0;
	ret->swap_bytes = m.swap_total > m.swap_free ? (uint64_t)(m.swap_total - m.swap_free) : 0;
	ret->has_swap = true;
	return ret->memory_bytes > 0;
}

bool resource_usage_of_node(
        struct slice stat, struct slice meminfo, long ticks_per_s, int64_t now_ms, struct resource_usage *ret)
{
	*ret = (struct resource_usage){.cpu_at_ms = now_ms, .memory_at_ms = now_ms};
	return read_cpu(stat, ticks_per_s, &ret->cpu_ns) && read_memory(meminfo, ret);
}

/* ---- the text ---- */

static void head(struct strbuf *b, const char *name, const char *type, const char *help)
{
	strbuf_addf(b, "# HELP %s [STABLE] %s\n# TYPE %s %s\n", name, help, name, type);
}

static void sample(struct strbuf *b, const char *name, const struct resource_usage *u, bool is_pod)
{
	strbuf_adds(b, name);
	if (u->pod) {
		strbuf_adds(b, "{");
		if (!is_pod)
			strbuf_addf(b, "container=\"%s\",", u->container);
		strbuf_addf(b, "namespace=\"%s\",pod=\"%s\"}", u->ns, u->pod);
	}
}

static void cpu(struct strbuf *b, const char *name, const struct resource_usage *u, bool is_pod)
{
	if (!u->cpu_at_ms)
		return;
	sample(b, name, u, is_pod);
	strbuf_addf(b, " %" PRIu64 ".%09" PRIu64 " %" PRId64 "\n", u->cpu_ns / 1000000000, u->cpu_ns % 1000000000,
	        u->cpu_at_ms);
}

static void memory(struct strbuf *b, const char *name, const struct resource_usage *u, bool is_pod)
{
	if (!u->memory_at_ms)
		return;
	sample(b, name, u, is_pod);
	strbuf_addf(b, " %" PRIu64 " %" PRId64 "\n", u->memory_bytes, u->memory_at_ms);
}

static void swap(struct strbuf *b, const char *name, const struct resource_usage *u, bool is_pod)
{
	if (!u->memory_at_ms || !u->has_swap)
		return;
	sample(b, name, u, is_pod);
	strbuf_addf(b, " %" PRIu64 " %" PRId64 "\n", u->swap_bytes, u->memory_at_ms);
}

static bool same_pod(const struct resource_usage *a, const struct resource_usage *b)
{
	return strcmp(a->pod, b->pod) == 0 && strcmp(a->ns, b->ns) == 0;
}

static void later(int64_t *at, int64_t other)
{
	*at = other > *at ? other : *at;
}

/* The sum of the pod that begins at rows[*i], which becomes the next one's beginning. A container that was not measured
 * leaves the pod unmeasured. */
static struct resource_usage sum_pod(const struct resource_usage *rows, size_t n, size_t *i)
{
	struct resource_usage sum = rows[*i];
	bool has_cpu = sum.cpu_at_ms, has_memory = sum.memory_at_ms;
	for ((*i)++; *i < n && same_pod(&rows[*i], &sum); (*i)++) {
		const struct resource_usage *u = &rows[*i];
		sum.cpu_ns += u->cpu_ns;
		sum.memory_bytes += u->memory_bytes;
		sum.swap_bytes += u->swap_bytes;
		sum.has_swap &= u->has_swap;
		has_cpu &= u->cpu_at_ms != 0;
		has_memory &= u->memory_at_ms != 0;
		later(&sum.cpu_at_ms, u->cpu_at_ms);
		later(&sum.memory_at_ms, u->memory_at_ms);
	}
	sum.cpu_at_ms = has_cpu ? sum.cpu_at_ms : 0;
	sum.memory_at_ms = has_memory ? sum.memory_at_ms : 0;
	return sum;
}

void resource_metrics_write(
        struct strbuf *out, const struct resource_usage *node, const struct resource_usage *rows, size_t n)
{
	head(out, "container_cpu_usage_seconds_total", "counter",
	        "Cumulative cpu time consumed by the container in core-seconds");
	for (size_t i = 0; i < n; i++)
		cpu(out, "container_cpu_usage_seconds_total", &rows[i], false);
	head(out, "container_memory_working_set_bytes", "gauge", "Current working set of the container in bytes");
	for (size_t i = 0; i < n; i++)
		memory(out, "container_memory_working_set_bytes", &rows[i], false);
	head(out, "container_start_time_seconds", "gauge", "Start time of the container since unix epoch in seconds");
	for (size_t i = 0; i < n; i++)
		if (rows[i].started_ms) {
			sample(out, "container_start_time_seconds", &rows[i], false);
			strbuf_addf(out, " %" PRId64 ".%03" PRId64 "\n", rows[i].started_ms / 1000,
			        rows[i].started_ms % 1000);
		}
	head(out, "container_swap_usage_bytes", "gauge",
	        "Current amount of the container swap usage in bytes. Reported only on non-windows systems");
	for (size_t i = 0; i < n; i++)
		swap(out, "container_swap_usage_bytes", &rows[i], false);
	head(out, "node_cpu_usage_seconds_total", "counter",
	        "Cumulative cpu time consumed by the node in core-seconds");
	if (node)
		cpu(out, "node_cpu_usage_seconds_total", node, false);
	head(out, "node_memory_working_set_bytes", "gauge", "Current working set of the node in bytes");
	if (node)
		memory(out, "node_memory_working_set_bytes", node, false);
	head(out, "node_swap_usage_bytes", "gauge",
	        "Current swap usage of the node in bytes. Reported only on non-windows systems");
	if (node)
		swap(out, "node_swap_usage_bytes", node, false);
	head(out, "pod_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the pod in core-seconds");
	for (size_t i = 0; i < n;) {
		struct resource_usage sum = sum_pod(rows, n, &i);
		cpu(out, "pod_cpu_usage_seconds_total", &sum, true);
	}
	head(out, "pod_memory_working_set_bytes", "gauge", "Current working set of the pod in bytes");
	for (size_t i = 0; i < n;) {
		struct resource_usage sum = sum_pod(rows, n, &i);
		memory(out, "pod_memory_working_set_bytes", &sum, true);
	}
	head(out, "pod_swap_usage_bytes", "gauge",
	        "Current amount of the pod swap usage in bytes. Reported only on non-windows systems");
	for (size_t i = 0; i < n;) {
		struct resource_usage sum = sum_pod(rows, n, &i);
		swap(out, "pod_swap_usage_bytes", &sum, true);
	}
	head(out, "resource_scrape_error", "gauge",
	        "1 if there was an error while getting container metrics, 0 otherwise");
	strbuf_addf(out, "resource_scrape_error %d\n", node ? 0 : 1);
}
