/* The controllers and the scheduler as a part of the server: one loop, one set of informers, an identity for each.
 * They run on the server that leads, and what they write is bound to that.
 *
 * Informers read as system:kube-controller-manager; each controller writes as its own service account of kube-system,
 * the scheduler as system:kube-scheduler.
 *
 * Closed in this order: controllers, scheduler, informers, clients. See parts.h. */
#include "tools/k3x/parts/parts.h"

#include "api/controllers/controllers.h"
#include "api/scheduler/scheduler.h"
#include "base/check.h"
#include "base/mem/arena.h"
#include "tools/k3x/system_names.h"

#include <stdlib.h>

enum { ACCOUNTS_MAX = 64 };

struct controllers_part {
	struct client *client, *scheduler_client;
	struct client *accounts[ACCOUNTS_MAX]; /* of controllers, each under its own name */
	size_t n_accounts;
	struct api_server *api;
	uint64_t led_term;
	struct informer_set *informers;
	struct controllers *controllers; /* NULL: disabled */
	struct scheduler *scheduler;     /* NULL: disabled */
	void (*closed)(void *arg);
	void *arg;
};

static bool wanted(const struct server_settings *s)
{
	return !s->is_agent && (!s->disable_controllers || !s->disable_scheduler);
}

/* ---- closing ---- */

static void all_closed(void *arg)
{
	struct controllers_part *p = arg;
	void (*closed)(void *) = p->closed;
	void *closed_arg = p->arg;
	free(p);
	if (closed)
		closed(closed_arg);
}

static void client_closed(void *arg)
{
	struct controllers_part *p = arg;
	if (p->n_accounts)
		client_close(p->accounts[--p->n_accounts], client_closed, p);
	else
		client_close(p->scheduler_client, all_closed, p);
}

static void informers_closed(void *arg)
{
	struct controllers_part *p = arg;
	client_close(p->client, client_closed, p);
}

static void scheduler_closed(void *arg)
{
	struct controllers_part *p = arg;
	informer_set_close(p->informers, informers_closed, p);
}

static void controllers_closed(void *arg)
{
	struct controllers_part *p = arg;
	if (p->scheduler)
		scheduler_close(p->scheduler, scheduler_closed, p);
	else
		scheduler_closed(p);
}

static void close_part(void *state, void (*closed)(void *arg), void *arg)
{
	struct controllers_part *p = state;
	p->closed = closed;
	p->arg = arg;
	if (p->controllers)
		controllers_close(p->controllers, controllers_closed, p);
	else
		controllers_closed(p);
}

/* ---- starting ---- */

/* As the service account of this name in kube-system. */
static struct client *client_as(void *arg, const char *account)
{
	struct controllers_part *p = arg;
	CHECK(p->n_accounts < ACCOUNTS_MAX);
	char *user = xprintf("system:serviceaccount:kube-system:%s", account);
	struct client *c = api_server_led_client(p->api, p->client->loop, user,
	        "system:serviceaccounts,system:serviceaccounts:kube-system", p->led_term);
	free(user);
	return p->accounts[p->n_accounts++] = c;
}

static int start_controllers(struct controllers_part *p, const struct part_env *env, struct err *err)
{
	const struct server_settings *s = env->settings;
	const int own_ports[] = {(int)s->https_port, (int)s->kubelet_port, 0};
	bool leaves_out = flag_list_has(&s->disable, "servicelb") || flag_list_has(&s->disable, "loadbalancer");
	struct controllers_options o = {
	        .serves_load_balancers = !leaves_out,
	        .reserved_ports = own_ports,
	        .client = p->client,
	        .client_as = client_as,
	        .client_as_arg = p,
	        .informers = p->informers,
	        .root_ca_file = server_file(env->settings, "server/tls/server-ca.crt"),
	        .client_ca_file = server_file(env->settings, "server/tls/client-ca.crt"),
	        .client_ca_key_file = server_file(env->settings, "server/tls/client-ca.key"),
	        .server_ca_file = server_file(env->settings, "server/tls/server-ca.crt"),
	        .server_ca_key_file = server_file(env->settings, "server/tls/server-ca.key"),
	        .cluster_cidr = env->settings->cluster_cidr,
	        .arguments = env->settings->controllers,
	        .manifests_dir = server_file(env->settings, "server/manifests"),
	        .installs_charts = !s->disable_helm_controller,
	        .helm_job_image = system_name(&env->settings->arena, s->system_registry, s->helm_job_image),
	        .disabled_addons = env->settings->addons_off.items,
	        .n_disabled_addons = env->settings->addons_off.count,
	};
	return controllers_new(&o, &p->controllers, err);
}

static void *start(const struct part_env *env, struct err *err)
{
	struct controllers_part *p = xcalloc(1, sizeof *p);
	p->api = env->api;
	p->led_term = env->led_term;
	p->client = api_server_led_client(env->api, env->loop, "system:kube-controller-manager", NULL, env->led_term);
	p->scheduler_client = api_server_led_client(env->api, env->loop, "system:kube-scheduler", NULL, env->led_term);
	p->informers = informer_set_new(p->client);
	if (!env->settings->disable_controllers && start_controllers(p, env, err) != 0) {
		close_part(p, NULL, NULL);
		return NULL;
	}
	if (!env->settings->disable_scheduler)
		p->scheduler = scheduler_new(
		        &(struct scheduler_options){p->scheduler_client, p->informers, &env->settings->scheduler});
	return p;
}

const struct part part_controllers = {true, "controllers", wanted, start, close_part};
