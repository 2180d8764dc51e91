/* `k3x-bench api`: creations, server-side apply, lists, watch fan-out and memory of the API server, as clients see
 * them.
 *
 * Rounds on a fresh server each measure creations (2,000 ConfigMaps by one client, 10,000 by 64, 10,000 pods by 32).
 * One more measures server-side apply (apply.c), one custom resources (custom.c).
 * Then one server is filled with 12,000 ConfigMaps and 10,000 pods that come back as 9 KB, and its memory, lists,
 * fan-out and start on that store are measured. Server and clients share the machine. */
#include "tools/bench/bench.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const alone[] = {"--disable-scheduler", "--disable-controller-manager", NULL};

static bool wants(const struct bench_settings *s, const char *part)
{
	return !s->only || strcmp(s->only, part) == 0;
}

struct creations {
	struct bench_samples cm1_rate, cm1_p50, cm1_p99, cm64_rate, cm64_p50, cm64_p99, cm64_cpu, pod_rate, pod_p50,
	        pod_p99, pod_cpu;
};

struct creation_round {
	unsigned clients;
	unsigned n;
	const char *names;
	void (*make)(struct bench_load *, unsigned, struct strbuf *, struct strbuf *);
	struct bench_samples *rate, *p50, *p99, *cpu;
};

static void create(struct bench_target *t, struct bench_server *server, const struct creation_round *c)
{
	struct bench_samples ms = {0};
	double cpu = server ? bench_server_cpu_ms(server) : 0;
	bench_samples_add(c->rate, bench_create(t, c->clients, c->n, c->names, c->make, &ms));
	if (server && c->cpu)
		bench_samples_add(c->cpu, (bench_server_cpu_ms(server) - cpu) / c->n);
	bench_samples_add(c->p50, bench_samples_percentile(&ms, 50));
	bench_samples_add(c->p99, bench_samples_percentile(&ms, 99));
	bench_samples_release(&ms);
}

static void create_all(
        struct bench_target *t, struct bench_server *server, struct creations *c, bool quick, const char *names)
{
	unsigned part = quick ? 4 : 1;
	create(t, server,
	        &(struct creation_round){
	                1, 2000 / part, names, bench_make_configmap, &c->cm1_rate, &c->cm1_p50, &c->cm1_p99, NULL});
	char *other = xprintf("%s-64", names);
	create(t, server,
	        &(struct creation_round){64, 10000 / part, other, bench_make_configmap, &c->cm64_rate, &c->cm64_p50,
	                &c->cm64_p99, &c->cm64_cpu});
	cleanup_free(&other);
	create(t, server,
	        &(struct creation_round){
	                32, 10000 / part, names, bench_make_pod, &c->pod_rate, &c->pod_p50, &c->pod_p99, &c->pod_cpu});
}

static void report_creations(struct bench_report *r, struct creations *c)
{
#define MEDIAN(s) bench_samples_percentile(&c->s, 50)
	bench_report_add(r, (struct bench_row){"configmap_create_1_client_per_s", "ConfigMap create, 1 client", "/s",
	                            MEDIAN(cm1_rate), 369, 738, BENCH_HIGHER});
	bench_report_add(r, (struct bench_row){"configmap_create_1_client_p50_ms", "  p50", "ms", MEDIAN(cm1_p50), 2.33,
	                            0, BENCH_LOWER});
	bench_report_add(r, (struct bench_row){"configmap_create_1_client_p99_ms", "  p99", "ms", MEDIAN(cm1_p99), 6.1,
	                            0, BENCH_LOWER});
	bench_report_add(r, (struct bench_row){"configmap_create_64_clients_per_s", "ConfigMap create, 64 clients",
	                            "/s", MEDIAN(cm64_rate), 1411, 9877, BENCH_HIGHER});
	bench_report_add(r, (struct bench_row){"configmap_create_64_clients_p50_ms", "  p50", "ms", MEDIAN(cm64_p50),
	                            42.1, 0, BENCH_LOWER});
	bench_report_add(r, (struct bench_row){"configmap_create_64_clients_p99_ms", "  p99", "ms", MEDIAN(cm64_p99),
	                            119, 20, BENCH_LOWER});
	bench_report_add(r, (struct bench_row){"configmap_create_64_clients_server_cpu_ms", "  server CPU per create",
	                            "ms", MEDIAN(cm64_cpu), 1.18, 0, BENCH_LOWER});
	bench_report_add(r, (struct bench_row){"pod_create_32_clients_per_s", "Pod create (3.7 KB), 32 clients", "/s",
	                            MEDIAN(pod_rate), 468, 2340, BENCH_HIGHER});
	bench_report_add(r,
	        (struct bench_row){"pod_create_32_clients_p50_ms", "  p50", "ms", MEDIAN(pod_p50), 59, 0, BENCH_LOWER});
	bench_report_add(r, (struct bench_row){"pod_create_32_clients_p99_ms", "  p99", "ms", MEDIAN(pod_p99), 193, 0,
	                            BENCH_LOWER});
	bench_report_add(r, (struct bench_row){"pod_create_32_clients_server_cpu_ms", "  server CPU per create", "ms",
	                            MEDIAN(pod_cpu), 3.76, 0, BENCH_LOWER});
#undef MEDIAN
	struct bench_samples *all = &c->cm1_rate;
	for (size_t i = 0; i < sizeof *c / sizeof *all; i++)
		bench_samples_release(&all[i]);
}

static int with_server(struct bench_settings *s, struct creations *c, int round, struct err *err)
{
	struct bench_server server;
	struct bench_target t;
	char names[16];
	bench_server_init(&server, s, round);
	snprintf(names, sizeof names, "r%d", round);
	int rc = bench_server_start(&server, alone, NULL, err);
	if (rc == 0 && (rc = bench_target_open(&t, server.kubeconfig, err)) == 0) {
		rc = bench_objects_prepare(&t, err);
		if (rc == 0)
			create_all(&t, &server, c, s->quick, names);
		bench_target_close(&t);
	}
	bench_server_stop(&server);
	bench_server_remove(&server);
	return rc;
}

/* The store of the read benchmarks: 12,000 ConfigMaps, 10,000 pods of 9 KB. */
static void fill(struct bench_target *t)
{
	bench_create(t, 32, 12000, "store", bench_make_configmap, NULL);
	bench_create(t, 32, 10000, "store", bench_make_big_pod, NULL);
}

static int measure_filled(
        struct bench_settings *s, struct bench_report *r, struct bench_server *server, struct err *err)
{
	struct bench_target t;
	double ready_ms = 0;
	if (bench_server_start(server, alone, NULL, err) != 0 || bench_target_open(&t, server->kubeconfig, err) != 0)
		return err->code;
	double empty = bench_server_rss_mb(server, "VmRSS");
	int rc = bench_objects_prepare(&t, err);
	if (rc == 0) {
		fill(&t);
		sleep(s->quick ? 1 : 5);
		double full = bench_server_rss_mb(server, "VmRSS");
		bench_report_add(r, (struct bench_row){"rss_empty_mb", "resident, empty store, just started", "MiB",
		                            empty, 0, 40, BENCH_LOWER});
		bench_report_add(
		        r, (struct bench_row){"rss_10000_pods_mb", "resident, 10,000 pods and 12,000 ConfigMaps", "MiB",
		                   full, 1338, 150, BENCH_LOWER});
		if (wants(s, "lists"))
			bench_lists(r, &t, server, s->quick);
		bench_report_add(r, (struct bench_row){"rss_after_lists_mb", "resident after the lists", "MiB",
		                            bench_server_rss_mb(server, "VmRSS"), 0, 0, BENCH_LOWER});
		if (wants(s, "watch"))
			bench_fan_out(r, &t, 1000, s->quick ? 5 : (int)(s->rounds ? s->rounds : 30));
		bench_report_add(r, (struct bench_row){"rss_after_fan_out_mb", "resident after the fan-out", "MiB",
		                            bench_server_rss_mb(server, "VmRSS"), 0, 0, BENCH_LOWER});
	}
	bench_target_close(&t);
	bench_server_stop(server);
	if (rc == 0 && bench_server_start(server, alone, &ready_ms, err) == 0) {
		sleep(1);
		bench_report_add(r, (struct bench_row){"ready_with_10000_pods_ms", "exec to /readyz on that store",
		                            "ms", ready_ms, 3270, 0, BENCH_LOWER});
		bench_report_add(r, (struct bench_row){"rss_restarted_mb", "resident after that restart", "MiB",
		                            bench_server_rss_mb(server, "VmRSS"), 1451, 150, BENCH_LOWER});
	}
	return err->code;
}

/* A server that is there already: no process to look at, and it keeps what we make. */
static int measure_other(struct bench_settings *s, struct bench_report *r, struct err *err)
{
	struct bench_target t;
	struct creations c = {0};
	char names[32];
	snprintf(names, sizeof names, "p%ld", (long)getpid());
	if (bench_target_open(&t, s->kubeconfig, err) != 0)
		return err->code;
	if (bench_objects_prepare(&t, err) == 0) {
		if (wants(s, "creations")) {
			create_all(&t, NULL, &c, s->quick, names);
			report_creations(r, &c);
		}
		if (wants(s, "lists"))
			bench_lists(r, &t, NULL, s->quick);
		if (wants(s, "watch"))
			bench_fan_out(r, &t, 1000, s->quick ? 5 : (int)(s->rounds ? s->rounds : 30));
	}
	bench_target_close(&t);
	return err->code;
}

static int measure_apply(struct bench_settings *s, struct bench_report *r, int round, struct err *err)
{
	struct bench_server server;
	struct bench_target t;
	bench_server_init(&server, s, round);
	int rc = bench_server_start(&server, alone, NULL, err);
	if (rc == 0 && (rc = bench_target_open(&t, server.kubeconfig, err)) == 0) {
		rc = bench_objects_prepare(&t, err);
		if (rc == 0)
			bench_apply(r, &t, &server, s->quick);
		bench_target_close(&t);
	}
	bench_server_stop(&server);
	bench_server_remove(&server);
	return rc;
}

static int measure_custom(struct bench_settings *s, struct bench_report *r, int round, struct err *err)
{
	struct bench_server server;
	struct bench_target t;
	bench_server_init(&server, s, round);
	int rc = bench_server_start(&server, alone, NULL, err);
	if (rc == 0 && (rc = bench_target_open(&t, server.kubeconfig, err)) == 0) {
		if (bench_objects_prepare(&t, err) == 0)
			bench_custom(r, &t, &server, s->quick, err);
		bench_target_close(&t);
		rc = err->code;
	}
	bench_server_stop(&server);
	bench_server_remove(&server);
	return rc;
}

/* What a server holds that was started with 500 definitions, beyond one that was started with none. */
static int measure_definitions(struct bench_settings *s, struct bench_report *r, int round, struct err *err)
{
	struct bench_server server;
	struct bench_target t;
	double ready_ms;
	bench_server_init(&server, s, round);
	int rc = bench_server_start(&server, alone, NULL, err);
	double without = bench_server_rss_mb(&server, "RssAnon");
	if (rc == 0 && (rc = bench_target_open(&t, server.kubeconfig, err)) == 0) {
		bench_definitions(&t, err);
		bench_target_close(&t);
		bench_server_stop(&server);
		if (!err->code && bench_server_start(&server, alone, &ready_ms, err) == 0) {
			bench_report_add(
			        r, (struct bench_row){"definitions_500_mb", "500 definitions of 15 KB, memory", "MiB",
			                   bench_server_rss_mb(&server, "RssAnon") - without, 0, 40, BENCH_LOWER});
			bench_report_add(r, (struct bench_row){"definitions_500_ready_ms", "  start to ready with them",
			                            "ms", ready_ms, 0, 1000, BENCH_LOWER});
		}
		rc = err->code;
	}
	bench_server_stop(&server);
	bench_server_remove(&server);
	return rc;
}

static int measure_own(struct bench_settings *s, struct bench_report *r, struct err *err)
{
	struct creations c = {0};
	int64_t rounds = s->rounds ? s->rounds : s->quick ? 1 : 3;
	for (int i = 0; i < rounds && wants(s, "creations"); i++)
		if (with_server(s, &c, i, err) != 0)
			return err->code;
	if (wants(s, "creations"))
		report_creations(r, &c);
	if (wants(s, "apply") && measure_apply(s, r, (int)rounds, err) != 0)
		return err->code;
	if (wants(s, "custom") && (measure_custom(s, r, (int)rounds + 1, err) != 0 ||
	                                  measure_definitions(s, r, (int)rounds + 2, err) != 0))
		return err->code;
	if (s->only && !wants(s, "lists") && !wants(s, "watch"))
		return 0;
	struct bench_server server;
	bench_server_init(&server, s, (int)rounds + 3);
	measure_filled(s, r, &server, err);
	bench_server_stop(&server);
	bench_server_remove(&server);
	return err->code;
}

int bench_api(struct bench_settings *s)
{
	struct bench_report r = {0};
	struct err err = ERR_INIT;
	int rc = s->kubeconfig ? measure_other(s, &r, &err) : measure_own(s, &r, &err);
	if (rc != 0)
		fprintf(stderr, "k3x-bench: %s\n", err.msg);
	bench_report_end(&r, s, "api",
	        "Method: medians over rounds, each on a fresh server (API server alone, RBAC off, fsync on); lists and "
	        "fan-out on one server with\n"
	        "10,000 pods and 12,000 ConfigMaps. One TLS 1.3 HTTP/1.1 keep-alive connection per client, JSON, "
	        "clients on the same cores.");
	return rc == 0 ? 0 : 1;
}
