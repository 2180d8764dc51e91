/* `k3x ingress`: HTTP into the cluster (net/ingress/), as a pod of the cluster or beside it.
 *
 * In a pod the API server and who asks it are found as every pod finds them; elsewhere a kubeconfig says so
 * (tools/in_cluster.h).
 *
 * SIGTERM and SIGINT stop it: it is not ready from then on, serves for --lame, lets what is under way end within
 * --drain, and closes what is left; a second one ends it at once. */
#include "tools/programs.h"

#include "base/check.h"
#include "base/flags.h"
#include "base/log.h"
#include "base/mem/spare.h"
#include "net/ingress/ingress.h"
#include "tools/in_cluster.h"
#include "tools/k3x/startup.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIGNALS = 3 };

struct program {
	struct arena arena;
	const char *kubeconfig, *log_level; /* flags */
	int64_t lame_s, drain_s;
	struct ingress_options o;
	struct loop loop;
	struct ingress *ingress;
	uv_signal_t signals[SIGNALS];
	bool is_stopping;
};

static void stopped(void *arg)
{
	struct program *p = arg;
	for (unsigned i = 0; i < SIGNALS; i++)
		uv_close((uv_handle_t *)&p->signals[i], NULL);
	client_close(p->o.client, NULL, NULL);
	loop_stop(&p->loop);
}

static void on_signal(uv_signal_t *h, int number)
{
	struct program *p = h->data;
	if (number == SIGPIPE)
		return;
	if (p->is_stopping)
		_exit(1); /* asked twice */
	p->is_stopping = true;
	log_info("ingress", "stopping", "lame_s=%lld drain_s=%lld", (long long)p->lame_s, (long long)p->drain_s);
	ingress_close(p->ingress, (unsigned)p->lame_s * 1000, (unsigned)p->drain_s * 1000, stopped, p);
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

static int check(const struct program *p, struct err *err)
{
	if (!p->o.certificate != !p->o.key)
		return err_set(err, ERR_INVAL, "--default-cert and --default-key belong together");
	if (p->o.published && !strchr(p->o.published, '/'))
		return err_set(err, ERR_INVAL, "--published-service: \"%s\" must be NAMESPACE/NAME", p->o.published);
	if (p->lame_s < 0 || p->drain_s < 0 || p->lame_s > 86400 || p->drain_s > 86400)
		return err_set(err, ERR_INVAL, "--lame and --drain are seconds, from 0");
	return 0;
}

static int start(struct program *p, struct err *err)
{
	if (startup_set_log_level(p->log_level, err) != 0 || check(p, err) != 0)
		return err->code;
	loop_init(&p->loop, "ingress");
	loop_own(&p->loop);
	watch_signals(p);
	p->o.loop = &p->loop;
	if (in_cluster_client(&p->arena, &p->loop, p->kubeconfig, &p->o.client, err) != 0)
		return err->code;
	if (!p->o.client)
		return err_set(
		        err, ERR_INVAL, "this is no pod of a cluster: --kubeconfig says whose Ingresses to serve");
	if (ingress_new(&p->o, &p->ingress, err) != 0)
		return err->code;
	log_info("ingress", "listening", "version=%s web=%d websecure=%d", K3X_VERSION, ingress_port(p->ingress, false),
	        ingress_port(p->ingress, true));
	return 0;
}

int ingress_main(int argc, char **argv)
{
	struct program *p = xcalloc(1, sizeof *p);
	struct ingress_options *o = &p->o;
	struct err err = ERR_INIT;
	*o = (struct ingress_options){.web_port = 8000,
	        .websecure_port = 8443,
	        .admin_port = 8080,
	        .metrics_port = 9100,
	        .class_name = "traefik",
	        .controller = "traefik.io/ingress-controller",
	        .gateway_controller = "traefik.io/gateway-controller"};
	p->log_level = "info";
	p->drain_s = 10;
	const struct flag table[] = {
	        {"kubeconfig", 0, FLAG_STRING, &p->kubeconfig, NULL,
	                "whom to ask about the cluster, and as whom (in a pod: its service account)", NULL},
	        {"address", 0, FLAG_STRING, &o->address, NULL, "listen on this address alone", NULL},
	        {"web-port", 0, FLAG_INT, &o->web_port, NULL, "HTTP (8000)", NULL},
	        {"websecure-port", 0, FLAG_INT, &o->websecure_port, NULL, "HTTPS (8443)", NULL},
	        {"admin-port", 0, FLAG_INT, &o->admin_port, NULL, "/ping and /ready (8080; 0: none)", NULL},
	        {"metrics-port", 0, FLAG_INT, &o->metrics_port, NULL, "/metrics (9100; 0: none)", NULL},
	        {"default-cert", 0, FLAG_STRING, &o->certificate, NULL, "certificate for names that no Secret has",
	                NULL},
	        {"default-key", 0, FLAG_STRING, &o->key, NULL, "and its key", NULL},
	        {"ingress-class", 0, FLAG_STRING, &o->class_name, NULL,
	                "Ingresses annotated with this class are served (traefik)", NULL},
	        {"controller", 0, FLAG_STRING, &o->controller, NULL,
	                "and those whose IngressClass names this (traefik.io/ingress-controller)", NULL},
	        {"gateway-controller", 0, FLAG_STRING, &o->gateway_controller, NULL,
	                "Gateways whose GatewayClass names this are served (traefik.io/gateway-controller)", NULL},
	        {"published-service", 0, FLAG_STRING, &o->published, NULL,
	                "Ingresses get the addresses of this Service, NAMESPACE/NAME, as theirs", NULL},
	        {"forwarded-trusted-ips", 0, FLAG_STRING, &o->trusted, NULL,
	                "networks of proxies whose X-Forwarded-* headers are believed", NULL},
	        {"accesslog", 0, FLAG_BOOL, &o->has_access_log, NULL, "write a line for every request", NULL},
	        {"lame", 0, FLAG_INT, &p->lame_s, NULL, "seconds to serve on when told to stop (0)", NULL},
	        {"drain", 0, FLAG_INT, &p->drain_s, NULL, "seconds for what is under way then (10)", NULL},
	        {"log-level", 0, FLAG_STRING, &p->log_level, NULL, "debug, info (the default), warn or error", NULL},
	};
	struct flags f = {.program = "k3x ingress",
	        .summary = "routes HTTP into the cluster by its Ingresses (docs/ingress.md)",
	        .table = table,
	        .count = COUNT_OF(table)};
	spare_memory();
	startup_raise_file_limit();
	int rc = flags_load(&f, &p->arena, argc, argv, &err);
	if (rc == 0 && f.want_help) {
		flags_help(&f);
		return 0;
	}
	if (rc != 0 || start(p, &err) != 0) {
		fprintf(stderr, "k3x ingress: %s\n", err.msg);
		return err_exit_code(err.code); /* the process ends: what is open ends with it */
	}
	loop_run(&p->loop);
	loop_release(&p->loop);
	arena_release(&p->arena);
	free(p);
	return 0;
}
