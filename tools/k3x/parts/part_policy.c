/* Network policies as a part of a server or an agent. See parts.h. */
#include "tools/k3x/parts/part_client.h"

#include "base/mem/arena.h"
#include "net/policy/policy.h"

#include <stdlib.h>

struct policy_part {
	struct client *client;
	struct policies *policies;
	void (*closed)(void *arg);
	void *arg;
};

/* Also where they are off: rules of an earlier run are taken away then. */
static bool wanted(const struct server_settings *s)
{
	return !s->disable_agent;
}

static void *start(const struct part_env *env, struct err *err)
{
	struct policy_part *p = xcalloc(1, sizeof *p);
	if (part_client(env, PART_IS_PROXY, &p->client, err) != 0) {
		free(p);
		return NULL;
	}
	struct policies_options o = {.client = p->client,
	        .node_name = env->settings->node_name,
	        .cluster_cidr = env->settings->cluster_cidr,
	        .metrics = env->policies,
	        .is_off = env->settings->disable_network_policy};
	p->policies = policies_new(&o);
	return p;
}

static void client_closed(void *arg)
{
	struct policy_part *p = arg;
	void (*closed)(void *) = p->closed;
	void *closed_arg = p->arg;
	free(p);
	closed(closed_arg);
}

static void policies_closed(void *arg)
{
	struct policy_part *p = arg;
	client_close(p->client, client_closed, p);
}

static void close_part(void *state, void (*closed)(void *arg), void *arg)
{
	struct policy_part *p = state;
	p->closed = closed;
	p->arg = arg;
	policies_close(p->policies, policies_closed, p);
}

const struct part part_policy = {false, "policy", wanted, start, close_part};
