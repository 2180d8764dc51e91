/* See in_cluster.h. */
#include "tools/addons/in_cluster.h"

#include "api/server/outgoing/kubeconfig.h"

#include <stdlib.h>
#include <string.h>

#define ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

static int find_in_kubeconfig(struct arena *a, const char *kubeconfig, struct in_cluster *ret, struct err *err)
{
	struct outgoing_target t = {0};
	if (kubeconfig_load(a, kubeconfig, &t, err) != 0)
		return err->code;
	if (t.username)
		return err_set(
		        err, ERR_INVAL, "%s: a user name and password are no way to speak to the API", kubeconfig);
	*ret = (struct in_cluster){.server_url = t.url,
	        .tls = {.ca_pem = t.ca_pem,
	                .skip_verify = t.skip_verify,
	                .certificate_pem = t.certificate_pem,
	                .key_pem = t.key_pem},
	        .token = t.bearer,
	        .token_file = t.bearer_file};
	return 0;
}

static int find_in_pod(struct arena *a, struct in_cluster *ret, struct err *err)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
	if (!host || !*host)
		return err_set(err, ERR_NOT_FOUND,
		        "this is no pod (KUBERNETES_SERVICE_HOST is not set): give --kubeconfig to run outside of one");
	const char *form = strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s";
	*ret = (struct in_cluster){.server_url = arena_printf(a, form, host, port && *port ? port : "443"),
	        .tls = {.ca_file = ACCOUNT "/ca.crt"},
	        .token_file = ACCOUNT "/token"};
	return 0;
}

int in_cluster_find(struct arena *a, const char *kubeconfig, struct in_cluster *ret, struct err *err)
{
	return kubeconfig ? find_in_kubeconfig(a, kubeconfig, ret, err) : find_in_pod(a, ret, err);
}

int in_cluster_client(const struct in_cluster *c, struct loop *loop, struct client **ret, struct err *err)
{
	struct client_https_options o = {.server_url = c->server_url, .token = c->token, .token_file = c->token_file};
	if (tls_context_new(&c->tls, &o.tls, err) != 0)
		return err_wrap(err, "the way to %s", c->server_url);
	int rc = client_https_new(loop, &o, ret, err);
	tls_context_unref(o.tls);
	return rc;
}
