/* `k3x metrics`: what nodes and pods use (net/metrics/), as a pod of the cluster or beside it.
 *
 * Kubelets are asked as the same who asks the API server, and must have a certificate of the cluster's CA (or of
 * --kubelet-certificate-authority). */
#include "tools/programs.h"

#include "base/check.h"
#include "base/time/duration.h"
#include "base/log.h"
#include "net/metrics/metrics.h"
#include "tools/addons/addon.h"

#include <stdlib.h>

enum { RESOLUTION_MS_MIN = 1000, RESOLUTION_MS_MAX = 600000 };

struct program {
	struct addon base;
	/* flags */
	const char *resolution, *kubelet_ca;
	struct flag_list address_types;
	bool insecure_kubelets;
	int64_t port;
	struct metrics_options o;
	struct metrics_server *metrics;
};

static void stop(struct addon *base)
{
	metrics_server_close(CONTAINER_OF(base, struct program, base)->metrics, addon_stopped, base);
}

/* Who we are towards kubelets is what we are towards the API server; whom to believe the flags say. */
static int identify(struct program *p, struct err *err)
{
	const struct in_cluster *cluster = &p->base.cluster;
	struct tls_options tls = cluster->tls;
	tls.skip_verify = p->insecure_kubelets;
	if (p->kubelet_ca) {
		tls.ca_pem = NULL;
		tls.ca_file = p->kubelet_ca;
	}
	p->o.token = cluster->token;
	p->o.token_file = cluster->token_file;
	if (tls_context_new(&tls, &p->o.kubelet_tls, err) != 0)
		return err_wrap(err, "the identity towards kubelets");
	return 0;
}

static int check(struct program *p, struct err *err)
{
	uint64_t ms;
	if (!duration_parse_ms(p->resolution, &ms) || ms < RESOLUTION_MS_MIN || ms > RESOLUTION_MS_MAX)
		return err_set(
		        err, ERR_INVAL, "--metric-resolution: \"%s\" is no time between 1s and 10m", p->resolution);
	if (p->port < 0 || p->port > 65535)
		return err_set(err, ERR_INVAL, "--secure-port: %lld is no port", (long long)p->port);
	p->o.resolution_ms = (unsigned)ms;
	p->o.port = (int)p->port;
	const char *types = flag_list_join(&p->base.arena, &p->address_types);
	p->o.address_types = types ? types : "";
	return 0;
}

static int start(struct addon *base, struct err *err)
{
	struct program *p = CONTAINER_OF(base, struct program, base);
	if (check(p, err) != 0 || identify(p, err) != 0)
		return err->code;
	p->o.loop = &base->loop;
	p->o.client = base->client;
	if (metrics_server_new(&p->o, &p->metrics, err) != 0)
		return err->code;
	tls_context_unref(p->o.kubelet_tls);
	log_info("metrics", "serving", "version=%s port=%d", K3X_VERSION, metrics_server_port(p->metrics));
	return 0;
}

int metrics_main(int argc, char **argv)
{
	static const struct addon_ops ops = {.name = "metrics", .needs_cluster = true, .start = start, .stop = stop};
	static const char *types[] = {"InternalIP", "ExternalIP", "Hostname"};
	struct program *p = xcalloc(1, sizeof *p);
	p->resolution = "15s";
	p->port = 10250;
	p->o.service = "metrics-server";
	p->o.ns = "kube-system";
	p->address_types = (struct flag_list){types, COUNT_OF(types)};
	const struct flag table[] = {
	        ADDON_FLAGS(&p->base),
	        {"secure-port", 0, FLAG_INT, &p->port, NULL, "where to serve, with TLS (10250)", NULL},
	        {"bind-address", 0, FLAG_STRING, &p->o.bind_address, NULL, "on which address (all)", NULL},
	        {"metric-resolution", 0, FLAG_STRING, &p->resolution, NULL,
	                "time between two questions to a kubelet (15s)", NULL},
	        {"kubelet-preferred-address-types", 0, FLAG_LIST, &p->address_types, NULL,
	                "which addresses of a node to try, in order (InternalIP,ExternalIP,Hostname)", NULL},
	        {"kubelet-certificate-authority", 0, FLAG_STRING, &p->kubelet_ca, NULL,
	                "a file with the CA of kubelets (the API server's)", NULL},
	        {"kubelet-insecure-tls", 0, FLAG_BOOL, &p->insecure_kubelets, NULL,
	                "take any certificate of a kubelet; they get our token", NULL},
	        {"service-name", 0, FLAG_STRING, &p->o.service, NULL,
	                "the Service by which the API server comes (metrics-server)", NULL},
	        {"namespace", 0, FLAG_STRING, &p->o.ns, "POD_NAMESPACE", "of that Service (kube-system)", NULL},
	};
	struct flags f = {.program = "k3x metrics",
	        .summary = "what nodes and pods use, as metrics.k8s.io (docs/metrics.md)",
	        .table = table,
	        .count = COUNT_OF(table)};
	int rc = addon_main(&p->base, &ops, &f, argc, argv);
	free(p);
	return rc;
}
