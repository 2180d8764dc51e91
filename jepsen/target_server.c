/* k3x as people run it: `k3x server`, three or more of them in one cluster, asked over HTTPS as kubectl asks. They run
 * no node: whatever the workloads want of pods is that the objects are there.
 *
 * The first server begins the cluster; when it serves, the others are started with its token, and join. Token and the
 * admin's certificate are taken from the first one's data folder, once: they stay, whatever happens to that disk later.
 * Started again after a fault every server is given the flags it had. On a datastore that they share (--datastore) they
 * find each other there, and join by its name and the token.
 *
 * What servers say about who leads stands in their logs alone: the one that said so last, in the highest term. */
#include "jepsen/cluster.h"

#include "base/check.h"
#include "base/wire/tls.h"
#include "jepsen/kube_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ARGV_MAX = 24, FIRST_MS_MAX = 20000, ADMIN_TIMEOUT_MS = 1000, POLL_MS = 100 };

static const char *const *argv(const struct cluster *c, const struct node *n, struct arena *a)
{
	const char **argv = ARENA_ARRAY(a, const char *, ARGV_MAX);
	const char *const words[] = {c->binary ? c->binary : "build/k3x", "server", "--data-dir", n->data_dir,
	        "--node-name", n->name, "--node-ip", n->net->address, "--disable-agent", "--etcd-disable-snapshots",
	        "--write-kubeconfig", arena_printf(a, "%s/%s.kubeconfig", c->scratch, n->name)};
	size_t k = COUNT_OF(words);
	memcpy(argv, words, sizeof words);
	if (c->datastore.kind) {
		argv[k++] = "--datastore-endpoint";
		argv[k++] = datastore_endpoint(&c->datastore, a);
	} else if (n->index == 0) {
		argv[k++] = "--cluster-init";
	} else {
		argv[k++] = "--server";
		argv[k++] = arena_printf(a, "https://%s:%d", c->nodes[0].net->address, CLUSTER_API_PORT);
	}
	if (n->index > 0) {
		argv[k++] = "--token";
		argv[k++] = c->token ? c->token : "";
	}
	CHECK(k < ARGV_MAX);
	return argv;
}

static int load_token(struct cluster *c, struct err *err)
{
	char path[DISK_PATH_MAX + 64], token[512] = "";
	snprintf(path, sizeof path, "%s/server/token", c->nodes[0].data_dir);
	FILE *f = fopen(path, "re");
	if (!f || !fgets(token, sizeof token, f))
		err_set(err, ERR_NOT_FOUND, "there is no token in %s", path);
	if (f)
		fclose(f);
	token[strcspn(token, "\n")] = 0;
	if (*token)
		c->token = xstrdup(token);
	return c->token ? 0 : err->code;
}

static int load_certificates(struct cluster *c, struct err *err)
{
	const char *data = c->nodes[0].data_dir;
	struct arena a = ARENA_INIT;
	struct tls_options o = {.certificate_file = arena_printf(&a, "%s/server/tls/client-admin.crt", data),
	        .key_file = arena_printf(&a, "%s/server/tls/client-admin.key", data),
	        .ca_file = arena_printf(&a, "%s/server/tls/server-ca.crt", data)};
	int rc = tls_context_new(&o, &c->tls, err);
	arena_release(&a);
	return rc;
}

static bool serves(struct cluster *c, unsigned i, struct err *err)
{
	struct kube_answer got;
	if (!c->tls)
		return err_set(err, ERR_UNAVAILABLE, "there are no certificates yet"), false;
	if (!c->admin_api[i])
		c->admin_api[i] = kube_client_new(c->tls, c->nodes[i].net->address, CLUSTER_API_PORT, ADMIN_TIMEOUT_MS);
	got = kube_client_call(c->admin_api[i], "GET", "/readyz", NULL);
	if (got.base.outcome == CLIENT_OK)
		got = kube_client_call(c->admin_api[i], "GET", "/api/v1/namespaces/default", NULL);
	if (got.base.outcome != CLIENT_OK)
		err_set(err, ERR_TIMEOUT, "%s does not serve: %.300s", c->nodes[i].name, got.base.err.msg);
	return got.base.outcome == CLIENT_OK;
}

static int start_first(struct cluster *c, struct err *err)
{
	struct timespec moment = {.tv_nsec = POLL_MS * 1000000L};
	if (cluster_start_node(c, &c->nodes[0], err) != 0)
		return err->code;
	for (int waited = 0; waited < FIRST_MS_MAX; waited += POLL_MS) {
		nanosleep(&moment, NULL);
		*err = ERR_INIT;
		if (node_poll(&c->nodes[0]))
			return err_set(err, ERR_IO, "n1 ended by itself, see %s", c->nodes[0].log_path);
		if (!c->token && load_token(c, err) != 0)
			continue;
		if (!c->tls && load_certificates(c, err) != 0)
			continue;
		if (serves(c, 0, err))
			return 0;
	}
	return err_wrap(err, "the first server does not serve");
}

static int boot(struct cluster *c, struct err *err)
{
	if (start_first(c, err) != 0)
		return err->code;
	for (unsigned i = 1; i < c->count; i++)
		if (cluster_start_node(c, &c->nodes[i], err) != 0)
			return err->code;
	return 0;
}

/* The term in which a server said that it leads, when that is the last it said about it; -1 otherwise. */
static int64_t leading_term(const struct node *n)
{
	char line[600];
	int64_t term = -1;
	FILE *f = fopen(n->log_path, "re");
	while (f && fgets(line, sizeof line, f)) {
		const char *leads = strstr(line, "server: this server leads term=");
		if (leads)
			term = strtoll(strchr(leads, '=') + 1, NULL, 10);
		else if (strstr(line, "server: another server leads") || strstr(line, "store: opened"))
			term = -1;
	}
	if (f)
		fclose(f);
	return term;
}

static int leader(struct cluster *c)
{
	int64_t best = -1;
	int who = -1;
	for (unsigned i = 0; i < c->count; i++) {
		int64_t term = c->nodes[i].state == NODE_UP ? leading_term(&c->nodes[i]) : -1;
		if (term > best) {
			best = term;
			who = (int)i;
		}
	}
	return who;
}

static void release(struct cluster *c)
{
	for (unsigned i = 0; i < c->count; i++)
		kube_client_free(c->admin_api[i]);
	tls_context_unref(c->tls);
	free(c->token);
}

static const char *const crash_words[] = {
        "invariant broken", "Assertion", "AddressSanitizer", "ThreadSanitizer", "runtime error:", NULL};
static const char *const log_files[] = {"/raft/", NULL};

const struct target target_server = {.name = "k3x-server",
        .takes_shim = true,
        .has_clusters = true,
        .serves_kube = true,
        .argv = argv,
        .boot = boot,
        .serves = serves,
        .leader = leader,
        .release = release,
        .crash_words = crash_words,
        .log_files = log_files};
