/* `k3x dns`: the cluster's DNS server (net/dns/), as a pod of the cluster or beside it.
 *
 * In a pod the API server and who asks it are found as every pod finds them: KUBERNETES_SERVICE_HOST and the files of
 * the service account. Elsewhere a kubeconfig says so. A Corefile without kubernetes needs neither.
 *
 * SIGTERM and SIGINT stop it, after the Corefile's lameduck; a second one at once. SIGUSR1 and SIGHUP read the
 * Corefile. */
#include "tools/programs.h"

#include "api/client/client.h"
#include "base/check.h"
#include "base/flags.h"
#include "base/log.h"
#include "base/mem/spare.h"
#include "net/dns/dns.h"
#include "tools/in_cluster.h"
#include "tools/k3x/startup.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SIGNALS = 5 };

struct program {
	struct arena arena;
	const char *conf, *kubeconfig, *log_level; /* flags */
	struct loop loop;
	struct client *client; /* NULL: no cluster */
	struct dns *dns;
	uv_signal_t signals[SIGNALS];
	bool is_stopping;
	int exit_code;
};

/* ---- life ---- */

static void stopped(void *arg)
{
	struct program *p = arg;
	for (unsigned i = 0; i < SIGNALS; i++)
		uv_close((uv_handle_t *)&p->signals[i], NULL);
	if (p->client)
		client_close(p->client, NULL, NULL);
	loop_stop(&p->loop);
}

static void stop(struct program *p)
{
	if (p->is_stopping)
		_exit(p->exit_code ? p->exit_code : 1); /* asked twice */
	p->is_stopping = true;
	log_info("dns", "stopping", "%s", "");
	dns_close(p->dns, stopped, p);
}

static void failed(void *arg)
{
	struct program *p = arg;
	p->exit_code = 1;
	if (!p->is_stopping)
		stop(p);
}

static void on_signal(uv_signal_t *h, int number)
{
	struct program *p = h->data;
	if (number == SIGTERM || number == SIGINT)
		stop(p);
	else if (number != SIGPIPE)
		dns_reload(p->dns);
}

static void watch_signals(struct program *p)
{
	static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGUSR1, SIGHUP, SIGPIPE};
	for (unsigned i = 0; i < SIGNALS; i++) {
		uv_signal_init(loop_uv(&p->loop), &p->signals[i]);
		p->signals[i].data = p;
		uv_signal_start(&p->signals[i], on_signal, numbers[i]);
	}
}

static int start(struct program *p, struct err *err)
{
	if (startup_set_log_level(p->log_level, err) != 0)
		return err->code;
	loop_init(&p->loop, "dns");
	loop_own(&p->loop);
	watch_signals(p);
	if (in_cluster_client(&p->arena, &p->loop, p->kubeconfig, &p->client, err) != 0)
		return err->code;
	struct dns_options o = {
	        .loop = &p->loop, .conf_path = p->conf, .client = p->client, .failed = failed, .arg = p};
	if (dns_new(&o, &p->dns, err) != 0)
		return err->code;
	log_info("dns", "serving", "version=%s conf=%s", K3X_VERSION, p->conf);
	return 0;
}

int dns_main(int argc, char **argv)
{
	struct program *p = xcalloc(1, sizeof *p);
	struct err err = ERR_INIT;
	p->conf = "/etc/coredns/Corefile";
	p->log_level = "info";
	const struct flag table[] = {
	        {"conf", 'c', FLAG_STRING, &p->conf, NULL, "the Corefile (/etc/coredns/Corefile)", NULL},
	        {"kubeconfig", 0, FLAG_STRING, &p->kubeconfig, NULL,
	                "whom to ask about the cluster, and as whom (in a pod: its service account)", NULL},
	        {"log-level", 0, FLAG_STRING, &p->log_level, NULL, "debug, info (the default), warn or error", NULL},
	};
	struct flags f = {.program = "k3x dns",
	        .summary = "the cluster's DNS server, told what to do by a Corefile (docs/dns.md)",
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
		fprintf(stderr, "k3x dns: %s\n", err.msg);
		return err_exit_code(err.code); /* the process ends: what is open ends with it */
	}
	loop_run(&p->loop);
	loop_release(&p->loop);
	int exit_code = p->exit_code;
	arena_release(&p->arena);
	free(p);
	return exit_code;
}
