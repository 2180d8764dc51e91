/* See target_flags.h. */
#include "jepsen/target_flags.h"

#include "base/check.h"

#include <string.h>

/* A snapshot after every 25 entries: servers that were away for some seconds need one to catch up (k3x keeps no more
 * below it either; etcd keeps 5000). */
enum { ARGV_MAX = 48 };

/* "n1=http://10.77.0.10:2380,n2=..." of the members, and of the node itself. */
static const char *members_text(const struct cluster *c, const struct node *self, struct arena *a)
{
	const char *text = "";
	for (unsigned i = 0; i < c->count; i++)
		if (c->nodes[i].is_member || &c->nodes[i] == self)
			text = arena_printf(a, "%s%s%s=http://%s:%d", text, *text ? "," : "", c->nodes[i].name,
			        c->nodes[i].net->address, CLUSTER_PEER_PORT);
	return text;
}

const char *const *target_store_argv(
        const struct cluster *c, const struct node *n, const char *const *program, struct arena *a)
{
	const char **argv = ARENA_ARRAY(a, const char *, ARGV_MAX);
	const char *address = n->net->address;
	int k = 0;
	while (*program)
		argv[k++] = *program++;
	const char *const flags[] = {"--name", n->name, "--data-dir", n->data_dir, "--listen-client-urls",
	        arena_printf(a, "http://%s:%d", address, CLUSTER_CLIENT_PORT), "--advertise-client-urls",
	        arena_printf(a, "http://%s:%d", address, CLUSTER_CLIENT_PORT), "--listen-peer-urls",
	        arena_printf(a, "http://%s:%d", address, CLUSTER_PEER_PORT), "--initial-advertise-peer-urls",
	        arena_printf(a, "http://%s:%d", address, CLUSTER_PEER_PORT), "--initial-cluster", members_text(c, n, a),
	        "--initial-cluster-state", n->was_joined ? "existing" : "new", "--initial-cluster-token", "jepsen",
	        "--heartbeat-interval", arena_printf(a, "%d", CLUSTER_HEARTBEAT_MS), "--election-timeout",
	        arena_printf(a, "%d", CLUSTER_ELECTION_MS), "--snapshot-count", "25"};
	CHECK(k + COUNT_OF(flags) < ARGV_MAX);
	memcpy(argv + k, flags, sizeof flags);
	return argv;
}
