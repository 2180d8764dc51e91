/* See options.h. */
#include "jepsen/options.h"

#include "base/check.h"
#include "base/mem/str.h"
#include "jepsen/datastore.h"
#include "jepsen/target.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

bool jepsen_names_have(const char *names, const char *name)
{
	struct slice rest = slice_of(names);
	while (rest.ptr)
		if (slice_is(slice_cut(&rest, ','), name))
			return true;
	return false;
}

static const char *beside_program(struct arena *a, const char *name)
{
	char path[512];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	if (n <= 0)
		return name;
	path[n] = 0;
	char *slash = strrchr(path, '/');
	*slash = 0;
	return arena_printf(a, "%s/%s", path, name);
}

static int check(struct jepsen_options *o, struct err *err)
{
	const struct target *t = target_find(o->target);
	if (!t)
		return err_set(err, ERR_INVAL, "--target: \"%s\" is none of k3x, k3x-server, etcd", o->target);
	if (o->datastore && !datastore_find(o->datastore))
		return err_set(err, ERR_INVAL, "--datastore: \"%s\" is none of postgres, mysql, etcd", o->datastore);
	if (o->datastore && (!t->serves_kube || o->nodes == NODES_MAX))
		return err_set(
		        err, ERR_INVAL, "--datastore: for --target k3x-server, with %d servers at most", NODES_MAX - 1);
	if (o->nodes < 1 || o->nodes > 7)
		return err_set(err, ERR_INVAL, "--nodes: 1 to 7 are possible");
	if (o->nodes > 1 && !t->has_clusters)
		return err_set(err, ERR_INVAL, "--nodes: clusters of %s cannot be started yet, 1 is possible", t->name);
	if (o->clients < 3 || o->clients > 64)
		return err_set(err, ERR_INVAL, "--clients: 3 to 64 are possible");
	if (o->lanes < 0 || o->lanes > JEPSEN_LANES_MAX)
		return err_set(err, ERR_INVAL, "--lanes: 1 to %d are possible", JEPSEN_LANES_MAX);
	if (o->seconds < 1 || o->rate < 1)
		return err_set(err, ERR_INVAL, "--seconds and --rate are above 0");
	return 0;
}

int jepsen_options_load(struct jepsen_options *o, struct arena *a, int argc, char **argv, struct err *err)
{
	*o = (struct jepsen_options){.target = "k3x",
	        .workload = "all",
	        .nemesis = "mixed",
	        .dir = "build/jepsen",
	        .scratch = "/tmp",
	        .shim = beside_program(a, "jepsen_shim.so"),
	        .nodes = 3,
	        .clients = 9,
	        .seconds = 60,
	        .rate = 200};
	const struct flag table[] = {
	        {"target", 0, FLAG_STRING, &o->target, NULL, "k3x, k3x-server or etcd (k3x)", NULL},
	        {"binary", 0, FLAG_STRING, &o->binary, NULL, "the target's program (build/k3x, etcd)", NULL},
	        {"workload", 'w', FLAG_STRING, &o->workload, NULL, "names with commas between, or all (all)", NULL},
	        {"datastore", 0, FLAG_STRING, &o->datastore, NULL,
	                "postgres, mysql or etcd: the servers share one (each keeps its state)", NULL},
	        {"nemesis", 'n', FLAG_STRING, &o->nemesis, NULL,
	                "names with commas between, mixed (all that fit the target) or none (mixed)", NULL},
	        {"lanes", 0, FLAG_INT, &o->lanes, NULL, "faults at a time, of different kinds (mixed: 2, names: 1)",
	                NULL},
	        {"nodes", 0, FLAG_INT, &o->nodes, NULL, "servers (3)", NULL},
	        {"clients", 0, FLAG_INT, &o->clients, NULL, "clients (9)", NULL},
	        {"seconds", 's', FLAG_INT, &o->seconds, NULL, "of load, shared among the workloads (60)", NULL},
	        {"rate", 0, FLAG_INT, &o->rate, NULL, "operations per second, all clients together (200)", NULL},
	        {"seed", 0, FLAG_INT, &o->seed, NULL, "of the schedule (from the clock)", NULL},
	        {"dir", 'd', FLAG_STRING, &o->dir, NULL, "where runs leave their folders (build/jepsen)", NULL},
	        {"scratch", 0, FLAG_STRING, &o->scratch, NULL, "where the nodes' disks are made (/tmp)", NULL},
	        {"shim", 0, FLAG_STRING, &o->shim, NULL, "the shim's file (beside the program)", NULL},
	        {"break", 0, FLAG_STRING, &o->break_name, NULL,
	                "run a server that is wrong on purpose (K3X_BREAK): a violation must be found", NULL},
	        {"brisk", 0, FLAG_BOOL, &o->brisk, NULL, "short faults that follow each other closely", NULL},
	        {"serializable", 0, FLAG_BOOL, &o->serializable, NULL,
	                "ask for reads that may be stale: a violation must be found", NULL},
	        {"keep-disks", 0, FLAG_BOOL, &o->keep_disks, NULL, "copy data folders into the run's folder", NULL},
	        {"verbose", 'v', FLAG_BOOL, &o->verbose, NULL, "tell what is going on", NULL},
	        {"list", 0, FLAG_BOOL, &o->list, NULL, "list workloads and nemeses", NULL},
	};
	struct flags f = {.program = "jepsen",
	        .summary = "jepsen: breaks a cluster of real servers and checks what its clients saw",
	        .table = table,
	        .count = COUNT_OF(table)};
	int rc = flags_load(&f, a, argc, argv, err);
	if (rc == 0 && f.want_help) {
		flags_help(&f);
		return 1;
	}
	if (rc == 0 && o->seed == 0)
		o->seed = (int64_t)time(NULL);
	return rc ? rc : check(o, err);
}
