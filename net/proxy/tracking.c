/* See tracking.h. nf_conntrack_max is the larger of conntrack-min and so many per core, as upstream has it. */
#include "net/proxy/tracking.h"

#include "base/log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

size_t tracking_values(const struct proxy_arguments *a, int64_t cores, struct tracking_value ret[TRACKING_VALUES_MAX])
{
	int64_t most = a->conntrack_max_per_core * cores;
	/* Without a number per core the minimum means nothing. */
	if (most && most < a->conntrack_min)
		most = a->conntrack_min;
	const struct tracking_value all[] = {{"nf_conntrack_max", most},
	        {"nf_conntrack_tcp_timeout_established", a->tcp_established_s},
	        {"nf_conntrack_tcp_timeout_close_wait", a->tcp_close_wait_s}, {"nf_conntrack_udp_timeout", a->udp_s},
	        {"nf_conntrack_udp_timeout_stream", a->udp_stream_s},
	        {"nf_conntrack_tcp_be_liberal", a->tcp_be_liberal}};
	size_t n = 0;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i].value)
			ret[n++] = all[i];
	return n;
}

static void apply_one(const struct tracking_value *v)
{
	char path[128], text[24];
	snprintf(path, sizeof path, "/proc/sys/net/netfilter/%s", v->path);
	int len = snprintf(text, sizeof text, "%" PRId64, v->value), fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, (size_t)len) != len)
		log_warn("proxy", "a setting of connection tracking is not taken", "cannot_write=%s value=%s", path,
		        text);
	if (fd >= 0)
		close(fd);
}

void tracking_apply(const struct proxy_arguments *a)
{
	struct tracking_value values[TRACKING_VALUES_MAX];
	size_t n = tracking_values(a, sysconf(_SC_NPROCESSORS_ONLN), values);
	for (size_t i = 0; i < n; i++)
		apply_one(&values[i]);
}
