/* `k3x ingress`: HTTP into the cluster (net/ingress/), as a pod of the cluster or beside it.
 *
 * Told to stop, it is not ready from then on, serves for --lame, lets what is under way end within --drain, and closes
 * what is left. */
#include "tools/programs.h"

#include "base/check.h"
#include "base/log.h"
#include "net/ingress/ingress.h"
#include "tools/addons/addon.h"

#include <stdlib.h>
#include <string.h>

struct program {
	struct addon base;
	int64_t lame_s, drain_s; /* flags */
	struct ingress_options o;
	struct ingress *ingress;
};

static void stop(struct addon *base)
{
	struct program *p = CONTAINER_OF(base, struct program, base);
	ingress_close(p->ingress, (unsigned)p->lame_s * 1000, (unsigned)p->drain_s * 1000, addon_stopped, base);
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

static int start(struct addon *base, struct err *err)
{
	struct program *p = CONTAINER_OF(base, struct program, base);
	if (check(p, err) != 0)
		return err->code;
	p->o.loop = &base->loop;
	p->o.client = base->client;
	if (ingress_new(&p->o, &p->ingress, err) != 0)
		return err->code;
	log_info("ingress", "listening", "version=%s web=%d websecure=%d", K3X_VERSION, ingress_port(p->ingress, false),
	        ingress_port(p->ingress, true));
	return 0;
}

int ingress_main(int argc, char **argv)
{
	static const struct addon_ops ops = {.name = "ingress", .needs_cluster = true, .start = start, .stop = stop};
	struct program *p = xcalloc(1, sizeof *p);
	struct ingress_options *o = &p->o;
	*o = (struct ingress_options){.web_port = 8000,
	        .websecure_port = 8443,
	        .admin_port = 8080,
	        .metrics_port = 9100,
	        .class_name = "traefik",
	        .controller = "traefik.io/ingress-controller",
	        .gateway_controller = "traefik.io/gateway-controller"};
	p->drain_s = 10;
	const struct flag table[] = {
	        ADDON_FLAGS(&p->base),
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
	};
	struct flags f = {.program = "k3x ingress",
	        .summary = "routes HTTP into the cluster by its Ingresses (docs/ingress.md)",
	        .table = table,
	        .count = COUNT_OF(table)};
	int rc = addon_main(&p->base, &ops, &f, argc, argv);
	free(p);
	return rc;
}
