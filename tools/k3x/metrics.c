/* `k3x metrics`: what nodes and pods use (net/metrics/), as a pod of the cluster or beside it.
 *
 * In a pod the API server and who asks it are found as every pod finds them; elsewhere a kubeconfig says so. Kubelets
 * are asked as the same, and must have a certificate of the cluster's CA (or of --kubelet-certificate-authority).
 * SIGTERM and SIGINT stop it. */
#include "tools/programs.h"

#include "api/client/client.h"
#include "api/server/outgoing/kubeconfig.h"
#include "base/check.h"
#include "base/duration.h"
#include "base/flags.h"
#include "base/log.h"
#include "base/mem/spare.h"
#include "base/wire/tls.h"
#include "net/metrics/metrics.h"
#include "tools/k3x/startup.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

enum { SIGNALS = 3, RESOLUTION_MS_MIN = 1000, RESOLUTION_MS_MAX = 600000 };

struct program {
	struct arena arena;
	/* flags */
	const char *kubeconfig, *log_level, *bind_address, *resolution, *kubelet_ca, *service, *ns;
	struct flag_list address_types;
	bool insecure_kubelets;
	int64_t port;
	struct loop loop;
	struct client *client;
	struct metrics_server *metrics;
	struct metrics_options o;
	uv_signal_t signals[SIGNALS];
	bool is_stopping;
};

/* ---- whom to speak to, and as whom ---- */

/* Towards kubelets: who we are by `own`, whom to believe by the flags, else by the CA of the API server. */
static int kubelet_identity(struct program *p, struct tls_options own, struct err *err)
{
	own.skip_verify = p->insecure_kubelets;
	if (p->kubelet_ca) {
		own.ca_pem = NULL;
		own.ca_file = p->kubelet_ca;
	}
	return tls_context_new(&own, &p->o.kubelet_tls, err);
}

static int clients_of_kubeconfig(struct program *p, struct err *err)
{
	struct outgoing_target t = {0};
	struct client_https_options o = {0};
	if (kubeconfig_load(&p->arena, p->kubeconfig, &t, err) != 0)
		return err->code;
	if (t.username)
		return err_set(
		        err, ERR_INVAL, "%s: a user name and password are no way to speak to the API", p->kubeconfig);
	struct tls_options tls = {.ca_pem = t.ca_pem,
	        .skip_verify = t.skip_verify,
	        .certificate_pem = t.certificate_pem,
	        .key_pem = t.key_pem};
	o.server_url = t.url;
	p->o.token = o.token = t.bearer;
	p->o.token_file = o.token_file = t.bearer_file;
	if (tls_context_new(&tls, &o.tls, err) != 0 || kubelet_identity(p, tls, err) != 0)
		return err_wrap(err, "%s", p->kubeconfig);
	int rc = client_https_new(&p->loop, &o, &p->client, err);
	tls_context_unref(o.tls);
	return rc;
}

static int clients_of_pod(struct program *p, struct err *err)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
	if (!host || !*host)
		return err_set(err, ERR_INVAL,
		        "this is no pod (KUBERNETES_SERVICE_HOST is not set): give --kubeconfig to run outside of one");
	struct client_https_options o = {.ca_file = ACCOUNT "/ca.crt", .token_file = ACCOUNT "/token"};
	o.server_url = arena_printf(
	        &p->arena, strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port && *port ? port : "443");
	p->o.token_file = o.token_file;
	if (kubelet_identity(p, (struct tls_options){.ca_file = o.ca_file}, err) != 0)
		return err_wrap(err, "the identity towards kubelets");
	return client_https_new(&p->loop, &o, &p->client, err);
}

/* ---- life ---- */

static void client_closed(void *arg)
{
	struct program *p = arg;
	for (unsigned i = 0; i < SIGNALS; i++)
		uv_close((uv_handle_t *)&p->signals[i], NULL);
	loop_stop(&p->loop);
}

static void metrics_closed(void *arg)
{
	struct program *p = arg;
	client_close(p->client, client_closed, p);
}

static void on_signal(uv_signal_t *h, int number)
{
	struct program *p = h->data;
	if (number == SIGPIPE)
		return;
	if (p->is_stopping)
		_exit(1); /* asked twice */
	p->is_stopping = true;
	log_info("metrics", "stopping", "signal=%d", number);
	metrics_server_close(p->metrics, metrics_closed, p);
}

static void watch_signals(struct program *p)
{
	static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGPIPE};
	for (unsigned i = 0; i < SIGNALS; i++) {
		uv_signal_init(loop_uv(&p->loop), &p->signals[i]);
		p->signals[i].data = p;
		uv_signal_start(&p->signals[i], on_signal, numbers[i]);
	}
}

static const char *joined(struct arena *a, const struct flag_list *list)
{
	const char *text = "";
	for (size_t i = 0; i < list->count; i++)
		text = arena_printf(a, "%s%s%s", text, i ? "," : "", list->items[i]);
	return text;
}

static int check(struct program *p, struct err *err)
{
	uint64_t ms;
	if (startup_set_log_level(p->log_level, err) != 0)
		return err->code;
	if (!duration_parse_ms(p->resolution, &ms) || ms < RESOLUTION_MS_MIN || ms > RESOLUTION_MS_MAX)
		return err_set(
		        err, ERR_INVAL, "--metric-resolution: \"%s\" is no time between 1s and 10m", p->resolution);
	if (p->port < 0 || p->port > 65535)
		return err_set(err, ERR_INVAL, "--secure-port: %lld is no port", (long long)p->port);
	p->o.resolution_ms = (unsigned)ms;
	p->o.address_types = joined(&p->arena, &p->address_types);
	return 0;
}

static int start(struct program *p, struct err *err)
{
	if (check(p, err) != 0)
		return err->code;
	loop_init(&p->loop, "metrics");
	loop_own(&p->loop);
	watch_signals(p);
	if ((p->kubeconfig ? clients_of_kubeconfig(p, err) : clients_of_pod(p, err)) != 0)
		return err->code;
	p->o.loop = &p->loop;
	p->o.client = p->client;
	p->o.bind_address = p->bind_address;
	p->o.port = (int)p->port;
	p->o.service = p->service;
	p->o.ns = p->ns;
	if (metrics_server_new(&p->o, &p->metrics, err) != 0)
		return err->code;
	tls_context_unref(p->o.kubelet_tls);
	log_info("metrics", "serving", "version=%s port=%d", K3X_VERSION, metrics_server_port(p->metrics));
	return 0;
}

int metrics_main(int argc, char **argv)
{
	static const char *types[] = {"InternalIP", "ExternalIP", "Hostname"};
	struct program *p = xcalloc(1, sizeof *p);
	struct err err = ERR_INIT;
	p->log_level = "info";
	p->resolution = "15s";
	p->port = 10250;
	p->service = "metrics-server";
	p->ns = "kube-system";
	p->address_types = (struct flag_list){types, COUNT_OF(types)};
	const struct flag table[] = {
	        {"kubeconfig", 0, FLAG_STRING, &p->kubeconfig, NULL,
	                "whom to ask about the cluster, and as whom (in a pod: its service account)", NULL},
	        {"secure-port", 0, FLAG_INT, &p->port, NULL, "where to serve, with TLS (10250)", NULL},
	        {"bind-address", 0, FLAG_STRING, &p->bind_address, NULL, "on which address (all)", NULL},
	        {"metric-resolution", 0, FLAG_STRING, &p->resolution, NULL,
	                "time between two questions to a kubelet (15s)", NULL},
	        {"kubelet-preferred-address-types", 0, FLAG_LIST, &p->address_types, NULL,
	                "which addresses of a node to try, in order (InternalIP,ExternalIP,Hostname)", NULL},
	        {"kubelet-certificate-authority", 0, FLAG_STRING, &p->kubelet_ca, NULL,
	                "a file with the CA of kubelets (the API server's)", NULL},
	        {"kubelet-insecure-tls", 0, FLAG_BOOL, &p->insecure_kubelets, NULL,
	                "take any certificate of a kubelet; they get our token", NULL},
	        {"service-name", 0, FLAG_STRING, &p->service, NULL,
	                "the Service by which the API server comes (metrics-server)", NULL},
	        {"namespace", 0, FLAG_STRING, &p->ns, "POD_NAMESPACE", "of that Service (kube-system)", NULL},
	        {"log-level", 0, FLAG_STRING, &p->log_level, NULL, "debug, info (the default), warn or error", NULL},
	};
	struct flags f = {.program = "k3x metrics",
	        .summary = "what nodes and pods use, as metrics.k8s.io (docs/metrics.md)",
	        .table = table,
	        .count = COUNT_OF(table)};
	spare_memory();
	int rc = flags_load(&f, &p->arena, argc, argv, &err);
	if (rc == 0 && f.want_help) {
		flags_help(&f);
		return 0;
	}
	if (rc != 0 || start(p, &err) != 0) {
		fprintf(stderr, "k3x metrics: %s\n", err.msg);
		return err_exit_code(err.code); /* the process ends: what is open ends with it */
	}
	loop_run(&p->loop);
	loop_release(&p->loop);
	arena_release(&p->arena);
	free(p);
	return 0;
}
