/* `k3x-bench`: measures a server as its clients see it, and prints the figures beside those of the peer.
 *
 * Each benchmark starts servers of its own on loopback, with folders of their own, and leaves nothing behind; `api` can
 * also be pointed at a running server with --kubeconfig. */
#include "tools/bench/bench.h"
#include "tools/programs.h"

#include "base/flags.h"
#include "base/proc/process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int bench_store_engine_main(int argc, char **argv);

static int usage(FILE *out)
{
	fprintf(out, "Usage: k3x-bench api|rbac|nodes|start|store|wear [flags]\n       k3x-bench engine [DIRECTORY "
	             "[SECONDS]]\n\n"
	             "  api     creations, lists, watch fan-out, memory of the API server\n"
	             "  rbac    decisions by roles\n"
	             "  nodes   scheduler and controllers on nodes that are made up\n"
	             "  start   time until ready, memory and CPU when idle\n"
	             "  store   k3x-store beside etcd, three servers each\n"
	             "  wear    bytes that reach the disk, beside etcd; needs root\n"
	             "  engine  the datastore without network\n");
	return out == stdout ? 0 : 2;
}

static int load(struct bench_settings *s, int argc, char **argv, bool *want_help, struct err *err)
{
	const struct flag table[] = {
	        {"kubeconfig", 0, FLAG_STRING, &s->kubeconfig, NULL,
	                "api: measure the server this names instead of starting one", NULL},
	        {"dir", 0, FLAG_STRING, &s->dir, NULL, "where servers keep their data (/tmp)", NULL},
	        {"out", 0, FLAG_STRING, &s->out, NULL, "folder for NAME.json (build/bench)", NULL},
	        {"only", 0, FLAG_STRING, &s->only, NULL,
	                "api: creations, apply, custom, lists or watch alone; store: loads with this in their name, "
	                "failover "
	                "or "
	                "large; "
	                "wear: figures with this in their name, such as steady, put_pod or one",
	                NULL},
	        {"system", 0, FLAG_STRING, &s->system, NULL, "store, wear: k3x or etcd alone (both)", NULL},
	        {"seconds", 0, FLAG_INT, &s->seconds, NULL, "store, wear: of one run of a load (3; wear 10)", NULL},
	        {"connections", 0, FLAG_INT, &s->connections, NULL, "store, wear: of all clients together (12)", NULL},
	        {"puts", 0, FLAG_INT, &s->puts, NULL, "store: puts into the large store (1000000)", NULL},
	        {"leader", 0, FLAG_BOOL, &s->leader, NULL, "store: send all requests to the leader (to all servers)",
	                NULL},
	        {"port", 0, FLAG_INT, &s->port, NULL, "first port of the servers (17100)", NULL},
	        {"rounds", 0, FLAG_INT, &s->rounds, NULL, "how often (the benchmark's own number)", NULL},
	        {"quick", 0, FLAG_BOOL, &s->quick, NULL, "fewer and shorter rounds", NULL},
	};
	struct flags f = {.program = "k3x-bench",
	        .summary = "k3x-bench api|rbac|nodes|start|store|wear: measures a k3x server",
	        .table = table,
	        .count = COUNT_OF(table)};
	int rc = flags_load(&f, &s->arena, argc, argv, err);
	*want_help = rc == 0 && f.want_help;
	if (*want_help)
		flags_help(&f);
	return rc;
}

int bench_main(int argc, char **argv)
{
	struct bench_settings s = {.dir = "/tmp", .out = "build/bench", .port = 17100};
	struct err err = ERR_INIT;
	bool want_help;
	int (*run)(struct bench_settings *) = NULL;
	const char *what = argc > 1 ? argv[1] : "";
	if (strcmp(what, "--help") == 0 || strcmp(what, "-h") == 0)
		return usage(stdout);
	if (strcmp(what, "engine") == 0)
		return bench_store_engine_main(argc - 1, argv + 1);
	if (strcmp(what, "api") == 0)
		run = bench_api;
	else if (strcmp(what, "rbac") == 0)
		run = bench_rbac;
	else if (strcmp(what, "nodes") == 0)
		run = bench_nodes;
	else if (strcmp(what, "start") == 0)
		run = bench_start;
	else if (strcmp(what, "store") == 0)
		run = bench_store;
	else if (strcmp(what, "wear") == 0)
		run = bench_wear;
	else
		return usage(stderr);
	if (load(&s, argc - 1, argv + 1, &want_help, &err) != 0) {
		fprintf(stderr, "k3x-bench: %s\n", err.msg);
		return 2;
	}
	if (want_help)
		return 0;
	process_raise_file_limit();
	signal(SIGPIPE, SIG_IGN);
	int rc = run(&s);
	arena_release(&s.arena);
	return rc;
}
