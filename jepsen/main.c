/* jepsen: breaks a cluster of real servers and checks what its clients saw. One run per workload, in turn; the last
 * line adds up. Ends with 0 when there was no violation (with --break or --serializable: when there was one), 1
 * otherwise, 2 when a run could not be made. */
#include "base/check.h"
#include "base/log.h"
#include "jepsen/jail.h"
#include "jepsen/nemesis.h"
#include "jepsen/report.h"
#include "jepsen/workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct totals {
	unsigned runs, faults, violations, failed;
	int64_t operations;
};

static void list_all(void)
{
	printf("workloads:\n");
	for (unsigned i = 0; i < workload_count; i++)
		printf("  %-20s %s\n", workloads[i]->name, workloads[i]->what);
	printf("nemeses:\n");
	for (unsigned i = 0; i < nemesis_count; i++)
		printf("  %-20s %s%s\n", nemeses[i]->name, nemeses[i]->what,
		        nemeses[i]->needs_shim ? " (k3x only)" : "");
}

static bool is_chosen(const struct jepsen_options *o, const struct workload *w)
{
	bool fits = w->wants_kube == target_find(o->target)->serves_kube;
	return strcmp(o->workload, "all") == 0 ? fits : jepsen_names_have(o->workload, w->name);
}

static void run_and_count(const struct jepsen_options *o, const struct workload *w, int64_t seconds, struct totals *t)
{
	struct run_result got = {0};
	struct err err = ERR_INIT;
	t->runs++;
	if (w->wants_kube != target_find(o->target)->serves_kube) {
		t->failed++;
		fprintf(stderr, "jepsen: %s: %s serves %s API, and this workload asks for the other\n", w->name,
		        o->target, w->wants_kube ? "etcd's" : "Kubernetes'");
		return;
	}
	if (run_one(o, w, seconds, (uint64_t)o->seed, &got, &err) != 0) {
		t->failed++;
		fprintf(stderr, "jepsen: %s: %s\n", w->name, err.msg);
	}
	t->operations += got.operations;
	t->faults += got.faults;
	t->violations += got.violations;
}

/* A table of all runs in the folder, these and earlier ones. */
static void summarize(const struct jepsen_options *o)
{
	char *folders[] = {(char *)o->dir}, to[512];
	struct err err = ERR_INIT;
	snprintf(to, sizeof to, "%.500s/", o->dir);
	if (report_summary(folders, 1, to, &err) != 0)
		fprintf(stderr, "jepsen: summary: %s\n", err.msg);
}

static int inside(void *arg)
{
	const struct jepsen_options *o = arg;
	struct totals t = {0};
	unsigned chosen = 0;
	for (unsigned i = 0; i < workload_count; i++)
		chosen += is_chosen(o, workloads[i]);
	for (unsigned i = 0; i < workload_count && !jail_should_stop(); i++)
		if (is_chosen(o, workloads[i]))
			run_and_count(o, workloads[i], o->seconds / chosen ? o->seconds / chosen : 1, &t);
	if (chosen)
		summarize(o);
	else
		fprintf(stderr, "jepsen: --workload: none is called \"%s\"; see --list\n", o->workload);
	printf("jepsen: %u runs, %" PRId64 " operations, %u faults, %u violations\n", t.runs, t.operations, t.faults,
	        t.violations);
	if (t.failed || !chosen)
		return 2;
	return (t.violations > 0) == (o->break_name || o->serializable) ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct arena a = ARENA_INIT;
	struct jepsen_options o;
	struct err err = ERR_INIT;
	int rc = jepsen_options_load(&o, &a, argc, argv, &err);
	if (rc < 0)
		fprintf(stderr, "jepsen: %s\n", err.msg);
	if (rc == 0 && o.list)
		list_all();
	log_set_level(o.verbose ? LOG_INFO : LOG_WARN);
	int code = rc < 0 ? 2 : rc > 0 || o.list ? 0 : jail_run(inside, &o);
	arena_release(&a);
	return code;
}
