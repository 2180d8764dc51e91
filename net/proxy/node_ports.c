/* See node_ports.h. */
#include "net/proxy/node_ports.h"

#include "base/check.h"
#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Ranges of the other family say nothing about this one, as upstream has it. */
void node_ports_ranges(const struct proxy_arguments *a, const char *node_ip, const char *node_ip_other,
        const struct proxy_family *f, char out[PROXY_NODE_PORTS_BYTES_MAX])
{
	const char *own[] = {node_ip, node_ip_other};
	struct strbuf b = STRBUF_INIT;
	char text[IP_NET_TEXT_MAX];
	struct ip ip;
	for (size_t i = 0; i < a->n_node_port_ranges; i++)
		if (a->node_port_ranges[i].first.family == f->family)
			strbuf_addf(&b, "%s%s", b.len ? ", " : "", ip_net_write(&a->node_port_ranges[i], text));
	for (size_t i = 0; a->node_ports_primary && i < COUNT_OF(own); i++)
		if (own[i] && ip_parse(slice_of(own[i]), &ip) && ip.family == f->family)
			strbuf_adds(&b, own[i]);
	snprintf(out, PROXY_NODE_PORTS_BYTES_MAX, "%s", strbuf_cstr(&b));
	strbuf_release(&b);
}

void node_ports_turn_localnet_on(void)
{
	static const char path[] = "/proc/sys/net/ipv4/conf/all/route_localnet";
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		log_warn("proxy", "node ports will not answer on 127.0.0.1", "cannot_write=%s", path);
	if (fd >= 0)
		close(fd);
}
