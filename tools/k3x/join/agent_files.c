/* See agent_files.h. */
#include "tools/k3x/join/agent_files.h"

#include "api/server/join/words.h"
#include "base/pki/pki.h"
#include "tools/k3x/flannel_settings.h"
#include "tools/k3x/server_addresses.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool agent_has_file(struct server_settings *s, const char *place)
{
	return access(server_file(s, "%s", place), F_OK) == 0;
}

int agent_write_file(struct server_settings *s, const char *place, struct slice text, unsigned mode, struct err *err)
{
	return pki_file_write(server_file(s, "%s", place), text, mode, err);
}

void agent_choose_proof(struct server_settings *s, struct join_contact *c)
{
	struct slice pem, ca;
	struct err unused = ERR_INIT;
	if (server_file_read(s, "agent/client-kubelet.crt", &pem, &unused) != 0 ||
	        server_file_read(s, "agent/client-ca.crt", &ca, &unused) != 0 ||
	        pki_verify(pem.ptr, ca.ptr, &unused) != 0)
		return;
	c->cert_file = server_file(s, "agent/client-kubelet.crt");
	c->key_file = server_file(s, "agent/client-kubelet.key");
}

int agent_take_settings(struct server_settings *s, struct slice text, struct err *err)
{
	struct join_config c;
	if (join_config_parse(&s->arena, text, &c, err) != 0 ||
	        join_check_versions(K3X_KUBE_VERSION, c.protocol, c.kubernetes, err) != 0)
		return err->code;
	s->cluster_cidr = c.settings.cluster_cidr;
	s->service_cidr = c.settings.service_cidr;
	s->cluster_dns = c.settings.cluster_dns;
	s->cluster_domain = c.settings.cluster_domain;
	s->node_port_range = c.settings.node_ports;
	s->flannel_backend = c.settings.flannel_backend;
	s->embedded_registry = strcmp(c.settings.embedded_registry, "true") == 0;
	s->system_registry = c.settings.system_registry;
	s->disable_network_policy = strcmp(c.settings.no_network_policy, "true") == 0;
	s->flannel_ipv6_masq = strcmp(c.settings.ipv6_masquerade, "true") == 0;
	s->flannel_external_ip = strcmp(c.settings.external_ip, "true") == 0;
	struct ip_list host = server_host_addresses();
	if (agent_addresses_complete(s, &host, err) != 0)
		return err->code;
	return flannel_settings_load(s, err);
}

bool agent_may_pass(const struct err *err)
{
	return err_may_retry(err->code) || err->code == ERR_CLOSED || err->code == ERR_TIMEOUT;
}
