/* See server_check.h. Every flag that has a form is checked here, so that a mistake is told at the start and by the
 * flag's name, and not by a network that does not come up. */
#include "tools/k3x/server_check.h"

#include "api/machinery/rules/validate.h"
#include "api/server/auth/identity/join_token.h"
#include "tools/k3x/port_range.h"
#include "tools/k3x/system_names.h"
#include "base/check.h"
#include "base/wire/url.h"
#include "store/engine/sql/dsn.h"
#include "tools/k3x/addons.h"
#include "tools/k3x/flannel_settings.h"
#include "tools/k3x/server_addresses.h"

#include <stdlib.h>
#include <unistd.h>

static int bad(struct err *err, const char *flag, const char *value, const char *want)
{
	return err_set(err, ERR_INVAL, "--%s: \"%s\" is not %s", flag, value, want);
}

/* ---- addresses ---- */

static bool is_ip(const char *text)
{
	struct ip ip;
	return ip_parse(slice_of(text), &ip);
}

/* The ranges are checked against how much of them a node takes: after the controllers' arguments are read. */
static int check_addresses(struct server_settings *s, struct err *err)
{
	struct ip_list host = server_host_addresses();
	return server_addresses_complete(s, &host, err);
}

static int check_encryption(const struct server_settings *s, struct err *err)
{
	if (strcmp(s->secrets_provider, "aescbc") != 0 && strcmp(s->secrets_provider, "secretbox") != 0)
		return bad(err, "secrets-encryption-provider", s->secrets_provider, "aescbc or secretbox");
	if (s->secrets_encryption && s->apiserver.encryption_config)
		return err_set(err, ERR_INVAL,
		        "--secrets-encryption keeps an encryption configuration of its own: leave out "
		        "--kube-apiserver-arg=encryption-provider-config, or that");
	return 0;
}

/* ---- numbers ---- */

static int check_port(const char *flag, int64_t port, struct err *err)
{
	if (port < 0 || port > 65535)
		return err_set(err, ERR_INVAL, "--%s: %lld is not a port (0 to 65535)", flag, (long long)port);
	return 0;
}

static int check_port_range(struct server_settings *s, struct err *err)
{
	struct port_range range;
	if (!port_range_parse(slice_of(s->node_port_range), &range))
		return bad(err, "service-node-port-range", s->node_port_range, "like 30000-32767, 30000+2767 or 30000");
	s->node_port_min = range.min;
	s->node_port_max = range.max;
	return 0;
}

static int check_mode(const struct server_settings *s, struct err *err)
{
	char *end;
	long mode = strtol(s->write_kubeconfig_mode, &end, 8);
	if (*end || end == s->write_kubeconfig_mode || mode < 0 || mode > 0777)
		return bad(err, "write-kubeconfig-mode", s->write_kubeconfig_mode, "an octal mode like 600");
	return 0;
}

/* ---- names ---- */

static int check_label(const char *text, struct err *err)
{
	struct slice value = slice_of(text), key = slice_cut(&value, '=');
	if (!key.len || !value.ptr || validate_label_key(key) || validate_label_value(value))
		return bad(err, "node-label", text, "a label like key=value");
	return 0;
}

static int check_taint(const char *text, struct err *err)
{
	struct slice effect = slice_of(text), key = slice_cut(&effect, ':');
	if (!key.len || !(slice_is(effect, "NoSchedule") || slice_is(effect, "PreferNoSchedule") ||
	                        slice_is(effect, "NoExecute")))
		return bad(err, "node-taint", text, "like key=value:NoSchedule (or PreferNoSchedule, NoExecute)");
	return 0;
}

static int check_each(const struct flag_list *list, int (*check)(const char *text, struct err *err), struct err *err)
{
	for (size_t i = 0; i < list->count; i++)
		if (check(list->items[i], err) != 0)
			return err->code;
	return 0;
}

static int check_san(const char *name, struct err *err)
{
	const char *host = strncmp(name, "*.", 2) == 0 ? name + 2 : name;
	return is_ip(name) || !validate_dns1123_subdomain(slice_of(host))
	               ? 0
	               : bad(err, "tls-san", name, "a host name or an IP address");
}

static int check_node_names(const struct server_settings *s, struct err *err)
{
	if (validate_dns1123_subdomain(slice_of(s->node_name)))
		return bad(err, "node-name", s->node_name, "a name of lower case letters, digits, '-' and '.'");
	if (check_each(&s->node_label, check_label, err) != 0)
		return err->code;
	return check_each(&s->node_taint, check_taint, err);
}

static int check_names(struct server_settings *s, struct err *err)
{
	if (validate_dns1123_subdomain(slice_of(s->cluster_domain)))
		return bad(err, "cluster-domain", s->cluster_domain, "a DNS domain like cluster.local");
	if (check_each(&s->tls_san, check_san, err) != 0)
		return err->code;
	return addons_choose(s, addon_files, err);
}

/* ---- joining ---- */

static int check_token(const char *flag, const char *text, struct err *err)
{
	struct join_token t = {0};
	if (text && join_token_parse(slice_of(text), &t, err) != 0)
		return err_wrap(err, "--%s", flag);
	return !t.is_bootstrap ? 0
	                       : err_set(err, ERR_INVAL,
	                                 "--%s: this is a bootstrap token, which joins agents: servers need the one in "
	                                 "server/token of another server",
	                                 flag);
}

static int check_url(struct server_settings *s, struct err *err)
{
	struct url url;
	if (url_parse(&s->arena, s->join_url, 6443, &url, err) != 0)
		return err_wrap(err, "--server");
	return url.is_tls ? 0 : bad(err, "server", s->join_url, "like https://10.0.0.1:6443");
}

static int check_joining(struct server_settings *s, struct err *err)
{
	if (check_token("token", s->token, err) != 0 || check_token("agent-token", s->agent_token, err) != 0)
		return err->code;
	if (s->restore_path && !s->cluster_reset)
		return err_set(err, ERR_INVAL, "--cluster-reset-restore-path belongs to --cluster-reset");
	if (s->join_url && (s->cluster_init || s->cluster_reset))
		return err_set(err, ERR_INVAL, "--server joins a cluster, --%s makes one: one of the two",
		        s->cluster_init ? "cluster-init" : "cluster-reset");
	if (!s->join_url)
		return 0;
	if (!s->token)
		return err_set(
		        err, ERR_INVAL, "--server needs --token: the text of server/token on a server of the cluster");
	return check_url(s, err);
}

static int check_log(const struct server_settings *s, struct err *err)
{
	enum { MB_MAX = 1 << 20, FILES_MAX = 1000 };
	if (s->log_max_mb < 1 || s->log_max_mb > MB_MAX)
		return err_set(err, ERR_INVAL, "--log-max-size: %lld is not a size in MB, 1 to %d",
		        (long long)s->log_max_mb, MB_MAX);
	if (s->log_max_files < 0 || s->log_max_files > FILES_MAX)
		return err_set(err, ERR_INVAL, "--log-max-files: %lld is not a number of files, 0 to %d",
		        (long long)s->log_max_files, FILES_MAX);
	if (s->log_to_both && !s->log_file)
		return err_set(err, ERR_INVAL, "--alsologtostderr belongs to --log: without a file all goes there");
	return 0;
}

/* A node makes namespaces, mounts and tables of rules; a server without one could do with less. */
static int check_root(const struct server_settings *s, struct err *err)
{
	if (geteuid() == 0 || (!s->is_agent && s->disable_agent))
		return 0;
	return err_set(err, ERR_FORBIDDEN,
	        "must be run as root: a node needs namespaces, mounts and nftables, and there is no "
	        "rootless mode%s",
	        s->is_agent ? ""
	                    : " (a server with --disable-agent runs as any user, given a --data-dir "
	                      "and --write-kubeconfig of its own)");
}

/* Servers on one datastore find each other there. */
static int check_datastore(struct server_settings *s, struct err *err)
{
	struct dsn dsn;
	if (!s->datastore_endpoint) {
		if (s->datastore_ca || s->datastore_certificate || s->datastore_key)
			return err_set(err, ERR_INVAL,
			        "--datastore-cafile, -certfile and -keyfile belong to --datastore-endpoint");
		return 0;
	}
	if (s->cluster_init || s->join_url || s->cluster_reset)
		return err_set(err, ERR_INVAL,
		        "--%s is for servers that keep the state themselves: those that are given the same "
		        "--datastore-endpoint and --token are one cluster already",
		        s->cluster_init ? "cluster-init"
		        : s->join_url   ? "server"
		                        : "cluster-reset");
	if (dsn_parse(&s->arena, s->datastore_endpoint, &dsn, err) != 0)
		return err_wrap(err, "--datastore-endpoint");
	if (dsn.n_endpoints && slice_starts(slice_of(dsn.endpoints[0]), "https://") && !s->datastore_ca)
		return err_set(err, ERR_INVAL,
		        "--datastore-endpoint=https://...: needs --datastore-cafile, the CA by which the etcd's "
		        "certificate is trusted");
	if (!s->datastore_certificate != !s->datastore_key)
		return err_set(err, ERR_INVAL, "--datastore-certfile and --datastore-keyfile: both or none");
	return 0;
}

static int check_files(const struct server_settings *s, struct err *err)
{
	if (check_log(s, err) != 0)
		return err->code;
	if (s->local_storage && *s->local_storage != '/')
		return bad(err, "default-local-storage-path", s->local_storage, "the whole path of a folder");
	if (*s->data_dir != '/')
		return bad(err, "data-dir", s->data_dir, "the whole path of a folder");
	if (s->resolv_conf && access(s->resolv_conf, R_OK) != 0)
		return bad(err, "resolv-conf", s->resolv_conf, "a file that can be read");
	return 0;
}

int server_check(struct server_settings *s, struct err *err)
{
	if (check_root(s, err) != 0 || check_port("https-listen-port", s->https_port, err) != 0 ||
	        check_port("kubelet-port", s->kubelet_port, err) != 0 || check_port_range(s, err) != 0 ||
	        check_mode(s, err) != 0 || check_addresses(s, err) != 0 || flannel_settings_load(s, err) != 0 ||
	        check_node_names(s, err) != 0 || check_names(s, err) != 0 || check_joining(s, err) != 0 ||
	        check_datastore(s, err) != 0 || check_encryption(s, err) != 0 ||
	        snapshot_settings_check(&s->snapshots, err) != 0 || system_names_check(s->system_registry, err) != 0)
		return err->code;
	return check_files(s, err);
}

int agent_check(struct server_settings *s, struct err *err)
{
	if (!s->join_url)
		return err_set(err, ERR_INVAL,
		        "--server (or K3X_URL) is needed: a server of the cluster, like https://10.0.0.1:6443");
	if (!s->kubelet_port || !s->lb_port)
		return err_set(err, ERR_INVAL, "--%s: 0 is not a port (1 to 65535)",
		        s->lb_port ? "kubelet-port" : "lb-server-port");
	if (check_root(s, err) != 0 || check_port("lb-server-port", s->lb_port, err) != 0 ||
	        check_port("kubelet-port", s->kubelet_port, err) != 0 || agent_addresses_check(s, err) != 0 ||
	        check_node_names(s, err) != 0 || check_token("token", s->token, err) != 0 || check_url(s, err) != 0)
		return err->code;
	return check_files(s, err);
}
