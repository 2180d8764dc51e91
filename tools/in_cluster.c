/* See in_cluster.h. */
#include "tools/in_cluster.h"

#include "api/server/outgoing/kubeconfig.h"
#include "base/wire/tls.h"

#include <stdlib.h>
#include <string.h>

#define ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

static int client_of_kubeconfig(
        struct arena *a, struct loop *loop, const char *kubeconfig, struct client **ret, struct err *err)
{
	struct outgoing_target t = {0};
	struct tls_options tls = {0};
	struct client_https_options o = {0};
	if (kubeconfig_load(a, kubeconfig, &t, err) != 0)
		return err->code;
	if (t.username)
		return err_set(
		        err, ERR_INVAL, "%s: a user name and password are no way to speak to the API", kubeconfig);
	tls.ca_pem = t.ca_pem;
	tls.skip_verify = t.skip_verify;
	tls.certificate_pem = t.certificate_pem;
	tls.key_pem = t.key_pem;
	o.server_url = t.url;
	o.token = t.bearer;
	o.token_file = t.bearer_file;
	if (tls_context_new(&tls, &o.tls, err) != 0)
		return err_wrap(err, "%s", kubeconfig);
	int rc = client_https_new(loop, &o, ret, err);
	tls_context_unref(o.tls);
	return rc;
}

static int client_of_pod(struct arena *a, struct loop *loop, struct client **ret, struct err *err)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
	if (!host || !*host)
		return 0;
	struct client_https_options o = {.ca_file = ACCOUNT "/ca.crt", .token_file = ACCOUNT "/token"};
	o.server_url = arena_printf(
	        a, strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port && *port ? port : "443");
	return client_https_new(loop, &o, ret, err);
}

int in_cluster_client(struct arena *a, struct loop *loop, const char *kubeconfig, struct client **ret, struct err *err)
{
	*ret = NULL;
	return kubeconfig ? client_of_kubeconfig(a, loop, kubeconfig, ret, err) : client_of_pod(a, loop, ret, err);
}
