/* `k3x dns`: the cluster's DNS server (net/dns/), as a pod of the cluster or beside it. A Corefile without kubernetes
 * needs no cluster.
 *
 * Told to stop, it stops after the Corefile's lameduck. SIGUSR1 and SIGHUP read the Corefile. */
#include "tools/programs.h"

#include "base/check.h"
#include "base/log.h"
#include "net/dns/dns.h"
#include "tools/addons/addon.h"

#include <stdlib.h>

struct program {
	struct addon base;
	const char *conf; /* flag */
	struct dns *dns;
};

static void stop(struct addon *base)
{
	dns_close(CONTAINER_OF(base, struct program, base)->dns, addon_stopped, base);
}

static void reload(struct addon *base)
{
	dns_reload(CONTAINER_OF(base, struct program, base)->dns);
}

static int start(struct addon *base, struct err *err)
{
	struct program *p = CONTAINER_OF(base, struct program, base);
	struct dns_options o = {
	        .loop = &base->loop, .conf_path = p->conf, .client = base->client, .failed = addon_fail, .arg = base};
	if (dns_new(&o, &p->dns, err) != 0)
		return err->code;
	log_info("dns", "serving", "version=%s conf=%s", K3X_VERSION, p->conf);
	return 0;
}

int dns_main(int argc, char **argv)
{
	static const struct addon_ops ops = {.name = "dns", .start = start, .stop = stop, .reload = reload};
	struct program *p = xcalloc(1, sizeof *p);
	p->conf = "/etc/coredns/Corefile";
	const struct flag table[] = {
	        {"conf", 'c', FLAG_STRING, &p->conf, NULL, "the Corefile (/etc/coredns/Corefile)", NULL},
	        ADDON_FLAGS(&p->base),
	};
	struct flags f = {.program = "k3x dns",
	        .summary = "the cluster's DNS server, told what to do by a Corefile (docs/dns.md)",
	        .table = table,
	        .count = COUNT_OF(table)};
	int rc = addon_main(&p->base, &ops, &f, argc, argv);
	free(p);
	return rc;
}
